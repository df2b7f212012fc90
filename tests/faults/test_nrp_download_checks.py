"""Downloads of what changes, or is not what the repository says: F05, F07, F13, F14, F17, F24, F39."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smartxfer import errors
from smartxfer.models import to_wire
from smartxfer.nrp import File
from smartxfer.nrp.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import DATA, DOWNLOAD, MIB, SMALL, Served

OTHER = noise(len(DATA), seed=2)
ONCE = RetryPolicy(attempts=1)
STORAGES = ["local", "proxy", "s3"]


def _entry(harness: Served, **other: Any) -> File:
    """Return the entry of the file with some members changed."""
    entry = to_wire(harness.client().files.read(harness.id, "a.bin"))
    return File.from_wire(json.loads(json.dumps({**entry, **other})))


def _get(harness: Served, **other: Any) -> Any:
    """Download the file by an entry with some members changed."""
    return harness.client().files.download(_entry(harness, **other), harness.out)


# -- a file that changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 5, 2 * MIB], ids=["same size", "longer", "shorter"])
def test_f17_the_file_changes_between_two_parts(harness: Served, size: int) -> None:
    """Fails if a file is half of one state and half of another."""
    other = noise(size, seed=2)
    change = harness.other(other)
    harness.fault(harness.bytes, "truncate 1M")
    with pytest.raises((errors.SourceChanged, errors.RangeMismatch, errors.SizeMismatch)) as caught:
        harness.fetch(harness.id, progress=change)
    if size == len(DATA):
        assert type(caught.value) is ERRORS.class_for(errors.SourceChanged)
    assert "a.bin" not in harness.left()
    assert (harness.fetch(harness.id).resumed, harness.arrived()) == (0, other)


def test_f17_the_file_changes_between_two_runs(harness: Served) -> None:
    """Detect a rest of the old state that the next run builds upon."""
    harness.other(OTHER)
    harness.fault(harness.bytes, "truncate 1M")
    with pytest.raises(errors.NetworkError):
        harness.fetch(harness.id, retry=ONCE)
    harness.put(OTHER)
    harness.forget()
    assert (harness.fetch(harness.id).resumed, harness.arrived()) == (0, OTHER)
    assert harness.count(harness.bytes) == 1, "nothing is asked for behind what an older state left"


def test_f17_the_file_is_gone(harness: Served) -> None:
    harness.other(DATA)
    harness.fault(harness.bytes, "truncate 1M")

    def remove(event: Any) -> None:
        if event.state == "retrying":
            harness.client().files.delete(harness.id, "a.bin")

    with pytest.raises(errors.NotFound, match="404"):
        harness.fetch(harness.id, progress=remove)
    assert "a.bin" not in harness.left()


def test_f17_of_several_one_file_changes(local: Served) -> None:
    """F39: the other files arrive, and a second run fetches the missing one."""
    local.id = local.site.create(files={"a.bin": DATA, "b.bin": SMALL})
    local.fault("GET *a.bin/content", "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying" and event.name == "a.bin":
            local.put(OTHER)

    with pytest.raises(errors.BatchError, match="1 of 2 files failed") as caught:
        local.client().files.download_many(local.id, local.out, progress=change)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(errors.SourceChanged)]
    assert local.arrived("b.bin") == SMALL
    local.client().files.download_many(local.id, local.out)
    assert (local.arrived(), local.count("GET *b.bin/content")) == (OTHER, 1)


# -- other bytes --------------------------------------------------------------------------------------------


def test_f13_a_bit_is_flipped(harness: Served) -> None:
    """Once: it comes again, whole.  For good: an error, and nothing of it stays."""
    harness.fault(harness.bytes, "flip 5000")
    assert (harness.fetch(harness.id).verified, harness.arrived()) == ("md5", DATA)
    (harness.out / "a.bin").write_bytes(b"older")
    harness.fault(harness.bytes, "flip 5000", times=2)
    with pytest.raises(errors.ChecksumMismatch) as caught:
        harness.get(exists="replace")
    assert (caught.value.algorithm, harness.left(), harness.arrived()) == ("md5", ["a.bin"], b"older")


def test_f13_a_wrong_md5_from_the_server(harness: Served) -> None:
    """Detect a checksum that is not compared, or one more try for each."""
    with pytest.raises(errors.IntegrityError):
        _get(harness, checksum=f"md5:{'0' * 32}")
    assert harness.left() == []
    assert harness.count(harness.bytes) <= 2


@pytest.mark.parametrize("checksum", [None, "", "md5:", "sha999:00", "multipart:0123-2", "plain words"])
def test_f13_no_checksum_to_compare_with(harness: Served, checksum: Any) -> None:
    """Fails if a result claims more than was looked at."""
    [result] = harness.client().files.download_many([_entry(harness, checksum=checksum)], harness.out)
    assert (result.verified, result.digest, harness.arrived()) == ("size", None, DATA)


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1, 0])
def test_f05_a_wrong_size_from_the_server(harness: Served, size: int) -> None:
    """F05, F07: broken by the bytes that come being taken for those that were promised."""
    with pytest.raises(errors.IntegrityError):
        _get(harness, size=size)
    assert "a.bin" not in harness.left()


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_f13_a_file_that_is_not_complete(local: Served, state: str) -> None:
    """Detect zeros: of a pending multipart upload the repository gives them with 200."""
    with pytest.raises(errors.Conflict, match=f"is {state}"):
        _get(local, status=state)
    assert (local.left(), local.count(DOWNLOAD)) == ([], 0)


@pytest.mark.parametrize("storage", ["proxy", "s3"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "no side file", "another's side file"])
def test_f14_the_rest_of_an_earlier_run_is_damaged(request: Any, storage: str, harm: str) -> None:
    """F14, F24: broken by bytes that are built upon unseen."""
    ranged: Served = request.getfixturevalue(storage)
    ranged.fault(ranged.bytes, "truncate 2M")
    with pytest.raises(errors.NetworkError):
        ranged.fetch(ranged.id, retry=ONCE)
    part, side = ranged.out / "a.bin.part", ranged.out / "a.bin.part.json"
    if harm in ("flipped", "cut"):
        with part.open("r+b") as file:
            file.write(b"\0\1\2\3") if harm == "flipped" else file.truncate(MIB + 7)
    elif harm == "no side file":
        side.unlink()
    else:
        side.write_text('{"version": 1}', "utf-8")
    result = ranged.fetch(ranged.id)
    assert (ranged.arrived(), result.verified) == (DATA, "md5")
    assert result.resumed < 2 * MIB
