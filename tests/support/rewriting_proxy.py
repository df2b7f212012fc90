"""A front end before a running server: it hands every request on, and a test changes what comes back."""

from __future__ import annotations

import http.client
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from tests.support.raw_server import Peer, RawServer, Request, answering

#: Headers that belong to one connection, or that are set again for the answer.
_OF_A_CONNECTION = {"connection", "content-length", "transfer-encoding", "keep-alive"}


def forward(
    address: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Tuple[int, List[Tuple[str, str]], bytes]:
    """Make a request to the server at an address; status, headers and body of its answer."""
    kept = {name: value for name, value in headers.items() if name not in _OF_A_CONNECTION}
    onward = http.client.HTTPConnection(address, timeout=20)
    try:
        onward.request(method, target, body or None, {**kept, "host": address})
        answer = onward.getresponse()
        content = answer.read()
    finally:
        onward.close()
    found = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_A_CONNECTION]
    return answer.status, found, content


class Front(RawServer):
    """Serves what ``target`` serves; addresses in JSON answers lead to the front end.

    :param change: changes the headers of an answer in place, given the request, the status and the headers.
    :param before: changes the headers of a request in place, given the request and its number.
    """

    def __init__(
        self,
        target: str,
        change: Callable[[Request, int, Dict[str, str]], Optional[int]],
        before: Callable[[Request, int], None] = lambda request, number: None,
    ) -> None:
        super().__init__(answering(self._hand_on))
        self.target = target
        self._address = urlsplit(target).netloc
        self._change = change
        self._before = before
        self._lock = threading.Lock()
        self._number = 0

    def _hand_on(self, request: Request, peer: Peer) -> None:
        with self._lock:
            self._number += 1
            number = self._number
        self._before(request, number)
        status, headers, body = forward(self._address, request.method, request.target, request.headers, request.body)
        found: Dict[str, Any] = dict(headers)
        if "json" in found.get("Content-Type", ""):
            body = body.replace(self.target.encode(), self.url.encode())
        keep = self._change(request, status, found)
        fields = [f"{name}: {value}" for name, value in found.items()]
        if keep is None:
            peer.answer(status, body, *fields)
        else:
            peer.answer(status, body[:keep], *fields, length=len(body))
            peer.close()
