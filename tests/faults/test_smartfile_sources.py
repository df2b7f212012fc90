"""Files that change, vanish or were never files, and callbacks that raise: F37 to F41."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smartxfer.errors import BatchError, Cancelled, LocalError, SourceChanged, UsageError
from smartxfer.smartfile.errors import ERRORS
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import DOWNLOAD, MIB, UPLOAD, Stage, pieces, piped

DATA = noise(4 * MIB)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


# -- F37 ----------------------------------------------------------------------------------------------------


def _tree(stage: Stage) -> Path:
    tree = stage.directory / "tree"
    stage.file(b"good", "tree/good.bin")
    stage.file(b"deep", "tree/inner/deep.bin")
    stage.file(b"theirs", "outside/theirs.bin")
    (tree / "out.bin").symlink_to(stage.directory / "outside/theirs.bin")
    (tree / "outdir").symlink_to(stage.directory / "outside")
    (tree / "inner/loop").symlink_to(tree)
    (tree / "dangling").symlink_to(tree / "nothing")
    return tree


def test_f37_links_are_skipped_with_a_warning(stage: Stage, log: Any) -> None:
    """Broken by a link that carries somebody's file along."""
    tree = _tree(stage)
    (tree / "device").symlink_to("/dev/zero")
    stage.client().upload_tree(tree, "/t")
    assert stage.stored() == {"/t/good.bin": b"good", "/t/inner/deep.bin": b"deep"}
    assert stage.site.directories() == ["/t", "/t/inner"]
    skipped = {Path(record.args[0]).name for record in log.records if "is skipped" in record.msg}
    assert skipped == {"out.bin", "outdir", "loop", "dangling", "device"}


def test_f37_links_are_followed_where_asked(stage: Stage) -> None:
    """Broken by a loop that is walked for ever."""
    stage.client().upload_tree(_tree(stage), "/t", follow_symlinks=True)
    assert stage.stored() == {
        "/t/good.bin": b"good",
        "/t/inner/deep.bin": b"deep",
        "/t/out.bin": b"theirs",
        "/t/outdir/theirs.bin": b"theirs",
    }


def test_f37_a_fifo_is_refused(stage: Stage) -> None:
    """Broken by a read that waits for a writer."""
    tree = _tree(stage)
    os.mkfifo(str(tree / "fifo"))
    for send in (lambda api: api.upload_tree(tree, "/t"), lambda api: api.upload(tree / "fifo")):
        with pytest.raises(UsageError, match="not a regular file"):
            send(stage.client())
    assert stage.count("POST *") == 0


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
def test_f38_a_file_changes_while_it_is_sent(stage: Stage, change: Callable[[Path], None]) -> None:
    """Broken by a success for a file that never was."""
    path = stage.file(DATA)
    done: List[int] = []

    def progress(event: Any) -> None:
        if event.done and not done:
            done.append(event.done)
            change(path)

    with pytest.raises(SourceChanged, match=r"a\.bin"):
        stage.client().upload(path, progress=progress)
    assert done
    assert done[0] < len(DATA)


def test_f38_a_file_changes_between_two_tries(stage: Stage) -> None:
    """Broken by a second try that sends what the first one did not begin with."""
    path = stage.file(DATA)
    stage.fault(UPLOAD, "reset-after 1M")

    def progress(event: Any) -> None:
        if event.state == "retrying":
            _rewrite(path)

    with pytest.raises(SourceChanged):
        stage.client().upload(path, progress=progress)


def test_f38_a_file_changes_before_its_turn(stage: Stage) -> None:
    paths = [stage.file(DATA, "tree/a.bin"), stage.file(DATA, "tree/b.bin")]

    def progress(event: Any) -> None:
        if event.name == "/t/a.bin" and event.state == "done":
            _rewrite(paths[1])

    with pytest.raises(BatchError) as caught:
        stage.client(max_workers=1).upload_tree(stage.directory / "tree", "/t", progress=progress)
    assert [type(error) for error in caught.value.errors] == [ERRORS.kind(SourceChanged)]
    assert stage.stored() == {"/t/a.bin": DATA}


# -- F39 ----------------------------------------------------------------------------------------------------


def _hundred(stage: Stage) -> Path:
    for number in range(100):
        stage.file(b"%d" % number, f"many/{number:02}.txt")
    return stage.directory / "many"


def _lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``path`` unreadable, for root as well."""
    real = os.open

    def open_(name: Any, *args: Any, **kwargs: Any) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *args, **kwargs)

    monkeypatch.setattr("smartxfer.transfer.source.os.open", open_)


@pytest.mark.parametrize("how", ["vanishes", "is locked"])
def test_f39_one_of_a_hundred(stage: Stage, how: str) -> None:
    """Broken by one file that takes the others along, or by a re-run that sends all of them again."""
    locking = pytest.MonkeyPatch()
    directory = _hundred(stage)
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
            stage.client().upload_tree(directory, "/many", progress=progress)
    finally:
        locking.undo()
    assert [result.name for result in caught.value.results if not result.ok] == ["/many/50.txt"]
    assert isinstance(caught.value.errors[0], FileNotFoundError if how == "vanishes" else PermissionError)
    assert stage.count(UPLOAD) == 99
    if how == "vanishes":
        victim.write_bytes(content)
        os.utime(victim, ns=(found.st_atime_ns, found.st_mtime_ns))
    stage.site.listener.forget()
    stage.client().upload_tree(directory, "/many")
    assert stage.count(UPLOAD) == 1, "only what was missing"
    assert stage.stored() == {f"/many/{number:02}.txt": b"%d" % number for number in range(100)}


def test_f39_one_of_a_hundred_downloads(stage: Stage) -> None:
    stage.client().upload_tree(_hundred(stage), "/many")
    (stage.out / "50.txt").mkdir(parents=True)
    with pytest.raises(BatchError) as caught:
        stage.client().download_tree("/many", stage.out)
    assert [type(error) for error in caught.value.errors] == [LocalError]
    assert len(stage.left()) >= 99
    (stage.out / "50.txt").rmdir()
    stage.site.listener.forget()
    stage.client().download_tree("/many", stage.out)
    assert stage.count(DOWNLOAD) == 1, "only what was missing"
    assert (stage.out / "50.txt").read_bytes() == b"50"


def test_f39_what_another_has_removed_is_sent_again(stage: Stage) -> None:
    """Broken by a journal that is believed without a look at the server."""
    directory = _hundred(stage)
    stage.fault(UPLOAD, "status 400", after=50)
    with pytest.raises(BatchError):
        stage.client().upload_tree(directory, "/many")
    api = stage.client()
    victim = next(iter(stage.site.files()))
    api.remove(victim)
    stage.site.listener.forget()
    api.upload_tree(directory, "/many")
    assert stage.count(UPLOAD) == 2
    assert len(stage.stored()) == 100


# -- F40, F41 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, MIB, 9 * MIB], ids=["empty", "small", "spooled"])
@pytest.mark.parametrize("kind", [piped, pieces])
def test_f40_a_stream_of_unknown_length(stage: Stage, kind: Any, size: int) -> None:
    """Broken by a stream that has nothing left for the second try."""
    data = noise(size)
    stage.fault(UPLOAD, "reset-after 100")
    stage.fault(UPLOAD, "status 503", after=1 if size else 0)
    stream = kind(data)
    stage.client().upload(("a.bin", stream))
    assert stage.stored() == {"/a.bin": data}
    if kind is piped:
        stream.close()


@pytest.mark.parametrize("make", [lambda path: io.StringIO("text"), lambda path: open(path, encoding="utf-8")])
def test_f40_text_is_refused(stage: Stage, make: Any) -> None:
    with make(stage.file(b"text")) as source:
        with pytest.raises(UsageError, match="text"):
            stage.client().upload(("a.bin", source))
    assert stage.count("* *") == 0


class _Mine(Exception):
    """Raised by the caller's own callback."""


def _ours() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


@pytest.mark.parametrize("way", ["up", "down"])
def test_f41_the_callback_raises(stage: Stage, way: str) -> None:
    """Broken by a transfer that goes on, or by threads that stay."""
    stage.site.write("/there.bin", DATA)
    client = stage.client()
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise _Mine("enough")

    path = stage.file(DATA)
    # On a line on which the first blocks are not all of it.
    stage.fault(UPLOAD if way == "up" else DOWNLOAD, "rate 4M")
    with pytest.raises(Cancelled, match="progress callback") as caught:
        if way == "up":
            client.upload(path, progress=progress)
        else:
            client.download("/there.bin", f"{stage.out}/", progress=progress)
    assert isinstance(caught.value.__cause__, _Mine)
    assert len(calls) == 1, "called once, not again for every thread"
    assert _ours() == [], "no thread of ours is left"
    if way == "up":
        assert list(stage.site.files()) == ["/there.bin"], "half a file is no file"
        client.upload(path)
        assert stage.stored()["/a.bin"] == DATA
    else:
        assert "there.bin" not in stage.left()
        client.download("/there.bin", f"{stage.out}/")
        assert (stage.out / "there.bin").read_bytes() == DATA
