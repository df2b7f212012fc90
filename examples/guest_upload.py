"""Send files with a voucher: the link that somebody with an account has sent you.

    python guest_upload.py "https://filesender.example.org/?s=upload&vid=..." reads.fastq

The link is all it needs; the files go to whoever invited you.
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
