"""Send files with a voucher: the link in an invitation from a user of the site.

    python guest_upload.py "https://filesender.example.org/?s=upload&vid=..." reads.fastq

It needs only the link; the files are sent to the user who invited you.
"""

import sys

from smartxfer import FileSenderClient, SmartxferError

voucher, *files = sys.argv[1:]

with FileSenderClient(voucher) as client:
    try:
        transfer = client.upload_workflow(files, {"message": "As you asked"}, progress=True)
    except SmartxferError as error:
        sys.exit(f"not sent: {error}")

print(f"sent {len(transfer.results)} files")
