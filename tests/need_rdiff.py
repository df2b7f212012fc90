"""A check that ``rdiff`` and librsync are installed: the tests of deltas compare with them, and are never skipped.

Run before the tests.  Where they are missing it installs Debian's packages if it may, else it says how.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from typing import List

PACKAGES = ("rdiff", "librsync2")


def missing() -> List[str]:
    """Return the names of the missing programs and libraries."""
    found = [] if shutil.which("rdiff") else ["the program rdiff"]
    try:
        ctypes.CDLL("librsync.so.2")
    except OSError:
        found.append("the library librsync.so.2")
    return found


def install() -> None:
    """Install Debian's packages; whether it helped, the caller looks."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        # The output of apt-get is not a result of this program.
        subprocess.run(["apt-get", "-q", *command], stdout=sys.stderr, env=environment, check=False)


def main() -> int:
    """Look, install where that is possible, look again; 1 when something is still missing."""
    if missing() and shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        install()
    left = missing()
    if left:
        print("missing: {}; install {}".format(" and ".join(left), " and ".join(PACKAGES)), file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
