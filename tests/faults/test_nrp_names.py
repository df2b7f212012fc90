"""Keys that want to get out of the directory, and keys that want into a header: F28, F29, F36."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import BatchError, NotFound, SmartxferError, UnsafeName, UsageError
from smartxfer.nrp import get_client
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import DOWNLOAD, INIT, NRPHarness
from tests.support.raw_server import RawServer, answering, status

DATA = noise(1000)
# A hostile server may serve any key; a real InvenioRDM has no route for line breaks.
SHARED = partial(NRPHarness, any_key=True)


def _below(directory: Path) -> List[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def _fetch(harness: NRPHarness) -> Any:
    return harness.client().files.download_many(harness.draft, harness.out)


def _no_header_came_of_it(harness: NRPHarness) -> None:
    assert all("x-evil" not in head for head in harness.heads("* *"))


# -- F28, F29: downloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["/x", "//x", "..", "."])
def test_f28_a_key_that_no_request_names(harness: NRPHarness, tmp_path: Path, key: str) -> None:
    """Fails if a key is requested without encoding: the response would be another file."""
    harness.site.write(harness.draft, "x", b"another")
    harness.site.plant(harness.draft, key, DATA)
    before = _below(tmp_path)
    api = harness.client()
    [file] = [file for file in api.files.list(harness.draft) if file.key == key]
    with pytest.raises((UnsafeName, UsageError, NotFound)):
        api.files.download(file, f"{harness.out}/")
    with pytest.raises((UnsafeName, UsageError, NotFound, BatchError)):
        api.files.download_many([file], harness.out)
    assert (_below(tmp_path), harness.count(DOWNLOAD, 200)) == (before, 0)


def test_f28_a_key_that_cannot_be_named_hides_no_other(harness: NRPHarness) -> None:
    others = {"a": b"first", "x": b"another"}
    for key, data in {**others, "/x": DATA}.items():
        harness.site.plant(harness.draft, key, data)
    with pytest.raises(BatchError) as caught:
        _fetch(harness)
    failed = [result for result in caught.value.results if result.error is not None]
    assert [(result.name, type(result.error)) for result in failed] == [("/x", UsageError)]
    assert {path: (harness.out / path).read_bytes() for path in harness.left()} == others


def test_f28_a_path_of_ones_own_is_taken_as_it_is(harness: NRPHarness, tmp_path: Path) -> None:
    """The caller's path is not the server's name."""
    harness.site.plant(harness.draft, "../../evil", DATA)
    [file] = harness.client().files.list(harness.draft)
    path = harness.client().files.download(file, tmp_path / "mine.bin")
    assert (path, _below(tmp_path)) == (tmp_path / "mine.bin", ["mine.bin"])


@pytest.mark.parametrize("name", ["x.part", "x.part.json"])
def test_f29_a_link_where_the_rest_would_be(harness: NRPHarness, name: str) -> None:
    harness.site.write(harness.draft, "x", DATA)
    victim = harness.file(b"mine", "victim")
    harness.out.mkdir()
    (harness.out / name).symlink_to(victim)
    try:
        _fetch(harness)
    except (OSError, SmartxferError):
        assert not (harness.out / "x").exists()
    else:
        assert (harness.out / "x").read_bytes() == DATA
    assert victim.read_bytes() == b"mine"


def test_f28_keys_of_the_same_address_are_distinguished(harness: NRPHarness) -> None:
    """Fails if a key is encoded twice, or not at all: another file's bytes would come."""
    keys = ["a b", "a%20b", "a%2520b", "a+b", "a;b", "a&b=c", "\u65e5\u672c", "a/b", "a%2Fb", "a?b", "a#b", "%"]
    for key in keys:
        harness.site.plant(harness.draft, key, key.encode())
    api = harness.client()
    for key in keys:
        assert api.files.read(harness.draft, key).key == key
        path = api.files.download(harness.draft, key, harness.directory / "one")
        assert path.read_bytes().decode() == key


# -- F28: uploads -------------------------------------------------------------------------------------------

REFUSED = [
    *("", "/", "/etc/x", "..", ".", "../x", "a/../../b", "a/./b", "a/.."),
    *("a/content", "a/commit", "a/container", "a/container/b"),
    *("a\0b", "a\nb", "a\r\nX-Evil: 1", "\x1b[2J", "a\x7f"),
    *("\ud800", "k" * 256),
]
TAKEN = [
    *("a b.txt", "dir/b c.txt", "a//b", "a?b", "a#b", "a%2Fb", "a%", "a&b=c", "a;b", "a\\..\\b", "C:\\x", "~", "CON"),
    *("dot.", "...", "+", 'a"; filename="b', "commit", "content", "container", "content/a", "k" * 255, "\u00e9" * 255),
    *("\u202etxt.exe", "caf\u00e9", "cafe\u0301", "\u65e5\u672c", "\U0001f600"),
]


@pytest.mark.parametrize("key", REFUSED, ids=ascii)
def test_f28_a_key_that_could_not_be_had_back(harness: NRPHarness, key: str) -> None:
    """Fails if a file is stored under a key that cannot be addressed; nothing is sent."""
    with pytest.raises(UsageError):
        harness.send(b"data", key)
    with pytest.raises((UsageError, SmartxferError)):
        harness.send_many([("fine", b"1"), (key, b"data")])
    assert (harness.count(INIT), harness.states()) == (0, {})


@pytest.mark.parametrize("key", TAKEN, ids=ascii)
def test_f28_a_key_is_stored_unchanged(harness: NRPHarness, key: str) -> None:
    """F36: broken by a key that is put into an address, or a header, as it is."""
    harness.site.write(harness.draft, "b", b"theirs")
    api = harness.client()
    draft = f"{harness.url}/api/records/{harness.draft}/draft"
    file = api.files.upload(draft, key, {"about": key}, b"data")
    assert (file.key, file.metadata) == (key, {"about": key})
    assert harness.held() == {"b": b"theirs", key: b"data"}
    assert (api.files.read(draft, key).size, harness.count("* /api/*", 404)) == (4, 0)
    _no_header_came_of_it(harness)
    api.files.delete(draft, key)
    assert harness.held() == {"b": b"theirs"}


def test_f28_two_keys_that_are_one(harness: NRPHarness) -> None:
    """Fails if one of two files takes the other's place."""
    with pytest.raises(UsageError, match="a"):
        harness.send_many([("a", b"1"), ("b", b"2"), ("a", b"3")])
    assert harness.count(INIT) == 0
    twins = {"caf\u00e9": b"composed", "cafe\u0301": b"decomposed"}
    harness.send_many(list(twins.items()))
    assert harness.held() == twins


# -- F36 ----------------------------------------------------------------------------------------------------

INTO_HEADERS = [
    *("a\r\nX-Evil: 1.txt", "a\r\n\r\nbody.txt", "a\nb.txt", "a\rb.txt", "a HTTP/1.1\r\nX-Evil: 1"),
    *("a\x00b", "a\u2028b"),
]


@pytest.mark.parametrize("key", INTO_HEADERS, ids=ascii)
def test_f36_a_key_in_a_request_line(key: str) -> None:
    """Fails if a key ends the line: another request, or another header, would come of it."""
    info = b'{"invenio_version": "14.0", "name": "n", "transfers": ["L"], "links": {"api": "%s/api"}}'

    def reply(request: Any, peer: Any) -> None:
        known = request.target.startswith("/.well-known")
        body = info % server.url.encode() if known else b"{}"
        status(200 if known else 404, body, "Content-Type: application/json")(request, peer)

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
    harness.site.plant(harness.draft, key, DATA)
    [result] = _fetch(harness)
    assert result.path is not None
    assert result.path.read_bytes() == DATA
    assert not set(result.path.name) & set("\r\n\x00\u2028")
    _no_header_came_of_it(harness)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "\x00", "\u202e", "<script>", '"', "\\"])
def test_f36_metadata_is_data(harness: NRPHarness, value: str) -> None:
    assert harness.send(b"data", metadata={"description": value}).metadata == {"description": value}
    _no_header_came_of_it(harness)


@pytest.mark.parametrize("token", ["marked\r\nX-Evil: 1", "marked\nX", "mark\x00ed", "mark\u00e9d\u20ac"])
def test_f36_a_token_in_a_header(harness: NRPHarness, token: str) -> None:
    """Fails if a token ends its header; it is refused, and not shown."""
    with pytest.raises(SmartxferError) as caught:
        harness.send(b"data", token=token)
    assert "marked" not in str(caught.value)
    assert harness.states() == {}
    _no_header_came_of_it(harness)
