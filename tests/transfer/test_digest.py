"""Checksums of files, also computed in parallel to an upload."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import SourceChanged, UsageError
from smartxfer.transfer.digest import CRC32, compute_file_digest, crc32, new_hash
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.source import BytesSource, PathSource


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_digest_of_path_and_file(tmp_path: Path, algorithm: str) -> None:
    data = bytes(range(256)) * 10_000
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = hashlib.new(algorithm, data).hexdigest()
    assert compute_file_digest(path, algorithm) == compute_file_digest(str(path), algorithm) == expected
    file = io.BytesIO(b"skipped" + data)
    file.seek(7)
    assert compute_file_digest(file, algorithm) == expected


def test_digest_of_nothing() -> None:
    assert compute_file_digest(io.BytesIO()) == hashlib.sha256().hexdigest()


def test_an_unknown_algorithm() -> None:
    with pytest.raises(UsageError, match="sha257"):
        new_hash("sha257")


@given(st.binary(), st.binary())
def test_crc32_of_consecutive_blocks(one: bytes, other: bytes) -> None:
    added = CRC32.update(CRC32.update(0, one, 0), other, len(one))
    assert added == CRC32.update(0, one + other, 7) == crc32(one + other) == zlib.crc32(one + other)


# -- in parallel to an upload -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (3 << 20) + 5])
def test_the_digest_is_that_of_all_bytes_whatever_else_is_read(size: int) -> None:
    data = os.urandom(size)
    source = HashingSource(BytesSource(data), "md5")
    buffer = memoryview(bytearray(100))
    assert source.read_at(buffer, 7) == len(data[7:107])
    assert source.digest() == hashlib.md5(data).hexdigest()
    source.close()


def test_closing_ends_the_thread_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(4 << 30)
    source = HashingSource(PathSource(path), "md5")
    assert not any(thread.name == "smartxfer-digest" for thread in threading.enumerate())
    assert source.read_at(memoryview(bytearray(1)), 0) == 1  # the thread starts with the first read
    assert any(thread.name == "smartxfer-digest" for thread in threading.enumerate())
    source.close()
    assert not any(thread.name == "smartxfer-digest" for thread in threading.enumerate())


def test_a_file_that_became_shorter_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(b"x" * 100)
    inner = PathSource(path)
    os.truncate(str(path), 50)
    source = HashingSource(inner, "md5")
    with pytest.raises(SourceChanged, match="was truncated while"):
        source.digest()
    source.close()
