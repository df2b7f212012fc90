"""Send files and directories to Perseus, and wait until the service has processed them.

    python perseus_upload.py report.txt contracts
    python perseus_upload.py --repair report.txt

Content that the service already has is not sent again.  After Ctrl-C, a crash or a lost connection, the same
command resumes.  The key is read from PERSEUS_API_KEY or from a .env file.
"""

import sys

from smartxfer import PerseusClient, SmartxferError

arguments = sys.argv[1:]
repair = "--repair" in arguments
sources = [argument for argument in arguments if argument != "--repair"]

with PerseusClient() as client:
    try:
        files = client.file.upload_many(sources, wait=True, repair=repair, progress="sending")
    except SmartxferError as error:
        sys.exit(f"not complete, run the same command again: {error}")

for file in files:
    print(f"{file.id}  {file.name}, {'already stored' if file.reused else 'sent'}")
