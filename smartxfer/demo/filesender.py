"""FileSender in the demo: interrupted half-way, gone on with, broken once, fetched back, compared."""

import time
from typing import TYPE_CHECKING, Any, Callable

from smartxfer import FileSenderClient, UserAuth
from smartxfer.demo.files import Plan, differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["FILESENDER_SITE", "filesender_row"]

#: The demo sends what it is given, however many files that is.
FILESENDER_SITE = {"max_transfer_files": 100_000}

_CHUNKS = "PUT /rest.php/file/*/chunk/*"
#: The largest file is sent in about this many chunks, so that there is a half to go on from.
_PIECES = 16
_LEAST_CHUNK = 64 << 10
_LARGEST_CHUNK = 5 << 20
_BREAK_AFTER = 256 << 10


def filesender_row(server: "LocalServer", plan: Plan, say: Callable[[str], None]) -> Row:
    """Send the files, fetch them back by the link, and compare.

    :param server: running; faults are added to those that are planned.
    :param say: told in a line what happens.
    :raises SmartxferError: sending or fetching failed.
    """
    site = server.filesender
    largest = max(plan.sizes)
    chunk_size = min(_LARGEST_CHUNK, max(_LEAST_CHUNK, -(-largest // _PIECES)))
    # An empty mapping: no proxy stands between a machine and itself.
    with FileSenderClient(site.url, chunk_size, UserAuth(site.username, site.api_key), proxies={}) as client:
        say(f"FileSender: sending {len(plan.sources)} files, {plan.bytes:,} bytes")
        began = time.monotonic()
        chunks = sum(-(-size // chunk_size) for size in plan.sizes)
        if chunks > 1 and _interrupted(client, server, plan, chunks // 2):
            say("FileSender: interrupted half-way on purpose; the same call again goes on")
        broken = min(_BREAK_AFTER, min(chunk_size, largest) // 2)
        if broken:
            # The last full chunk: a request of the interrupted run that arrives late is none for it.
            offset = max(0, largest // chunk_size - 1) * chunk_size
            chunk = _CHUNKS[:-1] + str(offset)
            server.fault("filesender", chunk, f"reset-after {broken}")
            say(f"FileSender: the connection breaks once on purpose, {broken:,} bytes into a chunk")
        transfer = client.upload_workflow(plan.things, link=True, progress="FileSender up")
        sent = time.monotonic()
        say("FileSender: fetching the files back")
        fetched = client.download_files(transfer.download_url or "", plan.out, progress="FileSender down")
        done = time.monotonic()
    return Row(
        service="FileSender",
        files=len(plan.sources),
        bytes=plan.bytes,
        up_seconds=sent - began,
        down_seconds=done - sent,
        retries=sum(result.retries for result in [*transfer.results, *fetched]),
        resumed=sum(result.resumed for result in transfer.results),
        differing=differences(plan),
    )


def _interrupted(client: Any, server: "LocalServer", plan: Plan, half: int) -> bool:
    """Send half of the chunks; False if it was over before it could be stopped."""
    try:
        client.upload_workflow(
            plan.things, link=True, progress="FileSender up", cancel=_Acknowledged(server, half)
        )
    except Cancelled:
        return True
    return False


class _Acknowledged:
    """Cancels once the server has acknowledged a number of chunks.

    Not counted from the progress, which on a fast machine steps over the middle.
    """

    def __init__(self, server: "LocalServer", count: int) -> None:
        self._site = server.filesender
        self._count = count
        self._look_at = 0.0

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        began = time.monotonic()
        if began < self._look_at:
            return False
        reached = self._site.count(_CHUNKS, status=200) >= self._count
        ended = time.monotonic()
        # Of thousands of requests a look takes long: it gets a sixth of the time, no more.
        self._look_at = ended + 5 * (ended - began)
        return reached
