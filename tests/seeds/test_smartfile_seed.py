"""The code blocks of the SmartFile page, run as they are read there, in Python 3's spelling.

The address comes from SMARTFILE_API_URL and the starred credentials are the local server's.  Files are closed,
and the loop over a task has a bound; nothing else differs.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import os
import pprint
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import requests

from smartxfer.local import LocalServer

PNG = b"\x89PNG\r\n\x1a\n" + os.urandom(5000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalServer]:
    """A server, and a working directory with the page's picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foobar.png").write_bytes(PNG)
    with LocalServer(services=["smartfile"], smartfile={"task_polls": 2}) as running:
        monkeypatch.setenv("SMARTFILE_API_URL", running.smartfile.url)
        yield running


@pytest.fixture
def credentials(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second way of the page: the environment."""
    monkeypatch.setenv("SMARTFILE_API_KEY", server.smartfile.key)
    monkeypatch.setenv("SMARTFILE_API_PASSWORD", server.smartfile.password)


def test_parameters(server: LocalServer) -> None:
    from smartxfer.smartfile import BasicClient

    api = BasicClient(server.smartfile.key, server.smartfile.password)
    assert api.get("/ping") == {"ping": "pong"}
    assert api.get("/whoami")


@pytest.mark.usefixtures("credentials")
def test_environment() -> None:
    from smartxfer.smartfile import BasicClient

    # Credentials are read automatically from environment
    api = BasicClient()
    assert api.get("/ping") == {"ping": "pong"}
    assert api.get("/whoami")


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("port", [False, True])
def test_netrc(server: LocalServer, tmp_path: Path, named: bool, port: bool) -> None:
    from smartxfer.smartfile import BasicClient

    host = server.smartfile.url[len("http://") :]
    place = tmp_path / "smartfile.keys" if named else Path("~/.netrc").expanduser()
    place.write_text(
        f"machine {host if port else host.partition(':')[0]}\n"
        f"  login {server.smartfile.key}\n  password {server.smartfile.password}\n"
    )
    place.chmod(0o600)
    # Credentials are read automatically from netrc
    api = BasicClient(netrcfile=str(place)) if named else BasicClient()
    assert api.get("/ping") == {"ping": "pong"}
    assert api.get("/whoami")


def test_oauth(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from smartxfer.smartfile import OAuthClient

    shown: List[str] = []

    def browse(question: str) -> str:
        """Act as the user: open the address, and return the code that is shown there."""
        assert question == "What was the verification? :"
        page = requests.get(shown[0].partition("go to: ")[2], timeout=10).text
        found = re.search("<code>(.+)</code>", page)
        assert found is not None
        return found[1]

    monkeypatch.setattr(builtins, "input", browse)
    api = OAuthClient(server.smartfile.client_token, server.smartfile.client_secret)
    # Be sure to only call each method once for each OAuth login
    #
    # This is the first step with the client, which should be left alone
    api.get_request_token()
    # Redirect users to the following URL:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        print("In your browser, go to: " + api.get_authorization_url())
    shown.append(out.getvalue().strip())
    # This example uses input to get the verification from the console:
    client_verification = input("What was the verification? :")
    api.get_access_token(None, client_verification)
    assert api.get("/ping") == {"ping": "pong"}
    assert api.get("/path/info", "/")["path"] == "/"


def test_calling_endpoints(server: LocalServer) -> None:
    from smartxfer.smartfile import BasicClient

    api = BasicClient(server.smartfile.key, server.smartfile.password)
    first = api.get("/ping")
    # The following is equivalent...
    assert api("/ping") == first == {"ping": "pong"}


def test_an_id(server: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    from smartxfer.smartfile import BasicClient

    server.smartfile.write("/a", b"1234")
    api = BasicClient(server.smartfile.key, server.smartfile.password)
    # For this endpoint, the id is '/'
    pprint.pprint(api.get("/path/info", "/"))
    # What is printed is made of Python's own types: it can be read back.
    info = ast.literal_eval(capsys.readouterr().out)
    page: Dict[str, Any] = {
        "acl": {"list": True, "read": True, "remove": True, "write": True},
        "attributes": {},
        "extension": "",
        "isdir": True,
        "isfile": False,
        "items": 1,
        "mime": "application/x-directory",
        "name": "",
        "owner": None,
        "path": "/",
        "tags": [],
        "url": server.smartfile.url + "/api/2/path/info/",
    }
    assert {name: info[name] for name in page} == page
    assert set(info) == {*page, "id", "size", "time"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", info["time"])


@pytest.mark.usefixtures("credentials")
def test_uploads(server: LocalServer) -> None:
    data = io.StringIO("StringIO instance has no .name attribute!")
    from smartxfer.smartfile import BasicClient

    api = BasicClient()
    api.post("/path/data/", file=("foobar.png", data))
    assert server.smartfile.read("/foobar.png") == b"StringIO instance has no .name attribute!"
    # Or use a file-like object with a name attribute
    with open("foobar.png", "rb") as picture:
        api.post("/path/data/", file=picture)
    assert server.smartfile.read("/foobar.png") == PNG
    assert server.smartfile.files() == {"/foobar.png": len(PNG)}


@pytest.mark.usefixtures("credentials")
def test_download(server: LocalServer) -> None:
    from smartxfer.smartfile import BasicClient

    server.smartfile.write("/foobar.png", b"another picture")
    api = BasicClient()
    f = api.get("/path/data/", "foobar.png")
    with open("foobar.png", "wb") as o:
        shutil.copyfileobj(f, o)
    assert Path("foobar.png").read_bytes() == b"another picture"


@pytest.mark.usefixtures("credentials")
def test_tasks(server: LocalServer) -> None:
    from smartxfer.smartfile import BasicClient

    server.smartfile.write("/foobar.png", PNG)
    server.smartfile.mkdir("/images")
    api = BasicClient()
    t = api.post("/path/oper/move/", src="/foobar.png", dst="/images/foobar.png")
    polls = 0
    while True:
        s = api.get("/task", t["uuid"])
        polls += 1
        if s["status"] == "SUCCESS":
            break
        assert polls < 100
    assert polls > 1
    assert server.smartfile.files() == {"/images/foobar.png": len(PNG)}


@pytest.mark.usefixtures("credentials")
def test_synchronisation(server: LocalServer, tmp_path: Path) -> None:
    from smartxfer.smartfile import BasicClient
    from smartxfer.smartfile.sync import SyncClient

    resume, bricks = os.urandom(300_000), os.urandom(300_000)
    server.smartfile.mkdir("/docs")
    server.smartfile.mkdir("/photos")
    server.smartfile.write("/docs/Resume.pdf", resume)
    server.smartfile.write("/photos/bricks.jpg", bricks + b"one more")
    for name, data in {"docs/Resume.pdf": b"new " + resume, "photos/bricks.jpg": bricks}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(data)

    sync = SyncClient(BasicClient())
    # Synchronize TO the server
    up = sync.upload(f"{tmp_path}/docs/Resume.pdf", "/docs/Resume.pdf")
    # Synchronize FROM the server
    down = sync.download(f"{tmp_path}/photos/bricks.jpg", "/photos/bricks.jpg")

    assert server.smartfile.read("/docs/Resume.pdf") == b"new " + resume
    assert (tmp_path / "photos/bricks.jpg").read_bytes() == bricks + b"one more"
    assert up.method == down.method == "delta"
    assert min(up.bytes_saved, down.bytes_saved) > 200_000
