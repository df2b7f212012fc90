"""Download the files of a link; run it again to resume an interrupted download.

    python download.py "https://filesender.example.org/?s=download&token=..." ~/Downloads

It needs only the link, without an account or settings.
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
