from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.transfer.digest import CRC32, compute_file_digest, crc32, new_hash


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
