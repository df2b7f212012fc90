"""Files that change, vanish or were never files, and callbacks that raise: F37 to F41."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import BatchError, Cancelled, LocalError, UsageError
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import DOWNLOAD, MIB, UPLOAD, SmartFileHarness
from tests.support.uploads import client_threads

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
    """Fails if the target of a link is sent along."""
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


# -- F39 ----------------------------------------------------------------------------------------------------


def _hundred(harness: SmartFileHarness) -> Path:
    for number in range(100):
        harness.file(b"%d" % number, f"many/{number:02}.txt")
    return harness.directory / "many"


def test_f39_one_of_a_hundred_downloads(harness: SmartFileHarness) -> None:
    harness.client().upload_tree(_hundred(harness), "/many")
    (harness.out / "50.txt").mkdir(parents=True)
    with pytest.raises(BatchError) as caught:
        harness.client().download_tree("/many", harness.out)
    assert [type(error) for error in caught.value.errors] == [LocalError]
    assert len(harness.left()) >= 99
    (harness.out / "50.txt").rmdir()
    harness.site.listener.clear_log()
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
    harness.site.listener.clear_log()
    api.upload_tree(directory, "/many")
    assert harness.count(UPLOAD) == 2
    assert len(harness.stored()) == 100


# -- F40, F41 -----------------------------------------------------------------------------------------------


class _Mine(Exception):
    """Raised by the caller's own callback."""


def test_f41_the_callback_of_a_download_raises(harness: SmartFileHarness) -> None:
    """Fails if the transfer continues or if threads remain."""
    harness.site.write("/there.bin", DATA)
    client = harness.client()
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise _Mine("enough")

    # On a line on which the first blocks are not all of it.
    harness.fault(DOWNLOAD, "rate 4M")
    with pytest.raises(Cancelled, match="progress callback") as caught:
        client.download("/there.bin", f"{harness.out}/", progress=progress)
    assert isinstance(caught.value.__cause__, _Mine)
    assert len(calls) == 1, "called once, not again for every thread"
    assert client_threads() == [], "no thread of ours is left"
    assert "there.bin" not in harness.left()
    client.download("/there.bin", f"{harness.out}/")
    assert (harness.out / "there.bin").read_bytes() == DATA
