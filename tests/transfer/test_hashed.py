"""A checksum that is computed in parallel to the upload."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from smartxfer.errors import SourceChanged, UsageError
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.source import BytesSource, PathSource


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


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(UsageError):
        HashingSource(BytesSource(b""), "md-none")
