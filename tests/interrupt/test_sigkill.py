"""Killed at any point: the re-run is right, and no wrong file ever stands under a final name: F23."""

from __future__ import annotations

import random
from typing import Any

import pytest
from stage import CHUNK, DOWNLOAD, digest, noise, until

pytestmark = pytest.mark.slow

KIB = 1 << 10
CHUNK_SIZE = 256 * KIB
SIZE = 8 << 20
CHUNKS = SIZE // CHUNK_SIZE
WORKERS = 3
POINTS = 20
#: Bytes a second: all of it takes a second.
RATE = "rate 8M"


def _kill(process: Any) -> None:
    process.kill()
    process.communicate()


@pytest.mark.timeout(200)
def test_f23_an_upload_at_twenty_points(throttled: Any, process: Any) -> None:
    """A point is a number of requests answered: of the site's limits, the creation, chunks, completions."""
    stage = throttled(CHUNK_SIZE)
    chance = random.Random(23)
    resumed = 0
    for point in range(POINTS):
        data = noise(SIZE, seed=point)
        path = stage.file(data, f"{point}.bin")
        stage.site.listener.forget()
        fault = stage.fault(CHUNK, RATE, times=None)
        wanted = chance.randint(1, CHUNKS + 5)
        running = process(stage, "up", path, WORKERS)
        until(lambda: stage.site.count() >= wanted or running.poll() is not None, "the point")
        _kill(running)
        for transfer in stage.site.transfers():
            if transfer["status"] == "available":
                [file] = transfer["files"]
                assert file["stored"] == SIZE, "only what is whole is given out"
        stage.server.clear_faults()
        assert fault.fired or wanted < 6
        with stage.client() as client:
            done = client.upload_workflow([path], link=True)
            resumed += done.results[0].resumed
            [listed] = client.list_files(done.token)
        assert (listed.name, listed.size) == (f"{point}.bin", SIZE)
        with open(stage.site.stored(listed.id), "rb") as file:
            assert digest(file.read()) == digest(data), f"point {point}, after {wanted} requests"
    assert resumed > 0, "some of them went on where they stopped"


@pytest.mark.timeout(200)
def test_f23_a_download_at_twenty_points(
    throttled: Any, process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A point is a moment after the first byte, by chance anywhere up to a little past the end."""
    stage = throttled(CHUNK_SIZE)
    chance = random.Random(32)
    data = noise(SIZE)
    token = stage.published(data).token
    target = stage.out / "a.bin"
    resumed = ended = 0
    for point in range(POINTS):
        fault = stage.fault(DOWNLOAD, RATE, times=None)
        running = process(stage, "down", token, WORKERS)
        assert fault.wait(20)
        delay = chance.uniform(0, 1.3)
        try:
            running.wait(delay)
            ended += 1
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "TimeoutExpired"
        _kill(running)
        if target.exists():
            assert digest(target.read_bytes()) == digest(data), f"point {point}, after {delay} s"
        stage.server.clear_faults()
        with stage.client() as client:
            [result] = client.download_files(token, stage.out)
        resumed += result.resumed > 0
        assert digest(target.read_bytes()) == digest(data), f"point {point}, after {delay} s"
        assert sorted(found.name for found in stage.out.iterdir()) == ["a.bin"]
        target.unlink()
    assert ended < POINTS
