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

#: What a repository may call a file that can be asked for, and where it is put.
HOSTILE = {
    "../x": "x",
    "../../../../x": "x",
    "a/../../b": "a/b",
    "./x": "x",
    "a/./x": "a/x",
    "..\\..\\x": "x",
    "a\\..\\b": "a/b",
    "C:\\x": "x",
    "C:x": "C:x",
    "c:/x": "x",
    "~": "_",
    "~root": "_root",
    "CON": "CON",
    "nul.txt": "nul.txt",
    "trailing.": "trailing.",
    "space ": "space ",
    "a\nb": "a_b",
    "evil\u202etxt.exe": "evil_txt.exe",
    "a:b": "a:b",
    'q">|?*': 'q">|?*',
    "x" * 300: None,
    "\u00e9" * 200 + ".txt": None,
    "e\u0301.txt": "e\u0301.txt",
    "%2e%2e%2fx": "%2e%2e%2fx",
    "..%2fx": None,
    "dir/b c.txt": "dir/b c.txt",
    "a//b": "a/b",
    "a?b#c&d%25": None,
    "a/content": "a/content",
}
#: What no request can name.
UNASKABLE = ["/x", "//x", "..", "."]


@pytest.mark.parametrize("key", list(HOSTILE), ids=lambda key: ascii(key[:20]))
@pytest.mark.parametrize("way", ["many", "one"])
def test_f28_a_hostile_key(harness: NRPHarness, tmp_path: Path, key: str, way: str) -> None:
    """Fails if a key leaves the directory, or its place changes from run to run."""
    record = harness.site.create()
    harness.site.plant(record, key, DATA)
    before = set(_below(tmp_path))
    api = harness.client()

    def fetch() -> Any:
        if way == "many":
            return api.files.download_many(record, harness.out)[0].path
        harness.out.mkdir(exist_ok=True)
        [file] = api.files.list(record)
        assert file.key == key
        return api.files.download(file, harness.out)

    [path] = {fetch() for _ in range(2)}
    assert harness.out in path.parents
    assert path.read_bytes() == DATA
    expected = HOSTILE[key]
    if expected is None:
        assert len(os.fsencode(path.name)) <= 255
    else:
        place = expected if way == "many" else expected.rpartition("/")[2]
        assert path.relative_to(harness.out).as_posix() == place
    inside = {f"{harness.out.name}/{found}" for found in _below(harness.out)}
    assert set(_below(tmp_path)) == before | inside, "nothing outside of the target directory"
    assert len(inside) == 1


@pytest.mark.parametrize("key", UNASKABLE)
def test_f28_a_key_that_no_request_names(harness: NRPHarness, tmp_path: Path, key: str) -> None:
    """Fails if a key is asked for as it stands: what comes would be another file."""
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
        with pytest.raises(UnsafeName, match="is no file name"):
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


def test_f28_twins_get_suffixes(harness: NRPHarness) -> None:
    keys = ["\u00e9.txt", "e\u0301.txt", "A.txt", "a.txt", "a.txt.part", "b:c", "b?c", "d", "d/e", "../d"]
    record = harness.site.create()
    for key in keys:
        harness.site.plant(record, key, key.encode())
    results = harness.client().files.download_many(record, harness.out)
    assert {result.name: result.path.read_bytes().decode() for result in results if result.path} == {
        key: key for key in keys
    }
    assert len({result.path for result in results}) == len(keys)
    again = harness.client().files.download_many(record, harness.out)
    assert [result.path for result in again] == [result.path for result in results]


def test_f29_a_link_on_the_way(harness: NRPHarness) -> None:
    """Fails if a symbolic link is followed out of the directory."""
    record = harness.site.create(files={"link/x": DATA})
    elsewhere = harness.directory / "elsewhere"
    elsewhere.mkdir()
    harness.out.mkdir()
    (harness.out / "link").symlink_to(elsewhere)
    with pytest.raises(UnsafeName, match="not a directory of its own"):
        harness.client().files.download_many(record, harness.out)
    assert list(elsewhere.iterdir()) == []


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


def test_f28_keys_of_the_same_address_are_told_apart(harness: NRPHarness) -> None:
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
    """It can be had back, and stands under one safe name."""
    record = harness.site.create()
    harness.site.plant(record, key, DATA)
    [result] = harness.client().files.download_many(record, harness.out)
    assert result.path is not None
    assert result.path.read_bytes() == DATA
    assert not set(result.path.name) & set("\r\n\x00\u2028")
    assert all("x-evil" not in head for head in [*harness.heads(LIST), *harness.heads(ENTRY)])
