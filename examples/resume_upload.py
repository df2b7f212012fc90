"""Send a large file; after Ctrl-C, a crash or a broken line, the same command goes on.

    python resume_upload.py reads.fastq

Address and credentials come from FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY.
"""

import sys

from smartxfer import FileSenderClient, SmartxferError

with FileSenderClient.from_environment() as client:
    try:
        transfer = client.upload_workflow(sys.argv[1:], link=True, progress=True)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)
    except SmartxferError as error:
        sys.exit(f"stopped, the same command goes on: {error}")

resumed = sum(result.resumed for result in transfer.results)
print(f"{transfer.download_url} ({resumed} bytes were there already)")
