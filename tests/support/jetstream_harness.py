"""Clients of JetStream, two local servers, and servers that lie: for tests of its faults."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import attrs

from smartxfer.jetstream import API, JetStream
from smartxfer.local import LocalServer
from tests.support.filesender_harness import PATIENCE, noise, until
from tests.support.raw_server import Peer, RawServer, Request, answering
from tests.support.service_harness import AT_ONCE, MIB, Polling, ServiceHarness

__all__ = [
    "ALL", "AT_ONCE", "DATA", "ERRORS", "INFO", "MANIFEST", "MIB", "PATIENCE", "SEND_FILES", "JetStreamHarness", "Polling",
    "ReceivedCall", "lying", "lying_api", "noise", "on", "refusal", "result", "task", "until",
]  # fmt: skip

ALL = "* *"
DATA = noise(1000)


def on(method: str) -> str:
    """Return the pattern of a fault for one method, ``*`` for all."""
    return f"POST /jsonrpc/{method}"


INFO = on("getServerInfo")

#: The code of each error of the binding.
ERRORS = {
    "ParseError": -32700,
    "InvalidRequest": -32600,
    "MethodNotFound": -32601,
    "InvalidParams": -32602,
    "InternalError": -32603,
    "NotAuthenticated": -32001,
    "AuthenticationFailed": -32002,
    "PermissionDenied": -32003,
    "NotFound": -32004,
    "InvalidState": -32005,
    "StillProcessing": -32006,
    "ApiVersion": -32007,
    "NotLicensed": -32008,
}


class JetStreamHarness(ServiceHarness):
    """Two servers, and clients of the first.

    :param peer: options of the second.
    """

    name = "jetstream"

    def __init__(self, directory: Path, peer: Optional[Dict[str, Any]] = None, **options: Any) -> None:
        self._peer_options = peer
        super().__init__(directory, **options)

    def _start(self, site: Dict[str, Any]) -> LocalServer:
        services = ["jetstream", "jetstream_peer"]
        return LocalServer(services=services, jetstream=site, jetstream_peer=self._peer_options).start()

    def _new_client(self, url: str, **options: Any) -> API:
        settings = {"user": self.site.user, "password": self.site.password, **options}
        made: API = JetStream().api(url, **settings)
        return made

    def _empty(self) -> None:
        self.site.configure(rate=0, long_polls=True)

    @property
    def peer(self) -> Any:
        """The second server."""
        return self.server.jetstream_peer

    def listeners(self) -> List[Any]:
        """Of both servers."""
        return [self.site.listener, self.peer.listener]

    @property
    def to(self) -> str:
        """The second server, as a destination."""
        return f"127.0.0.1:{self.peer.port}"

    def api(self, url: Optional[str] = None, **options: Any) -> API:
        """A client of the first server that is not connected, and retries without waits."""
        made: API = super().client(url, **options)
        return made

    def client(self, url: Optional[str] = None, **options: Any) -> API:
        """The same, connected and logged in."""
        api = self.api(url, **options)
        api.connect()
        return api

    def held(self, table: str) -> List[int]:
        """The ids of the objects that the first server keeps: of manifests, destinations, transfers or tokens."""
        rows = self.site.backend.database.fetchall(f"SELECT * FROM {table} WHERE NOT deleted ORDER BY id")
        return [row["id"] for row in rows]

    def lose_sessions(self) -> None:
        """Forget every session, as a server does that starts again."""
        self.site.sessions.clear()

    def manifest(self, api: API, data: bytes = DATA, name: str = "a.bin") -> Any:
        """A complete manifest of one file."""
        self.site.write(f"/{name}", data)
        return api.send.waitForManifest(api.send.createManifest({f"/{name}": f"/{name}"}))

    def destination(self, api: API) -> Any:
        """The second server."""
        return api.send.createDestination("127.0.0.1", self.peer.port)

    def suspended(self, api: API, data: bytes = DATA) -> Any:
        """A transfer that is suspended before anything of it was sent."""
        self.site.configure(rate=1)
        transfer = api.send.createTransfer(self.destination(api), self.manifest(api, data))
        api.send.suspendTransfer(transfer)
        self.site.configure(rate=0)
        return api.send.getTransfer(transfer)


# -- servers that say what a real one does not ----------------------------------------------------------------


@attrs.define
class ReceivedCall:
    """One call, as a lying server gets it."""

    method: str
    params: Dict[str, Any]
    id: Any
    headers: Dict[str, str]


def result(value: Any) -> Callable[[ReceivedCall], Any]:
    """A script's step: this result."""
    return lambda call: {"jsonrpc": "2.0", "id": call.id, "result": value}


def refusal(code: Any, message: str = "it says why", **more: Any) -> Callable[[ReceivedCall], Any]:
    """A script's step: this error.

    :param code: a number, or its name in the binding.
    """
    error = {"code": ERRORS.get(code, code), "message": message, **more}
    return lambda call: {"jsonrpc": "2.0", "id": call.id, "error": error}


def task(id: str, status: str, processing: bool, **more: Any) -> Dict[str, Any]:
    """A transfer, such as a server shows it."""
    return {"transferId": id, "status": status, "processing": processing, "errorMessage": None, **more}


MANIFEST = {"manifestId": "2", "status": "complete", "processing": False}
#: What a server answers to the calls of ``send_files``.
SEND_FILES: Dict[str, Any] = {
    "send.createDestination": {"destinationId": "1"},
    "send.createManifest": {"manifestId": "2", "status": "pending", "processing": True},
    "send.waitForManifest": MANIFEST,
    "send.createTransfer": task("7", "pending", True),
    "send.waitForTransfer": task("7", "complete", False),
}


@contextlib.contextmanager
def lying_api(answers: Dict[str, Any], calls: Optional[List[ReceivedCall]] = None, **options: Any) -> Iterator[API]:
    """A client of a server that gives these answers, as ``lying`` has them.

    :param options: of the client.
    """
    with lying(answers, calls) as server, JetStream().api(server.url, **options) as api:
        yield api


@contextlib.contextmanager
def lying(answers: Dict[str, Any], calls: Optional[List[ReceivedCall]] = None, tls: Any = None) -> Iterator[RawServer]:
    """Run a server that gives the planned answers to each method.

    :param answers: by method (``*`` for any other) a result, a function of the call that makes the whole answer, or
        a list of these, of which the last one stays.  An answer of bytes goes as it is.
    :param calls: receives every call.
    """
    standard = {"getServerInfo": {"authRequired": False, "serverName": "lying"}, "*": None}
    plans = {**standard, **answers}

    def reply(request: Request, peer: Peer) -> None:
        if request.method != "POST":
            peer.answer(204)
            return
        call = json.loads(request.body)
        one = ReceivedCall(call["method"], call.get("params", {}), call["id"], request.headers)
        if calls is not None:
            calls.append(one)
        name = one.method if one.method in plans else "*"
        plan = plans[name]
        if isinstance(plan, list) and plan and callable(plan[0]):
            plan = plan.pop(0) if len(plan) > 1 else plan[0]
        said = plan(one) if callable(plan) else result(plan)(one)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        peer.answer(200, body, "Content-Type: application/json", "Set-Cookie: JSSESSION=s1; Path=/; HttpOnly")

    with RawServer(answering(reply), tls) as server:
        yield server
