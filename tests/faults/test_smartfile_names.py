"""Names that want to get out, names that want into a header, and servers that send us elsewhere: F28, F31, F36."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import DecodeError, RedirectRefused, UnsafeName, UsageError
from smartxfer.smartfile import BasicClient
from smartxfer.transfer.names import safe_path
from tests.support.filesender_harness import noise
from tests.support.raw_server import RawServer, answering, ranged, status
from tests.support.smartfile_harness import DOWNLOAD, INFO, UPLOAD, Stage

DATA = noise(1000)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def _below(directory: Path) -> List[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


# -- F28 ----------------------------------------------------------------------------------------------------

#: What a server may call a file that can be asked for, and where it is put.
HOSTILE = {
    "a\\..\\b": "a/b",
    "..\\..\\x": "x",
    "C:\\x": "x",
    "C:x": "C:x",
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
}
#: What cannot be asked for: an HTTP library would resolve it on the way.
UNASKABLE = ["..", ".", "../x", "../../../../x", "a/../../b", "./x"]


@pytest.mark.parametrize("name", list(HOSTILE), ids=lambda name: ascii(name[:20]))
@pytest.mark.parametrize("way", ["tree", "listed"])
def test_f28_a_hostile_name(stage: Stage, tmp_path: Path, name: str, way: str) -> None:
    """Broken by a name that leaves the directory, or whose place changes from run to run."""
    stage.site.plant("/d", name, DATA)
    before = set(_below(tmp_path))
    api = stage.client()

    def fetch() -> Any:
        if way == "tree":
            return api.download_tree("/d", stage.out)[0]
        stage.out.mkdir(exist_ok=True)
        return api.download(api.listdir("/d")[0], stage.out)

    [path] = {fetch().path for _ in range(2)}
    assert stage.out in path.parents
    assert path.read_bytes() == DATA
    expected = HOSTILE[name]
    if expected is None:
        assert len(os.fsencode(path.name)) <= 255
    else:
        place = expected if way == "tree" else expected.rpartition("/")[2]
        assert path.relative_to(stage.out).as_posix() == place
    inside = {f"{stage.out.name}/{found}" for found in _below(stage.out)}
    assert set(_below(tmp_path)) == before | inside, "nothing outside of the target directory"
    assert len(inside) == 1


@pytest.mark.parametrize("name", UNASKABLE)
def test_f28_a_name_that_leads_up(stage: Stage, tmp_path: Path, name: str) -> None:
    """Broken by a path that is asked for as it stands: the library would make another path of it."""
    stage.site.plant("/d", name, DATA)
    stage.site.write("/x", b"another")
    before = _below(tmp_path)
    api = stage.client()
    for call in (lambda: api.listdir("/d"), lambda: api.download_tree("/d", stage.out)):
        with pytest.raises(DecodeError, match="which is not in '/d'"):
            call()
    with pytest.raises((UnsafeName, UsageError)):
        api.download(f"/d/{name}", f"{stage.out}/")
    assert stage.count(DOWNLOAD) == 0
    assert _below(tmp_path) == before


@pytest.mark.parametrize("name", ["\\", "   ", "C:", "...", "..\\.."])
def test_f28_a_name_of_nothing(stage: Stage, name: str) -> None:
    stage.site.plant("/d", name, DATA)
    try:
        safe_path(name)
    except UnsafeName:
        with pytest.raises(UnsafeName, match="is no file name"):
            stage.client().download_tree("/d", stage.out)
        assert stage.left() == []
    else:
        stage.client().download_tree("/d", stage.out)
        assert len(stage.left()) == 1


def test_f28_a_child_that_lies_elsewhere(stage: Stage) -> None:
    """Broken by a listing that is believed: what it names does not lie below, though it can be fetched."""
    stage.site.write("/d-other/secret", b"abc")
    child = b'{"path": "/d-other/secret", "name": "secret", "isfile": true, "isdir": false, "size": 3}'
    stage.answer(INFO, b'{"path": "/d", "isdir": true, "pages": 1, "children": [%s]}' % child)
    with pytest.raises(DecodeError, match="which is not in"):
        stage.client().download_tree("/d", stage.out)
    assert (stage.left(), stage.count(DOWNLOAD)) == ([], 0)


def test_f28_twins_get_suffixes(stage: Stage) -> None:
    names = ["\u00e9.txt", "e\u0301.txt", "A.txt", "a.txt", "a.txt.part", "b:c", "b?c"]
    for name in names:
        stage.site.plant("/d", name, name.encode())
    results = stage.client().download_tree("/d", stage.out)
    assert {result.path.read_bytes().decode() for result in results if result.path} == set(names)
    assert len({result.path for result in results}) == len(names)
    again = stage.client().download_tree("/d", stage.out)
    assert [result.path for result in again] == [result.path for result in results]


def test_f28_a_link_on_the_way(stage: Stage) -> None:
    stage.site.write("/d/link/x", DATA)
    elsewhere = stage.directory / "elsewhere"
    elsewhere.mkdir()
    stage.out.mkdir()
    (stage.out / "link").symlink_to(elsewhere)
    with pytest.raises(UnsafeName, match="not a directory of its own"):
        stage.client().download_tree("/d", stage.out)
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
def test_f36_a_name_in_a_header(stage: Stage, name: str, raw: bool) -> None:
    """Broken by a name that ends its header, or its quotes: another file, or another header, would come of it."""
    stage.site.write("/b.txt", b"theirs")
    api = stage.client()
    try:
        if raw:
            api.post("/path/data/", file=(name, DATA))
        else:
            api.upload((name, DATA))
    except (UsageError, DecodeError):
        # Refused, or told that it is stored under another name; that name is made of this one.
        assert stage.stored()["/b.txt"] == b"theirs"
    else:
        held = stage.stored()
        assert held.pop("/b.txt") == b"theirs"
        assert list(held.values()) == [DATA]
        if not raw:
            assert list(held) == [f"/{name}"]
    assert stage.count(UPLOAD, 400) == 0


def _heads(name: str, field: str = "file") -> List[bytes]:
    """The lines of the part's head, as they went out."""
    reply = status(200, b"[]", "Content-Type: application/json")
    with RawServer(answering(reply)) as server:
        with BasicClient("key", "password", url=server.url) as api:
            api.post("/path/data/", **{field: (name, io.BytesIO(b"data"))})
    [request] = server.requests
    assert "x-evil" not in request.headers
    return request.body.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]


@pytest.mark.parametrize("name", INTO_HEADERS, ids=ascii)
def test_f36_the_head_of_a_part_is_one_line(name: str) -> None:
    """Broken by a CR, LF or quote that goes out as it is."""
    for line in (*_heads(name), *_heads("a", name)):
        assert line.startswith(b"Content-Disposition: form-data; ")
        assert b"\n" not in line
        assert b"\r" not in line
        assert line.count(b'"') == 4


@pytest.mark.parametrize("path", ["/a\r\nX-Evil: 1", "/a\nb", "/a b?c#d%25", "/a\x00b", "/\u00e9"])
def test_f36_a_path_in_a_request_line(path: str) -> None:
    reply = status(404, b"", "Content-Type: application/json")
    with RawServer(answering(reply)) as server:
        with BasicClient("key", "password", url=server.url) as api:
            assert not api.exists(path)
    [request] = server.requests
    assert request.target.isascii()
    assert not set(request.target) & set(" \r\n\x00?#")
    assert "x-evil" not in request.headers


# -- F31 ----------------------------------------------------------------------------------------------------


@pytest.fixture
def thief() -> Iterator[RawServer]:
    """Another origin, which answers everything and remembers it."""
    with RawServer(answering(ranged(DATA))) as server:
        yield server


def _stolen(stage: Stage, thief: RawServer) -> List[str]:
    """What of ours reached the other origin."""
    found = []
    for request in thief.requests:
        found += [name for name in ("authorization", "cookie") if name in request.headers]
        seen = request.target + repr(request.headers) + request.body.decode("latin-1")
        found += [word for word in (stage.site.key, stage.site.password, "crumb") if word in seen]
    return found


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_f31_a_get_goes_on_without_its_credentials(stage: Stage, thief: RawServer, code: int) -> None:
    """Broken by credentials that follow a redirect."""
    stage.site.write("/a.bin", DATA)
    stage.fault(DOWNLOAD, f"redirect {thief.url}/bytes {code}", times=2)
    api = stage.client()
    api.session.cookies.set("sessionid", "crumb")  # without a domain: for anyone
    api.download("/a.bin", f"{stage.out}/")
    assert (stage.out / "a.bin").read_bytes() == DATA
    with api.get("/path/data", "/a.bin") as answer:
        assert answer.read() == DATA
    assert len(thief.requests) == 2
    assert _stolen(stage, thief) == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("way", ["upload", "raw", "oper", "delete"])
def test_f31_what_writes_is_never_redirected(stage: Stage, thief: RawServer, way: str, code: int) -> None:
    """Broken by a POST that turns into a GET, or carries its file to another host."""
    api = stage.client()
    match = {"upload": UPLOAD, "raw": UPLOAD, "oper": "POST *", "delete": "DELETE *"}[way]
    fault = stage.fault(match, f"redirect {thief.url}{{target}} {code}")
    with pytest.raises(RedirectRefused, match="base URL"):
        if way == "upload":
            api.upload(("a", DATA))
        elif way == "raw":
            api.post("/path/data/", file=("a", DATA))
        elif way == "oper":
            api.mkdir("/d")
        else:
            api.delete("/link", "x")
    assert (fault.fired, thief.requests, stage.stored()) == (1, [], {})


def test_f31_no_more_than_five_hops(stage: Stage) -> None:
    fault = stage.fault("GET /api/2/ping/", "redirect {target}", times=6)
    with pytest.raises(RedirectRefused, match="more than 5 redirects"):
        stage.client().get("/ping")
    assert fault.fired == 6
    stage.fault("GET /api/2/ping/", "redirect {target}", times=5)
    assert stage.client().get("/ping") == {"ping": "pong"}
