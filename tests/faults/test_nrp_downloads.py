"""Downloads that break, end, change or are wrong: F02, F04, F05, F07, F11, F13 to F19, F22, F24, F25, F39, F49."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.models import to_wire
from smartxfer.nrp import File
from smartxfer.nrp.errors import ERRORS
from smartxfer.transfer import MemorySink
from smartxfer.transport import RetryPolicy
from tests.support.amounts import amount
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import DATA, DOWNLOAD, ENTRY, MIB, SMALL, STORAGE_GET, NRPHarness, Served
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

ONCE = RetryPolicy(attempts=1)
OTHER = noise(len(DATA), seed=2)
STORAGES = ["local", "proxy", "s3"]


# -- broken bodies ------------------------------------------------------------------------------------------


def test_f04_the_link_is_asked_for_again(s3: Served) -> None:
    """F32: broken by a signed address that is kept: it lives a minute."""
    s3.fault(STORAGE_GET, "truncate 1M", times=2)
    s3.fetch(s3.id)
    assert (s3.count(DOWNLOAD, 302), s3.count(STORAGE_GET), s3.arrived()) == (3, 3, DATA)


def test_f04_into_memory(harness: Served) -> None:
    sink = MemorySink()
    # A range that is ignored is not read to where the fault is.
    harness.fault(harness.bytes, "reset-after-sent 1M", times=2 if harness.ranges else 1)
    harness.fault(ENTRY, "reset-before")
    assert harness.client().files.download(harness.id, "a.bin", sink) is sink
    assert sink.data == DATA


@pytest.mark.parametrize("effect", ["reset-before", "reset-after-sent 0"])
def test_f02_reset_before_the_first_byte(harness: Served, effect: str) -> None:
    """F02: six failures are an error that names the file and the offset; five are not."""
    harness.fault(harness.bytes, effect, times=5)
    assert harness.fetch(harness.id).retries == 5
    (harness.out / "a.bin").unlink()
    harness.fault(harness.bytes, effect, times=6)
    with pytest.raises(errors.NetworkError, match=r"a\.bin|/content"):
        harness.fetch(harness.id)
    assert harness.left() == []


def test_f05_truncated_where_no_ranges_are(local: Served) -> None:
    """Detect rests of several tries that are put together."""
    fault = local.fault(DOWNLOAD, "truncate 400", times=None)
    with pytest.raises(errors.Truncated) as caught:
        local.fetch(local.small)
    assert caught.value.expected == 1000
    assert fault.fired <= 8, "an ignored range costs one attempt, and the count restarts once"
    assert "small.bin" not in local.left()
    local.server.clear_faults()
    assert (local.fetch(local.small).resumed, local.arrived("small.bin")) == (0, SMALL)


@pytest.mark.parametrize("code", [204, 206, 304])
def test_f11_responses_that_are_not_a_file(harness: Served, code: int) -> None:
    """Fails if a success without bytes counts."""
    harness.fault(harness.bytes, f"status {code}", times=None)
    with pytest.raises(errors.UnexpectedResponse, match=f"{code} this status is not documented as success"):
        harness.fetch(harness.small)
    assert harness.left() == []


def test_f11_a_page_in_place_of_a_file(harness: Served) -> None:
    """F35: broken by a page of a proxy that is kept under the file's name."""
    harness.fault(harness.bytes, "status 200 body=html", times=None)
    with pytest.raises(errors.IntegrityError, match="sends 38 bytes, expected 1000"):
        harness.fetch(harness.small)
    assert harness.left() == []


# -- ranges -------------------------------------------------------------------------------------------------


def test_f15_a_range_is_used_only_after_proof(harness: Served) -> None:
    """Detect pieces that are each the whole file."""
    steps: List[int] = []
    harness.get(part_size=MIB, progress=lambda event: steps.append(event.done))
    assert (harness.arrived(), steps) == (DATA, sorted(steps))
    first, *others = [head.get("range") for head in harness.heads(harness.bytes)]
    assert first == "bytes=0-0", "the proof comes first"
    parts = [f"bytes={at * MIB}-{(at + 1) * MIB - 1}" for at in range(3)]
    assert sorted(others, key=str) == (parts if harness.ranges else [None]), "where it fails, the file comes in one"
    assert harness.count("HEAD *") == 0, "what is signed for GET is refused to HEAD"


def test_f15_an_earlier_run_is_useless_without_ranges(local: Served) -> None:
    local.fault(DOWNLOAD, "truncate 1M", times=1)
    with pytest.raises(errors.NetworkError):
        local.fetch(local.id, retry=ONCE)
    result = local.fetch(local.id)
    assert (result.resumed, result.bytes, local.arrived()) == (0, len(DATA), DATA)


@pytest.mark.parametrize("storage", ["proxy", "s3"])
def test_f16_a_wrong_proof(request: Any, storage: str) -> None:
    ranged: Served = request.getfixturevalue(storage)
    ranged.fault(ranged.bytes, "wrong-range total")
    with pytest.raises(errors.RangeMismatch):
        ranged.get(part_size=MIB)
    assert ranged.left() == []


# -- dead lines, and calls that are ended -------------------------------------------------------------------


@pytest.mark.slow
def test_f18_a_download_drips(harness: Served) -> None:
    """Detect each byte that comes within the time-out."""
    harness.fault(harness.bytes, "drip 1/0.2")
    policy = RetryPolicy(backoff=0, attempts=1, stall_speed=1024, stall_window=0.5)
    watch = Stopwatch()
    with pytest.raises(errors.Stalled, match="less than 1024 bytes/s"):
        harness.fetch(harness.small, retry=policy)
    assert watch.elapsed() >= 0.5
    assert watch.seconds() < 1.5
    assert "small.bin" not in harness.left()


def test_f18_a_download_drips_once(harness: Served) -> None:
    harness.fault(harness.bytes, "drip 1/0.1")
    result = harness.fetch(harness.small, retry=RetryPolicy(backoff=0, stall_window=patient(0.3)))
    assert (result.retries, harness.arrived("small.bin")) == (1, SMALL)


@pytest.mark.parametrize("effect", ["stall", "no-answer"])
def test_f19_headers_never_come(harness: Served, effect: str) -> None:
    fault = harness.fault(harness.bytes, effect)
    result = harness.fetch(harness.small, timeout=(10, patient(0.2)))
    assert (result.retries, fault.fired) == (1, 1)
    harness.fault(harness.bytes, effect, times=2)
    (harness.out / "small.bin").unlink()
    with pytest.raises(errors.ReadTimeout) as caught:
        harness.fetch(harness.small, timeout=(10, patient(0.2)), retry=RetryPolicy(backoff=0, attempts=2))
    assert not isinstance(caught.value, OSError)


def test_f19_a_deadline(harness: Served) -> None:
    harness.fault(harness.bytes, "stall")
    watch = Stopwatch()
    with pytest.raises(errors.DeadlineExceeded):
        harness.fetch(harness.small, deadline=patient(0.3))
    assert watch.seconds() < 2
    assert "small.bin" not in harness.left()


@pytest.mark.parametrize("effect", ["stall", "drip 1/0.05"])
def test_f22_a_cancel_ends_it(harness: Served, effect: str) -> None:
    """F22: the call ends within 2 s, and a second run continues."""
    fault = harness.fault(harness.bytes, effect)
    cancel = threading.Event()
    watches: List[Stopwatch] = []

    def stop() -> None:
        assert fault.wait(20)
        watches.append(Stopwatch())
        cancel.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(errors.Cancelled):
        harness.fetch(harness.small, cancel=cancel)
    assert watches[0].seconds() < 2
    stopper.join()
    harness.server.clear_faults()
    harness.fetch(harness.small)
    assert harness.arrived("small.bin") == SMALL


def test_f25_two_downloads_to_one_target(local: Served) -> None:
    """Detect two that write into one partial file."""
    held = local.fault(DOWNLOAD, "stall", times=1)
    failures: List[BaseException] = []

    def run() -> None:
        try:
            local.get()
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.wait(20)
        for again in (lambda: local.fetch(local.id), local.get):
            with pytest.raises(errors.AlreadyInProgress):
                again()
        assert "a.bin" not in local.left()
    finally:
        local.server.clear_faults()
        thread.join(20)
    assert (thread.is_alive(), failures, local.arrived()) == (False, [], DATA)


# -- many ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_f49_a_thousand_of_which_one_in_twenty_fails(tmp_path: Path) -> None:
    """Fails if a batch ends at its first failure, or starts again after it."""
    count = amount(300, 1000)
    files = {f"{number:04}": noise(20, number) for number in range(count)}
    with NRPHarness(tmp_path, max_files=count) as harness:
        record = harness.site.create(files=files, published=True)
        fault = harness.fault("GET *5/content", "status 500", times=count // 20)
        api = harness.client(retry=ONCE, max_workers=8)
        with pytest.raises(errors.BatchError, match=f"{count // 20} of {count} files failed") as caught:
            api.files.download_many(record, harness.out)
        assert fault.fired == count // 20
        assert {type(error) for error in caught.value.errors} == {ERRORS.class_for(errors.ServerError)}
        harness.forget()
        results = api.files.download_many(record, harness.out)
        assert harness.count(DOWNLOAD) == count // 20, "only what had failed"
        assert sum(result.resumed > 0 for result in results) == count - count // 20
        assert {name: (harness.out / name).read_bytes() for name in files} == files


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
