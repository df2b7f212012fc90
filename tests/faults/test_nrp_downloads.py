"""Downloads from a repository that break on the way, and ranges that are none: F02, F04 to F08, F15, F16, F25."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import (
    AlreadyInProgress,
    NetworkError,
    RangeMismatch,
    ServerError,
    SizeMismatch,
    Truncated,
)
from smartxfer.transfer import MemorySink
from smartxfer.transport import RetryPolicy
from tests.support.nrp_harness import DATA, DOWNLOAD, ENTRY, MIB, SMALL, STORAGE_GET, Served

ONCE = RetryPolicy(attempts=1)


STORAGES = ["local", "proxy", "s3"]


@pytest.fixture(params=["proxy", "s3"])
def ranged(request: Any, tmp_path: Path) -> Iterator[Served]:
    """Those that know ranges."""
    with Served(tmp_path, request.param) as harness:
        yield harness


# -- broken bodies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [1, 256 * 1024, len(DATA) - 1], ids=["first", "middle", "last"])
def test_f04_reset_in_mid_download(harness: Served, place: int) -> None:
    """Detect a second try that does not begin where the first one ended, or one that takes a whole for a rest."""
    fault = harness.fault(harness.bytes, f"reset-after-sent {place}")
    result = harness.fetch(harness.id)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert (fault.fired, result.retries, result.verified) == (1, 1, "md5")
    assert harness.left() == ["a.bin"]
    harness.server.stop()  # its account is complete now
    came_twice = sum(harness.sent(harness.bytes)) - len(DATA)
    if harness.ranges:
        assert came_twice <= MIB, "no more than one block"
    assert harness.count(harness.bytes, 206) <= harness.ranges


def test_f04_the_link_is_asked_for_again(tmp_path: Path) -> None:
    """F32: broken by a signed address that is kept: it lives a minute."""
    with Served(tmp_path, "s3") as harness:
        harness.fault(STORAGE_GET, "truncate 1M", times=2)
        harness.fetch(harness.id)
        assert (harness.count(DOWNLOAD, 302), harness.count(STORAGE_GET)) == (3, 3)
        assert (harness.out / "a.bin").read_bytes() == DATA


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
    with pytest.raises(NetworkError, match=r"a\.bin|/content"):
        harness.fetch(harness.id)
    assert harness.left() == []


def test_f05_truncated_for_good(ranged: Served) -> None:
    """Fails if a short body is taken for the file."""
    ranged.fault(ranged.bytes, "truncate 400")
    rest = ranged.fault(ranged.bytes, "truncate 0", times=None, after=1)
    with pytest.raises(Truncated) as caught:
        ranged.fetch(ranged.small)
    assert (caught.value.got, caught.value.expected) == (400, 1000)
    assert rest.fired == 5, "six tries without progress; the one that brought bytes began the count"
    assert ranged.left() == ["small.bin.part", "small.bin.part.json"]
    ranged.server.clear_faults()
    result = ranged.fetch(ranged.small)
    assert (result.resumed, (ranged.out / "small.bin").read_bytes()) == (400, SMALL)


def test_f05_truncated_where_no_ranges_are(local: Served) -> None:
    """Detect rests of several tries that are put together."""
    fault = local.fault(DOWNLOAD, "truncate 400", times=None)
    with pytest.raises(Truncated) as caught:
        local.fetch(local.small)
    assert caught.value.expected == 1000
    assert fault.fired <= 8, "an ignored range costs one attempt, and the count restarts once"
    assert "small.bin" not in local.left()
    local.server.clear_faults()
    result = local.fetch(local.small)
    assert (result.resumed, (local.out / "small.bin").read_bytes()) == (0, SMALL)


@pytest.mark.parametrize("effect", ["truncate 400", "no-length chunked truncate 400", "no-length close truncate 400"])
def test_f06_an_early_close_once(harness: Served, effect: str) -> None:
    harness.fault(harness.bytes, effect)
    result = harness.fetch(harness.small)
    assert (harness.out / "small.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("md5", 1)


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_for_good(harness: Served, mode: str) -> None:
    fault = harness.fault(harness.bytes, f"no-length {mode} truncate 0", times=None)
    with pytest.raises(Truncated):
        harness.fetch(harness.small)
    assert fault.fired == 6
    assert harness.left() == []


@pytest.mark.parametrize("length", ["", "no-length chunked", "no-length close"])
def test_f07_a_byte_too_many(harness: Served, length: str) -> None:
    """Detect bytes past the promised size, at the target name or anywhere."""
    (harness.out / "small.bin").write_bytes(b"mine")
    harness.fault(harness.bytes, "extra-byte")
    if length:
        harness.fault(harness.bytes, length)
    with pytest.raises(SizeMismatch) as caught:
        harness.fetch(harness.small, exists="replace")
    assert caught.value.expected == 1000
    assert (harness.out / "small.bin").read_bytes() == b"mine"
    assert harness.count(harness.bytes) == 1, "another try would bring the same"


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 503", "status 504"])
def test_f08_five_times(harness: Served, effect: str) -> None:
    fault = harness.fault(harness.bytes, effect, times=5)
    result = harness.fetch(harness.small)
    assert (result.retries, fault.fired) == (5, 5)
    assert (harness.out / "small.bin").read_bytes() == SMALL


def test_f08_six_times(harness: Served) -> None:
    harness.fault(harness.bytes, "status 502 body=html", times=6)
    with pytest.raises(ServerError, match="502"):
        harness.fetch(harness.id)
    assert harness.left() == []


# -- ranges -------------------------------------------------------------------------------------------------


def test_f15_a_range_is_used_only_after_proof(harness: Served) -> None:
    """Detect pieces that are each the whole file."""
    seen: List[Any] = []
    harness.client().files.download(harness.id, "a.bin", harness.out, part_size=MIB, progress=seen.append)
    assert (harness.out / "a.bin").read_bytes() == DATA
    asked = [head.get("range") for head in harness.heads(harness.bytes)]
    if harness.ranges:
        assert asked[0] == "bytes=0-0", "the proof comes first"
        assert sorted(asked[1:]) == [f"bytes={at * MIB}-{(at + 1) * MIB - 1}" for at in range(3)]
    else:
        assert asked == ["bytes=0-0", None], "and where it fails, the file comes in one"
    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert harness.count("HEAD *") == 0, "what is signed for GET is refused to HEAD"


def test_f15_a_range_is_ignored_later(ranged: Served) -> None:
    """Fails if a whole file is written behind its own beginning."""
    ranged.fault(ranged.bytes, "truncate 256K")
    ranged.fault(ranged.bytes, "ignore-range")
    seen: List[Any] = []
    result = ranged.fetch(ranged.id, progress=seen.append)
    assert (ranged.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)
    steps = [event.done for event in seen]
    back = [(before, after) for before, after in zip(steps, steps[1:]) if after < before]
    assert back == [(256 * 1024, 0)], "progress goes back to the start, once"
    assert max(steps) == steps[-1] == len(DATA)


def test_f15_an_earlier_run_is_useless_without_ranges(local: Served) -> None:
    local.fault(DOWNLOAD, "truncate 1M", times=1)
    with pytest.raises(NetworkError):
        local.fetch(local.id, retry=ONCE)
    result = local.fetch(local.id)
    assert (result.resumed, result.bytes) == (0, len(DATA))
    assert (local.out / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("wrong", ["start", "total"])
def test_f16_a_wrong_content_range(ranged: Served, wrong: str) -> None:
    """Refused before a byte is written."""
    ranged.fault(ranged.bytes, "truncate 256K")
    ranged.fault(ranged.bytes, f"wrong-range {wrong}")
    with pytest.raises(RangeMismatch):
        ranged.fetch(ranged.id)
    assert (ranged.out / "a.bin.part").read_bytes()[: 256 * 1024] == DATA[: 256 * 1024]
    assert "a.bin" not in ranged.left()


def test_f16_a_wrong_proof(ranged: Served) -> None:
    ranged.fault(ranged.bytes, "wrong-range total")
    with pytest.raises(RangeMismatch):
        ranged.client().files.download(ranged.id, "a.bin", ranged.out, part_size=MIB)
    assert ranged.left() == []


# -- two at a time ------------------------------------------------------------------------------------------


def test_f25_two_downloads_to_one_target(local: Served) -> None:
    """Detect two that write into one partial file."""
    held = local.fault(DOWNLOAD, "stall", times=1)
    failures: List[BaseException] = []

    def run() -> None:
        try:
            local.client().files.download(local.id, "a.bin", local.out)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.wait(20)
        for again in (lambda: local.fetch(local.id), lambda: local.client().files.download(local.id, "a.bin", local.out)):
            with pytest.raises(AlreadyInProgress):
                again()
        assert "a.bin" not in local.left()
    finally:
        local.server.clear_faults()
        thread.join(20)
    assert not thread.is_alive()
    assert failures == []
    assert (local.out / "a.bin").read_bytes() == DATA
