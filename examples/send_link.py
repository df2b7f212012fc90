"""Send files and print a download link that you can pass on.

    python send_link.py reads.fastq results/

The URL and the credentials are read from FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY.
"""

import sys
import time

from smartxfer import FileSenderClient, SmartxferError

WEEK = 7 * 24 * 3600

with FileSenderClient.from_environment() as client:
    try:
        transfer = client.upload_workflow(
            sys.argv[1:], {"expires": int(time.time()) + WEEK}, link=True, progress="sending"
        )
    except SmartxferError as error:
        sys.exit(f"not sent: {error}")

print(transfer.download_url)
