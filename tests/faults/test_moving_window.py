"""A server that takes so many requests in a window of time, and says ``Retry-After: 0`` to the others."""

from __future__ import annotations

import collections
import threading
import time
from typing import Deque

import pytest

from smartxfer.transport import RetryPolicy
from tests.support.raw_server import Peer, Request
from tests.support.rewriting_proxy import Front
from tests.support.uploads import Uploads

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


@pytest.mark.parametrize("uploads", ["filesender", "smartfile", "nrp", "perseus"], indirect=True)
def test_every_small_file_arrives(uploads: Uploads) -> None:
    """Fails if threads use up their attempts at a limit that accepts other requests at the same time."""
    [sources] = {uploads.harness.file(data, f"many/{name}").parent for name, data in CONTENT.items()}
    threads = "concurrent_files" if uploads.service == "filesender" else "max_workers"
    with Window(uploads.harness.url, "Retry-After: 0") as window:
        uploads.send_directory(sources, uploads.harness.client(window.url, retry=POLICY, **{threads: THREADS}))
    assert uploads.complete() == CONTENT
    assert 0 < window.refused <= window.served
