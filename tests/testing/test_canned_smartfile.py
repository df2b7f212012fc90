"""Canned answers of SmartFile: the client's methods accept them as a site's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import responses

from smartxfer import BasicClient, errors
from smartxfer.smartfile.errors import ERRORS
from smartxfer.testing import canned

FACTS = canned.load("stat", mock=responses.RequestsMock(), service="smartfile").facts
CONTENT, PATH, TASK = FACTS["content"], FACTS["path"], FACTS["task"]
LINK = {"uid": FACTS["link"]}

#: How each method is called; the arguments are (client, a directory with the file in it, another directory).
CALLS: Dict[str, Callable[[BasicClient, Path, Path], Any]] = {
    "get": lambda c, d, o: c.get("/path/info", PATH),
    "post": lambda c, d, o: c.post("/path/oper/move/", src=PATH, dst="/old/"),
    "stat": lambda c, d, o: c.stat(PATH),
    "exists": lambda c, d, o: c.exists(PATH),
    "info": lambda c, d, o: c.info(PATH),
    "list": lambda c, d, o: c.list("/docs"),
    "listdir": lambda c, d, o: c.listdir("/docs"),
    "upload_many": lambda c, d, o: c.upload_many([d / "report.csv"], "/docs"),
    "sync": lambda c, d, o: c.sync(d, "/docs"),
    "download_many": lambda c, d, o: c.download_many([PATH], o),
    "mkdir": lambda c, d, o: c.mkdir("/new"),
    "rename": lambda c, d, o: c.rename(PATH, "/docs/æ #1.csv"),
    "checksum": lambda c, d, o: c.checksum(PATH),
    "copy": lambda c, d, o: c.copy(PATH, "/old"),
    "move": lambda c, d, o: c.move(PATH, "/old/"),
    "remove": lambda c, d, o: c.remove(PATH),
    "wait": lambda c, d, o: c.wait(TASK),
    "create_link": lambda c, d, o: c.create_link(PATH),
    "links": lambda c, d, o: c.links(),
    "delete_link": lambda c, d, o: c.delete_link(LINK["uid"]),
    "upload": lambda c, d, o: c.upload(d / "report.csv", "/docs/", checksum="sha256"),
    "upload_tree": lambda c, d, o: c.upload_tree(d, "/docs"),
    "download": lambda c, d, o: c.download(PATH, o / "report.csv", checksum="md5"),
    "download_tree": lambda c, d, o: c.download_tree("/docs", o),
}

#: What each call that answers something says of the canned account.
SAYS: Dict[str, Callable[[Any], bool]] = {
    "get": lambda got: bool(got["path"] == PATH and got["size"] == len(CONTENT)),
    "post": lambda got: bool(got["uuid"] == TASK),
    "stat": lambda got: bool(got.isfile and got.size == len(CONTENT)),
    "exists": lambda got: got is True,
    "info": lambda got: bool(got.isfile and got.size == len(CONTENT)),
    "list": lambda got: [(info.path, info.size) for info in got] == [(PATH, len(CONTENT))],
    "upload_many": lambda got: [(one.name, one.verified) for one in got] == [(PATH, "size")],
    "sync": lambda got: got.skipped == ["report.csv"] or got.replaced == ["report.csv"],
    "download_many": lambda got: [one.path.read_bytes() for one in got] == [CONTENT],
    "listdir": lambda got: [(info.path, info.size) for info in got] == [(PATH, len(CONTENT))],
    "mkdir": lambda got: bool(got.path == "/new" and got.isdir),
    "rename": lambda got: bool(got.path == "/docs/æ #1.csv"),
    "checksum": lambda got: bool(got == FACTS["md5"]),
    "copy": lambda got: bool(got.done and not got.errors),
    "move": lambda got: bool(got.done and not got.errors),
    "remove": lambda got: got is None,
    "wait": lambda got: bool(got.uuid == TASK),
    "create_link": lambda got: bool(got.uid == FACTS["link"] and got.uid in got.href),
    "links": lambda got: [link.uid for link in got] == [FACTS["link"]],
    "delete_link": lambda got: got is None,
    "upload": lambda got: (got.name, got.bytes, got.verified) == (PATH, len(CONTENT), "sha256"),
    "upload_tree": lambda got: [(one.name, one.verified) for one in got] == [(PATH, "size")],
    "download": lambda got: (got.path.read_bytes(), got.verified) == (CONTENT, "md5"),
    "download_tree": lambda got: [one.path.read_bytes() for one in got] == [CONTENT],
}


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@pytest.fixture
def client() -> Iterator[BasicClient]:
    with BasicClient("k" * 30, "p" * 30, url=canned.SMARTFILE_URL) as made:
        yield made


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A directory with the canned file in it."""
    directory = tmp_path / "sent"
    directory.mkdir()
    (directory / "report.csv").write_bytes(CONTENT)
    return directory


def test_every_case_is_called_here() -> None:
    assert set(canned.SMARTFILE_CASES) == {(name, case) for name in CALLS for case in ("default", "failure")}
    assert [name for name in CALLS if not callable(getattr(BasicClient, name, None))] == []
    assert set(SAYS) == set(CALLS)


@pytest.mark.parametrize("method", CALLS)
def test_default(
    mock: responses.RequestsMock, client: BasicClient, sent: Path, tmp_path: Path, method: str
) -> None:
    case = canned.load(method, mock=mock, service="smartfile")
    assert (case.expected, case.base_url) == (None, canned.SMARTFILE_URL)
    assert SAYS[method](CALLS[method](client, sent, tmp_path / "out"))


@pytest.mark.parametrize("method", CALLS)
def test_failure(
    mock: responses.RequestsMock, client: BasicClient, sent: Path, tmp_path: Path, method: str
) -> None:
    case = canned.load(method, "failure", mock=mock, service="smartfile")
    assert case.expected is not None
    with pytest.raises(getattr(errors, case.expected)) as raised:
        CALLS[method](client, sent, tmp_path / "out")
    assert type(raised.value) is ERRORS.class_for(getattr(errors, case.expected))
    assert not (tmp_path / "out" / "report.csv").exists()


def test_files_of_any_name_and_size(
    mock: responses.RequestsMock, client: BasicClient, tmp_path: Path
) -> None:
    canned.load("upload", mock=mock, service="smartfile")
    for name, content in (("empty.dat", b""), ("blåbær.bin", bytes(100_000)), ("lines.txt", b"\r\n\r\n--\r\n")):
        assert client.upload((name, content), "/docs/").bytes == len(content)


@responses.activate
def test_the_decorators_mock_the_method_itself_and_another_address() -> None:
    address = "https://files.example.net"
    with BasicClient("k" * 30, "p" * 30, url=address) as client:
        case = canned.load(client.stat, base_url=address, service="smartfile")
        assert client.stat(PATH).path == case.facts["path"]
    assert responses.calls[0].request.url == f"{address}/api/2/path/info/docs/report.csv/"


@pytest.mark.parametrize(
    ("method", "case", "service"),
    [("prepare", "default", "smartfile"), ("stat", "maybe", "smartfile"), ("stat", "default", "dropbox")],
)
def test_no_such_case(method: str, case: str, service: str) -> None:
    with pytest.raises(errors.UsageError, match="no canned"):
        canned.load(method, case, service=service)


def test_canned_answers_know_what_the_local_server_says(client: BasicClient) -> None:
    """The keys are the same as those of the local server's answers."""
    from smartxfer.local import LocalServer

    def answers(of: BasicClient) -> Dict[str, Any]:
        of.upload(("report.csv", CONTENT), "/docs/")
        task = of.post("/path/oper/checksum/", path=PATH, algorithm="MD5")
        listed = of.get("/path/info", "/docs", children=True)
        return {
            "info": of.get("/path/info", PATH), "child": listed["children"][0], "task": of.wait(task),
            "link": of.create_link(PATH), "digest": of.checksum(PATH),
        }

    with LocalServer(services=["smartfile"]) as server:
        site = server.smartfile
        with BasicClient(site.key, site.password, url=site.url) as real:
            real.mkdir("/docs")
            theirs = answers(real)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("upload", "stat", "create_link"):
            canned.load(method, mock=mock, service="smartfile")
        ours = answers(client)
    assert ours.pop("digest") == theirs.pop("digest")
    for name, answer in ours.items():
        assert set(answer) == set(theirs[name]), name
