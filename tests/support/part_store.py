"""A server that takes the parts of a file."""

from __future__ import annotations

import threading
from typing import Any, Dict, List

from tests.support.raw_server import Peer, Request, answering


class PartStore:
    """Takes parts from requests whose path ends in the start of the part.

    ``faults[start]`` are the replies to the first tries of that part; ``bodies`` holds the bodies of all tries.
    """

    def __init__(self) -> None:
        self.faults: Dict[int, List[Any]] = {}
        self.bodies: Dict[int, List[bytes]] = {}
        self.parts: Dict[int, bytes] = {}
        self.handler = answering(self.reply)
        self._lock = threading.Lock()

    def reply(self, request: Request, peer: Peer) -> None:
        start = int(request.path.rsplit("/", 1)[1])
        with self._lock:
            self.bodies.setdefault(start, []).append(request.body)
            waiting = self.faults.get(start)
            fault = waiting.pop(0) if waiting else None
            if fault is None:
                assert start not in self.parts, "a part came twice"
                self.parts[start] = request.body
        if fault is None:
            peer.answer(200)
        else:
            fault(request, peer)

    @property
    def content(self) -> bytes:
        """Return what was taken, in order."""
        return b"".join(self.parts[start] for start in sorted(self.parts))
