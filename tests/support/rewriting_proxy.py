"""A front end before a running server: it hands every request on, and a test changes what comes back."""

from __future__ import annotations

import http.client
import threading
from typing import Any, Callable, Dict, Optional
from urllib.parse import urlsplit

from tests.support.raw_server import Peer, RawServer, Request, answering

#: Headers that belong to one connection, or that are set again for the answer.
_OF_A_CONNECTION = {"connection", "content-length", "transfer-encoding", "keep-alive"}


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
        headers = {name: value for name, value in request.headers.items() if name not in _OF_A_CONNECTION}
        onward = http.client.HTTPConnection(self._address, timeout=20)
        try:
            onward.request(request.method, request.target, request.body or None, {**headers, "host": self._address})
            answer = onward.getresponse()
            status, body = answer.status, answer.read()
            found: Dict[str, Any] = {
                name: value for name, value in answer.getheaders() if name.lower() not in _OF_A_CONNECTION
            }
        finally:
            onward.close()
        if "json" in found.get("Content-Type", ""):
            body = body.replace(self.target.encode(), self.url.encode())
        keep = self._change(request, status, found)
        fields = [f"{name}: {value}" for name, value in found.items()]
        if keep is None:
            peer.answer(status, body, *fields)
        else:
            peer.answer(status, body[:keep], *fields, length=len(body))
            peer.close()
