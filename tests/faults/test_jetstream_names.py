"""Names that want to be elsewhere, in what is sent and in what a server lists: F28."""

from __future__ import annotations

import contextlib
import os
import posixpath
from pathlib import Path
from typing import Any, Dict, Iterator, Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import SmartxferError, TaskFailed, UsageError
from smartxfer.jetstream.workflows import build_mappings
from tests.support.jetstream_harness import DATA, JetStreamHarness, lying_api, result, until

HOSTILE = [
    *("../x", "/../x", "/../../../x", "/a/../../b", "/a/../b", "..", "/..", "/", ".", "//x", "//../x", "/./x"),
    *("a\\..\\..\\b", "C:\\x", "C:/x", "/etc/passwd", "/~/x", "~", "/CON", "/x.", "/x "),
    *("/\u202ex", "/e\u0301", "/\u00e9", "/line\nbreak", "/" + "n" * 300, "/" + "d/" * 2000 + "x"),
    *("/%2e%2e/x", "/..%2fx", "/\ud800x", "/link/x", "/link", "/linked.txt", "/loop/x"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JetStreamHarness]:
    """A receiver whose root lies deep, beside what is not its own."""
    home = tmp_path_factory.mktemp("receiver")
    root, other = home / "a" / "b" / "root", home / "other"
    root.mkdir(parents=True)
    other.mkdir()
    (other / "mine.txt").write_bytes(b"mine")
    (root / "link").symlink_to(other)
    (root / "linked.txt").symlink_to(other / "mine.txt")
    (root / "loop").symlink_to(root / "loop")
    with JetStreamHarness(tmp_path_factory.mktemp("server"), peer={"root": str(root)}) as harness:
        harness.site.write("/a.bin", DATA)
        for name, target in (("link", other), ("linked.txt", other / "mine.txt")):
            (Path(harness.site.root) / name).symlink_to(target)
        harness.home = home  # type: ignore[attr-defined]
        yield harness


@pytest.fixture
def harness(server: JetStreamHarness, tmp_path: Path) -> Iterator[JetStreamHarness]:
    with server.reuse(tmp_path) as harness:
        yield harness


def _outside(harness: Any) -> Dict[str, bytes]:
    """Everything beside the receiver's root, and what it holds."""
    found = {str(path): b"" for path in Path(harness.home).parent.iterdir() if path.name != "receiver0"}
    for folder, _, names in os.walk(harness.home):
        if "/root" not in folder[len(str(harness.home)) :]:
            found.update({str(path): path.read_bytes() for path in (Path(folder, name) for name in names)})
    return found


def _inside(harness: Any) -> Set[str]:
    """Return the files below the receiver's root, without following links."""
    return {str(path) for path in Path(harness.peer.root).rglob("*") if path.is_file() and not path.is_symlink()}


def _data(harness: JetStreamHarness) -> Set[str]:
    """The names beside the root that either server keeps its data in."""
    return {path.name for path in Path(harness.server.data).rglob("*") if "root" not in path.parts}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:20])
@pytest.mark.parametrize("where", ["mapping", "folder"])
def test_f28_a_destination(harness: JetStreamHarness, name: str, where: str) -> None:
    """The file arrives below the receiver's root or the error says why not; the next transfer works."""
    outside, data = _outside(harness), _data(harness)
    api = harness.client()
    mappings = {name: "/a.bin"} if where == "mapping" else {"/a.bin": "/a.bin"}
    folder = name if where == "folder" else None
    before = _inside(harness)
    try:
        manifest = api.send.waitForManifest(api.send.createManifest(mappings), timeout=20)
        ended = manifest
        if manifest.status == "complete":
            sent = api.send.createTransfer(harness.destination(api), manifest, destinationPath=folder)
            ended = api.send.waitForTransfer(sent, timeout=20)
    except SmartxferError as error:
        assert not isinstance(error, TaskFailed)
        assert _inside(harness) == before
    else:
        assert ended.status in ("complete", "error")
        assert (ended.status == "error") == bool(ended.error_message)
        if ended.status == "error":
            assert _inside(harness) == before
    until(lambda: _data(harness) == data, "the end of what was staged")
    assert _outside(harness) == outside
    assert harness.client().send_files([("/a.bin", "/good.bin")], harness.to, timeout=20).status == "complete"


@pytest.mark.parametrize(
    "source", ["/../a.bin", "../../etc/passwd", "/..", "/link/mine.txt", "/linked.txt", "/missing", "/\nx", "C:\\x"]
)
def test_f28_a_source(harness: Any, source: str) -> None:
    """Files outside the sender's root are not sent."""
    before, manifests = _inside(harness), harness.held("manifests")
    with pytest.raises(TaskFailed) as caught:
        harness.client().send_files([(source, "/stolen.txt")], harness.to, timeout=20)
    assert caught.value.task.error_message
    assert _inside(harness) == before
    assert harness.held("manifests") == manifests, "cleared away"


@pytest.mark.parametrize("path", ["/..", "/../..", "..", "/link", "/link/mine.txt", "/a.bin/.."])
def test_f28_what_is_listed_and_removed(harness: Any, path: str) -> None:
    api = harness.client()
    outside = _outside(harness)
    for step in (api.ls, api.du, api.mkfile, lambda path: api.mv("/a.bin", path + "/x")):
        with pytest.raises(SmartxferError):
            step(path)
    with contextlib.suppress(SmartxferError):
        api.mkdir(path)  # what is there already, and a link is, stays what it is
    if not path.startswith("/link"):
        with pytest.raises(SmartxferError):
            api.rm(path)
    assert _outside(harness) == outside
    assert harness.site.read("/a.bin") == DATA


# -- what a server lists --------------------------------------------------------------------------------------

LISTED = [
    *("..", ".", "/..", "/x/..", "/x/.", "/x/../", "x\\..", "C:\\..", "/", "//", "\\", "C:", "/x/~"),
    *("/x/\u202e", "/x/CON", "/x/a\nb"),
]


def _stays(name: str, into: str = "/into") -> None:
    """Check that a source arrives inside the destination folder, or is rejected before anything is sent."""
    try:
        mappings = build_mappings([name], into)
    except UsageError:
        return
    for destination in mappings:
        # The far server may be one that takes either separator.
        plain = posixpath.normpath(destination.replace("\\", "/"))
        assert plain.startswith(into + "/"), destination


@pytest.mark.parametrize("name", LISTED, ids=repr)
def test_f28_what_a_server_lists_is_sent_into_the_folder(name: str) -> None:
    """Fails if a last name leads upwards."""
    _stays(name)


@given(st.lists(st.sampled_from(["/", "\\", ".", "..", "a", ":", "C", " ", "~", "\0", "\n", "\u202e"]), min_size=1).map("".join))
def test_f28_any_source_is_sent_into_the_folder(name: str) -> None:
    _stays(name)


def test_f28_two_that_become_one() -> None:
    with pytest.raises(UsageError, match="two sources"):
        build_mappings(["/x/a.bin", "/y\\a.bin"])


def test_f28_a_hostile_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names from a server are reported unchanged and are not used locally."""
    monkeypatch.chdir(tmp_path)
    entries = [{"name": name, "path": name, "type": "file", "size": 1} for name in HOSTILE]
    with lying_api({"lsAsync": {"requestId": 1}, "getRequestResult": [result(entries)]}) as api:
        found = api.ls("/")
    assert [entry["name"] for entry in found] == HOSTILE
    assert list(tmp_path.iterdir()) == []
