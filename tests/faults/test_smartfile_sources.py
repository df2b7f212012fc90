"""Files that change, vanish or were never files, and callbacks that raise: F37 to F41."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.errors import BatchError, Cancelled, LocalError, SourceChanged, UsageError
from smartxfer.smartfile.errors import ERRORS
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import DOWNLOAD, MIB, UPLOAD, SmartFileHarness, pieces, piped

DATA = noise(4 * MIB)


FRESH = SmartFileHarness


# -- F37 ----------------------------------------------------------------------------------------------------


def _tree(harness: SmartFileHarness) -> Path:
    tree = harness.directory / "tree"
    harness.file(b"good", "tree/good.bin")
    harness.file(b"deep", "tree/inner/deep.bin")
    harness.file(b"theirs", "outside/theirs.bin")
    (tree / "out.bin").symlink_to(harness.directory / "outside/theirs.bin")
    (tree / "outdir").symlink_to(harness.directory / "outside")
    (tree / "inner/loop").symlink_to(tree)
    (tree / "dangling").symlink_to(tree / "nothing")
    return tree


def test_f37_links_are_skipped_with_a_warning(harness: SmartFileHarness, log: Any) -> None:
    """Fails if a link carries somebody's file along."""
    tree = _tree(harness)
    (tree / "device").symlink_to("/dev/zero")
    harness.client().upload_tree(tree, "/t")
    assert harness.stored() == {"/t/good.bin": b"good", "/t/inner/deep.bin": b"deep"}
    assert harness.site.directories() == ["/t", "/t/inner"]
    skipped = {Path(record.args[0]).name for record in log.records if "is skipped" in record.msg}
    assert skipped == {"out.bin", "outdir", "loop", "dangling", "device"}


def test_f37_links_are_followed_where_asked(harness: SmartFileHarness) -> None:
    """Fails if a loop is walked for ever."""
    harness.client().upload_tree(_tree(harness), "/t", follow_symlinks=True)
    assert harness.stored() == {
        "/t/good.bin": b"good",
        "/t/inner/deep.bin": b"deep",
        "/t/out.bin": b"theirs",
        "/t/outdir/theirs.bin": b"theirs",
    }


def test_f37_a_fifo_is_refused(harness: SmartFileHarness) -> None:
    """Fails if a read waits for a writer."""
    tree = _tree(harness)
    os.mkfifo(str(tree / "fifo"))
    for send in (lambda api: api.upload_tree(tree, "/t"), lambda api: api.upload(tree / "fifo")):
        with pytest.raises(UsageError, match="not a regular file"):
            send(harness.client())
    assert harness.count("POST *") == 0


# -- F38 ----------------------------------------------------------------------------------------------------


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _truncate(path: Path) -> None:
    os.truncate(str(path), MIB)


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(DATA)
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(other, path)


def _rewrite(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"other")


def _remove(path: Path) -> None:
    path.unlink()


CHANGES = [_append, _truncate, _replace, _rewrite, _remove]


@pytest.mark.parametrize("change", CHANGES)
def test_f38_a_file_changes_while_it_is_sent(harness: SmartFileHarness, change: Callable[[Path], None]) -> None:
    """Detect a success for a file that never was."""
    path = harness.file(DATA)
    done: List[int] = []

    def progress(event: Any) -> None:
        if event.done and not done:
            done.append(event.done)
            change(path)

    with pytest.raises(SourceChanged, match=r"a\.bin"):
        harness.client().upload(path, progress=progress)
    assert done
    assert done[0] < len(DATA)


def test_f38_a_file_changes_between_two_tries(harness: SmartFileHarness) -> None:
    """Fails if a second try sends what the first one did not begin with."""
    path = harness.file(DATA)
    harness.fault(UPLOAD, "reset-after 1M")

    def progress(event: Any) -> None:
        if event.state == "retrying":
            _rewrite(path)

    with pytest.raises(SourceChanged):
        harness.client().upload(path, progress=progress)


def test_f38_a_file_changes_before_its_turn(harness: SmartFileHarness) -> None:
    paths = [harness.file(DATA, "tree/a.bin"), harness.file(DATA, "tree/b.bin")]

    def progress(event: Any) -> None:
        if event.name == "/t/a.bin" and event.state == "done":
            _rewrite(paths[1])

    with pytest.raises(BatchError) as caught:
        harness.client(max_workers=1).upload_tree(harness.directory / "tree", "/t", progress=progress)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(SourceChanged)]
    assert harness.stored() == {"/t/a.bin": DATA}


# -- F39 ----------------------------------------------------------------------------------------------------


def _hundred(harness: SmartFileHarness) -> Path:
    for number in range(100):
        harness.file(b"%d" % number, f"many/{number:02}.txt")
    return harness.directory / "many"


def _lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``path`` unreadable, for root as well."""
    real = os.open

    def open_(name: Any, *args: Any, **kwargs: Any) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *args, **kwargs)

    monkeypatch.setattr("smartxfer.transfer.source.os.open", open_)


@pytest.mark.parametrize("how", ["vanishes", "is locked"])
def test_f39_one_of_a_hundred(harness: SmartFileHarness, how: str) -> None:
    """Detect one file that takes the others along, or a re-run that sends all of them again."""
    locking = pytest.MonkeyPatch()
    directory = _hundred(harness)
    victim = directory / "50.txt"
    found, content = victim.stat(), victim.read_bytes()

    def progress(event: Any) -> None:
        if event.name == "/many/00.txt" and event.state == "done":
            if how == "vanishes":
                victim.unlink()
            else:
                _lock(victim, locking)

    try:
        with pytest.raises(BatchError, match="1 of 100 files failed, first '/many/50.txt'") as caught:
            harness.client().upload_tree(directory, "/many", progress=progress)
    finally:
        locking.undo()
    assert [result.name for result in caught.value.results if not result.ok] == ["/many/50.txt"]
    assert isinstance(caught.value.errors[0], FileNotFoundError if how == "vanishes" else PermissionError)
    assert harness.count(UPLOAD) == 99
    if how == "vanishes":
        victim.write_bytes(content)
        os.utime(victim, ns=(found.st_atime_ns, found.st_mtime_ns))
    harness.site.listener.forget()
    harness.client().upload_tree(directory, "/many")
    assert harness.count(UPLOAD) == 1, "only what was missing"
    assert harness.stored() == {f"/many/{number:02}.txt": b"%d" % number for number in range(100)}


def test_f39_one_of_a_hundred_downloads(harness: SmartFileHarness) -> None:
    harness.client().upload_tree(_hundred(harness), "/many")
    (harness.out / "50.txt").mkdir(parents=True)
    with pytest.raises(BatchError) as caught:
        harness.client().download_tree("/many", harness.out)
    assert [type(error) for error in caught.value.errors] == [LocalError]
    assert len(harness.left()) >= 99
    (harness.out / "50.txt").rmdir()
    harness.site.listener.forget()
    harness.client().download_tree("/many", harness.out)
    assert harness.count(DOWNLOAD) == 1, "only what was missing"
    assert (harness.out / "50.txt").read_bytes() == b"50"


def test_f39_what_another_has_removed_is_sent_again(harness: SmartFileHarness) -> None:
    """Fails if a journal is believed without a look at the server."""
    directory = _hundred(harness)
    harness.fault(UPLOAD, "status 400", after=50)
    with pytest.raises(BatchError):
        harness.client().upload_tree(directory, "/many")
    api = harness.client()
    victim = next(iter(harness.site.files()))
    api.remove(victim)
    harness.site.listener.forget()
    api.upload_tree(directory, "/many")
    assert harness.count(UPLOAD) == 2
    assert len(harness.stored()) == 100


# -- F40, F41 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, MIB, 9 * MIB], ids=["empty", "small", "spooled"])
@pytest.mark.parametrize("kind", [piped, pieces])
def test_f40_a_stream_of_unknown_length(harness: SmartFileHarness, kind: Any, size: int) -> None:
    """Fails if a stream has nothing left for the second try."""
    data = noise(size)
    harness.fault(UPLOAD, "reset-after 100")
    harness.fault(UPLOAD, "status 503", after=1 if size else 0)
    stream = kind(data)
    harness.client().upload(("a.bin", stream))
    assert harness.stored() == {"/a.bin": data}
    if kind is piped:
        stream.close()


@pytest.mark.parametrize("make", [lambda path: io.StringIO("text"), lambda path: open(path, encoding="utf-8")])
def test_f40_text_is_refused(harness: SmartFileHarness, make: Any) -> None:
    with make(harness.file(b"text")) as source:
        with pytest.raises(UsageError, match="text"):
            harness.client().upload(("a.bin", source))
    assert harness.count("* *") == 0


class _Mine(Exception):
    """Raised by the caller's own callback."""


def _ours() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


@pytest.mark.parametrize("way", ["up", "down"])
def test_f41_the_callback_raises(harness: SmartFileHarness, way: str) -> None:
    """Detect a transfer that goes on, or threads that stay."""
    harness.site.write("/there.bin", DATA)
    client = harness.client()
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise _Mine("enough")

    path = harness.file(DATA)
    # On a line on which the first blocks are not all of it.
    harness.fault(UPLOAD if way == "up" else DOWNLOAD, "rate 4M")
    with pytest.raises(Cancelled, match="progress callback") as caught:
        if way == "up":
            client.upload(path, progress=progress)
        else:
            client.download("/there.bin", f"{harness.out}/", progress=progress)
    assert isinstance(caught.value.__cause__, _Mine)
    assert len(calls) == 1, "called once, not again for every thread"
    assert _ours() == [], "no thread of ours is left"
    if way == "up":
        assert list(harness.site.files()) == ["/there.bin"], "half a file is no file"
        client.upload(path)
        assert harness.stored()["/a.bin"] == DATA
    else:
        assert "there.bin" not in harness.left()
        client.download("/there.bin", f"{harness.out}/")
        assert (harness.out / "there.bin").read_bytes() == DATA
