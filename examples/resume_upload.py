"""Send a large file; after Ctrl-C, a crash or a lost connection, the same command resumes the upload.

    python resume_upload.py reads.fastq

The URL and the credentials are read from FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY.
"""

import sys

from smartxfer import FileSenderClient, SmartxferError

with FileSenderClient.from_environment() as client:
    try:
        transfer = client.upload_workflow(sys.argv[1:], link=True, progress=True)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        sys.exit(130)
    except SmartxferError as error:
        sys.exit(f"stopped, run the same command again to resume: {error}")

resumed = sum(result.resumed for result in transfer.results)
print(f"{transfer.download_url} ({resumed} bytes from an earlier run)")
