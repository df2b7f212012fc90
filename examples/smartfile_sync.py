"""Bring a file on SmartFile up to date with a local one; of a file that changed, only the changes travel.

    python smartfile_sync.py disk.img /backup/disk.img

Credentials come from SMARTFILE_API_KEY and SMARTFILE_API_PASSWORD, or from netrc.
"""

import sys

from smartxfer import BasicClient, SmartxferError, SyncClient

local, remote = sys.argv[1:]

with BasicClient() as api:
    try:
        result = SyncClient(api).upload(local, remote, progress=True)
    except SmartxferError as error:
        sys.exit(f"not up to date: {error}")

moved = result.bytes_sent + result.bytes_received
print(f"{result.name}: {result.method}, {moved} of {result.bytes} bytes moved, verified by {result.verified}")
