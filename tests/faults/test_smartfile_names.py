"""Names that want to get out, and names that want into a header: F28, F36."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.errors import DecodeError, UnsafeName, UsageError
from smartxfer.smartfile import BasicClient
from tests.support.filesender_harness import noise
from tests.support.raw_server import RawServer, Request, answering, status
from tests.support.smartfile_harness import DOWNLOAD, INFO, UPLOAD, SmartFileHarness

DATA = noise(1000)


FRESH = SmartFileHarness


def _below(directory: Path) -> List[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


# -- F28 ----------------------------------------------------------------------------------------------------

#: What cannot be asked for: an HTTP library would resolve it on the way.
UNASKABLE = ["..", ".", "../x", "../../../../x", "a/../../b", "./x"]


@pytest.mark.parametrize("name", UNASKABLE)
def test_f28_a_name_that_leads_up(harness: SmartFileHarness, tmp_path: Path, name: str) -> None:
    """Fails if a path is requested without encoding: the library would make another path of it."""
    harness.site.plant("/d", name, DATA)
    harness.site.write("/x", b"another")
    before = _below(tmp_path)
    api = harness.client()
    for call in (lambda: api.listdir("/d"), lambda: api.download_tree("/d", harness.out)):
        with pytest.raises(DecodeError, match="which is not in '/d'"):
            call()
    with pytest.raises((UnsafeName, UsageError)):
        api.download(f"/d/{name}", f"{harness.out}/")
    assert harness.count(DOWNLOAD) == 0
    assert _below(tmp_path) == before


def test_f28_a_child_that_lies_elsewhere(harness: SmartFileHarness) -> None:
    """Fails if a listing is believed: what it names does not lie below, though it can be fetched."""
    harness.site.write("/d-other/secret", b"abc")
    child = b'{"path": "/d-other/secret", "name": "secret", "isfile": true, "isdir": false, "size": 3}'
    harness.answer(INFO, b'{"path": "/d", "isdir": true, "pages": 1, "children": [%s]}' % child)
    with pytest.raises(DecodeError, match="which is not in"):
        harness.client().download_tree("/d", harness.out)
    assert (harness.left(), harness.count(DOWNLOAD)) == ([], 0)


def test_f28_a_link_on_the_way(harness: SmartFileHarness) -> None:
    harness.site.write("/d/link/x", DATA)
    elsewhere = harness.directory / "elsewhere"
    elsewhere.mkdir()
    (harness.out / "link").symlink_to(elsewhere)
    with pytest.raises(UnsafeName, match="refusing to write through it"):
        harness.client().download_tree("/d", harness.out)
    assert list(elsewhere.iterdir()) == []


# -- F36 ----------------------------------------------------------------------------------------------------

INTO_HEADERS = [
    'a"b.txt',
    'a"; filename="b.txt',
    "a\r\nX-Evil: 1.txt",
    "a\r\n\r\nbody.txt",
    "a\nb.txt",
    "a\rb.txt",
    "a;b=c.txt",
    "a\\b.txt",
    'a\\"b.txt',
    "a%22b.txt",
    "\u65e5\u672c.txt",
]


@pytest.mark.parametrize("name", INTO_HEADERS, ids=ascii)
@pytest.mark.parametrize("raw", [False, True], ids=["helper", "raw"])
def test_f36_a_name_in_a_header(harness: SmartFileHarness, name: str, raw: bool) -> None:
    """Fails if a name ends its header, or its quotes: another file, or another header, would come of it."""
    harness.site.write("/b.txt", b"theirs")
    api = harness.client()
    try:
        if raw:
            api.post("/path/data/", file=(name, DATA))
        else:
            api.upload((name, DATA))
    except (UsageError, DecodeError):
        # Either rejected, or reported as stored under another name that is derived from this one.
        assert harness.stored()["/b.txt"] == b"theirs"
    else:
        held = harness.stored()
        assert held.pop("/b.txt") == b"theirs"
        assert list(held.values()) == [DATA]
        if not raw:
            assert list(held) == [f"/{name}"]
    assert harness.count(UPLOAD, 400) == 0


def _sent(code: int, call: Callable[[BasicClient], Any]) -> Request:
    """The one request of a call, as it went out."""
    with RawServer(answering(status(code, b"[]", "Content-Type: application/json"))) as server:
        with BasicClient("key", "password", url=server.url) as api:
            call(api)
    [request] = server.requests
    assert "x-evil" not in request.headers
    return request


def _heads(name: str, field: str = "file") -> List[bytes]:
    """The lines of the part's head, as they went out."""
    request = _sent(200, lambda api: api.post("/path/data/", **{field: (name, io.BytesIO(b"data"))}))
    return request.body.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]


@pytest.mark.parametrize("name", INTO_HEADERS, ids=ascii)
def test_f36_the_head_of_a_part_is_one_line(name: str) -> None:
    """Detect a CR, LF or quote that goes out as it is."""
    for line in (*_heads(name), *_heads("a", name)):
        assert line.startswith(b"Content-Disposition: form-data; ")
        assert [line.count(letter) for letter in (b"\n", b"\r", b'"')] == [0, 0, 4]


@pytest.mark.parametrize("path", ["/a\r\nX-Evil: 1", "/a\nb", "/a b?c#d%25", "/a\x00b", "/\u00e9"])
def test_f36_a_path_in_a_request_line(path: str) -> None:
    found: List[bool] = []
    request = _sent(404, lambda api: found.append(api.exists(path)))
    assert (found, request.target.isascii()) == ([False], True)
    assert not set(request.target) & set(" \r\n\x00?#")
