"""FileSender in the demo: interrupted half-way, gone on with, broken once, fetched back, compared."""

import time
from typing import TYPE_CHECKING, Any, Callable

from smartxfer import FileSenderClient, UserAuth
from smartxfer.demo.files import DemoFiles, find_differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["FILESENDER_OPTIONS", "run_filesender_demo"]

#: The demo sends what it is given, however many files that is.
FILESENDER_OPTIONS = {"max_transfer_files": 100_000}

_CHUNK_REQUEST = "PUT /rest.php/file/*/chunk/*"
#: The largest file is sent in about this many chunks, so that there is a half to go on from.
_CHUNK_COUNT = 16
_MIN_CHUNK_SIZE = 64 << 10
_MAX_CHUNK_SIZE = 5 << 20
_BREAK_AFTER = 256 << 10


def run_filesender_demo(
    server: "LocalServer", demo_files: DemoFiles, on_status: Callable[[str], None]
) -> Row:
    """Send the files, fetch them back by the link, and compare.

    :param server: running; faults are added to those that are planned.
    :param on_status: told in a line what happens.
    :raises SmartxferError: sending or fetching failed.
    """
    site = server.filesender
    largest = max(demo_files.sizes)
    chunk_size = min(_MAX_CHUNK_SIZE, max(_MIN_CHUNK_SIZE, -(-largest // _CHUNK_COUNT)))
    # An empty mapping: no proxy stands between a machine and itself.
    with FileSenderClient(site.url, chunk_size, UserAuth(site.username, site.api_key), proxies={}) as client:
        on_status(f"FileSender: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes")
        began = time.monotonic()
        chunks = sum(-(-size // chunk_size) for size in demo_files.sizes)
        if chunks > 1 and _interrupt_upload(client, server, demo_files, chunks // 2):
            on_status("FileSender: interrupted half-way on purpose; the same call again goes on")
        broken = min(_BREAK_AFTER, min(chunk_size, largest) // 2)
        if broken:
            # The last full chunk: a request of the interrupted run that arrives late is none for it.
            offset = max(0, largest // chunk_size - 1) * chunk_size
            chunk = _CHUNK_REQUEST[:-1] + str(offset)
            server.fault("filesender", chunk, f"reset-after {broken}")
            on_status(f"FileSender: the connection breaks once on purpose, {broken:,} bytes into a chunk")
        transfer = client.upload_workflow(demo_files.inputs, link=True, progress="FileSender up")
        sent = time.monotonic()
        on_status("FileSender: fetching the files back")
        fetched = client.download_files(
            transfer.download_url or "", demo_files.output_directory, progress="FileSender down"
        )
        done = time.monotonic()
    return Row(
        service="FileSender",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=sent - began,
        down_seconds=done - sent,
        retries=sum(result.retries for result in [*transfer.results, *fetched]),
        resumed=sum(result.resumed for result in transfer.results),
        differing=find_differences(demo_files),
    )


def _interrupt_upload(client: Any, server: "LocalServer", demo_files: DemoFiles, chunk_count: int) -> bool:
    """Send half of the chunks; False if it was over before it could be stopped."""
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
    """Cancels once the server has acknowledged a number of chunks.

    Not counted from the progress, which on a fast machine steps over the middle.
    """

    def __init__(self, server: "LocalServer", count: int) -> None:
        self._site = server.filesender
        self._count = count
        self._next_check = 0.0

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        began = time.monotonic()
        if began < self._next_check:
            return False
        reached = self._site.count(_CHUNK_REQUEST, status=200) >= self._count
        ended = time.monotonic()
        # Of thousands of requests a look takes long: it gets a sixth of the time, no more.
        self._next_check = ended + 5 * (ended - began)
        return reached
