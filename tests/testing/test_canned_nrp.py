"""Canned answers of NRP: the client's methods accept them as a repository's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import responses

from smartxfer import RepositoryClient, RetryPolicy, errors
from smartxfer.nrp import File, MemorySink
from smartxfer.nrp.errors import ERRORS
from smartxfer.testing import canned

FACTS = canned.load("whoami", mock=responses.RequestsMock(), service="nrp").facts
ID, KEY, CONTENT, CHECKSUM = FACTS["id"], FACTS["key"], FACTS["content"], FACTS["checksum"]
DATA = {"metadata": {"title": FACTS["title"]}}
FILE = File.from_wire(
    {
        "key": KEY,
        "size": len(CONTENT),
        "checksum": CHECKSUM,
        "metadata": {"description": "new"},
        "links": {"self": f"{canned.NRP_URL}/api/records/{ID}/draft/files/{KEY}"},
    }
)

#: How each method is called; the arguments are (client, a directory with the file in it, another directory).
CALLS: Dict[str, Callable[[RepositoryClient, Path, Path], Any]] = {
    "get": lambda c, d, o: c.get("records", ID),
    "whoami": lambda c, d, o: c.whoami(),
    "upload": lambda c, d, o: c.upload(d / KEY, ID),
    "upload_many": lambda c, d, o: c.upload_many([d / KEY], ID),
    "upload_tree": lambda c, d, o: c.upload_tree(_with_another(d), ID),
    "download": lambda c, d, o: c.download(f"{ID}/{KEY}", o / KEY),
    "download_many": lambda c, d, o: c.download_many([f"{ID}/{KEY}"], o),
    "download_tree": lambda c, d, o: c.download_tree(ID, o),
    "list": lambda c, d, o: c.list(ID),
    "info": lambda c, d, o: c.info(f"{ID}/{KEY}"),
    "exists": lambda c, d, o: c.exists(f"{ID}/{KEY}"),
    "remove": lambda c, d, o: c.remove(f"{ID}/{KEY}"),
    "sync": lambda c, d, o: c.sync(_with_another(d), ID),
    "files.list": lambda c, d, o: c.files.list(ID),
    "files.read": lambda c, d, o: c.files.read(ID, KEY),
    "files.upload": lambda c, d, o: c.files.upload(ID, KEY, {"description": "new"}, d / KEY),
    "files.upload_many": lambda c, d, o: c.files.upload_many(ID, [d / KEY, ("b.bin", bytes(70_000))]),
    "files.download": lambda c, d, o: c.files.download(ID, KEY, o / KEY),
    "files.download_many": lambda c, d, o: c.files.download_many(ID, o),
    "files.update": lambda c, d, o: c.files.update(FILE),
    "files.delete": lambda c, d, o: c.files.delete(ID, KEY),
    "files.delete_all": lambda c, d, o: c.files.delete_all(ID),
    "files.sync_dir": lambda c, d, o: c.files.sync_dir(ID, _with_another(d)),
    "files.wait_fetch": lambda c, d, o: c.files.wait_fetch(ID, KEY, timeout=5),
    "records.create": lambda c, d, o: c.records.create(DATA),
    "records.read": lambda c, d, o: c.records.read(ID),
    "records.update": lambda c, d, o: c.records.update({"id": ID, **DATA}, if_revision=5),
    "records.delete": lambda c, d, o: c.records.delete(ID),
    "records.publish": lambda c, d, o: c.records.publish(ID),
    "records.search": lambda c, d, o: list(c.records.search("rain")),
    "records.versions": lambda c, d, o: c.records.versions(ID),
    "records.latest": lambda c, d, o: c.records.latest(ID),
    "records.edit_metadata": lambda c, d, o: c.records.edit_metadata(ID),
    "records.new_version": lambda c, d, o: c.records.new_version(ID),
}

#: What each call that answers something says of the canned repository.
SAYS: Dict[str, Callable[[Any], bool]] = {
    "get": lambda got: bool(got["id"] == ID and got["revision_id"] == FACTS["revision_id"]),
    "whoami": lambda got: got.authenticated is True,
    "upload": lambda got: (got.name, got.verified, got.item.checksum) == (KEY, "md5", CHECKSUM),
    "upload_many": lambda got: [(one.name, one.verified) for one in got] == [(KEY, "md5")],
    "upload_tree": lambda got: bool(got.ok and KEY in [one.name for one in got]),
    "download": lambda got: (got.path.read_bytes(), got.verified) == (CONTENT, "md5"),
    "download_many": lambda got: [one.path.read_bytes() for one in got] == [CONTENT],
    "download_tree": lambda got: [one.path.read_bytes() for one in got] == [CONTENT],
    "list": lambda got: [(file.key, file.checksum) for file in got] == [(KEY, CHECKSUM)],
    "info": lambda got: (got.key, got.size, got.status) == (KEY, len(CONTENT), "completed"),
    "exists": lambda got: got is True,
    "remove": lambda got: got is None,
    "sync": lambda got: KEY in got.skipped and len(got.uploaded) == 1,
    "files.list": lambda got: [(file.key, file.checksum) for file in got] == [(KEY, CHECKSUM)],
    "files.read": lambda got: (got.key, got.size, got.status) == (KEY, len(CONTENT), "completed"),
    "files.upload": lambda got: (got.checksum, got.result.verified) == (CHECKSUM, "md5"),
    "files.upload_many": lambda got: [file.size for file in got] == [len(CONTENT), 70_000],
    "files.download": lambda got: bool(got.read_bytes() == CONTENT),
    "files.download_many": lambda got: [one.path.read_bytes() for one in got] == [CONTENT],
    "files.update": lambda got: bool(got.metadata == {"description": "new"}),
    "files.delete": lambda got: got is None,
    "files.delete_all": lambda got: got is None,
    "files.sync_dir": lambda got: (got.uploaded, got.skipped) == (["another.bin"], [KEY]),
    "files.wait_fetch": lambda got: bool(got.status == "completed"),
    "records.create": lambda got: bool(got.id == ID and got.is_draft and got.metadata == DATA["metadata"]),
    "records.read": lambda got: bool(got.is_published and got.metadata["title"] == FACTS["title"]),
    "records.update": lambda got: bool(got.is_draft and got.metadata == DATA["metadata"]),
    "records.delete": lambda got: got is None,
    "records.publish": lambda got: bool(got.is_published and not got.is_draft),
    "records.search": lambda got: [record.id for record in got] == [ID],
    "records.versions": lambda got: [record.id for record in got] == [ID],
    "records.latest": lambda got: bool(got.is_published),
    "records.edit_metadata": lambda got: bool(got.is_draft),
    "records.new_version": lambda got: bool(got.is_draft),
}


def _with_another(directory: Path) -> Path:
    (directory / "another.bin").write_bytes(b"another")
    return directory


def _method(client: Any, name: str) -> Any:
    for word in name.split("."):
        client = getattr(client, word, None)
    return client


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@pytest.fixture
def client() -> Iterator[RepositoryClient]:
    with RepositoryClient(canned.NRP_URL, token="t" * 40, retry=RetryPolicy(backoff=0)) as made:
        yield made


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A directory with the canned file in it."""
    directory = tmp_path / "sent"
    directory.mkdir()
    (directory / KEY).write_bytes(CONTENT)
    return directory


def test_the_verbs_are_known_by_the_methods_themselves(client: RepositoryClient) -> None:
    for method, name in ((client.list, "list"), (client.upload, "upload"), (client.files.upload, "files.upload")):
        assert canned.load(method, mock=responses.RequestsMock(), service="nrp").method == name


def test_every_case_is_called_here(client: RepositoryClient) -> None:
    assert set(canned.NRP_CASES) == {(name, case) for name in CALLS for case in ("default", "failure")}
    assert [name for name in CALLS if not callable(_method(client, name))] == []
    assert set(SAYS) == set(CALLS)


@pytest.mark.parametrize("method", CALLS)
def test_default(
    mock: responses.RequestsMock, client: RepositoryClient, sent: Path, tmp_path: Path, method: str
) -> None:
    case = canned.load(method, mock=mock, service="nrp")
    assert (case.expected, case.base_url) == (None, canned.NRP_URL)
    assert SAYS[method](CALLS[method](client, sent, tmp_path / "out"))


@pytest.mark.parametrize("method", CALLS)
def test_failure(
    mock: responses.RequestsMock, client: RepositoryClient, sent: Path, tmp_path: Path, method: str
) -> None:
    case = canned.load(method, "failure", mock=mock, service="nrp")
    assert case.expected is not None
    with pytest.raises(getattr(errors, case.expected)) as raised:
        CALLS[method](client, sent, tmp_path / "out")
    assert type(raised.value) is ERRORS.class_for(getattr(errors, case.expected))
    assert not (tmp_path / "out" / KEY).exists()


@pytest.mark.parametrize("transfer_type", ["local-file", "multipart"])
def test_files_of_any_name_and_size(
    mock: responses.RequestsMock, client: RepositoryClient, transfer_type: str
) -> None:
    canned.load("files.upload", mock=mock, service="nrp")
    for key, content in (("empty.dat", b""), ("dir/blåbær #1%.bin", bytes(6 << 20)), ("a.txt", b"\r\n")):
        part_size = 5 << 20 if transfer_type == "multipart" else None
        file = client.files.upload(ID, key, {"n": 1}, content, transfer_type, part_size=part_size)
        assert (file.key, file.size, file.metadata) == (key, len(content), {"n": 1})
        assert file.result is not None
        assert file.result.verified == "md5"


@responses.activate
def test_the_decorators_mock_the_method_itself_and_another_address() -> None:
    address = "https://data.example.net"
    with RepositoryClient(address, token="t" * 40) as client:
        case = canned.load(client.files.download, base_url=address, service="nrp")
        assert case.method == "files.download"
        sink = MemorySink()
        client.files.download(ID, KEY, sink)
    assert sink.data == case.facts["content"]
    assert {str(call.request.url).split("/")[2] for call in responses.calls} == {"data.example.net"}
    assert responses.calls[-1].request.url == f"{address}/api/records/{ID}/files/{KEY}/content"


@pytest.mark.parametrize(("method", "case"), [("read", "default"), ("files.read", "maybe")])
def test_no_such_case(method: str, case: str) -> None:
    with pytest.raises(errors.UsageError, match="no canned"):
        canned.load(method, case, service="nrp")


def _answers(of: RepositoryClient) -> Dict[str, Any]:
    """Return the answers of a repository from the creation of a draft with a file to its publication."""
    draft = of.records.create({"metadata": FACTS["metadata"]})
    file = of.files.upload(draft, KEY, {"description": "new"}, CONTENT)
    listed = of.get(f"records/{draft.id}/draft/files")
    found = {
        "info": of.repository, "draft": draft, "draft's links": draft["links"],
        "draft's access": draft["access"], "file": file, "file's links": file["links"], "list": listed,
        "list's links": listed["links"], "list's entry": listed["entries"][0],
    }
    record = of.records.publish(draft)
    page = of.get("user/records")
    return {
        **found, "record": record, "record's links": record["links"], "page": page,
        "page's hits": page["hits"], "published file": of.files.list(record)[0],
    }


def test_canned_answers_know_what_the_local_server_says(client: RepositoryClient) -> None:
    """The answers contain nothing that is missing in the local server's answers."""
    from smartxfer.local import LocalServer

    with LocalServer(services=["nrp"]) as server:
        with RepositoryClient(server.nrp.url, token=server.nrp.token) as real:
            theirs = _answers(real)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        canned.load("files.upload", mock=mock, service="nrp")
        ours = _answers(client)
    assert {name: set(answer) - set(theirs[name]) for name, answer in ours.items()} == {
        name: set() for name in ours
    }
    for name in ("file", "file's links", "list", "list's links", "list's entry"):
        assert set(ours[name]) == set(theirs[name]), name
