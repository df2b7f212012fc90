"""Features that all clients share."""

from __future__ import annotations

import pickle
import threading
from typing import Any, Dict, Iterator, Mapping

import pytest
import requests

from smartxfer.client import HTTPClient
from smartxfer.client_options import ClientOptions
from smartxfer.errors import NotFound, UsageError
from smartxfer.transport import RequestSpec, RetryPolicy
from smartxfer.transport.json_codec import encode_json
from tests.support.raw_server import RawServer, answering, status


class Small(HTTPClient):
    """A service of nothing but raw calls."""

    def __init__(self, base_url: str, **settings: Any) -> None:
        super().__init__(base_url, ClientOptions(**settings))

    def _build_request(self, method: str, path: str, params: Mapping[str, Any]) -> RequestSpec:
        if method in ("GET", "DELETE"):
            query = [(name, str(value)) for name, value in params.items()]
            return RequestSpec(method, f"{self.base_url}/{path}", params=query)
        headers = {"Content-Type": "application/json"}
        return RequestSpec(method, f"{self.base_url}/{path}", headers=headers, body=encode_json(dict(params)))


@pytest.fixture
def server() -> Iterator[RawServer]:
    def reply(request: Any, peer: Any) -> None:
        if request.path.endswith("/missing"):
            peer.answer(404, b'{"message": "no such thing"}', "Content-Type: application/json")
        elif request.path.endswith("/file"):
            peer.answer(200, b"bytes", "Content-Type: application/octet-stream")
        else:
            peer.answer(200, b'{"a": [1]}', "Content-Type: application/json")

    with RawServer(answering(reply)) as running:
        yield running


def test_raw_calls(server: RawServer) -> None:
    with Small(f"{server.url}/api/") as client:
        assert client.get("/things/", 5, q="x y", n=1) == {"a": [1]}
        assert client("things") == {"a": [1]}
        assert client.delete("things", 5) == {"a": [1]}
        assert client.put("things", 5, name="ü") == {"a": [1]}
        assert client.post("things", name="b") == {"a": [1]}
        with client.get("file") as file:
            assert file.read() == b"bytes"
        with pytest.raises(NotFound, match="no such thing"):
            client.get("missing")
    assert [(request.method, request.target, request.body) for request in server.requests] == [
        ("GET", "/api/things/5?q=x+y&n=1", b""), ("GET", "/api/things", b""),
        ("DELETE", "/api/things/5", b""), ("PUT", "/api/things/5", '{"name":"ü"}'.encode()),
        ("POST", "/api/things", b'{"name":"b"}'), ("GET", "/api/file", b""), ("GET", "/api/missing", b""),
    ]
    assert all(request.headers["user-agent"].startswith("smartxfer/") for request in server.requests)


def test_nothing_is_sent_or_opened_before_the_first_call() -> None:
    client = Small("http://127.0.0.1:9")
    assert client._http_cached is None
    client.close()
    client.close()


def test_threads_share_one_session(server: RawServer) -> None:
    with Small(server.url) as client:
        sessions, errors = set(), []
        start = threading.Barrier(8)

        def work() -> None:
            try:
                start.wait(10)
                sessions.add(id(client.session))
                for _ in range(10):
                    client.get("things")
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert errors == []
    assert len(sessions) == 1
    assert len(server.requests) == 80
    assert server.connections <= 8


def test_a_given_session_is_not_closed(server: RawServer) -> None:
    with requests.Session() as session:
        with Small(server.url, session=session) as client:
            assert client.session is session
            client.get("things")
        assert session.get(f"{server.url}/things").status_code == 200
        assert server.connections == 1


def test_it_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match=r"a Small cannot be pickled, .* \(create one in each process"):
        pickle.dumps(Small("http://h"))


@pytest.mark.parametrize(
    "wrong",
    [{"max_workers": 0}, {"timeout": 0}, {"timeout": (1, -1)}, {"timeout": (1, 2, 3)}, {"timeout": None},
     {"timeout": (None, 5)}],
)  # fmt: skip
def test_wrong_settings_are_found_at_once(wrong: Dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Small("http://h", **wrong)


def test_one_time_out_is_both() -> None:
    assert Small("http://h", timeout=7)._timeout == (7.0, 7.0)
    assert Small("http://h", timeout=(1, 2))._timeout == (1.0, 2.0)
    assert Small("http://h")._timeout == (15.0, 60.0)


def test_repr_shows_neither_passwords_nor_tokens() -> None:
    shown = repr(Small("https://me:hunter2@h/?s=download&token=SECRET"))
    assert shown.startswith("Small('https://h/")
    assert "hunter2" not in shown
    assert "SECRET" not in shown


def test_the_policy_reaches_the_wire(server: RawServer) -> None:
    policy = RetryPolicy(attempts=2)
    with Small(server.url, retry=policy) as client:
        assert client._http.policy is policy


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, (5, float("inf"))])
def test_an_endless_timeout_is_one_that_sockets_take(timeout: Any) -> None:
    """Detect an OverflowError, because a socket counts milliseconds in 32 bits."""
    retry = RetryPolicy(stall_window=float("inf"))
    with RawServer(answering(status(200, b"{}", "Content-Type: application/json"))) as server:
        with Small(server.url, timeout=timeout, retry=retry) as api:
            assert api.get("ping") == {}
