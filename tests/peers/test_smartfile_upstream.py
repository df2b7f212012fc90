"""The vendor's own Python client, unchanged, against the local server: proof that its wire is the real one."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, Iterator

import pytest
import requests

from smartxfer import BasicClient
from smartxfer.local import LocalServer

# A module of it: the directory tests/smartfile would pass for the package.
pytest.importorskip("smartfile.errors", reason="needs the package smartfile")
upstream = pytest.importorskip("smartfile")

pytestmark = [
    pytest.mark.peers,
    # It never closes an answer, and its regular expressions are from before raw strings.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DATA = os.urandom(3_000_001)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A server whose tasks take two polls."""
    with LocalServer(services=["smartfile"], smartfile={"task_polls": 2}) as running:
        yield running


@pytest.fixture
def api(server: LocalServer) -> Any:
    """The vendor's client; it wants the slash at the end of the address."""
    site = server.smartfile
    return upstream.BasicClient(site.key, site.password, url=site.url + "/")


def test_ping(api: Any) -> None:
    assert api.get("/ping") == api("/ping") == {"ping": "pong"}


def test_upload_info_and_download(server: LocalServer, api: Any, tmp_path: Path) -> None:
    api.post("/path/data/", file=("a.bin", io.BytesIO(DATA)))
    assert server.smartfile.read("/a.bin") == DATA
    info = api.get("/path/info", "/a.bin")
    assert (info["name"], info["size"], info["isfile"]) == ("a.bin", len(DATA), True)
    assert api.get("/path/data/", "a.bin").read() == DATA
    (tmp_path / "in").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "in")
        api.download("a.bin")
    assert (tmp_path / "in" / "a.bin").read_bytes() == DATA


def test_upload_by_name(server: LocalServer, api: Any) -> None:
    server.smartfile.mkdir("/TestingFolder")
    api.upload("/TestingFolder/a.txt", io.BytesIO(b"text"))
    assert server.smartfile.files() == {"/TestingFolder/a.txt": 4}


def test_move_and_remove(server: LocalServer, api: Any) -> None:
    server.smartfile.mkdir("/new")
    server.smartfile.write("/a.txt", b"x")
    ours = BasicClient(server.smartfile.key, server.smartfile.password, url=server.smartfile.url)
    with ours:
        ours.wait(api.move("/a.txt", "/new"))
        assert server.smartfile.files() == {"/new/a.txt": 1}
        ours.wait(api.remove("/new/a.txt"))
    assert server.smartfile.files() == {}


def test_errors(api: Any) -> None:
    with pytest.raises(upstream.ResponseError) as caught:
        api.get("/path/info", "/missing")
    assert caught.value.status_code == 404
    with pytest.raises(upstream.ResponseError) as caught:
        api.post("/path/oper/move/", src="/missing", dst="/b")
    assert caught.value.detail


def test_its_throttled_upload_loses_the_file_and_ours_does_not(server: LocalServer, api: Any) -> None:
    site = server.smartfile
    site.throttle(times=2, seconds=0.01)
    api.post("/path/data/", file=("theirs.bin", io.BytesIO(DATA)))
    site.throttle(times=2, seconds=0.01)
    with BasicClient(site.key, site.password, url=site.url) as ours:
        ours.post("/path/data/", file=("ours.bin", io.BytesIO(DATA)))
    assert site.files() == {"/ours.bin": len(DATA), "/theirs.bin": 0}
    assert site.read("/ours.bin") == DATA


def test_oauth(server: LocalServer) -> None:
    site = server.smartfile
    api = upstream.OAuthClient(site.client_token, site.client_secret, url=site.url + "/")
    request = api.get_request_token()
    # Its own get_authorization_url() does not run on Python 3.
    page = requests.get(f"{site.url}/oauth/authorize/", params={"oauth_token": request.token}, timeout=10)
    found = re.search("<code>(.+)</code>", page.text)
    assert found is not None
    api.get_access_token(None, found[1])
    assert api.get("/path/info", "/")["path"] == "/"
