"""Bodies that are too short, too long, or of another range than the one asked for: F05 to F07, F15, F16."""

from __future__ import annotations

from typing import Any, List

import pytest

from smartxfer.errors import RangeMismatch, SizeMismatch, Truncated
from tests.support.filesender_harness import DOWNLOAD, noise

SMALL = noise(1000)
DATA = noise(1 << 20)


def _left(stage: Any) -> List[str]:
    return sorted(path.name for path in stage.out.iterdir()) if stage.out.exists() else []


def test_f05_truncated_once(stage: Any) -> None:
    transfer = stage.published(SMALL)
    stage.fault(DOWNLOAD, "truncate 400")
    [result] = stage.client().download_files(transfer.token, stage.out)
    assert (stage.out / "a.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("size", 1)


def test_f05_truncated_for_good(stage: Any) -> None:
    transfer = stage.published(SMALL)
    stage.fault(DOWNLOAD, "truncate 400")
    rest = stage.fault(DOWNLOAD, "truncate 0", times=None, after=1)
    with pytest.raises(Truncated) as caught:
        stage.client().download_files(transfer.token, stage.out)
    assert (caught.value.got, caught.value.expected) == (400, 1000)
    assert rest.fired == 5, "six tries without progress; the one that brought bytes began the count"
    assert _left(stage) == ["a.bin.part", "a.bin.part.json"]
    stage.server.clear_faults()
    [result] = stage.client().download_files(transfer.token, stage.out)
    assert (result.resumed, (stage.out / "a.bin").read_bytes()) == (400, SMALL)


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_once(stage: Any, mode: str) -> None:
    transfer = stage.published(SMALL)
    stage.fault(DOWNLOAD, f"no-length {mode} truncate 400")
    stage.client().download_files(transfer.token, stage.out)
    assert (stage.out / "a.bin").read_bytes() == SMALL


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_for_good(stage: Any, mode: str) -> None:
    transfer = stage.published(SMALL)
    fault = stage.fault(DOWNLOAD, f"no-length {mode} truncate 0", times=None)
    with pytest.raises(Truncated):
        stage.client().download_files(transfer.token, stage.out)
    assert fault.fired == 6
    assert _left(stage) == []


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_but_whole(stage: Any, mode: str) -> None:
    transfer = stage.published(SMALL)
    stage.fault(DOWNLOAD, f"no-length {mode}")
    [result] = stage.client().download_files(transfer.token, stage.out)
    assert (stage.out / "a.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("size", 0)


@pytest.mark.parametrize("length", ["", "no-length chunked", "no-length close"])
def test_f07_a_byte_too_many(stage: Any, length: str) -> None:
    transfer = stage.published(SMALL)
    stage.out.mkdir()
    (stage.out / "a.bin").write_bytes(b"mine")
    stage.fault(DOWNLOAD, "extra-byte", times=1)
    if length:
        stage.fault(DOWNLOAD, length)
    with pytest.raises(SizeMismatch) as caught:
        stage.client().download_files(transfer.token, stage.out, exists="replace")
    assert caught.value.expected == 1000
    assert (stage.out / "a.bin").read_bytes() == b"mine"
    assert stage.site.count(DOWNLOAD) == 1, "another try would bring the same"


@pytest.mark.parametrize("said", [999, 1001])
def test_f07_another_size_than_the_caller_knows(stage: Any, said: int) -> None:
    transfer = stage.published(SMALL)
    client = stage.client()
    [file] = client.list_files(transfer.token)
    with pytest.raises(SizeMismatch):
        client.download_file(transfer.token, file.id, stage.out, file_size=said)
    assert _left(stage) == []


def test_f15_the_server_ignores_a_range(stage: Any) -> None:
    transfer = stage.published(DATA)
    stage.fault(DOWNLOAD, "truncate 256K")
    stage.fault(DOWNLOAD, "ignore-range")
    seen: List[Any] = []
    [result] = stage.client().download_files(transfer.token, stage.out, progress=seen.append)
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)
    steps = [event.done for event in seen]
    back = [(before, after) for before, after in zip(steps, steps[1:]) if after < before]
    assert back == [(256 * 1024, 0)], "progress goes back to the start, once"
    assert max(steps) == steps[-1] == len(DATA)


def test_f15_the_server_knows_no_ranges(make_stage: Any) -> None:
    stage = make_stage(plain_ranges=True)
    transfer = stage.published(DATA)
    stage.fault(DOWNLOAD, "truncate 256K", times=3)
    [result] = stage.client().download_files(transfer.token, stage.out)
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)


@pytest.mark.parametrize("wrong", ["start", "total"])
def test_f16_a_wrong_content_range(stage: Any, wrong: str) -> None:
    transfer = stage.published(DATA)
    stage.fault(DOWNLOAD, "truncate 256K")
    stage.fault(DOWNLOAD, f"wrong-range {wrong}")
    with pytest.raises(RangeMismatch, match="asked for bytes 262144-1048575/1048576"):
        stage.client().download_files(transfer.token, stage.out)
    part = stage.out / "a.bin.part"
    assert part.read_bytes() == DATA[: 256 * 1024], "not a byte of the other range was written"
    assert not (stage.out / "a.bin").exists()
    [result] = stage.client().download_files(transfer.token, stage.out)
    assert (result.resumed, (stage.out / "a.bin").read_bytes()) == (256 * 1024, DATA)
    assert not part.exists()
