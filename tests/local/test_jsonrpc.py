"""The JSON-RPC endpoint and its sessions, over real sockets."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterator, List, Optional

import pytest

from smartxfer.local.faults import FaultRegistry
from smartxfer.local.handler import Handler
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.jsonrpc import JsonRpcEndpoint, RpcError, Session, Sessions, find_method
from smartxfer.local.listener import Listener
from tests.support.local import bare_client as wire


class Counting:
    """A service that counts its calls."""

    def __init__(self) -> None:
        self.clock = 100.0
        self.idle = 0.0
        self.made: List[str] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.ended: List[Any] = []
        self.sessions = Sessions(dict, self.ended.append, lambda: self.clock)
        self.front = JsonRpcEndpoint(self.call, self.sessions, lambda: self.idle)
        self.listener = Listener("counting", self, FaultRegistry(), Handler, log_path=self.log_path)

    def call(self, session: Session, method: str, params: Dict[str, Any]) -> Any:
        self.made.append(method)
        if method == "held":
            self.begun.set()
            assert self.go_on.wait(10)
        if method == "refused":
            raise RpcError("NotFound", "no such thing")
        if method == "broken":
            raise ConnectionAbortedError("in the midst of it")
        return {"made": len(self.made), **params}

    def log_path(self, path: str, peek: Any) -> str:
        return f"{path}/{find_method(peek())}"

    def handle(self, request: Request) -> Response:
        return self.front.handle(request)

    def error_response(self, status: int, message: str) -> Response:
        return text_response(status, message)

    def now(self) -> float:
        return time.time()


def error(reply: wire.Reply) -> Any:
    return reply.json()["error"]["code"], reply.json()["error"]["data"]["type"]


class Caller:
    """A client with its own cookie, and a connection for each call."""

    def __init__(self, service: Counting) -> None:
        self.url = f"http://127.0.0.1:{service.listener.port}"
        self.cookie: Optional[str] = None

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> wire.Reply:
        if self.cookie is not None:
            headers["Cookie"] = f"other=1; JSSESSION={self.cookie}"
        reply = wire.request(self.url, method, path, body, {"Content-Type": "application/json", **headers})
        found = re.match("JSSESSION=([^;]*)", reply.headers.get("Set-Cookie", ""))
        if found:
            self.cookie = found[1]
        return reply

    def raw(self, call: Any) -> wire.Reply:
        return self.http("POST", "/jsonrpc", call if isinstance(call, bytes) else json.dumps(call))

    def call(self, method: str, id: Any = 1, **params: Any) -> wire.Reply:
        return self.raw({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


@pytest.fixture(scope="module")
def running() -> Iterator[Counting]:
    service = Counting()
    service.listener.start()
    yield service
    service.listener.stop()
    assert service.listener.crashes == []


@pytest.fixture
def service(running: Counting) -> Iterator[Counting]:
    running.sessions.clear()
    for noted in (running.made, running.ended):
        noted.clear()
    running.begun.clear()
    running.go_on.clear()
    running.idle = 0.0
    yield running
    running.go_on.set()


@pytest.fixture
def caller(service: Counting) -> Caller:
    return Caller(service)


def test_a_call_and_its_cookie(caller: Caller, service: Counting) -> None:
    reply = caller.call("send.getManifest", id="c-1", manifestId="2")
    assert reply.status == 200
    assert reply.json() == {"jsonrpc": "2.0", "id": "c-1", "result": {"made": 1, "manifestId": "2"}}
    name, *attributes = reply.headers["Set-Cookie"].split("; ")
    assert name == f"JSSESSION={caller.cookie}"
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert len(caller.cookie or "") >= 32
    assert "Set-Cookie" not in caller.call("echo", id="c-2").headers
    assert len(service.sessions.all()) == 1
    assert service.listener.count("POST /jsonrpc/send.getManifest", 200) == 1


def test_an_error_is_an_answer(caller: Caller) -> None:
    reply = caller.call("refused", id=7)
    refusal = {"code": -32004, "message": "no such thing", "data": {"type": "NotFound"}}
    assert (reply.status, reply.json()) == (200, {"jsonrpc": "2.0", "id": 7, "error": refusal})


def test_a_repeated_id_gets_the_answer_again(caller: Caller, service: Counting) -> None:
    first = caller.call("make", id=5)
    assert caller.call("make", id=5).body == first.body
    assert service.made == ["make"]
    assert caller.call("make", id="5").json()["result"]["made"] == 2  # text and number differ
    refused = caller.call("refused", id=6)
    assert caller.call("refused", id=6).body == refused.body
    assert service.made == ["make", "make", "refused"]
    assert error(caller.call("make", id=6)) == (-32600, "InvalidRequest")
    assert error(caller.call("make", id=5, other=1)) == (-32600, "InvalidRequest")
    other = Caller(service)
    assert other.call("make", id=5).json()["result"]["made"] == 4


def test_repeats_while_the_first_is_at_work_wait_for_it(caller: Caller, service: Counting) -> None:
    caller.call("echo", id=0)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(caller.call, "held", 1)
        assert service.begun.wait(10)
        repeats = [pool.submit(caller.call, "held", 1) for _ in range(3)]
        assert caller.call("make", id=2).json()["result"]["made"] == 3  # other calls continue
        assert not any(repeat.done() for repeat in repeats)
        service.go_on.set()
        bodies = {future.result(10).body for future in [first, *repeats]}
    assert len(bodies) == 1
    assert service.made.count("held") == 1


def test_what_broke_off_is_not_done_again(caller: Caller, service: Counting) -> None:
    caller.call("echo", id=0)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        caller.call("broken", id=1)
    reply = caller.call("broken", id=1)
    assert error(reply) == (-32603, "InternalError")
    assert "its effect is unknown" in reply.json()["error"]["message"]
    assert service.made == ["echo", "broken"]


def test_old_answers_are_forgotten_but_none_that_is_to_come(service: Counting) -> None:
    session = service.sessions.new()
    answer = ("held", b"", lambda: {"made": service.call(session, "held", {})})
    coming = threading.Thread(target=session.call_once, args=answer)
    coming.start()
    assert service.begun.wait(10)
    for number in range(300):
        session.call_once(number, b"", dict)
    again: List[int] = []
    session.call_once(0, b"", lambda: again.append(0) or {})  # type: ignore[func-returns-value]
    session.call_once(299, b"", lambda: again.append(299) or {})  # type: ignore[func-returns-value]
    service.go_on.set()
    assert session.call_once("held", b"", dict) == {"made": {"made": 1}}
    coming.join(10)
    assert again == [0]


@pytest.mark.parametrize("method", ["getServerInfo", "auth", "authToken", "echo"])
def test_an_unknown_cookie_opens_few_sessions(caller: Caller, service: Counting, method: str) -> None:
    caller.cookie = "made-up"
    assert error(caller.call("send.createTransfer")) == (-32001, "NotAuthenticated")
    assert caller.cookie == "made-up"
    assert service.made == []
    assert "result" in caller.call(method).json()
    assert caller.cookie != "made-up"


def test_delete_ends_the_session(caller: Caller, service: Counting) -> None:
    caller.call("echo")
    old = caller.cookie
    reply = caller.http("DELETE", "/jsonrpc")
    assert (reply.status, reply.body) == (204, b"")
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert service.ended == [{}]
    caller.cookie = old
    assert error(caller.call("make", id=2)) == (-32001, "NotAuthenticated")
    assert caller.http("DELETE", "/jsonrpc").status == 204
    assert service.ended == [{}]


def test_idle_sessions_end(caller: Caller, service: Counting) -> None:
    service.idle = 60.0
    caller.call("echo")
    service.clock += 59
    assert "result" in caller.call("make", id=2).json()
    service.clock += 61
    assert error(caller.call("make", id=3)) == (-32001, "NotAuthenticated")
    assert service.ended == [{}]
    Caller(service).call("echo")
    service.clock += 61
    Caller(service).call("echo")  # each new session ends the idle ones
    assert len(service.sessions.all()) == 1


def test_of_very_many_sessions_the_one_idle_longest_goes(service: Counting) -> None:
    first, second = service.sessions.new(), service.sessions.new()
    service.clock += 1
    assert service.sessions.find(first.id) is first
    for _ in range(999):
        service.sessions.new()
    assert len(service.sessions.all()) == 1000
    assert service.sessions.find(first.id) is first
    assert service.sessions.find(second.id) is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "ParseError"), (b"{", "ParseError"), (b"\xff\xfe\xfd", "ParseError"),
        (b"[" * 100_000, "ParseError"), (b"null", "InvalidRequest"),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "echo"}]', "InvalidRequest"),
        (b'{"id": 1, "method": "echo"}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "method": "echo"}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "id": null, "method": "echo"}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "id": true, "method": "echo"}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "echo"}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "id": [], "method": "echo"}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 2}', "InvalidRequest"),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "echo", "params": ["text"]}', "InvalidParams"),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "echo", "params": null}', "InvalidParams"),
    ],
)
def test_what_is_no_call(caller: Caller, service: Counting, body: bytes, kind: str) -> None:
    reply = caller.raw(body)
    assert (reply.status, error(reply)[1]) == (200, kind)
    assert (service.made, service.sessions.all()) == ([], [])


def test_what_is_not_even_http_for_it(caller: Caller, service: Counting) -> None:
    call = b'{"jsonrpc": "2.0", "id": 1, "method": "echo"}'
    assert [caller.http("POST", path, call).status for path in ("/", "/jsonrpc/echo")] == [404, 404]
    reply = caller.http("GET", "/jsonrpc")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST, DELETE")
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert caller.http("POST", "/jsonrpc", call, **{"Content-Type": kind}).status == 415
    kind = "Application/JSON; charset=utf-8"
    assert caller.http("POST", "/jsonrpc", call, **{"Content-Type": kind}).status == 200
    assert service.made == ["echo"]


def test_a_call_that_is_too_large(service: Counting) -> None:
    with socket.create_connection(("127.0.0.1", service.listener.port), timeout=10) as sock:
        sock.sendall(
            b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 16777217\r\n\r\n{"
        )
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert service.made == []


@pytest.mark.parametrize(
    ("start", "method"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"send.getTransfer","params":{"method":"no"}}', "send.getTransfer"),
        (b'{"method" : "echo"', "echo"), (b'{"method":7}', None), (b"", None),
    ],
)  # fmt: skip
def test_the_method_that_faults_and_the_account_see(start: bytes, method: Optional[str]) -> None:
    assert find_method(start) == method
