"""Download all files of a record in an NRP or Invenio repository; run it again to resume.

    python nrp_download.py 9xrg8-d2364 copies

The repository is read from NRP_REPOSITORY_URL or from nrp-cmd's configuration.  Public records need no token.
"""

import sys

from smartxfer import SmartxferError
from smartxfer.nrp import get_client

record, directory = sys.argv[1:]

with get_client() as client:
    try:
        results = client.files.download_many(record, directory, progress="downloading")
    except SmartxferError as error:
        sys.exit(f"not complete, run the same command again: {error}")

for result in results:
    print(f"{result.path}  {result.bytes} bytes, verified by {result.verified}")
