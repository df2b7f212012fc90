"""Send files and directories to Perseus, and wait until the service has taken them in.

    python perseus_upload.py report.txt contracts
    python perseus_upload.py --repair report.txt

What the service has already, by its content, is not sent again.  After Ctrl-C, a crash or a broken line
the same command goes on.  The key comes from PERSEUS_API_KEY or from a .env file.
"""

import sys

from smartxfer import PerseusClient, SmartxferError

words = sys.argv[1:]
repair = "--repair" in words
things = [word for word in words if word != "--repair"]

with PerseusClient() as client:
    try:
        files = client.file.upload_many(things, wait=True, repair=repair, progress="sending")
    except SmartxferError as error:
        sys.exit(f"not complete, the same command goes on: {error}")

for file in files:
    print(f"{file.id}  {file.name}, {'there already' if file.reused else 'sent'}")
