"""Bodies that are too short, too long, or of another range than the one asked for: F05 to F07, F15, F16."""

from __future__ import annotations

from typing import Any, List

import pytest

from smartxfer.errors import RangeMismatch, SizeMismatch, Truncated
from tests.support.filesender_harness import DOWNLOAD, noise

SMALL = noise(1000)
DATA = noise(1 << 20)


def _left(harness: Any) -> List[str]:
    return sorted(path.name for path in harness.out.iterdir()) if harness.out.exists() else []


def test_f05_truncated_once(harness: Any) -> None:
    transfer = harness.published(SMALL)
    harness.fault(DOWNLOAD, "truncate 400")
    [result] = harness.client().download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("size", 1)


def test_f05_truncated_for_good(harness: Any) -> None:
    transfer = harness.published(SMALL)
    harness.fault(DOWNLOAD, "truncate 400")
    rest = harness.fault(DOWNLOAD, "truncate 0", times=None, after=1)
    with pytest.raises(Truncated) as caught:
        harness.client().download_files(transfer.token, harness.out)
    assert (caught.value.got, caught.value.expected) == (400, 1000)
    assert rest.fired == 5, "six tries without progress; the one that brought bytes began the count"
    assert _left(harness) == ["a.bin.part", "a.bin.part.json"]
    harness.server.clear_faults()
    [result] = harness.client().download_files(transfer.token, harness.out)
    assert (result.resumed, (harness.out / "a.bin").read_bytes()) == (400, SMALL)


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_once(harness: Any, mode: str) -> None:
    transfer = harness.published(SMALL)
    harness.fault(DOWNLOAD, f"no-length {mode} truncate 400")
    harness.client().download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == SMALL


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_for_good(harness: Any, mode: str) -> None:
    transfer = harness.published(SMALL)
    fault = harness.fault(DOWNLOAD, f"no-length {mode} truncate 0", times=None)
    with pytest.raises(Truncated):
        harness.client().download_files(transfer.token, harness.out)
    assert fault.fired == 6
    assert _left(harness) == []


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_but_whole(harness: Any, mode: str) -> None:
    transfer = harness.published(SMALL)
    harness.fault(DOWNLOAD, f"no-length {mode}")
    [result] = harness.client().download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("size", 0)


@pytest.mark.parametrize("length", ["", "no-length chunked", "no-length close"])
def test_f07_a_byte_too_many(harness: Any, length: str) -> None:
    transfer = harness.published(SMALL)
    harness.out.mkdir()
    (harness.out / "a.bin").write_bytes(b"mine")
    harness.fault(DOWNLOAD, "extra-byte", times=1)
    if length:
        harness.fault(DOWNLOAD, length)
    with pytest.raises(SizeMismatch) as caught:
        harness.client().download_files(transfer.token, harness.out, exists="replace")
    assert caught.value.expected == 1000
    assert (harness.out / "a.bin").read_bytes() == b"mine"
    assert harness.site.count(DOWNLOAD) == 1, "another try would bring the same"


@pytest.mark.parametrize("said", [999, 1001])
def test_f07_another_size_than_the_caller_knows(harness: Any, said: int) -> None:
    transfer = harness.published(SMALL)
    client = harness.client()
    [file] = client.list_files(transfer.token)
    with pytest.raises(SizeMismatch):
        client.download_file(transfer.token, file.id, harness.out, file_size=said)
    assert _left(harness) == []


def test_f15_the_server_ignores_a_range(harness: Any) -> None:
    transfer = harness.published(DATA)
    harness.fault(DOWNLOAD, "truncate 256K")
    harness.fault(DOWNLOAD, "ignore-range")
    seen: List[Any] = []
    [result] = harness.client().download_files(transfer.token, harness.out, progress=seen.append)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)
    steps = [event.done for event in seen]
    back = [(before, after) for before, after in zip(steps, steps[1:]) if after < before]
    assert back == [(256 * 1024, 0)], "progress goes back to the start, once"
    assert max(steps) == steps[-1] == len(DATA)


def test_f15_the_server_knows_no_ranges(make_harness: Any) -> None:
    harness = make_harness(plain_ranges=True)
    transfer = harness.published(DATA)
    harness.fault(DOWNLOAD, "truncate 256K", times=3)
    [result] = harness.client().download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)


@pytest.mark.parametrize("wrong", ["start", "total"])
def test_f16_a_wrong_content_range(harness: Any, wrong: str) -> None:
    transfer = harness.published(DATA)
    harness.fault(DOWNLOAD, "truncate 256K")
    harness.fault(DOWNLOAD, f"wrong-range {wrong}")
    with pytest.raises(RangeMismatch, match="requested bytes 262144-1048575/1048576"):
        harness.client().download_files(transfer.token, harness.out)
    part = harness.out / "a.bin.part"
    assert part.read_bytes() == DATA[: 256 * 1024], "not a byte of the other range was written"
    assert not (harness.out / "a.bin").exists()
    [result] = harness.client().download_files(transfer.token, harness.out)
    assert (result.resumed, (harness.out / "a.bin").read_bytes()) == (256 * 1024, DATA)
    assert not part.exists()
