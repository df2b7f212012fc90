"""Keys that want to get out of the directory, and keys that want into a header: F28, F29, F36."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import BatchError, NotFound, SmartxferError, UnsafeName, UsageError
from smartxfer.nrp import get_client
from smartxfer.transfer.safe_paths import safe_path
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import DOWNLOAD, ENTRY, LIST, NRPHarness
from tests.support.raw_server import RawServer, answering, status

DATA = noise(1000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NRPHarness]:
    # A hostile server may serve any key; a real InvenioRDM has no route for line breaks.
    with NRPHarness(tmp_path_factory.mktemp("names"), any_key=True) as harness:
        yield harness


@pytest.fixture
def harness(server: NRPHarness, tmp_path: Path) -> NRPHarness:
    """The same server for all; a directory of one's own."""
    server.directory, server.out = tmp_path, tmp_path / "out"
    server.forget()
    return server


def _below(directory: Path) -> List[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


# -- F28 ----------------------------------------------------------------------------------------------------

#: What no request can name.
UNASKABLE = ["/x", "//x", "..", "."]


@pytest.mark.parametrize("key", UNASKABLE)
def test_f28_a_key_that_no_request_names(harness: NRPHarness, tmp_path: Path, key: str) -> None:
    """Fails if a key is requested without encoding: the response would be another file."""
    record = harness.site.create(files={"x": b"another"})
    harness.site.plant(record, key, DATA)
    before = _below(tmp_path)
    api = harness.client()
    [file] = [file for file in api.files.list(record) if file.key == key]
    with pytest.raises((UnsafeName, UsageError, NotFound)):
        api.files.download(file, f"{harness.out}/")
    with pytest.raises((UnsafeName, UsageError, NotFound, BatchError)):
        api.files.download_many([file], harness.out)
    assert [found for found in _below(tmp_path) if found not in before] == []
    assert harness.count(DOWNLOAD, 200) == 0


def test_f28_a_key_that_cannot_be_named_hides_no_other(harness: NRPHarness) -> None:
    record = harness.site.create(files={"a": b"first", "x": b"another"})
    harness.site.plant(record, "/x", DATA)
    with pytest.raises(BatchError) as caught:
        harness.client().files.download_many(record, harness.out)
    failed = [result for result in caught.value.results if result.error is not None]
    assert [(result.name, type(result.error)) for result in failed] == [("/x", UsageError)]
    assert {path: (harness.out / path).read_bytes() for path in harness.left()} == {"a": b"first", "x": b"another"}


@pytest.mark.parametrize("key", ["\\", "   ", "C:", "...", "..\\..", "/", "a/.."])
def test_f28_a_key_of_nothing(harness: NRPHarness, tmp_path: Path, key: str) -> None:
    record = harness.site.create()
    harness.site.plant(record, key, DATA)
    try:
        safe_path(key)
    except UnsafeName:
        with pytest.raises(UnsafeName, match="invalid file name"):
            harness.client().files.download_many(record, harness.out)
        assert _below(tmp_path) == []
    else:
        harness.client().files.download_many(record, harness.out)
        assert len(harness.left()) == 1


def test_f28_a_path_of_ones_own_is_taken_as_it_is(harness: NRPHarness, tmp_path: Path) -> None:
    """The caller's path is not the server's name."""
    record = harness.site.create()
    harness.site.plant(record, "../../evil", DATA)
    [file] = harness.client().files.list(record)
    path = harness.client().files.download(file, tmp_path / "mine.bin")
    assert (path, _below(tmp_path)) == (tmp_path / "mine.bin", ["mine.bin"])


@pytest.mark.parametrize("name", ["x.part", "x.part.json"])
def test_f29_a_link_where_the_rest_would_be(harness: NRPHarness, name: str) -> None:
    record = harness.site.create(files={"x": DATA})
    victim = harness.file(b"mine", "victim")
    harness.out.mkdir()
    (harness.out / name).symlink_to(victim)
    try:
        harness.client().files.download_many(record, harness.out)
    except (OSError, SmartxferError):
        assert not (harness.out / "x").exists()
    else:
        assert (harness.out / "x").read_bytes() == DATA
    assert victim.read_bytes() == b"mine"


def test_f28_keys_of_the_same_address_are_distinguished(harness: NRPHarness) -> None:
    """Fails if a key is encoded twice, or not at all: another file's bytes would come."""
    keys = ["a b", "a%20b", "a%2520b", "a+b", "a;b", "a&b=c", "\u65e5\u672c", "a/b", "a%2Fb", "a?b", "a#b", "%"]
    record = harness.site.create()
    for key in keys:
        harness.site.plant(record, key, key.encode())
    api = harness.client()
    for key in keys:
        assert api.files.read(record, key).key == key
        path = api.files.download(record, key, harness.directory / "one")
        assert path.read_bytes().decode() == key


# -- F36 ----------------------------------------------------------------------------------------------------

INTO_HEADERS = [
    "a\r\nX-Evil: 1.txt",
    "a\r\n\r\nbody.txt",
    "a\nb.txt",
    "a\rb.txt",
    "a HTTP/1.1\r\nX-Evil: 1",
    "a\x00b",
    "a\u2028b",
]


@pytest.mark.parametrize("key", INTO_HEADERS, ids=ascii)
def test_f36_a_key_in_a_request_line(key: str) -> None:
    """Fails if a key ends the line: another request, or another header, would come of it."""
    info = b'{"invenio_version": "14.0", "name": "n", "transfers": ["L"], "links": {"api": "%s/api"}}'

    def reply(request: Any, peer: Any) -> None:
        if request.target.startswith("/.well-known"):
            peer.answer(200, info % server.url.encode(), "Content-Type: application/json")
        else:
            status(404, b"{}", "Content-Type: application/json")(request, peer)

    with RawServer(answering(reply)) as server:
        with get_client(server.url, token="t") as api:
            for ask in (
                lambda: api.files.read("abcde-12345", key),
                lambda: api.files.delete("abcde-12345", key),
                lambda: api.files.download("abcde-12345", key, os.devnull),
                lambda: api.files.read(f"{server.url}/api/records/abcde-12345/draft/files/{key}"),
                lambda: api.files.list(key),
            ):
                with pytest.raises(SmartxferError):
                    ask()
    assert server.requests
    for request in server.requests:
        assert request.target.isascii()
        assert not set(request.target) & set(" \r\n\x00")
        assert "x-evil" not in request.headers


@pytest.mark.parametrize("key", [key for key in INTO_HEADERS if "\x00" not in key], ids=ascii)
def test_f36_a_key_that_the_server_has(harness: NRPHarness, key: str) -> None:
    """The file can be downloaded and gets one safe name."""
    record = harness.site.create()
    harness.site.plant(record, key, DATA)
    [result] = harness.client().files.download_many(record, harness.out)
    assert result.path is not None
    assert result.path.read_bytes() == DATA
    assert not set(result.path.name) & set("\r\n\x00\u2028")
    assert all("x-evil" not in head for head in [*harness.heads(LIST), *harness.heads(ENTRY)])
