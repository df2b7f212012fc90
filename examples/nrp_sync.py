"""Make a draft's files those of a directory; what is there already, by its MD5, is not sent again.

    python nrp_sync.py https://repo.example.org/uploads/9xrg8-d2364 results

After Ctrl-C, a crash or a broken line the same command goes on.  The token comes from NRP_TOKEN, or from
nrp-cmd's configuration.
"""

import sys

from smartxfer import SmartxferError
from smartxfer.nrp import get_client

draft, directory = sys.argv[1:]

with get_client() as client:
    try:
        done = client.files.sync_dir(draft, directory, progress="sending")
    except SmartxferError as error:
        sys.exit(f"stopped, the same command goes on: {error}")

print(f"{len(done.uploaded)} sent, {len(done.replaced)} replaced, {len(done.skipped)} there already")
