"""Compile the test modules in two processes, so that several workers need not each compile them.

Arguments: the directories and files; without any, all tests.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import List

HERE = Path(__file__).parent


def halves(paths: List[Path]) -> List[List[str]]:
    """Divide the modules into two lists of about the same size."""
    modules = {module for path in paths for module in ([path] if path.is_file() else path.rglob("test_*.py"))}
    lists: List[List[str]] = [[], []]
    sizes = [0, 0]
    for module in sorted(modules, key=lambda module: -module.stat().st_size):
        smaller = sizes.index(min(sizes))
        lists[smaller].append(str(module))
        sizes[smaller] += module.stat().st_size
    return [one for one in lists if one]


def main(words: List[str]) -> int:
    """Collect the tests, which compiles them; what is wrong with them the run itself reports."""
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        return 0
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:xdist"]
    running = [
        subprocess.Popen([*command, *modules], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for modules in halves([Path(word) for word in words] or [HERE])
    ]
    for process in running:
        process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
