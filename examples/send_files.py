"""Send files to a recipient, who gets a mail with a download link.

    python send_files.py them@example.org reads.fastq results/

The URL and the credentials are read from FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY.
"""

import sys

from smartxfer import FileSenderClient, SmartxferError

recipient, *files = sys.argv[1:]

with FileSenderClient.from_environment() as client:
    try:
        transfer = client.upload_workflow(
            files, {"recipients": [recipient], "subject": "Here they are"}, progress=True
        )
    except SmartxferError as error:
        sys.exit(f"not sent: {error}")

print(f"transfer {transfer.id} was sent to {recipient}:")
for result in transfer.results:
    print(f"  {result.name}  {result.bytes} bytes")
