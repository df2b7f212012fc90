"""The local SmartFile: credentials, options, faults, start and stop."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local import smartfile_calls as wire

DATA = bytes(place % 251 for place in range(300_000))


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    return wire.Api(server.smartfile)


def test_what_it_shows_of_itself(server: LocalServer) -> None:
    site = server.smartfile
    assert server.services["smartfile"] is site
    assert site.env == {
        "SMARTFILE_API_URL": site.url + "/",
        "SMARTFILE_API_KEY": site.key,
        "SMARTFILE_API_PASSWORD": site.password,
    }
    for name in ("key", "password", "client_token", "client_secret"):
        assert len(getattr(site, name)) == 30
    assert set(site.env.items()) < set(server.env.items())


def test_calls_need_credentials(server: LocalServer) -> None:
    url = server.smartfile.url
    ping = bare_client.request(url, "GET", "/api/2/ping/")
    assert (ping.status, ping.json()) == (200, {"ping": "pong"})
    for headers in (
        {},
        wire.basic(server.smartfile.key, "wrong"),
        wire.basic("ann", ""),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer " + server.smartfile.key},
    ):
        for target in ("/api/2/path/info/", "/api/3/path/data/x", "/api/2/task", "/api/2/nothing"):
            reply = bare_client.request(url, "GET", target, None, headers)
            assert (reply.status, reply.body) == (401, b"")
    assert bare_client.request(url, "GET", "/elsewhere").status == 404


def test_users_have_passwords_of_their_own() -> None:
    options = {"users": {"bob": "b pass:word", "eve": None}, "api_key": "K" * 30, "password": "P" * 30}
    with LocalServer(services=["smartfile"], smartfile=options) as server:
        site = server.smartfile
        assert (site.username, site.key, site.password) == ("bob", "K" * 30, "P" * 30)
        for user, password, status in (
            ("bob", "b pass:word", 200), ("K" * 30, "P" * 30, 200), ("eve", "", 401), ("eve", "None", 401),
        ):  # fmt: skip
            headers = wire.basic(user, password)
            assert bare_client.request(site.url, "GET", "/api/2/path/info", None, headers).status == status


def test_methods_that_a_route_does_not_have(server: LocalServer, api: wire.Api) -> None:
    reply = api.delete("path/info", "/x")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, POST")
    assert api.get("nothing").status == 404
    assert api.get("path").status == 404


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"prot": 1}, "no such SmartFile option: prot .write 'port'"),
        ({"port": -1}, "port must be a whole number"),
        ({"page_size": 0}, "page_size must be above 0"),
        ({"users": []}, "users: at least one"),
        ({"upload_answer": "list"}, "upload_answer must be one of array, object"),
        ({"api_key": "a:b"}, "api_key must be ASCII text"),
    ],
)
def test_invalid_options(options: Any, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        LocalServer(services=["smartfile"], smartfile=options)


def test_a_service_that_is_none() -> None:
    with pytest.raises(
        UsageError, match="unknown service: smartfiles .pass one or more of: filesender, smartfile"
    ):
        LocalServer(smartfiles={})


def test_an_option_of_the_second_service_lets_go_of_the_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        LocalServer(tmp_path / "data", smartfile={"nonsense": 1})
    LocalServer(tmp_path / "data", services=["smartfile"]).stop()


@pytest.mark.parametrize(
    ("style", "status", "name", "value"),
    [("503", 503, "X-Throttle", "throttled; next=0.25 sec"), ("429", 429, "Retry-After", "0.25")],
)
def test_throttle(server: LocalServer, api: wire.Api, style: str, status: int, name: str, value: str) -> None:
    server.smartfile.mkdir("/docs")
    throttle = server.smartfile.throttle(2, 0.25, style=style, match="POST /api/2/path/data/*")
    assert api.get("path/info").status == 200
    body, headers = wire.multipart(("file", "a.bin", DATA))
    for left in (1, 0):
        reply = api.call("POST", "path/data", "/docs", body=body, headers=headers)
        assert (reply.status, reply.headers[name]) == (status, value)
        assert throttle.remaining == left
        assert server.smartfile.files() == {}
    api.upload("/docs", "a.bin", DATA)
    assert server.smartfile.read("/docs/a.bin") == DATA


def test_throttle_by_option() -> None:
    with LocalServer(services=["smartfile"], smartfile={"throttle": 1, "throttle_next": 2}) as server:
        api = wire.Api(server.smartfile)
        assert api.get("path/info").headers["X-Throttle"] == "throttled; next=2 sec"
        assert api.get("path/info").status == 200
        server.smartfile.configure(throttle=1, throttle_style="429")
        assert api.get("path/info").headers["Retry-After"] == "2"
        with pytest.raises(UsageError):
            server.smartfile.throttle(1, style="500")


def test_manners_of_errors(server: LocalServer, api: wire.Api) -> None:
    site = server.smartfile
    assert api.get("path/info", "/x").json() == {"detail": "Not found: /x"}
    site.configure(html_404=True)
    reply = api.get("path/info", "/x")
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"<h1>Not Found</h1>" in reply.body
    site.configure(html_404=False, error_as_array=True)
    assert api.get("path/info", "/x").json() == [{"detail": "Not found: /x"}]
    assert api.post("path/oper/mkdir").json()[0]["field_errors"]["path"]


@pytest.mark.parametrize(
    ("charset", "kind"), [(False, "application/json"), (True, "application/json; charset=utf-8")]
)
def test_json_with_a_charset(server: LocalServer, api: wire.Api, charset: bool, kind: str) -> None:
    server.smartfile.configure(json_charset=charset)
    assert api.get("path/info").headers["Content-Type"] == kind


def test_faults_and_the_account(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.mkdir("/docs")
    server.smartfile.write("/docs/a.bin", b"old")
    broken = server.fault("smartfile", "POST /api/2/path/data/*", "reset-after 64K")
    busy = server.fault("smartfile", "GET /api/2/path/info/*", "status 503 retry-after=1 body=json:busy")
    body, headers = wire.multipart(("file", "a.bin", DATA))
    with pytest.raises(ConnectionError):
        api.call("POST", "path/data", "/docs", body=body, headers=headers)
    reply = api.get("path/info", "/docs/a.bin")
    assert (reply.status, reply.headers["Retry-After"], reply.json()) == (503, "1", {"detail": "busy"})
    assert api.get("path/info", "/docs/a.bin").json()["size"] == 3
    api.upload("/docs", "a.bin", DATA)
    assert (broken.fired, busy.fired, server.unfired()) == (1, 1, [])
    site = server.smartfile
    assert site.count("POST /api/2/path/data/*") == 2
    assert site.count("POST /api/2/path/data/*", 0) == 1
    assert site.count("GET /api/2/path/info/*", 503) == 1
    assert site.request_log[-1].received == len(body)
    cut = server.fault("smartfile", "GET /api/2/path/data/*", "truncate 1000")
    with pytest.raises(Exception, match="IncompleteRead"):
        api.data("/docs/a.bin")
    assert cut.fired == 1


def test_what_tests_look_at(server: LocalServer, api: wire.Api) -> None:
    site = server.smartfile
    site.write("/a/b/c.bin", DATA)
    assert site.files() == {"/a/b/c.bin": 300_000}
    assert site.directories() == ["/a", "/a/b"]
    assert Path(site.stored_path("/a/b/c.bin")).read_bytes() == DATA
    for wrong in (lambda: site.read("/none"), lambda: site.write("/a/b"), lambda: site.write("/a/b/c.bin/d"),
                  lambda: site.stored_path("/a"), lambda: site.mkdir("/a/b/c.bin")):  # fmt: skip
        with pytest.raises(UsageError):
            wrong()
    api.post("path/oper/checksum", path="/a/b/c.bin", algorithm="MD5")
    [task] = site.tasks()
    assert (task["operation"], task["status"], task["user"]) == ("checksum", "SUCCESS", "ann")
    assert site.links() == []


SERVE = """
import json, sys
from smartxfer.local import LocalServer
server = LocalServer(sys.argv[1], services=["smartfile"], smartfile={"task_polls": 1}).start()
site = server.smartfile
print(json.dumps([site.url, site.key, site.password, site.client_token, site.client_secret]), flush=True)
sys.stdin.read()
"""


class Process:
    """A server in its own process."""

    def __init__(self, data: Path) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=str(data.parent),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self.popen.stdout is not None
        url, *self.secrets = json.loads(self.popen.stdout.readline())
        backend = SimpleNamespace(key=self.secrets[0], password=self.secrets[1])
        self.api = wire.Api(SimpleNamespace(url=url, backend=backend))

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        with self.popen:
            self.popen.wait(10)


def test_it_survives_a_kill(tmp_path: Path) -> None:
    first = Process(tmp_path / "data")
    try:
        first.api.mkdir("/docs")
        first.api.upload("/docs", "whole.bin", DATA)
        first.api.upload("/docs", "old.bin", b"the old one")
        first.api.post("path/info", "/docs/old.bin", attributes="a=b")
        task: Dict[str, Any] = first.api.post("path/oper/remove", path="/docs/whole.bin").json()
        assert first.api.get("task", task["uuid"]).json()["status"] == "PENDING"
        body, headers = wire.multipart(("file", "old.bin", DATA))
        half = http_half(first.api, body, headers)
        incoming = tmp_path / "data" / "smartfile" / "incoming"
        wait_for_bytes(incoming)
    finally:
        first.kill()
    half.close()
    second = Process(tmp_path / "data")
    try:
        assert second.secrets == first.secrets
        assert os.listdir(incoming) == []
        assert second.api.data("/docs/whole.bin") == DATA
        assert second.api.data("/docs/old.bin") == b"the old one"
        assert second.api.get("path/info", "/docs/old.bin").json()["attributes"] == {"a": "b"}
        # Unfinished tasks continue.
        assert second.api.get("task", task["uuid"]).json()["status"] == "SUCCESS"
        assert second.api.get("path/info", "/docs/whole.bin").status == 404
    finally:
        second.kill()


def http_half(api: wire.Api, body: bytes, headers: Dict[str, str]) -> Any:
    """Open a connection and send half of an upload."""
    import http.client
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("POST", "/api/2/path/data/docs/")
    for name, value in {**api.headers, **headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[: len(body) // 2])
    return connection


def wait_for_bytes(incoming: Path) -> None:
    """Wait until bytes of an upload are on disk."""
    import time

    ends_at = time.monotonic() + 10
    while not any(path.stat().st_size for path in incoming.iterdir()):
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        server.smartfile.write("/a.bin", DATA)
    root = tmp_path / "data" / "smartfile"
    (root / "objects" / "0123").write_bytes(b"orphan")
    (root / "incoming" / "4567").write_bytes(b"half")
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert server.smartfile.read("/a.bin") == DATA
        assert len(os.listdir(root / "objects")) == 1
        assert os.listdir(root / "incoming") == []
