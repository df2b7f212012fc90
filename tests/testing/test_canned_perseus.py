"""The canned answers of Perseus: the client's methods accept them as the service's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
import responses

from smartxfer import PerseusClient, RetryPolicy, errors
from smartxfer.perseus import FileStatus
from smartxfer.perseus.errors import ERRORS
from smartxfer.testing import canned

FACTS = canned.load("post", mock=responses.RequestsMock(), service="perseus").facts
ID, NAME, CONTENT, HASH = FACTS["id"], FACTS["name"], FACTS["content"], FACTS["source_hash"]
NEW_HASH = hashlib.sha256(b"new").hexdigest()
MANY = [("a.txt", b"a"), ("b.bin", bytes(70_000))]

#: How each method is called; the arguments are (client, a directory with the file and a new one in it).
CALLS: Dict[str, Callable[[PerseusClient, Path], Any]] = {
    "post": lambda c, d: c.post("file/find", ids=[ID]),
    "delete": lambda c, d: c.delete("file", ID),
    "upload": lambda c, d: c.upload(d / "new.txt"),
    "upload_many": lambda c, d: c.upload_many(MANY),
    "upload_tree": lambda c, d: c.upload_tree(d, include="new.txt"),
    "list": lambda c, d: c.list(),
    "info": lambda c, d: c.info(ID),
    "exists": lambda c, d: c.exists(ID),
    "remove": lambda c, d: c.remove(ID),
    "sync": lambda c, d: c.sync(d),
    "file.upload_file": lambda c, d: c.file.upload_file(d / "new.txt"),
    "file.upload_many": lambda c, d: c.file.upload_many(MANY),
    "file.create_file": lambda c, d: c.file.create_file("new.txt", NEW_HASH),
    "file.find_files": lambda c, d: c.file.find_files(source_hashes=[HASH]),
    "file.find_file": lambda c, d: c.file.find_file(ID),
    "file.delete_file": lambda c, d: c.file.delete_file(ID),
    "file.wait_for_file_upload": lambda c, d: c.file.wait_for_file_upload(ID, timeout=5),
    "file.wait_for_file_uploads": lambda c, d: c.file.wait_for_file_uploads([ID], timeout=5),
    "file.exists": lambda c, d: (c.file.exists(d / NAME), c.file.exists(d / "new.txt")),
    "file.sync_dir": lambda c, d: c.file.sync_dir(d),
}

#: What each call's answer says of the canned service.
SAYS: Dict[str, Callable[[Any], bool]] = {
    "post": lambda got: [file["id"] for file in got["files"]] == [ID],
    "delete": lambda got: not got,
    "upload": lambda got: (got.name, got.bytes, got.item.reused) == ("new.txt", 3, False),
    "upload_many": lambda got: [(one.name, one.bytes) for one in got] == [(name, len(data)) for name, data in MANY],
    "upload_tree": lambda got: [(one.name, one.bytes) for one in got] == [("new.txt", 3)],
    "list": lambda got: [(file.id, file.source_hash) for file in got] == [(ID, HASH)],
    "info": lambda got: (got.name, got.created) == (NAME, FACTS["created"]),
    "exists": lambda got: got is True,
    "remove": lambda got: got is None,
    "sync": lambda got: (got.uploaded, got.skipped) == (["new.txt"], [NAME]),
    "file.upload_file": lambda got: (got.name, got.reused, got.result.bytes) == ("new.txt", False, 3),
    "file.upload_many": lambda got: (
        [(file.name, file.result.bytes) for file in got] == [(name, len(data)) for name, data in MANY]
    ),
    "file.create_file": lambda got: (
        got["upload_url"].startswith(f"{FACTS['storage_url']}/file/")
        and (got["file"].name, got["file"].status) == ("new.txt", FileStatus.PENDING)
    ),
    "file.find_files": lambda got: [(file.id, file.source_hash) for file in got] == [(ID, HASH)],
    "file.find_file": lambda got: (got.name, got.created) == (NAME, FACTS["created"]),
    "file.delete_file": lambda got: got is None,
    "file.wait_for_file_upload": lambda got: bool(got.status == FileStatus.UPLOADED),
    "file.wait_for_file_uploads": lambda got: [file.status for file in got] == ["uploaded"],
    "file.exists": lambda got: bool(got == (True, False)),
    "file.sync_dir": lambda got: (got.uploaded, got.skipped) == (["new.txt"], [NAME]),
}


def _method(client: Any, name: str) -> Any:
    for word in name.split("."):
        client = getattr(client, word, None)
    return client


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@pytest.fixture
def client() -> Iterator[PerseusClient]:
    with PerseusClient(canned.PERSEUS_URL, api_key="k" * 40, retry=RetryPolicy(backoff=0)) as made:
        yield made


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A directory with the canned file and a new one in it."""
    (tmp_path / NAME).write_bytes(CONTENT)
    (tmp_path / "new.txt").write_bytes(b"new")
    return tmp_path


def test_every_case_is_called_here(client: PerseusClient) -> None:
    assert set(canned.PERSEUS_CASES) == {(name, case) for name in CALLS for case in ("default", "failure")}
    assert [name for name in CALLS if not callable(_method(client, name))] == []
    methods = {f"file.{name}" for name in dir(client.file) if not name.startswith("_")}
    verbs = {"upload", "upload_many", "upload_tree", "list", "info", "exists", "remove", "sync"}
    assert set(CALLS) - {"post", "delete"} == methods | verbs
    assert set(SAYS) == set(CALLS)


@pytest.mark.parametrize("method", CALLS)
def test_default(mock: responses.RequestsMock, client: PerseusClient, sent: Path, method: str) -> None:
    case = canned.load(method, mock=mock, service="perseus")
    assert (case.expected, case.base_url) == (None, canned.PERSEUS_URL)
    assert SAYS[method](CALLS[method](client, sent))


@pytest.mark.parametrize("method", CALLS)
def test_failure(mock: responses.RequestsMock, client: PerseusClient, sent: Path, method: str) -> None:
    case = canned.load(method, "failure", mock=mock, service="perseus")
    assert case.expected is not None
    with pytest.raises(getattr(errors, case.expected)) as raised:
        CALLS[method](client, sent)
    assert type(raised.value) is ERRORS.class_for(getattr(errors, case.expected))


def test_files_of_any_name_and_size(mock: responses.RequestsMock, client: PerseusClient) -> None:
    canned.load("file.upload_file", mock=mock, service="perseus")
    for name, content in (("empty.dat", b""), ("blåbær #1%.bin", bytes(3 << 20)), ("a?.txt", b"\r\n")):
        file = client.file.upload_file((name, content), wait=True)
        assert (file.name, file.status, file.reused) == (name, FileStatus.UPLOADED, False)
        assert file.result is not None
        assert file.result.bytes == len(content)
    md5 = [hashlib.md5(data).hexdigest() for data in (b"", bytes(3 << 20), b"\r\n")]
    puts: List[Any] = [call.response for call in mock.calls if call.request.method == "PUT"]
    assert [put.headers["ETag"] for put in puts] == [f'"{digest}"' for digest in md5]


def test_the_canned_content_is_known(mock: responses.RequestsMock, client: PerseusClient) -> None:
    canned.load("file.upload_file", "failure", mock=mock, service="perseus")
    file = client.file.upload_file(("copy.csv", CONTENT))
    assert (file.id, file.name, file.reused) == (ID, NAME, True)


def test_what_the_storage_says(mock: responses.RequestsMock, client: PerseusClient, sent: Path) -> None:
    canned.load("file.upload_file", "failure", mock=mock, service="perseus")
    with pytest.raises(errors.StorageError) as raised:
        client.file.upload_file(sent / "new.txt")
    error = raised.value
    assert (error.status, error.code, error.request_id) == (403, "AccessDenied", "4442587FB7D0A2F9")
    assert [call.request.method for call in mock.calls] == ["POST", "POST", "PUT", "DELETE"]


@responses.activate
def test_the_decorators_mock_the_method_itself_and_another_address() -> None:
    address = "https://files.example.com"
    with PerseusClient(address, api_key="k" * 40) as client:
        case = canned.load(client.file.find_files, base_url=address, service="perseus")
        assert case.method == "file.find_files"
        assert [file.id for file in client.file.find_files()] == [ID]
    assert responses.calls[-1].request.url == f"{address}/api/v0/file/find"


@pytest.mark.parametrize(("method", "case"), [("upload_file", "default"), ("file.exists", "maybe")])
def test_no_such_case(method: str, case: str) -> None:
    with pytest.raises(errors.UsageError, match="no canned"):
        canned.load(method, case, service="perseus")


def test_canned_answers_know_what_the_local_server_says(client: PerseusClient) -> None:
    """The shapes of the answers are the same as the local server's."""
    from smartxfer.local import LocalServer

    def answers(of: PerseusClient) -> Dict[str, Any]:
        created = of.post("file", name="new.txt", sourceHash=NEW_HASH)
        asked = of.post("file/find", ids=[created["file"]["id"]])
        return {"created": created, "file": created["file"], "asked": asked, "asked's": asked["files"][0]}

    with LocalServer(services=["perseus"]) as server:
        with PerseusClient(server.perseus.url, api_key=server.perseus.api_key) as real:
            theirs = answers(real)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        canned.load("post", mock=mock, service="perseus")
        ours = answers(client)
    assert {name: set(answer) for name, answer in ours.items()} == {
        name: set(answer) for name, answer in theirs.items()
    }
