"""Files that change, vanish or were never files: F37 to F41."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import BatchError, Cancelled, LocalError, UsageError
from tests.support.filesender_harness import CHUNK_SIZE, CREATE, DOWNLOAD, noise
from tests.support.uploads import client_threads

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
    assert "leads to a parent directory" in log.text
    assert "its target does not exist" in log.text


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


@pytest.fixture
def hundred(make_harness: Any) -> Any:
    """A site that takes a hundred files at once."""
    return make_harness(max_transfer_files=200)


def _hundred(harness: Any) -> Path:
    for number in range(100):
        harness.file(b"%d" % number, f"many/{number:02}.txt")
    return Path(harness.directory) / "many"


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
    hundred.server.filesender.listener.clear_log()
    hundred.client().download_files(transfer.token, hundred.out)
    assert hundred.site.count(DOWNLOAD) == 1, "only what was missing"
    assert (hundred.out / "many/50.txt").read_bytes() == b"50"


class _Mine(Exception):
    """Raised by the caller's own callback."""


def test_f41_the_callback_of_a_download_raises(harness: Any) -> None:
    data = noise(64 * CHUNK_SIZE)
    token = harness.published(data).token
    client = harness.client()
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise _Mine("enough")

    threads = threading.active_count()
    with pytest.raises(Cancelled, match="progress callback") as caught:
        client.download_files(token, harness.out, progress=progress)
    assert isinstance(caught.value.__cause__, _Mine)
    assert len(calls) == 1, "called once, not again for every thread"
    assert client_threads() == [], "no thread of ours is left"
    assert threading.active_count() <= threads + 4, "those of the server end with their connections"
    client.download_files(token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == data
