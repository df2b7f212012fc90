"""Synchronisation: only changed data is sent, checksums decide, and whole files are sent if a delta is useless."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from smartxfer import delta
from smartxfer.errors import BatchError, LocalError, NotFound, SourceChanged, TargetExists, UsageError
from smartxfer.smartfile import BasicClient, SyncClient, delta_sync
from smartxfer.transfer.download_history import DownloadHistory
from tests.support.wrong_sizes import WrongSizes

SIZE = 2_000_000


@pytest.fixture
def sync(live: BasicClient) -> SyncClient:
    return SyncClient(live)


def edited(data: bytes) -> bytes:
    """The same but for an insertion, a deletion and a change."""
    return data[:1000] + b"inserted" + data[1000:900_000] + data[900_100:-50_000] + b"#" * 100 + data[-50_000:]


@pytest.fixture
def old() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def local(harness: Any, tmp_path: Path, old: bytes) -> Path:
    """A local file that was edited; the server has ``/a.bin`` as it was."""
    harness.site.write("/a.bin", old)
    (tmp_path / "a.bin").write_bytes(edited(old))
    return tmp_path / "a.bin"


@pytest.fixture
def older(harness: Any, tmp_path: Path, old: bytes) -> Path:
    """A local file as it was; the server has ``/a.bin``, which was edited."""
    harness.site.write("/a.bin", edited(old))
    (tmp_path / "a.bin").write_bytes(old)
    return tmp_path / "a.bin"


def test_up_by_delta(harness: Any, sync: SyncClient, local: Path, old: bytes) -> None:
    result = sync.upload(local, "/a.bin")
    assert harness.site.read("/a.bin") == edited(old)
    assert (result.method, result.verified, result.bytes) == ("delta", "sha256", len(edited(old)))
    assert result.bytes_sent < SIZE * 0.05
    assert result.bytes_saved > SIZE * 0.9
    assert harness.site.count("POST /api/2/path/data/*") == 0


def test_down_by_delta(harness: Any, sync: SyncClient, older: Path, old: bytes) -> None:
    older.chmod(0o640)
    result = sync.download(older, "/a.bin")
    assert (older.read_bytes(), older.stat().st_mode & 0o777) == (edited(old), 0o640)
    assert (result.method, result.verified) == ("delta", "sha256")
    assert result.bytes_received < SIZE * 0.05
    assert harness.site.count("GET /api/2/path/data/*") == 0
    assert os.listdir(older.parent) == ["a.bin"]


@pytest.mark.parametrize("small", [False, True])
def test_down_through_a_link_keeps_the_link_and_the_mode(
    harness: Any, sync: SyncClient, tmp_path: Path, old: bytes, small: bool
) -> None:
    before, after = (b"old", b"new") if small else (old, edited(old))
    harness.site.write("/a.bin", after)
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    real.write_bytes(before)
    real.chmod(0o600)
    link.symlink_to(real)
    assert sync.download(link, "/a.bin").method == ("plain" if small else "delta")
    assert link.is_symlink()
    assert real.read_bytes() == after
    assert real.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "far") == ["real"]


def test_a_new_file_is_moved_whole(harness: Any, sync: SyncClient, tmp_path: Path, old: bytes) -> None:
    local = tmp_path / "a.bin"
    local.write_bytes(old)
    up = sync.upload(local, "/")
    assert (up.method, up.bytes_sent, up.bytes_saved) == ("plain", SIZE, 0)
    down = sync.download(tmp_path / "new.bin", "/a.bin")
    assert (down.method, down.bytes_received, down.bytes_saved) == ("plain", SIZE, 0)
    assert (tmp_path / "new.bin").read_bytes() == old == harness.site.read("/a.bin")


def test_small_files_and_other_files_are_moved_whole(harness: Any, sync: SyncClient, tmp_path: Path) -> None:
    harness.site.write("/small", b"x" * 100)
    harness.site.write("/other", os.urandom(100_000))
    for name, data in {"small": b"y" * 100, "other": os.urandom(100_000)}.items():
        (tmp_path / name).write_bytes(data)
        assert sync.upload(tmp_path / name, "/" + name).method == "plain"
        assert harness.site.read("/" + name) == data


@pytest.mark.parametrize(
    ("step", "effect"),
    [(step, effect) for step in ("signature", "patch") for effect in ("status 404", "status 400", "lose-answer")]
    + [("signature", "flip 100"), ("signature", "truncate 100"), ("patch", "flip-in 400"), ("patch", "flip-in 3K")],
)
def test_a_broken_step_up(
    harness: Any, sync: SyncClient, local: Path, old: bytes, step: str, effect: str
) -> None:
    harness.fault(f"* /api/2/path/sync/{step}/*", effect)
    assert sync.upload(local, "/a.bin").verified == "sha256"
    assert harness.site.read("/a.bin") == edited(old)


@pytest.mark.parametrize("effect", ["status 404", "status 400", "flip 100", "flip 3K", "flip-in 300", "lose-answer", "reset-after 100"])
def test_a_broken_step_down(harness: Any, sync: SyncClient, older: Path, old: bytes, effect: str) -> None:
    harness.fault("POST /api/2/path/sync/delta/*", effect)
    assert sync.download(older, "/a.bin").verified == "sha256"
    assert (older.read_bytes(), os.listdir(older.parent)) == (edited(old), ["a.bin"])


def test_without_librsync(
    sync: SyncClient, local: Path, old: bytes, harness: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(delta, "available", lambda: False)
    caplog.set_level(logging.INFO, "smartxfer.smartfile")
    assert sync.upload(local, "/a.bin").method == "plain"
    assert sync.download(local, "/a.bin").method == "plain"
    assert harness.site.read("/a.bin") == edited(old)
    said = [record for record in caplog.records if "librsync is not installed" in record.getMessage()]
    assert [record.levelno for record in said if record.levelno >= logging.INFO] == [logging.INFO]


def test_a_local_file_that_changes_is_not_replaced(sync: SyncClient, older: Path, monkeypatch: Any) -> None:
    patch = delta.patch

    def meanwhile(*args: Any, **options: Any) -> int:
        made = patch(*args, **options)
        older.write_bytes(b"written meanwhile")
        return made

    monkeypatch.setattr(delta, "patch", meanwhile)
    with pytest.raises(SourceChanged):
        sync.download(older, "/a.bin")
    assert older.read_bytes() == b"written meanwhile"


def test_trees(harness: Any, sync: SyncClient, tmp_path: Path, old: bytes) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "same").write_bytes(b"same")
    (root / "sub" / "changed").write_bytes(edited(old))
    (root / "sub" / "new").write_bytes(b"new")
    harness.site.write("/r/same", b"same")
    harness.site.write("/r/sub/changed", old)
    harness.site.write("/r/kept", b"kept")
    planned = sync.upload_tree(root, "/r", dry_run=True)
    assert {result.name: result.method for result in planned} == {
        "/r/same": "none",
        "/r/sub/changed": "delta",
        "/r/sub/new": "plain",
    }
    assert sorted(harness.site.files()) == ["/r/kept", "/r/same", "/r/sub/changed"]
    assert harness.site.read("/r/sub/changed") == old
    done = sync.upload_tree(root, "/r")
    assert [result.method for result in done] == [result.method for result in planned]
    assert harness.site.read("/r/sub/changed") == edited(old)
    assert harness.site.read("/r/kept") == b"kept"
    assert {result.method for result in sync.upload_tree(root, "/r")} == {"none"}

    back = tmp_path / "back"
    assert {result.method for result in sync.download_tree(back, "/r", dry_run=True)} == {"plain"}
    assert not back.exists()
    sync.download_tree(back, "/r")
    (back / "sub" / "changed").write_bytes(old)
    done = sync.download_tree(back, "/r", exists="replace")
    methods = {result.name: result.method for result in done}
    assert methods == {"/r/kept": "none", "/r/same": "none", "/r/sub/changed": "delta", "/r/sub/new": "none"}
    assert (back / "sub" / "changed").read_bytes() == edited(old)


def test_what_cannot_be_synchronised(live: BasicClient, sync: SyncClient, tmp_path: Path) -> None:
    live.mkdir("/d")
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(UsageError, match="upload_tree"):
        sync.upload(tmp_path, "/d")
    with pytest.raises(UsageError, match="download_tree"):
        sync.download(tmp_path / "f", "/d")
    with pytest.raises(NotFound):
        sync.download(tmp_path / "f", "/missing")
    with pytest.raises(NotFound):
        sync.download_tree(tmp_path, "/missing")


def test_an_edit_while_the_existing_file_is_looked_at_is_not_lost(
    harness: Any, sync: SyncClient, tmp_path: Path, old: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.site.write("/d/a.bin", old)
    sync.download_tree(tmp_path, "/d")
    harness.site.write("/d/a.bin", edited(old))
    holds = DownloadHistory.is_unmodified

    def edits(self: DownloadHistory, path: Path, *about: Any) -> bool:
        found = holds(self, path, *about)
        Path(path).write_bytes(b"my edit " + old)
        return found

    monkeypatch.setattr(DownloadHistory, "is_unmodified", edits)
    with pytest.raises(SourceChanged):
        sync.download_tree(tmp_path, "/d")
    assert (tmp_path / "a.bin").read_bytes() == b"my edit " + old


def test_an_edit_after_the_replacement_is_not_taken_for_what_was_fetched(
    harness: Any, sync: SyncClient, tmp_path: Path, old: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.site.write("/d/a.bin", old)
    sync.download_tree(tmp_path, "/d")
    harness.site.write("/d/a.bin", edited(old))
    commit = delta_sync.FileSink.commit
    mine = edited(edited(old))[: len(edited(old))]

    def edits(sink: Any) -> None:
        commit(sink)
        sink.path.write_bytes(mine)

    with monkeypatch.context() as during:
        during.setattr(delta_sync.FileSink, "commit", edits)
        assert [result.method for result in sync.download_tree(tmp_path, "/d")] == ["delta"]
    harness.site.write("/d/a.bin", old)
    with pytest.raises(TargetExists):
        sync.download_tree(tmp_path, "/d")
    assert (tmp_path / "a.bin").read_bytes() == mine


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    harness: Any, sync: SyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        harness.site.write(f"/d/{name}", b"theirs")
    (tmp_path / "a").write_bytes(b"theirs")

    def refused(path: Any, algorithm: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("smartxfer.smartfile.content_comparison.compute_file_digest", refused)
    monkeypatch.setattr("smartxfer.transfer.existing_files.compute_file_digest", refused)
    with pytest.raises(BatchError) as caught:
        sync.download_tree(tmp_path, "/d")
    by_name = {Path(result.name).name: result for result in caught.value.results}
    assert isinstance(by_name["a"].error, TargetExists)
    assert by_name["b"].ok
    assert (tmp_path / "b").read_bytes() == b"theirs"


@pytest.mark.parametrize("reported", [0, 4096, 1 << 30])
def test_a_file_of_a_wrong_size_is_brought_up_whole(
    harness: Any, sync: SyncClient, tmp_path: Path, old: bytes, monkeypatch: pytest.MonkeyPatch, reported: int
) -> None:
    harness.site.write("/a.bin", old)
    harness.site.write("/tree/a.bin", old)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.bin").write_bytes(edited(old))
    WrongSizes(monkeypatch).tell(folder / "a.bin", reported)
    result = sync.upload(folder / "a.bin", "/a.bin")
    assert harness.site.read("/a.bin") == edited(old)
    assert (result.verified, result.bytes) == ("sha256", len(edited(old)))
    assert sync.upload_tree(folder, "/tree")[0].bytes == len(edited(old))
    assert harness.site.read("/tree/a.bin") == edited(old)
    assert sync.upload_tree(folder, "/tree")[0].method == "none"


def test_a_slash_at_the_end_of_a_target_means_a_directory(
    harness: Any, sync: SyncClient, tmp_path: Path
) -> None:
    harness.site.write("/a.bin", b"new")
    assert sync.download(f"{tmp_path}/newdir/", "/a.bin").path == tmp_path / "newdir" / "a.bin"
    assert (tmp_path / "newdir" / "a.bin").read_bytes() == b"new"


def test_a_directory_that_cannot_be_made_is_a_local_error(
    harness: Any, sync: SyncClient, tmp_path: Path
) -> None:
    harness.site.write("/tree/a.bin", b"new")
    (tmp_path / "file").touch()
    with pytest.raises(LocalError):
        sync.download_tree(tmp_path / "file" / "tree", "/tree")
