"""Files that change, vanish or were never files: F37 to F41."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smartxfer.errors import BatchError, Cancelled, LocalError, SourceChanged, UsageError
from smartxfer.filesender.errors import ERRORS
from tests.support.filesender_harness import CHUNK, CHUNK_SIZE, CREATE, DOWNLOAD, noise

DATA = noise(4 * CHUNK_SIZE)


def _tree(harness: Any) -> Path:
    tree = Path(harness.directory) / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "good.bin").write_bytes(b"good")
    (tree / "inner/deep.bin").write_bytes(b"deep")
    outside = Path(harness.directory) / "outside"
    outside.mkdir()
    (outside / "theirs.bin").write_bytes(b"theirs")
    (tree / "out.bin").symlink_to(outside / "theirs.bin")
    (tree / "outdir").symlink_to(outside)
    (tree / "inner/loop").symlink_to(tree)
    (tree / "dangling").symlink_to(tree / "nothing")
    return tree


def test_f37_links_are_skipped_with_a_warning(harness: Any, log: Any) -> None:
    tree = _tree(harness)
    (tree / "device").symlink_to("/dev/zero")
    harness.client().upload_workflow([tree], link=True)
    assert harness.stored() == {"tree/good.bin": b"good", "tree/inner/deep.bin": b"deep"}
    skipped = {Path(record.args[0]).name for record in log.records if "is skipped" in record.msg}
    assert skipped == {"out.bin", "outdir", "loop", "dangling", "device"}


def test_f37_links_are_followed_where_asked(harness: Any, log: Any) -> None:
    harness.client().upload_workflow([_tree(harness)], link=True, follow_symlinks=True)
    assert harness.stored() == {
        "tree/good.bin": b"good",
        "tree/inner/deep.bin": b"deep",
        "tree/out.bin": b"theirs",
        "tree/outdir/theirs.bin": b"theirs",
    }
    assert "leads back up" in log.text
    assert "leads nowhere" in log.text


def test_f37_a_link_to_a_device_is_refused_when_followed(harness: Any) -> None:
    tree = _tree(harness)
    (tree / "device").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="not a regular file"):
        harness.client().upload_workflow([tree], link=True, follow_symlinks=True)
    assert harness.site.count(CREATE) == 0


@pytest.mark.parametrize("inside", [True, False], ids=["in a directory", "by name"])
def test_f37_a_fifo_is_refused(harness: Any, inside: bool) -> None:
    tree = _tree(harness)
    os.mkfifo(str(tree / "fifo"))
    with pytest.raises(UsageError, match="not a regular file"):
        harness.client().upload_workflow([tree if inside else tree / "fifo"], link=True)
    assert harness.site.count(CREATE) == 0


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _truncate(path: Path) -> None:
    os.truncate(str(path), CHUNK_SIZE)


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


@pytest.mark.parametrize("change", [_append, _truncate, _replace, _rewrite, _remove])
def test_f38_a_file_changes_while_it_is_sent(harness: Any, change: Callable[[Path], None]) -> None:
    path = harness.file(DATA)
    done: List[int] = []

    def progress(event: Any) -> None:
        if event.done and not done:
            done.append(event.done)
            change(path)

    with pytest.raises(SourceChanged) as caught:
        harness.client(concurrent_chunks=1).upload_workflow([path], link=True, progress=progress)
    assert done
    assert done[0] < len(DATA)
    assert "a.bin" in str(caught.value)
    assert harness.site.transfers() == [], "what was sent of it is of no use"


def test_f38_a_file_changes_before_its_turn(harness: Any) -> None:
    paths = [harness.file(DATA, "a.bin"), harness.file(DATA, "b.bin")]

    def progress(event: Any) -> None:
        if event.name == "a.bin" and event.state == "done":
            _rewrite(paths[1])

    with pytest.raises(BatchError) as caught:
        harness.client().upload_workflow(paths, link=True, progress=progress)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(SourceChanged)]
    assert harness.site.transfers() == []


@pytest.fixture
def hundred(make_harness: Any) -> Any:
    """A site that takes a hundred files at once."""
    return make_harness(max_transfer_files=200)


def _hundred(harness: Any) -> Path:
    for number in range(100):
        harness.file(b"%d" % number, f"many/{number:02}.txt")
    return Path(harness.directory) / "many"


def _lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``path`` unreadable, for root as well."""
    real = os.open

    def open_(name: Any, *args: Any, **kwargs: Any) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *args, **kwargs)

    monkeypatch.setattr("smartxfer.transfer.source.os.open", open_)


@pytest.mark.parametrize("how", ["vanishes", "is locked"])
def test_f39_one_of_a_hundred(hundred: Any, how: str) -> None:
    locking = pytest.MonkeyPatch()
    directory = _hundred(hundred)
    victim = directory / "50.txt"
    found, content = victim.stat(), victim.read_bytes()

    def progress(event: Any) -> None:
        if event.name == "many/00.txt" and event.state == "done":
            if how == "vanishes":
                victim.unlink()
            else:
                _lock(victim, locking)

    try:
        with pytest.raises(BatchError, match="1 of 100 files failed, first 'many/50.txt'") as caught:
            hundred.client().upload_workflow([directory], link=True, progress=progress)
    finally:
        locking.undo()
    error = caught.value
    assert [result.name for result in error.results if not result.ok] == ["many/50.txt"]
    assert isinstance(error.errors[0], FileNotFoundError if how == "vanishes" else PermissionError)
    assert hundred.site.count("PUT /rest.php/file/*/chunk/*") == 99
    assert hundred.status != "available"
    if how == "vanishes":
        victim.write_bytes(content)
        os.utime(victim, ns=(found.st_atime_ns, found.st_mtime_ns))
    hundred.server.filesender.listener.forget()
    hundred.client().upload_workflow([directory], link=True)
    assert hundred.site.count("PUT /rest.php/file/*/chunk/*") == 1, "only what was missing"
    assert hundred.site.count(CREATE) == 0
    assert hundred.status == "available"
    assert len(hundred.stored()) == 100


def test_f39_one_of_a_hundred_downloads(hundred: Any) -> None:
    transfer = hundred.client().upload_workflow([_hundred(hundred)], link=True)
    hundred.out.mkdir()
    (hundred.out / "many").mkdir()
    (hundred.out / "many/50.txt").mkdir()
    with pytest.raises(BatchError) as caught:
        hundred.client().download_files(transfer.token, hundred.out)
    assert [type(error) for error in caught.value.errors] == [LocalError]
    assert len([path for path in (hundred.out / "many").iterdir() if path.is_file()]) == 99
    (hundred.out / "many/50.txt").rmdir()
    hundred.server.filesender.listener.forget()
    hundred.client().download_files(transfer.token, hundred.out)
    assert hundred.site.count(DOWNLOAD) == 1, "only what was missing"
    assert (hundred.out / "many/50.txt").read_bytes() == b"50"


def _pipe(data: bytes) -> Any:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(data)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "rb")


def _pieces(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 10_000):
        yield data[at : at + 10_000]


@pytest.mark.parametrize("size", [0, len(DATA), (8 << 20) + 1], ids=["empty", "small", "spooled"])
@pytest.mark.parametrize("kind", [_pipe, _pieces])
def test_f40_a_stream_of_unknown_length(make_harness: Any, kind: Any, size: int) -> None:
    harness = make_harness(upload_chunk_size=1 << 20)
    data = noise(size)
    if data:
        harness.fault(CHUNK, "reset-after 100")
        harness.fault(CHUNK, "status 503")
    stream = kind(data)
    harness.client().upload_workflow([("a.bin", stream)], link=True)
    assert harness.stored()["a.bin"] == data
    if kind is _pipe:
        stream.close()


@pytest.mark.parametrize("make", [lambda path: io.StringIO("text"), lambda path: open(path, encoding="utf-8")])
def test_f40_text_is_refused(harness: Any, make: Any) -> None:
    with make(harness.file(b"text")) as source:
        with pytest.raises(UsageError, match="text"):
            harness.client().upload_workflow([("a.bin", source)], link=True)
    assert harness.site.count(CREATE) == 0


class _Mine(Exception):
    """Raised by the caller's own callback."""


@pytest.mark.parametrize("way", ["up", "down"])
def test_f41_the_callback_raises(harness: Any, way: str) -> None:
    data = noise(64 * CHUNK_SIZE)
    token = harness.published(data).token
    client = harness.client()
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise _Mine("enough")

    threads = threading.active_count()
    path = harness.file(data)
    with pytest.raises(Cancelled, match="progress callback") as caught:
        if way == "up":
            client.upload_workflow([path], link=True, progress=progress)
        else:
            client.download_files(token, harness.out, progress=progress)
    assert isinstance(caught.value.__cause__, _Mine)
    assert len(calls) == 1, "called once, not again for every thread"
    assert _ours() == [], "no thread of ours is left"
    assert threading.active_count() <= threads + 4, "those of the server end with their connections"
    if way == "up":
        client.upload_workflow([path], link=True)
        assert harness.stored()["a.bin"] == data
    else:
        client.download_files(token, harness.out)
        assert (harness.out / "a.bin").read_bytes() == data


def _ours() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]
