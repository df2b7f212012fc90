"""Connections that cannot be made, or break in the middle: F01 to F03."""

from __future__ import annotations

import time
from typing import Any, List

import pytest

from smartxfer import FileSenderClient
from smartxfer.errors import NetworkError
from smartxfer.local import LocalServer
from smartxfer.transport import RetryPolicy
from tests.support.fake_clock import FakeClock
from tests.support.filesender_harness import CHUNK_SIZE, INFO, digest, noise, waits
from tests.support.raw_server import refused_port

DATA = noise(5 * CHUNK_SIZE)
MIB = 1024 * 1024


class _Starting(FakeClock):
    """Starts a server while the client waits for the second time."""

    def __init__(self, port: int) -> None:
        super().__init__(wall=time.time(), chance=1.0)
        self.port = port
        self.server: Any = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.waits) == 2:
            self.server = LocalServer(services=["filesender"], filesender={"port": self.port}).start()


def test_f01_refused_then_up(log: Any) -> None:
    with refused_port() as port:
        pass
    clock = _Starting(port)
    policy = RetryPolicy()
    with FileSenderClient(f"http://127.0.0.1:{port}", retry=policy, clock=clock) as client:
        try:
            assert client.get_server_info()["name"] == "FileSender"
        finally:
            if clock.server is not None:
                clock.server.stop()
    assert clock.waits == [0.5, 1.0]
    assert max(clock.waits) <= policy.backoff_cap
    assert len(waits(log.records)) == 2
    assert clock.server.filesender.count(INFO) == 1


def test_f01_refused_for_good() -> None:
    clock = FakeClock()
    with refused_port() as port:
        with FileSenderClient(f"http://127.0.0.1:{port}", clock=clock) as client:
            with pytest.raises(NetworkError, match=f"GET http://127.0.0.1:{port}/rest.php/info"):
                client.get_server_info()
    assert len(clock.waits) == 5


def _chunk_requests(harness: Any) -> List[int]:
    return [harness.site.count(f"PUT /rest.php/file/*/chunk/{at}") for at in range(0, len(DATA), CHUNK_SIZE)]


def test_f02_reset_before_an_answer_once(harness: Any) -> None:
    fault = harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", "reset-before")
    transfer = harness.client().upload_workflow([harness.file(DATA)], link=True)
    assert fault.fired == 1
    assert digest(harness.stored()["a.bin"]) == digest(DATA)
    assert _chunk_requests(harness) == [1, 2, 1, 1, 1]
    assert transfer.results[0].retries == 1
    assert harness.status == "available"


def test_f02_reset_before_an_answer_always(harness: Any) -> None:
    where = f"/rest.php/file/*/chunk/{CHUNK_SIZE}"
    fault = harness.fault(f"PUT {where}", "reset-before", times=None)
    with pytest.raises(NetworkError) as caught:
        harness.client().upload_workflow([harness.file(DATA)], link=True)
    assert fault.fired == 6
    assert f"PUT {harness.url}/rest.php/file/" in str(caught.value)
    assert f"/chunk/{CHUNK_SIZE}" in str(caught.value)
    assert harness.status != "available"


@pytest.mark.parametrize("concurrent_chunks", [1, 3])
def test_f03_reset_in_mid_chunk(make_harness: Any, concurrent_chunks: int) -> None:
    harness = make_harness(upload_chunk_size=5 * MIB)
    data = noise(12 * MIB + 1)
    fault = harness.fault(f"PUT /rest.php/file/*/chunk/{5 * MIB}", "reset-after 256K", times=2)
    seen: List[Any] = []
    client = harness.client(concurrent_chunks=concurrent_chunks)
    transfer = client.upload_workflow([harness.file(data)], link=True, progress=seen.append)
    assert fault.fired == 2
    assert digest(harness.stored()["a.bin"]) == digest(data)
    assert harness.site.count(f"PUT /rest.php/file/*/chunk/{5 * MIB}", status=200) == 1
    steps = [event.done for event in seen]
    assert max(steps) == len(data), "no more than all of it, ever"
    assert steps[-1] == len(data)
    assert any(after < before for before, after in zip(steps, steps[1:])), "the chunk was taken back"
    assert transfer.results[0].retries == 2
