from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.transfer.digest import CRC32, digest_of, new_hash, quick


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_digest_of_path_and_file(tmp_path: Path, algorithm: str) -> None:
    data = bytes(range(256)) * 10_000
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = hashlib.new(algorithm, data).hexdigest()
    assert digest_of(path, algorithm) == digest_of(str(path), algorithm) == expected
    file = io.BytesIO(b"skipped" + data)
    file.seek(7)
    assert digest_of(file, algorithm) == expected


def test_digest_of_nothing() -> None:
    assert digest_of(io.BytesIO()) == hashlib.sha256().hexdigest()


def test_an_unknown_algorithm() -> None:
    with pytest.raises(UsageError, match="sha257"):
        new_hash("sha257")


@given(st.binary(), st.binary())
def test_crc32_goes_on(one: bytes, other: bytes) -> None:
    added = CRC32.add(CRC32.add(0, one, 0), other, len(one))
    assert added == CRC32.add(0, one + other, 7) == quick(one + other) == zlib.crc32(one + other)
