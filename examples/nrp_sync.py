"""Upload a directory to a draft; files with the same MD5 are not sent again.

    python nrp_sync.py https://repo.example.org/uploads/9xrg8-d2364 results

After Ctrl-C, a crash or a lost connection, the same command resumes.  The token is read from NRP_TOKEN, or
from nrp-cmd's configuration.
"""

import sys

from smartxfer import SmartxferError
from smartxfer.nrp import get_client

draft, directory = sys.argv[1:]

with get_client() as client:
    try:
        done = client.files.sync_dir(draft, directory, progress="sending")
    except SmartxferError as error:
        sys.exit(f"stopped, run the same command again: {error}")

print(f"{len(done.uploaded)} sent, {len(done.replaced)} replaced, {len(done.skipped)} unchanged")
