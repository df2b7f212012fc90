"""Report the progress of an upload with your own function instead of the bar.

    python progress_callback.py reads.fastq results/

The URL and the credentials are read from FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY.
"""

import sys
from typing import Dict

from smartxfer import FileSenderClient
from smartxfer.transfer import ProgressEvent

printed: Dict[str, int] = {}


def show(event: ProgressEvent) -> None:
    """Print a line at each tenth of a file; called from a worker thread, one call at a time."""
    tenths = 10 * event.done // event.total if event.total else 10
    if event.state in ("retrying", "done", "failed") or printed.get(event.name) != tenths:
        printed[event.name] = tenths
        print(f"{event.name}: {10 * tenths} % ({event.state})")


with FileSenderClient.from_environment() as client:
    transfer = client.upload_workflow(sys.argv[1:], link=True, progress=show)

print(transfer.download_url)
