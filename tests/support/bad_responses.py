"""Answers that no protocol page documents as success, for tables of statuses by calls at a raw server."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, List

from smartxfer import RetryPolicy
from smartxfer.transport.response_reader import MAX_INTERIM_RESPONSES
from tests.support.raw_server import Peer, RawServer, Request, answering

Reply = Callable[[Request, Peer], None]

PAGE = b"<html><body>Please sign in to the network</body></html>"
ERROR = b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>try later</Message></Error>'


def _plain(status: int, body: bytes, *headers: str) -> Reply:
    without = status in (204, 304)
    return lambda request, peer: peer.answer(status, body, *headers, length=None if without else -1)


def _interim(code: int, count: int) -> Reply:
    def reply(request: Request, peer: Peer) -> None:
        peer.send(f"HTTP/1.1 {code} X\r\nLink: </a>\r\n\r\n".encode() * count)
        peer.answer(403, b'{"message": "not for you", "detail": "not for you"}', "Content-Type: application/json")

    return reply


#: By name: what comes in place of the documented answer.
BAD: Dict[str, Reply] = {
    "301 without Location": _plain(301, b""),
    "304": _plain(304, b""),
    "204": _plain(204, b""),
    "203": _plain(203, b"{}", "Content-Type: application/json"),
    "200 and a page": _plain(200, PAGE, "Content-Type: text/html; charset=utf-8"),
    "200 and an error": _plain(200, ERROR, "Content-Type: application/xml"),
    "200 and nothing": _plain(200, b""),
    "102 and 403": _interim(102, 1),
    "103 again and again": _interim(103, MAX_INTERIM_RESPONSES + 1),
}


class Planned:
    """Answers one kind of request badly, and any other one as ``good`` does.

    :param good: answers a request as the protocol page says.
    """

    def __init__(self, good: Callable[[Request, Peer], Any]) -> None:
        self._good = good
        self._match = ""
        self._bad = ""

    def plan(self, match: str, bad: str) -> None:
        """Answer requests badly whose method and path begin with ``match``."""
        self._match, self._bad = match, bad

    def __call__(self, request: Request, peer: Peer) -> None:
        if self._match and f"{request.method} {request.path}".startswith(self._match):
            BAD[self._bad](request, peer)
        else:
            self._good(request, peer)


class PlannedAnswers:
    """A server whose answers are planned, and clients of it that retry without waits.

    :param make: a client, given the address and the client's settings.
    """

    def __init__(self, server: RawServer, site: Any, planned: Planned, make: Callable[..., Any]) -> None:
        self.url, self.site, self.plan = server.url, site, planned.plan
        self._make = make
        self._clients: List[Any] = []

    def client(self, make: Any = None, **options: Any) -> Any:
        """Return a new client, of another kind than usual if ``make`` is given."""
        self._clients.append((make or self._make)(self.url, **{"retry": RetryPolicy(backoff=0), **options}))
        return self._clients[-1]

    def close(self) -> None:
        """End the clients."""
        for client in self._clients:
            client.close()


@contextlib.contextmanager
def planned_answers(
    site: Callable[[Request, Peer], Any], make: Callable[..., Any]
) -> Iterator[PlannedAnswers]:
    """A server that answers as ``site`` does unless something else is planned."""
    planned = Planned(site)
    with RawServer(answering(planned)) as server:
        made = PlannedAnswers(server, site, planned, make)
        yield made
        made.close()


def gateway(status: int) -> Reply:
    """The page of a gateway that has no answer of the service."""
    return lambda request, peer: peer.answer(status, b"<html>gateway</html>", "Content-Type: text/html")
