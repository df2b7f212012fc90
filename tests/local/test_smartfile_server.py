"""The local SmartFile: credentials, options, faults, start and stop."""

import http.client
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict
from urllib.parse import urlsplit

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local import smartfile_calls as wire
from tests.support.local.server_process import served

DATA = bytes(place % 251 for place in range(300_000))

api = wire.client()


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


#: Calls that need credentials: every kind of endpoint, also one that does not exist.
CALLS = [
    *(("GET", "/api/2/" + endpoint) for endpoint in (
        "path/info/", "task", "nothing", "whoami/", "right/", "user/", "pref/", "activity/", "access/path/",
        "link/", "path/sync/signature/a/",
    )),
    ("GET", "/api/3/path/data/x"), ("POST", "/api/2/link/"), ("POST", "/api/2/path/sync/patch/a/"),
    ("POST", "/api/2/path/sync/delta/a/"),
]  # fmt: skip


def test_calls_need_credentials(server: LocalServer) -> None:
    url, key = server.smartfile.url, server.smartfile.key
    ping = bare_client.request(url, "GET", "/api/2/ping/")
    assert (ping.status, ping.json()) == (200, {"ping": "pong"})
    wrong = ({"Authorization": "Basic %%%"}, {"Authorization": "Bearer " + key})
    for headers in ({}, wire.basic(key, "wrong"), wire.basic("ann", ""), *wrong):
        for method, target in CALLS:
            reply = bare_client.request(url, method, target, None, headers)
            assert (reply.status, reply.body) == (401, b""), target
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
    assert [api.get(endpoint).status for endpoint in ("nothing", "path")] == [404, 404]


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


def test_json_with_a_charset(server: LocalServer, api: wire.Api) -> None:
    for charset, kind in ((False, "application/json"), (True, "application/json; charset=utf-8")):
        server.smartfile.configure(json_charset=charset)
        assert api.get("path/info").headers["Content-Type"] == kind


def test_the_account(server: LocalServer, api: wire.Api) -> None:
    """Effects of each fault: tests/faults/test_smartfile_*.py."""
    site = server.smartfile
    site.mkdir("/docs")
    server.fault("smartfile", "POST /api/2/path/data/*", "reset-after 64K")
    server.fault("smartfile", "GET /api/2/path/info/*", "status 503 retry-after=1 body=json:busy")
    body, headers = wire.multipart(("file", "a.bin", DATA))
    with pytest.raises(ConnectionError):
        api.call("POST", "path/data", "/docs", body=body, headers=headers)
    reply = api.get("path/info", "/docs/a.bin")
    assert (reply.status, reply.headers["Retry-After"], reply.json()) == (503, "1", {"detail": "busy"})
    api.upload("/docs", "a.bin", DATA)
    assert (site.count("POST /api/2/path/data/*"), site.count("POST /api/2/path/data/*", 0)) == (2, 1)
    assert (site.count("GET /api/2/path/info/*", 503), site.request_log[-1].received) == (1, len(body))


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


def test_it_survives_a_kill(tmp_path: Path) -> None:
    def calls(site: Any) -> wire.Api:
        return wire.Api(SimpleNamespace(url=site.url, backend=site))

    attributes = ("smartfile", "url key password client_token client_secret")
    incoming = tmp_path / "data" / "smartfile" / "incoming"
    with served(tmp_path / "data", *attributes, task_polls=1) as first:
        api = calls(first)
        api.mkdir("/docs")
        api.upload("/docs", "whole.bin", DATA)
        api.upload("/docs", "old.bin", b"the old one")
        api.post("path/info", "/docs/old.bin", attributes="a=b")
        task: Dict[str, Any] = api.post("path/oper/remove", path="/docs/whole.bin").json()
        assert api.get("task", task["uuid"]).json()["status"] == "PENDING"
        half = half_an_upload(api, incoming)
    half.close()
    with served(tmp_path / "data", *attributes, task_polls=1) as second:
        api = calls(second)
        assert {**vars(second), "url": ""} == {**vars(first), "url": ""}
        assert os.listdir(incoming) == []
        assert (api.data("/docs/whole.bin"), api.data("/docs/old.bin")) == (DATA, b"the old one")
        assert api.get("path/info", "/docs/old.bin").json()["attributes"] == {"a": "b"}
        # Unfinished tasks continue.
        assert api.get("task", task["uuid"]).json()["status"] == "SUCCESS"
        assert api.get("path/info", "/docs/whole.bin").status == 404


def half_an_upload(api: wire.Api, incoming: Path) -> Any:
    """Return a connection on which half of an upload was sent, once bytes of it are on disk."""
    body, headers = wire.multipart(("file", "old.bin", DATA))
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("POST", "/api/2/path/data/docs/")
    for name, value in {**api.headers, **headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[: len(body) // 2])
    ends_at = time.monotonic() + 10
    while not any(path.stat().st_size for path in incoming.iterdir()):
        assert time.monotonic() < ends_at
        time.sleep(0.01)
    return connection


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
