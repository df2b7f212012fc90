"""A server that takes so many requests in a window of time, and says ``Retry-After: 0`` to the others."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Tuple

import pytest

from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import FileSenderHarness
from tests.support.nrp_harness import NRPHarness
from tests.support.perseus_harness import PerseusHarness
from tests.support.raw_server import Peer, Request
from tests.support.rewriting_proxy import Front
from tests.support.smartfile_harness import SmartFileHarness

FILES, THREADS = 90, 8
LIMIT, WINDOW = 40, 0.2
#: The least wait is a tenth of the usual one, so that the test is quick.
POLICY = RetryPolicy(backoff=0.05)
CONTENT = {f"{number:02}.txt": b"%d" % number for number in range(FILES)}


class Window(Front):
    """Hands on ``LIMIT`` requests in each ``WINDOW`` seconds; a request that is refused does not count.

    Some are refused on a machine that is too slow for the limit, too.
    """

    def __init__(self, target: str, *fields: str) -> None:
        super().__init__(target, lambda request, status, headers: None)
        self._fields = fields
        self._guard = threading.Lock()
        self._times: Deque[float] = collections.deque()
        self.refused = self.served = 0

    def _hand_on(self, request: Request, peer: Peer) -> None:
        with self._guard:
            now = time.monotonic()
            while self._times and self._times[0] + WINDOW <= now:
                self._times.popleft()
            full = len(self._times) >= LIMIT or (self.served == LIMIT and self.refused < THREADS)
            if full:
                self.refused += 1
            else:
                self.served += 1
                self._times.append(now)
        if full:
            peer.answer(429, b"", *self._fields)
        else:
            super()._hand_on(request, peer)


def _filesender(directory: Path, sources: Path, retry_after: str) -> Tuple[Window, Any]:
    site = FileSenderHarness(directory, max_transfer_files=FILES)
    with contextlib.closing(site) as harness, Window(harness.url, retry_after) as window:
        client = harness.client(window.url, retry=POLICY, concurrent_files=THREADS)
        client.upload_workflow(sorted(sources.iterdir()), link=True)
        return window, harness.stored()


def _smartfile(directory: Path, sources: Path, retry_after: str) -> Tuple[Window, Any]:
    with SmartFileHarness(directory) as harness, Window(harness.url, retry_after) as window:
        harness.client(window.url, retry=POLICY, max_workers=THREADS).upload_tree(sources, "/t")
        return window, {path[3:]: data for path, data in harness.stored().items()}


def _nrp(directory: Path, sources: Path, retry_after: str) -> Tuple[Window, Any]:
    with NRPHarness(directory) as harness, Window(harness.url, retry_after) as window:
        record = harness.site.create()
        client = harness.client(window.url, retry=POLICY, max_workers=THREADS)
        client.files.upload_many(record, sorted(sources.iterdir()))
        return window, {key: harness.site.read(record, key) for key in harness.site.files(record)}


def _perseus(directory: Path, sources: Path, retry_after: str) -> Tuple[Window, Any]:
    with PerseusHarness(directory) as harness, Window(harness.url, retry_after) as window:
        client = harness.client(window.url, retry=POLICY, max_workers=THREADS)
        client.file.upload_many(sorted(sources.iterdir()))
        return window, harness.held()


SERVICES: Dict[str, Callable[..., Any]] = {
    "filesender": _filesender, "smartfile": _smartfile, "nrp": _nrp, "perseus": _perseus,
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_small_file_arrives(tmp_path: Path, service: str) -> None:
    """Fails if threads use up their attempts at a limit that accepts other requests at the same time."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for name, data in CONTENT.items():
        (sources / name).write_bytes(data)
    window, held = SERVICES[service](tmp_path, sources, "Retry-After: 0")
    assert held == CONTENT
    assert 0 < window.refused <= window.served
