"""Refusals, waits and dead lines of a download, and many files of which some fail.

F01, F09 to F11, F18, F19, F22, F39, F41, F48, F49.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import (
    BatchError,
    Cancelled,
    DeadlineExceeded,
    Forbidden,
    IntegrityError,
    NetworkError,
    NotFound,
    ReadTimeout,
    ServerError,
    Stalled,
    UnexpectedResponse,
)
from smartxfer.local import LocalServer
from smartxfer.nrp import File, get_client
from smartxfer.nrp.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.amounts import amount
from tests.support.filesender_harness import noise, waits
from tests.support.nrp_harness import DOWNLOAD, ENTRY, SMALL, NRPHarness, Polling, Served
from tests.support.raw_server import RawServer, answering, refused_port
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

WINDOW = 0.5
SLOW = RetryPolicy(backoff=0, attempts=1, stall_speed=1024, stall_window=WINDOW)
USERS = {"ann": "token-of-ann"}


STORAGES = ["local", "s3"]


# -- no connection ------------------------------------------------------------------------------------------


def test_f01_refused_then_up(tmp_path: Path, log: Any) -> None:
    """Detect an error at the first refusal, or a wait over the cap."""
    with refused_port() as port:
        pass
    site = {"port": port, "users": USERS}
    servers: List[LocalServer] = []

    def start() -> None:
        servers.append(LocalServer(tmp_path / "data", services=["nrp"], nrp=site).start())

    clock = Polling(wait2=start)
    clock.chance = 1.0
    start()
    try:
        record = servers[0].nrp.create(files={"a.bin": SMALL}, published=True)
        with get_client(servers[0].nrp.url, token=USERS["ann"], clock=clock) as api:
            file = api.files.read(record, "a.bin")
            servers[0].stop()
            path = api.files.download(file, tmp_path / "a.bin")
    finally:
        for server in servers:
            server.stop()
    assert path.read_bytes() == SMALL
    assert clock.waits == [0.5, 1.0]
    assert len(waits(log.records)) == 2


# -- come back later ----------------------------------------------------------------------------------------


def test_f10_a_window_that_is_used_up(tmp_path: Path) -> None:
    """Fails if a pace is kept only once the server refuses: a 429 costs a request of the next window."""
    links = {"self": "/api/records/abcde-12345/files/a.bin"}
    info = b'{"invenio_version": "14", "name": "n", "transfers": ["L"], "links": {}}'
    used_up = ["X-RateLimit-Remaining: 0", "Retry-After: 9"]

    def reply(request: Any, peer: Any) -> None:
        if request.path.endswith("/content"):
            peer.answer(200, SMALL, *used_up)
        else:
            peer.answer(200, info, "Content-Type: application/json", "Retry-After: 9", "X-RateLimit-Remaining: 7")

    clock = Polling()
    with RawServer(answering(reply)) as server:
        file = File.from_wire({"key": "a.bin", "size": len(SMALL), "links": {"self": server.url + links["self"]}})
        with get_client(server.url, token="t", clock=clock) as api:
            for number in range(3):
                assert api.files.download(file, tmp_path / f"{number}").read_bytes() == SMALL
                assert clock.waits == [9.0] * number
    assert sum(request.path.endswith("/content") for request in server.requests) == 3


# -- no, for good -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("code", [204, 206, 304])
def test_f11_responses_that_are_not_a_file(harness: Served, code: int) -> None:
    """Fails if a success without bytes counts."""
    harness.fault(harness.bytes, f"status {code}", times=None)
    with pytest.raises(UnexpectedResponse, match=f"{code} this status is not documented as success"):
        harness.fetch(harness.small)
    assert harness.left() == []


def test_f11_a_page_in_place_of_a_file(harness: Served) -> None:
    """F35: broken by a page of a proxy that is kept under the file's name."""
    harness.fault(harness.bytes, "status 200 body=html", times=None)
    with pytest.raises(IntegrityError, match="sends 38 bytes, expected 1000"):
        harness.fetch(harness.small)
    assert harness.left() == []


def test_f11_an_unknown_user_is_an_error(local: Served) -> None:
    """The repository does not answer a wrong token with 401; the hint says how to check the token."""
    draft = local.record(SMALL)
    with pytest.raises(Forbidden) as caught:
        local.client(token="unknown").files.download(draft, "a.bin", local.out)
    assert "whoami" in str(caught.value.hint)
    assert local.client(token="unknown").files.download(local.small, "small.bin", local.out).read_bytes() == SMALL


# -- dead lines ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_f18_a_download_drips(harness: Served) -> None:
    """Detect each byte that comes within the time-out."""
    harness.fault(harness.bytes, "drip 1/0.2")
    api = harness.client(retry=SLOW)
    watch = Stopwatch()
    with pytest.raises(Stalled, match="less than 1024 bytes/s"):
        api.files.download_many(harness.small, harness.out)
    assert watch.elapsed() >= WINDOW
    assert watch.seconds() < WINDOW + 1
    assert "small.bin" not in harness.left()


def test_f18_a_download_drips_once(harness: Served) -> None:
    harness.fault(harness.bytes, "drip 1/0.1")
    result = harness.fetch(harness.small, retry=RetryPolicy(backoff=0, stall_window=patient(0.3)))
    assert result.retries == 1
    assert (harness.out / "small.bin").read_bytes() == SMALL


@pytest.mark.parametrize("effect", ["stall", "no-answer"])
def test_f19_headers_never_come(harness: Served, effect: str) -> None:
    fault = harness.fault(harness.bytes, effect)
    result = harness.fetch(harness.small, timeout=(10, patient(0.2)))
    assert (result.retries, fault.fired) == (1, 1)
    harness.fault(harness.bytes, effect, times=2)
    (harness.out / "small.bin").unlink()
    with pytest.raises(ReadTimeout) as caught:
        harness.fetch(harness.small, timeout=(10, patient(0.2)), retry=RetryPolicy(backoff=0, attempts=2))
    assert not isinstance(caught.value, OSError)


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
    with pytest.raises(Cancelled):
        harness.fetch(harness.small, cancel=cancel)
    assert watches[0].seconds() < 2
    stopper.join()
    harness.server.clear_faults()
    harness.fetch(harness.small)
    assert (harness.out / "small.bin").read_bytes() == SMALL


def test_f19_a_deadline(harness: Served) -> None:
    harness.fault(harness.bytes, "stall")
    watch = Stopwatch()
    with pytest.raises(DeadlineExceeded):
        harness.fetch(harness.small, deadline=0.3)
    assert watch.seconds() < 2
    assert "small.bin" not in harness.left()


def test_f41_the_callback_raises(harness: Served) -> None:
    """Detect a callback that is asked again, or its error that is lost."""

    class Enough(Exception):
        pass

    reported: List[Any] = []

    def refuse(event: Any) -> None:
        if event.done:
            reported.append(event)
            raise Enough("stop here")

    with pytest.raises(Cancelled) as caught:
        harness.client().files.download(harness.id, "a.bin", harness.out, progress=refuse)
    assert isinstance(caught.value.__cause__, Enough)
    assert len(reported) == 1
    assert "a.bin" not in harness.left()


# -- many ---------------------------------------------------------------------------------------------------


def test_f39_one_of_a_hundred(harness: Served) -> None:
    """The others come; the error tells which did not; a second run fetches that one."""
    files = {f"{number:02}.bin": noise(100 + number, number) for number in range(100)}
    record = harness.site.create(files=files, published=True)
    harness.fault("GET *17.bin/content", "status 404", times=None)
    api = harness.client()
    with pytest.raises(BatchError, match="1 of 100 files failed") as caught:
        api.files.download_many(record, harness.out)
    assert [result.name for result in caught.value.results if not result.ok] == ["17.bin"]
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(NotFound)]
    assert len(harness.left()) == 99
    harness.server.clear_faults()
    harness.forget()
    results = api.files.download_many(record, harness.out)
    assert harness.count(DOWNLOAD) == 1
    assert [result.ok for result in results] == [True] * 100
    assert {name: (harness.out / name).read_bytes() for name in files} == files


@pytest.mark.slow
def test_f49_a_thousand_of_which_one_in_twenty_fails(tmp_path: Path) -> None:
    """Fails if a batch ends at its first failure, or starts again after it."""
    count = amount(300, 1000)
    files = {f"{number:04}": noise(20, number) for number in range(count)}
    with NRPHarness(tmp_path, max_files=count) as harness:
        record = harness.site.create(files=files, published=True)
        fault = harness.fault("GET *5/content", "status 500", times=count // 20)
        api = harness.client(retry=RetryPolicy(attempts=1), max_workers=8)
        with pytest.raises(BatchError, match=f"{count // 20} of {count} files failed") as caught:
            api.files.download_many(record, harness.out)
        assert fault.fired == count // 20
        assert {type(error) for error in caught.value.errors} == {ERRORS.class_for(ServerError)}
        harness.forget()
        results = api.files.download_many(record, harness.out)
        assert harness.count(DOWNLOAD) == count // 20, "only what had failed"
        assert sum(result.resumed > 0 for result in results) == count - count // 20
        assert {name: (harness.out / name).read_bytes() for name in files} == files


def test_f48_a_file_that_is_still_being_fetched(local: Served) -> None:
    """The client waits and then downloads; a status that moves backwards does not end the wait."""
    draft = local.record(SMALL)
    entry = dict(local.client().files.read(draft, "a.bin"))
    for state in ("pending", "pending", "odd", "pending"):
        reported = {"key": "a.bin", "links": entry["links"], "transfer": {"type": "F"}, "status": state}
        local.answer(ENTRY, json.dumps(reported).encode())
    clock = Polling()
    api = local.client(clock=clock)
    file = api.files.wait_fetch(f"{local.url}/api/records/{draft}/draft/files/a.bin")
    assert len(clock.waits) == 4
    assert api.files.download(file, local.out).read_bytes() == SMALL


def test_f01_no_server_listens(tmp_path: Path) -> None:
    with refused_port() as port:
        with get_client(f"http://127.0.0.1:{port}", token="t", retry=RetryPolicy(backoff=0)) as api:
            with pytest.raises(NetworkError, match=f"http://127.0.0.1:{port}"):
                api.files.download("abcde-12345", "a.bin", tmp_path / "x")
    assert list(tmp_path.glob("x*")) == []
