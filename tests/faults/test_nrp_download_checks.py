"""Downloads of what changes, or is not what the repository says: F05, F07, F13, F14, F17, F24, F39."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from smartxfer.errors import (
    BatchError,
    ChecksumMismatch,
    Conflict,
    IntegrityError,
    NetworkError,
    NotFound,
    RangeMismatch,
    SizeMismatch,
    SourceChanged,
)
from smartxfer.models import to_wire
from smartxfer.nrp import File
from smartxfer.nrp.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import DATA, DOWNLOAD, MIB, SMALL, Served

ONCE = RetryPolicy(attempts=1)


STORAGES = ["local", "proxy", "s3"]


@pytest.fixture(params=["proxy", "s3"])
def ranged(request: Any, tmp_path: Path) -> Iterator[Served]:
    """Those that know ranges."""
    with Served(tmp_path, request.param) as harness:
        yield harness


# -- a file that changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 5, 2 * MIB], ids=["same size", "longer", "shorter"])
def test_f17_the_file_changes_between_two_parts(harness: Served, size: int) -> None:
    """Fails if a file is half of one state and half of another."""
    other = noise(size, seed=2)
    change = harness.other(other)
    harness.fault(harness.bytes, "truncate 1M")
    with pytest.raises((SourceChanged, RangeMismatch, SizeMismatch)) as caught:
        harness.fetch(harness.id, progress=change)
    if size == len(DATA):
        assert type(caught.value) is ERRORS.class_for(SourceChanged)
    assert "a.bin" not in harness.left()
    assert harness.fetch(harness.id).resumed == 0
    assert (harness.out / "a.bin").read_bytes() == other


def test_f17_the_file_changes_between_two_runs(harness: Served) -> None:
    """Detect a rest of the old state that the next run builds upon."""
    other = noise(len(DATA), seed=2)
    harness.other(other)
    harness.fault(harness.bytes, "truncate 1M")
    with pytest.raises(NetworkError):
        harness.fetch(harness.id, retry=ONCE)
    harness.put(other)
    harness.forget()
    assert harness.fetch(harness.id).resumed == 0
    assert harness.count(harness.bytes) == 1, "nothing is asked for behind what an older state left"
    assert (harness.out / "a.bin").read_bytes() == other


def test_f17_the_file_is_gone(harness: Served) -> None:
    harness.other(DATA)
    harness.fault(harness.bytes, "truncate 1M")

    def remove(event: Any) -> None:
        if event.state == "retrying":
            harness.client().files.delete(harness.id, "a.bin")

    with pytest.raises(NotFound, match="404"):
        harness.fetch(harness.id, progress=remove)
    assert "a.bin" not in harness.left()


# -- other bytes --------------------------------------------------------------------------------------------


def test_f13_a_bit_is_flipped(harness: Served) -> None:
    """Once: it comes again, whole.  For good: an error, and nothing of it stays."""
    harness.fault(harness.bytes, "flip 5000")
    assert harness.fetch(harness.id).verified == "md5"
    assert (harness.out / "a.bin").read_bytes() == DATA
    (harness.out / "a.bin").write_bytes(b"older")
    harness.fault(harness.bytes, "flip 5000", times=2)
    with pytest.raises(ChecksumMismatch) as caught:
        harness.client().files.download(harness.id, "a.bin", harness.out, exists="replace")
    assert caught.value.algorithm == "md5"
    assert (harness.left(), (harness.out / "a.bin").read_bytes()) == (["a.bin"], b"older")


def _entry(harness: Served, **other: Any) -> File:
    """Return the entry of the file with some members changed."""
    entry = to_wire(harness.client().files.read(harness.id, "a.bin"))
    return File.from_wire(json.loads(json.dumps({**entry, **other})))


def test_f13_a_wrong_md5_from_the_server(harness: Served) -> None:
    """Detect a checksum that is not compared, or one more try for each."""
    wrong = _entry(harness, checksum=f"md5:{'0' * 32}")
    with pytest.raises(IntegrityError):
        harness.client().files.download(wrong, harness.out)
    assert harness.left() == []
    assert harness.count(harness.bytes) <= 2


@pytest.mark.parametrize("checksum", [None, "", "md5:", "sha999:00", "multipart:0123-2", "plain words"])
def test_f13_no_checksum_to_compare_with(harness: Served, checksum: Any) -> None:
    """Fails if a result claims more than was looked at."""
    [result] = harness.client().files.download_many([_entry(harness, checksum=checksum)], harness.out)
    assert (result.verified, result.digest) == ("size", None)
    assert (harness.out / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1, 0])
def test_f05_a_wrong_size_from_the_server(harness: Served, size: int) -> None:
    """F05, F07: broken by the bytes that come being taken for those that were promised."""
    with pytest.raises(IntegrityError):
        harness.client().files.download(_entry(harness, size=size), harness.out)
    assert "a.bin" not in harness.left()


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_f13_a_file_that_is_not_complete(local: Served, state: str) -> None:
    """Detect zeros: of a pending multipart upload the repository gives them with 200."""
    with pytest.raises(Conflict, match=f"is {state}"):
        local.client().files.download(_entry(local, status=state), local.out)
    assert (local.left(), local.count(DOWNLOAD)) == ([], 0)


@pytest.mark.parametrize("harm", ["flipped", "cut", "no side file", "another's side file"])
def test_f14_the_rest_of_an_earlier_run_is_damaged(ranged: Served, harm: str) -> None:
    """F14, F24: broken by bytes that are built upon unseen."""
    ranged.fault(ranged.bytes, "truncate 2M")
    with pytest.raises(NetworkError):
        ranged.fetch(ranged.id, retry=ONCE)
    part, side = ranged.out / "a.bin.part", ranged.out / "a.bin.part.json"
    if harm == "flipped":
        with part.open("r+b") as file:
            file.write(b"\0\1\2\3")
    elif harm == "cut":
        with part.open("r+b") as file:
            file.truncate(MIB + 7)
    elif harm == "no side file":
        side.unlink()
    else:
        side.write_text('{"version": 1}', "utf-8")
    result = ranged.fetch(ranged.id)
    assert (ranged.out / "a.bin").read_bytes() == DATA
    assert result.resumed < 2 * MIB
    assert result.verified == "md5"


def test_f17_of_several_one_file_changes(local: Served) -> None:
    """F39: the other files arrive, and a second run fetches the missing one."""
    local.id = local.site.create(files={"a.bin": DATA, "b.bin": SMALL})
    local.fault("GET *a.bin/content", "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying" and event.name == "a.bin":
            local.put(noise(len(DATA), seed=2))

    with pytest.raises(BatchError, match="1 of 2 files failed") as caught:
        local.client().files.download_many(local.id, local.out, progress=change)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(SourceChanged)]
    assert (local.out / "b.bin").read_bytes() == SMALL
    local.client().files.download_many(local.id, local.out)
    assert (local.out / "a.bin").read_bytes() == noise(len(DATA), seed=2)
    assert local.count("GET *b.bin/content") == 1
