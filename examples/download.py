"""Fetch what a download link leads to; run it again to go on after it was broken.

    python download.py "https://filesender.example.org/?s=download&token=..." ~/Downloads

The link is all it needs: no account, no settings.
"""

import sys

from smartxfer import FileSenderClient, SmartxferError

link, directory = sys.argv[1:]

with FileSenderClient(link) as client:
    try:
        results = client.download_files(link, directory, progress=True)
    except SmartxferError as error:
        sys.exit(f"not complete: {error}")

for result in results:
    print(f"{result.path}  {result.bytes} bytes, {result.resumed} of them from an earlier run")
