"""A file for which the system reports a wrong size is sent completely, by every service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.wrong_sizes import WrongSizes

DATA = b"processor : 0\n" * 300


@pytest.mark.parametrize("size", [0, 4096, 1 << 30])
def test_it_arrives_whole(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    path = tmp_path / "cpuinfo"
    path.write_bytes(DATA)
    WrongSizes(monkeypatch).tell(path, size)
    with service.client() as client:
        [result] = service.results(service.upload(client, [path]))
    assert (result.bytes, result.ok) == (len(DATA), True)
    assert service.stored() == {"cpuinfo": DATA}


def test_a_folder_of_them_arrives_whole(service: Any, tmp_path: Path, monkeypatch: Any) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sizes = WrongSizes(monkeypatch)
    for size in (0, 4096):
        (folder / f"file{size}").write_bytes(DATA + bytes(size))
        sizes.tell(folder / f"file{size}", size)
    with service.client() as client:
        service.upload_folder(client, folder)
    assert service.stored() == {"file0": DATA, "file4096": DATA + bytes(4096)}
