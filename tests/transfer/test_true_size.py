"""A file is read to its real end, whatever ``stat`` says of its size."""

from __future__ import annotations

import gc
import io
import os
from pathlib import Path
from typing import Any

import pytest

from smartxfer.delta.input_file import InputFile
from smartxfer.errors import LocalError, SourceChanged
from smartxfer.smartfile.content_comparison import get_file_size
from smartxfer.smartfile.multipart_form import encode_body
from smartxfer.transfer import file_size as module
from smartxfer.transfer.digest import compute_source_digest
from smartxfer.transfer.local_files import collect_files
from smartxfer.transfer.source import open_source
from tests.support.sinks import descriptors
from tests.support.stopwatch import Stopwatch
from tests.support.wrong_sizes import WrongSizes

DATA = bytes(range(251)) * 20  # 5,020 bytes
#: What ``stat`` may say of them.
SIZES = [0, 1, 4096, len(DATA) - 1, len(DATA) + 1, 1 << 40]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> WrongSizes:
    return WrongSizes(monkeypatch)


@pytest.fixture
def wrong(sizes: WrongSizes, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "wrong.txt"
    path.write_bytes(DATA)
    sizes.tell(path, request.param)
    return path


def whole(source: Any) -> bytes:
    found, at = bytearray(source.size + 10), 0
    while count := source.read_at(memoryview(found)[at:], at):
        at += count
    return bytes(found[:at])


wrong_sizes = pytest.mark.parametrize("wrong", SIZES, indirect=True)


@wrong_sizes
def test_a_path_is_read_to_its_end(wrong: Path) -> None:
    source = open_source(wrong)
    assert (source.size, whole(source), source.name) == (len(DATA), DATA, "wrong.txt")
    source.check_unchanged()
    source.close()


@wrong_sizes
def test_a_listed_file_has_its_true_size(wrong: Path) -> None:
    [item] = collect_files([wrong.parent])
    assert (item.size, item.path, item.resumable) == (len(DATA), wrong, False)
    first, second = item.open_unchanged(), item.open_unchanged()
    first.close()
    assert whole(second) == DATA, "closing one does not close the other"


def test_a_listed_file_is_read_once(sizes: WrongSizes, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_bytes(b"2400.0 MHz")
    sizes.tell(path, 0)
    [item] = collect_files([path])
    path.write_bytes(b"800 MHz")  # such files differ each time they are read
    source = item.open_unchanged()
    assert compute_source_digest(source, "md5") == compute_source_digest(item.open_unchanged(), "md5")
    assert whole(source) == b"2400.0 MHz"


def test_many_copies_are_in_one_file_and_it_is_closed(sizes: WrongSizes, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}").write_bytes(b"%02d" % number * 100)
        sizes.tell(tmp_path / f"{number:02}", 0)
    gc.collect()  # what earlier tests left open is not counted
    before = descriptors()
    items = collect_files([tmp_path])
    assert descriptors() - before <= 1
    assert [whole(item.open()) for item in items] == [b"%02d" % number * 100 for number in range(50)]
    del items
    gc.collect()
    assert descriptors() == before


@wrong_sizes
def test_a_delta_reads_to_the_end(wrong: Path) -> None:
    with InputFile(wrong, "source") as source:
        assert source.size == len(DATA)
        view = memoryview(bytearray(len(DATA) + 1))
        assert (source.readinto(view), view[:-1]) == (len(DATA), DATA)
        assert not source.readinto(view)
        source.check_unchanged()
    with open(wrong, "rb") as file, InputFile(file, "source") as source:
        assert source.size == len(DATA)


@wrong_sizes
def test_a_form_carries_all_of_it(wrong: Path) -> None:
    with encode_body({"file": wrong}) as (_, body):
        assert DATA in body.read(-1)  # type: ignore[union-attr]


@wrong_sizes
def test_a_comparison_uses_the_true_size(wrong: Path) -> None:
    assert get_file_size(wrong) == len(DATA)


class Seeks(io.FileIO):
    """Tells a wrong end to whom seeks it, as files of ``/sys`` do."""

    end = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(self.end) if whence == io.SEEK_END else super().seek(offset, whence)


@pytest.mark.parametrize("end", SIZES)
def test_an_open_file_is_read_to_its_end(tmp_path: Path, end: int) -> None:
    (tmp_path / "open.bin").write_bytes(DATA)
    with Seeks(tmp_path / "open.bin") as file:
        file.end = end
        source = open_source(file)  # type: ignore[arg-type]
        assert (source.size, whole(source)) == (len(DATA), DATA)
        source.close()


def test_an_open_file_that_has_more_is_found_out() -> None:
    class Longer(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            return super().seek(100) if whence == io.SEEK_END else super().seek(offset, whence)

    source = open_source(Longer(DATA))
    with pytest.raises(SourceChanged):
        source.check_unchanged()


def test_a_path_that_has_more_in_the_end_is_found_out(sizes: WrongSizes, tmp_path: Path) -> None:
    path = tmp_path / "grows"
    path.write_bytes(DATA)
    source = open_source(path)
    with path.open("ab") as file:
        file.write(b"more")
    sizes.tell(path, len(DATA))  # an attribute cache
    os.utime(path, ns=(source.mtime_ns, source.mtime_ns))  # type: ignore[attr-defined]
    with pytest.raises(SourceChanged, match="more bytes than its size of 5020"):
        source.check_unchanged()
    source.close()


def test_a_file_that_grows_while_it_is_looked_at_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1")
    real = module.has_size
    looks = iter(range(1, 100))

    def grows(*given: Any) -> bool:
        with path.open("ab") as file:
            file.write(b"x" * next(looks))
        return real(*given)

    monkeypatch.setattr(module, "has_size", grows)
    [item] = collect_files([path])
    assert item.resumable
    with pytest.raises(SourceChanged):
        item.open_unchanged()


def test_a_file_without_an_end_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(fd: int, count: int, offset: int) -> bytes:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    (tmp_path / "kmsg").touch()
    monkeypatch.setattr(os, "pread", read)
    with pytest.raises(LocalError, match="pass an open stream"):
        collect_files([tmp_path / "kmsg"])


def test_a_large_sparse_file_is_quick(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 36)
    watch = Stopwatch()
    [item] = collect_files([tmp_path / "sparse"])
    assert item.size == 1 << 36
    assert watch.seconds() < 1


@pytest.mark.parametrize(
    "path", ["/proc/cpuinfo", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"]
)
def test_a_real_one(path: str) -> None:
    if not os.access(path, os.R_OK):
        pytest.skip("not on this system")
    [item] = collect_files([path])
    assert item.size == len(whole(item.open_unchanged())) > 0
    with open(path, "rb") as file:
        source = open_source(file)
        assert source.size > 0
        source.close()
