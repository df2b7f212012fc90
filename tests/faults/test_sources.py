"""Files that change or vanish while they are sent, streams, and callbacks that raise, for every service: F37 to F41."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import BatchError, Cancelled, SourceChanged, UsageError
from tests.support.contract.services import SERVICES
from tests.support.filesender_harness import noise
from tests.support.service_harness import MIB, pieces, piped
from tests.support.uploads import CHANGES, PART, UPLOADS, Uploads, client_threads, lock, rewrite

DATA = noise(PART + 1000)


#: The services to which a directory is sent with what is in it.
of_trees = pytest.mark.parametrize("uploads", ["filesender", "smartfile"], indirect=True)


def _tree(harness: Any) -> Path:
    """A directory with links out of it, into it and to a missing file."""
    tree = harness.file(b"good", "many/good.bin").parent
    harness.file(b"deep", "many/inner/deep.bin")
    outside = harness.file(b"theirs", "outside/theirs.bin").parent
    (tree / "out.bin").symlink_to(outside / "theirs.bin")
    (tree / "outdir").symlink_to(outside)
    (tree / "inner/loop").symlink_to(tree)
    (tree / "dangling").symlink_to(tree / "nothing")
    return tree  # type: ignore[no-any-return]


def _stored(uploads: Uploads) -> Dict[str, bytes]:
    """The files of the tree that the server holds."""
    return {name.lstrip("/")[len("many/") :]: data for name, data in uploads.harness.stored().items()}  # type: ignore[attr-defined]


@of_trees
def test_f37_links_are_skipped_with_a_warning(uploads: Uploads, log: Any) -> None:
    """Fails if the target of a link is sent along."""
    tree = _tree(uploads.harness)
    (tree / "device").symlink_to("/dev/zero")
    uploads.send_directory(tree)
    assert _stored(uploads) == {"good.bin": b"good", "inner/deep.bin": b"deep"}
    if uploads.service == "smartfile":
        assert uploads.harness.site.directories() == ["/many", "/many/inner"]
    skipped = {Path(record.args[0]).name for record in log.records if "is skipped" in record.msg}
    assert skipped == {"out.bin", "outdir", "loop", "dangling", "device"}


@of_trees
def test_f37_links_are_followed_where_asked(uploads: Uploads, log: Any) -> None:
    """Fails if a loop is walked for ever."""
    uploads.send_directory(_tree(uploads.harness), follow_symlinks=True)
    theirs = {"out.bin": b"theirs", "outdir/theirs.bin": b"theirs"}
    assert _stored(uploads) == {"good.bin": b"good", "inner/deep.bin": b"deep", **theirs}
    assert "leads to a parent directory" in log.text
    assert "its target does not exist" in log.text


@of_trees
@pytest.mark.parametrize("kind", ["a fifo", "a followed link to a device"])
def test_f37_what_is_not_a_file_is_refused(uploads: Uploads, kind: str) -> None:
    """Fails if a read waits for a writer, or never ends."""
    tree = _tree(uploads.harness)
    options = {} if kind == "a fifo" else {"follow_symlinks": True}
    if options:
        (tree / "odd").symlink_to("/dev/zero")
    else:
        os.mkfifo(str(tree / "odd"))
    with pytest.raises(UsageError, match="not a regular file"):
        uploads.send_directory(tree, **options)
    with pytest.raises(UsageError, match="not a regular file"):
        uploads.send(tree / "odd")
    assert uploads.harness.count("POST *") == 0


def test_no_service_is_left_out() -> None:
    assert {kind.service for kind in UPLOADS.values()} == {one.name for one in SERVICES if "upload" not in one.cannot}


@pytest.mark.parametrize("change", CHANGES)
def test_f38_a_file_changes_while_it_is_sent(uploads: Uploads, change: Callable[[Path], None]) -> None:
    """Detect a success for a file that never was."""
    path = uploads.harness.file(DATA)
    done: List[int] = []

    def progress(event: Any) -> None:
        if event.done and not done:
            done.append(event.done)
            change(path)

    with pytest.raises(SourceChanged, match=r"a\.bin"):
        uploads.send(path, uploads.one_at_a_time, progress=progress)
    assert done
    assert done[0] < len(DATA)
    assert uploads.complete() == {} or uploads.stores_at_once
    uploads.check_withdrawn()


@pytest.mark.parametrize("change", CHANGES)
def test_f38_a_file_changes_between_two_tries(uploads: Uploads, change: Callable[[Path], None]) -> None:
    """Fails if a second try sends what the first one did not begin with."""
    path = uploads.harness.file(DATA)
    uploads.harness.fault(uploads.content, "reset-after 1")
    changed: List[Any] = []

    def progress(event: Any) -> None:
        if event.state == "retrying" and not changed:
            changed.append(event)
            change(path)

    with pytest.raises(SourceChanged, match=r"a\.bin"):
        uploads.send(path, uploads.one_at_a_time, progress=progress)
    assert changed
    assert uploads.complete() == {} or uploads.stores_at_once
    uploads.check_withdrawn()


def test_f38_a_file_changes_before_its_turn(uploads: Uploads) -> None:
    paths = [uploads.harness.file(noise(MIB), f"many/{name}.bin") for name in "ab"]

    def progress(event: Any) -> None:
        if event.name.endswith("a.bin") and event.state == "done":
            rewrite(paths[1])

    with pytest.raises(BatchError) as caught:
        uploads.send_directory(paths[0].parent, uploads.one_at_a_time, progress=progress)
    assert [type(error) for error in caught.value.errors] == [uploads.changed]
    assert uploads.complete() == ({"a.bin": noise(MIB)} if uploads.separate else {})
    if not uploads.separate:
        uploads.check_withdrawn()


@pytest.mark.parametrize("how", ["vanishes", "is locked"])
def test_f39_one_of_a_hundred(uploads: Uploads, how: str) -> None:
    """Detect one file that takes the others along, or a re-run that sends all of them again."""
    locking = pytest.MonkeyPatch()
    files = {f"{number:02}.txt": b"%d" % number for number in range(100)}
    paths = [uploads.harness.file(data, f"many/{name}") for name, data in files.items()]
    victim = paths[50]
    found = victim.stat()

    def progress(event: Any) -> None:
        if event.name.endswith("00.txt") and event.state == "done":
            if how == "vanishes":
                victim.unlink()
            else:
                lock(victim, locking)

    name = f"{uploads.prefix}50.txt"
    try:
        with pytest.raises(BatchError, match=f"1 of 100 files failed, first '{name}'") as caught:
            uploads.send_directory(victim.parent, uploads.one_at_a_time, progress=progress)
    finally:
        locking.undo()
    assert [result.name for result in caught.value.results if not result.ok] == [name]
    assert isinstance(caught.value.errors[0], FileNotFoundError if how == "vanishes" else PermissionError)
    if uploads.announcement:
        assert uploads.harness.count(uploads.announcement) == 1
    content = uploads.small or uploads.content
    assert uploads.harness.count(content) == 99
    assert len(uploads.complete()) == (99 if uploads.separate else 0)
    if how == "vanishes":
        victim.write_bytes(files["50.txt"])
        os.utime(victim, ns=(found.st_atime_ns, found.st_mtime_ns))
    uploads.harness.forget()
    uploads.send_directory(victim.parent)
    assert uploads.harness.count(content) == 1, "only what was missing"
    assert uploads.separate or uploads.harness.count(uploads.announcement) == 0
    assert uploads.complete() == files


@pytest.mark.parametrize("size", [0, 1, MIB, 9 * MIB], ids=["empty", "byte", "small", "spooled"])
@pytest.mark.parametrize("kind", [piped, pieces])
def test_f40_a_stream_of_unknown_length(uploads: Uploads, kind: Any, size: int) -> None:
    """Fails if a stream has nothing left for the second pass or the second try."""
    data = noise(size)
    if size or uploads.sends_empty:
        uploads.harness.fault(uploads.content, "status 503 retry-after=0")
    if size:
        uploads.harness.fault(uploads.content, "reset-after 1", after=1)
    stream = kind(data)
    result = uploads.send(("a.bin", stream))
    assert uploads.complete() == {"a.bin": data}
    uploads.check_stream(result, data)
    if kind is piped:
        stream.close()


@pytest.mark.parametrize("make", [lambda path: io.StringIO("text"), lambda path: open(path, encoding="utf-8")])
def test_f40_text_is_refused(uploads: Uploads, make: Any) -> None:
    with make(uploads.harness.file(b"text")) as source:
        with pytest.raises(UsageError, match="text"):
            uploads.send(("a.bin", source))
    assert uploads.harness.count(uploads.content) == 0
    assert uploads.complete() == {}


class Enough(Exception):
    """Raised by the caller's own callback."""


def test_f41_the_callback_raises(uploads: Uploads) -> None:
    """Fails if the transfer continues or if threads remain."""
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise Enough

    path = uploads.harness.file(DATA)
    # On a line on which the first blocks are not all of it.
    uploads.harness.fault(uploads.content, "rate 4M")
    with pytest.raises(Cancelled, match="progress callback") as caught:
        uploads.send(path, progress=progress)
    assert isinstance(caught.value.__cause__, Enough)
    assert len(calls) == 1, "called once, not again for every thread"
    assert client_threads() == []
    assert uploads.complete() == {}
    uploads.harness.server.clear_faults()
    uploads.send(path)
    assert uploads.complete() == {"a.bin": DATA}
