"""Encrypted transfers on their way down: F04 to F07, F13 to F16, F18, F49."""

from __future__ import annotations

import io
import shutil
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.transfer import MemorySink
from smartxfer.transport import RetryPolicy
from tests.support import encrypted_harness as encrypted
from tests.support.encrypted_harness import DATA, ONCE, PASSWORD, SITE, STORED, broken_off, down, published
from tests.support.filesender_harness import CHUNK_SIZE, DOWNLOAD, FileSenderHarness, noise
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

FRESH = partial(FileSenderHarness, **SITE)


@pytest.fixture
def transfer(harness: Any) -> Any:
    return published(harness, DATA)


def _down(harness: Any, transfer: Any, password: Any = PASSWORD, **options: Any) -> Any:
    """Download the file and compare it; its result."""
    [result] = down(harness, transfer, password, **options)
    assert (harness.out / "a.bin").read_bytes() == DATA
    return result


# -- lines that break ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 2], ids=["the first chunk", "a later one"])
@pytest.mark.parametrize(
    "effect",
    ["reset-before", "reset-after-sent 1", "reset-after-sent 20K", f"truncate {STORED - 1}", "truncate 0",
     "no-length close truncate 20K", "status 503 retry-after=0"],
)  # fmt: skip
def test_f04_a_line_that_breaks(harness: Any, transfer: Any, effect: str, first: int) -> None:
    """The whole chunk is fetched again: half a chunk cannot be decrypted, and none of it is written."""
    fault = harness.fault(DOWNLOAD, effect, times=2, after=first)
    result = _down(harness, transfer, max_workers=1)
    assert (fault.fired, harness.site.count(DOWNLOAD)) == (2, 5 + 2)
    assert result.retries == (0 if first == 0 else 2), "verifying the password is not a retry of the file"


def test_f05_truncated_for_good(harness: Any, transfer: Any) -> None:
    error = broken_off(harness, transfer, 3)
    assert (error.got, error.expected) == (20 * 1024, STORED)
    assert (harness.out / "a.bin.part").read_bytes() == DATA[: 3 * CHUNK_SIZE]
    encrypted.nothing_wrong_left(harness, DATA)
    assert _down(harness, transfer, max_workers=1).resumed == 3 * CHUNK_SIZE
    assert harness.site.count(DOWNLOAD) == 3, "the password is proved by one chunk; two were missing"


class _Begun(MemorySink):
    """A sink that an earlier run has filled up to a byte."""

    sequential = True

    def __init__(self, have: int) -> None:
        super().__init__()
        self.have = have
        self.written: List[Any] = []

    def begin(self, size: Any, identity: Any) -> Any:
        return [(0, self.have)]

    def write_at(self, data: Any, offset: int) -> None:
        self.written.append((offset, bytes(data)))

    def commit(self) -> None:
        assert [offset for offset, _ in self.written] == sorted(offset for offset, _ in self.written)


def _into(harness: Any, transfer: Any, target: Any, *size: int, **options: Any) -> None:
    """Download the only file to a target."""
    with harness.client(**options) as client:
        [file] = client.list_files(transfer.token)
        client.download_file(transfer.token, file.id, target, *size, password=PASSWORD)


def test_f04_a_kept_part_that_ends_within_a_chunk(harness: Any, transfer: Any) -> None:
    """After a crash within a chunk, the whole chunk is fetched and only its missing bytes are written."""
    sink = _Begun(CHUNK_SIZE + 1000)
    _into(harness, transfer, sink, max_workers=1)
    assert b"".join(data for _, data in sink.written) == DATA[CHUNK_SIZE + 1000 :]


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        ("extra-byte", errors.RangeMismatch),
        ("ignore-range", errors.IntegrityError),
        ("wrong-range start", errors.RangeMismatch),
        ("wrong-range total", errors.RangeMismatch),
        ("status 416", errors.CommunicationError),
        ("status 404", errors.CommunicationError),
        ("status 200 body=html", errors.CommunicationError),
    ],
)
@pytest.mark.parametrize("first", [0, 2], ids=["the first chunk", "a later one"])
def test_f07_f15_f16_another_answer_than_was_asked_for(
    harness: Any, transfer: Any, effect: str, kind: Any, first: int
) -> None:
    """A whole file in place of a range is damaged on real servers: not a byte of it is used."""
    harness.fault(DOWNLOAD, effect, after=first)
    with pytest.raises(kind) as caught:
        _down(harness, transfer, retry=ONCE, max_workers=1)
    assert not isinstance(caught.value, errors.WrongPassword)
    encrypted.nothing_wrong_left(harness, DATA)
    assert harness.out.exists() == (first > 0), "nothing was written before the password was proved"
    _down(harness, transfer)


def test_f15_a_site_without_ranges(make_harness: Any) -> None:
    """One chunk comes whole, and is right; several cannot come at all."""
    harness = make_harness(**SITE, plain_ranges=True)
    down(harness, published(harness, DATA[:1000]))
    with pytest.raises(errors.IntegrityError):
        down(harness, published(harness, DATA))
    assert (harness.out / "a.bin").read_bytes() == DATA[:1000]


# -- flipped bits -------------------------------------------------------------------------------------------

_PLACES = {"IV": 0, "counter": 12, "text": 16, "text's middle": 40_000, "tag": STORED - 1}


@pytest.mark.parametrize("place", _PLACES)
def test_f13_a_flipped_bit(harness: Any, transfer: Any, place: str) -> None:
    harness.fault(DOWNLOAD, f"flip {_PLACES[place]}", after=2, times=None)
    with pytest.raises(errors.IntegrityError) as caught:
        _down(harness, transfer, max_workers=1)
    assert not isinstance(caught.value, errors.WrongPassword), "the password has been proved"
    encrypted.nothing_wrong_left(harness, DATA)
    harness.server.clear_faults()
    _down(harness, transfer)


@pytest.mark.parametrize("place", ["text", "tag"])
def test_f13_a_bit_that_flips_once_costs_one_chunk(harness: Any, transfer: Any, place: str) -> None:
    _down(harness, transfer)
    asked = harness.site.count(DOWNLOAD)
    shutil.rmtree(harness.out)
    flip = harness.fault(DOWNLOAD, f"flip {_PLACES[place]}", after=2)
    _down(harness, transfer, max_workers=1)
    assert (flip.fired, harness.site.count(DOWNLOAD)) == (1, 2 * asked + 1)


@pytest.mark.parametrize("place", _PLACES)
def test_f13_a_flipped_bit_in_the_first_chunk(harness: Any, transfer: Any, place: str) -> None:
    """A wrong password has the same symptom. In either case nothing is written, not even a directory."""
    harness.fault(DOWNLOAD, f"flip {_PLACES[place]}", times=None)
    with pytest.raises(errors.IntegrityError):
        _down(harness, transfer)
    assert not harness.out.exists()


def test_f13_a_flipped_bit_reaches_no_sink(harness: Any, transfer: Any) -> None:
    """A stream cannot be taken back: of a damaged chunk it gets no byte."""
    harness.fault(DOWNLOAD, "flip 40000", after=2, times=None)
    stream = io.BytesIO()
    with pytest.raises(errors.IntegrityError):
        _into(harness, transfer, stream, max_workers=1)
    assert stream.getvalue() == DATA[: 2 * CHUNK_SIZE]


def test_f13_bits_of_cbc(make_harness: Any) -> None:
    """AES-CBC has no tag: what its padding and its length can show is shown, the rest cannot be known."""
    harness = make_harness(**SITE, version="2.67")
    transfer = published(harness, DATA)
    harness.fault(DOWNLOAD, f"flip {CHUNK_SIZE + 16}", after=2, times=None)  # of the block before the padding's
    with pytest.raises(errors.IntegrityError):
        _down(harness, transfer, max_workers=1)
    encrypted.nothing_wrong_left(harness, DATA)


def test_f14_a_kept_part_that_was_damaged(harness: Any, transfer: Any) -> None:
    broken_off(harness, transfer, 3)
    with open(harness.out / "a.bin.part", "r+b") as part:
        part.seek(1000)
        part.write(b"damaged")
    assert _down(harness, transfer).resumed < 3 * CHUNK_SIZE


# -- lines that stand still ---------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["drip 1/0.1", "stall"])
def test_f18_a_connection_that_stalls_once(harness: Any, transfer: Any, effect: str) -> None:
    fault = harness.fault(DOWNLOAD, effect, after=2)
    policy = RetryPolicy(backoff=0, stall_window=patient(0.3))
    assert _down(harness, transfer, retry=policy, timeout=patient(0.5), max_workers=1).retries == fault.fired == 1


@pytest.mark.slow
def test_f18_a_connection_that_stalls_for_good(harness: Any, transfer: Any) -> None:
    harness.fault(DOWNLOAD, "drip 1/0.1", times=None)
    watch = Stopwatch()
    with pytest.raises(errors.Stalled):
        _down(harness, transfer, retry=RetryPolicy(attempts=1, stall_window=0.5))
    assert watch.seconds() < 2
    assert not harness.out.exists()


# -- passwords ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 3])
def test_a_wrong_password(harness: Any, version: int) -> None:
    transfer = published(harness, DATA, key_version=version)
    for wrong in ("another", PASSWORD + " ", PASSWORD.lower()):
        with pytest.raises(errors.WrongPassword) as caught:
            _down(harness, transfer, wrong)
        assert wrong not in str(caught.value)
    for missing, kind in ((None, errors.PasswordRequired), ("", errors.UsageError), (b"bytes", errors.UsageError)):
        with pytest.raises(kind):
            _down(harness, transfer, missing)
    assert not harness.out.exists()


def test_a_wrong_password_over_an_older_file(harness: Any, transfer: Any) -> None:
    harness.out.mkdir()
    (harness.out / "a.bin").write_bytes(b"older")
    with pytest.raises(errors.WrongPassword):
        _down(harness, transfer, "another")
    assert {path.name: path.read_bytes() for path in harness.out.rglob("*")} == {"a.bin": b"older"}


def test_a_wrong_password_does_not_spoil_what_was_begun(harness: Any, transfer: Any) -> None:
    broken_off(harness, transfer, 3)
    with pytest.raises(errors.WrongPassword):
        _down(harness, transfer, "another")
    assert _down(harness, transfer).resumed == 3 * CHUNK_SIZE


def test_f49_one_file_of_three_is_damaged(harness: Any) -> None:
    """The other files arrive; the error names the damaged one."""
    files = {f"{number}.bin": noise(2 * CHUNK_SIZE, number) for number in range(3)}
    with harness.client() as client:
        transfer = client.upload_workflow(list(files.items()), link=True, password=PASSWORD)
    [bad] = [file for file in harness.site.transfers()[-1]["files"] if file["name"] == "1.bin"]
    encrypted.damage(Path(harness.site.stored(bad["id"])))
    with pytest.raises(errors.BatchError) as caught:
        down(harness, transfer)
    [error] = caught.value.errors
    assert isinstance(error, errors.IntegrityError)
    assert "'1.bin'" in str(error)
    arrived = {name: (harness.out / name).read_bytes() for name in encrypted.left(harness.out) if name in files}
    assert arrived == {name: files[name] for name in ("0.bin", "2.bin")}


def test_a_size_that_the_caller_knows(harness: Any, transfer: Any) -> None:
    """That of the file, not of what is stored of it."""
    _into(harness, transfer, harness.out, len(DATA))
    with pytest.raises(errors.SizeMismatch):
        _into(harness, transfer, harness.out, len(DATA) + 5 * encrypted.MORE)
