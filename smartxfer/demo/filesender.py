"""FileSender demo: an upload that is interrupted, resumed and broken once, a download, and a comparison."""

import time
from typing import TYPE_CHECKING, Any, Callable

from smartxfer import FileSenderClient, UserAuth
from smartxfer.demo.files import DemoFiles, find_differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["FILESENDER_OPTIONS", "run_filesender_demo"]

#: Raise the limit of the server, because the user may pass any number of files.
FILESENDER_OPTIONS = {"max_transfer_files": 100_000}

_CHUNK_REQUEST = "PUT /rest.php/file/*/chunk/*"
#: Approximate number of chunks of the largest file, so that it can be interrupted half-way.
_CHUNK_COUNT = 16
_MIN_CHUNK_SIZE = 64 << 10
_MAX_CHUNK_SIZE = 5 << 20
_BREAK_AFTER = 256 << 10


def run_filesender_demo(
    server: "LocalServer", demo_files: DemoFiles, on_status: Callable[[str], None]
) -> Row:
    """Send the files, download them with the link, and compare them.

    :param server: running server; faults are planned in addition to existing ones.
    :param on_status: called with one line of text about each step.
    :raises SmartxferError: the upload or the download failed.
    """
    site = server.filesender
    largest = max(demo_files.sizes)
    chunk_size = min(_MAX_CHUNK_SIZE, max(_MIN_CHUNK_SIZE, -(-largest // _CHUNK_COUNT)))
    # An empty mapping of proxies: connections to the local server must not use a proxy.
    with FileSenderClient(site.url, chunk_size, UserAuth(site.username, site.api_key), proxies={}) as client:
        on_status(f"FileSender: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes")
        started = time.monotonic()
        chunk_count = sum(-(-size // chunk_size) for size in demo_files.sizes)
        if chunk_count > 1 and _interrupt_upload(client, server, demo_files, chunk_count // 2):
            on_status("FileSender: interrupted half-way on purpose; the same call resumes it")
        break_after = min(_BREAK_AFTER, min(chunk_size, largest) // 2)
        if break_after:
            # Use the last full chunk, because a delayed request of the interrupted run cannot be for it.
            offset = max(0, largest // chunk_size - 1) * chunk_size
            chunk_request = _CHUNK_REQUEST[:-1] + str(offset)
            server.fault("filesender", chunk_request, f"reset-after {break_after}")
            on_status(
                f"FileSender: the connection breaks once on purpose, {break_after:,} bytes into a chunk"
            )
        transfer = client.upload_workflow(demo_files.inputs, link=True, progress="FileSender up")
        uploaded = time.monotonic()
        on_status("FileSender: downloading the files")
        downloads = client.download_files(
            transfer.download_url or "", demo_files.output_directory, progress="FileSender down"
        )
        downloaded = time.monotonic()
    return Row(
        service="FileSender",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=uploaded - started,
        down_seconds=downloaded - uploaded,
        retries=sum(result.retries for result in [*transfer.results, *downloads]),
        resumed=sum(result.resumed for result in transfer.results),
        differing=find_differences(demo_files),
    )


def _interrupt_upload(client: Any, server: "LocalServer", demo_files: DemoFiles, chunk_count: int) -> bool:
    """Send ``chunk_count`` chunks and cancel; return False if the upload was complete before."""
    try:
        client.upload_workflow(
            demo_files.inputs,
            link=True,
            progress="FileSender up",
            cancel=_CancelAfterChunks(server, chunk_count),
        )
    except Cancelled:
        return True
    return False


class _CancelAfterChunks:
    """Cancel object that is set when the server has acknowledged a number of chunks.

    It does not use progress events, because a fast machine may report only the start and the end.
    """

    def __init__(self, server: "LocalServer", count: int) -> None:
        self._site = server.filesender
        self._count = count
        self._next_check = 0.0

    def is_set(self) -> bool:
        """Return True if the upload should be cancelled."""
        started = time.monotonic()
        if started < self._next_check:
            return False
        reached = self._site.count(_CHUNK_REQUEST, status=200) >= self._count
        ended = time.monotonic()
        # Counting thousands of requests is slow: use at most a sixth of the time for it.
        self._next_check = ended + 5 * (ended - started)
        return reached
