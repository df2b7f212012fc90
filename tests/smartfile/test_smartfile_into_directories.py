"""Fetching directories with downloads and synchronisations: records, names, working directory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.errors import BatchError, LocalError, UnsafeName
from smartxfer.smartfile import BasicClient, SyncClient, delta_sync
from smartxfer.transfer import download_history
from smartxfer.transfer.download_history import DownloadHistory

Fetch = Callable[..., List[Any]]


@pytest.fixture(params=["download", "sync"])
def fetch(request: pytest.FixtureRequest, live: BasicClient) -> Fetch:
    """Fetch ``/d`` to a directory."""

    def download(into: Any, **options: Any) -> Any:
        return live.download_tree("/d", into, **options)

    def sync(into: Any, **options: Any) -> Any:
        return SyncClient(live).download_tree(into, "/d", **options)

    return download if request.param == "download" else sync


def below(root: Path) -> List[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_the_record_of_a_directory_is_read_once(
    harness: Any, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        harness.site.write(f"/d/{number}", b"first")
    read, reads = DownloadHistory._read_records, []

    def counted(self: DownloadHistory) -> Any:
        reads.append(self._get_file_name())
        return read(self)

    monkeypatch.setattr(download_history.DownloadHistory, "_read_records", counted)
    for data in (b"first", b"first", b"second"):
        for number in range(20):
            harness.site.write(f"/d/{number}", data)
        reads.clear()
        assert all(result.ok for result in fetch(tmp_path / "out"))
        assert len(reads) <= 1
    assert (tmp_path / "out" / "7").read_bytes() == b"second"


def test_the_working_directory_changes(
    harness: Any, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}/{number}" for number in range(3)]
    (tmp_path / "elsewhere").mkdir()

    def run(data: bytes) -> None:
        for name in names:
            harness.site.write(f"/d/{name}", data)
        monkeypatch.chdir(tmp_path)
        results = fetch("out", progress=lambda event: os.chdir(tmp_path / "elsewhere"))
        assert [result.path for result in results] == [Path("out", name) for name in names]
        assert below(tmp_path) == [f"out/{name}" for name in names]
        assert {(tmp_path / "out" / name).read_bytes() for name in names} == {data}

    run(b"first")
    run(b"second")  # what our last run wrote may be replaced


def test_a_name_of_nothing_keeps_no_other_file_back(harness: Any, fetch: Fetch, tmp_path: Path) -> None:
    harness.site.write("/d/ ", b"blank")
    harness.site.write("/d/a", b"good")
    with pytest.raises(BatchError) as caught:
        fetch(tmp_path / "out")
    [failed] = [result for result in caught.value.results if not result.ok]
    assert isinstance(failed.error, UnsafeName)
    assert below(tmp_path / "out") == ["a"]


def test_a_directory_that_cannot_be_searched(
    harness: Any, live: BasicClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lstat(place: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", place.name)

    monkeypatch.setattr(delta_sync, "lstat", lstat)
    harness.site.write("/d/a", b"good")
    with pytest.raises(LocalError, match="cannot read .*/out/a: Permission denied"):
        SyncClient(live).download_tree(tmp_path / "out", "/d")
