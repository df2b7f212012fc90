"""Update a file on SmartFile from a local one; of a changed file only the differences are sent.

    python smartfile_sync.py disk.img /backup/disk.img

Credentials are read from SMARTFILE_API_KEY and SMARTFILE_API_PASSWORD, or from netrc.
"""

import sys

from smartxfer import BasicClient, SmartxferError, SyncClient

local, remote = sys.argv[1:]

with BasicClient() as api:
    try:
        result = SyncClient(api).upload(local, remote, progress=True)
    except SmartxferError as error:
        sys.exit(f"not updated: {error}")

transferred = result.bytes_sent + result.bytes_received
print(f"{result.name}: {result.method}, verified by {result.verified}")
print(f"{transferred} of {result.bytes} bytes transferred")
