"""A file of which the system tells a wrong size is sent whole, by every service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.wrong_sizes import WrongSizes

DATA = b"processor : 0\n" * 300


@pytest.mark.parametrize("told", [0, 4096, 1 << 30])
def test_it_arrives_whole(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "cpuinfo").write_bytes(DATA)
    sizes = WrongSizes(monkeypatch)
    sizes.tell(folder / "cpuinfo", told)
    with service.client() as client:
        [result] = service.results(service.upload(client, [folder / "cpuinfo"]))
        assert (result.bytes, result.ok) == (len(DATA), True)
        assert service.stored() == {"cpuinfo": DATA}


def test_a_folder_of_them_arrives_whole(
    service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sizes = WrongSizes(monkeypatch)
    for told in (0, 4096):
        (folder / f"file{told}").write_bytes(DATA + bytes(told))
        sizes.tell(folder / f"file{told}", told)
    with service.client() as client:
        service.upload_folder(client, folder)
    assert service.stored() == {"file0": DATA, "file4096": DATA + bytes(4096)}
