"""Files on their way to a repository, in one piece: F01 to F03, F05, F06, F08, F12, F17 to F19, F25."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.errors import (
    AlreadyInProgress,
    Conflict,
    DecodeError,
    NetworkError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    SmartxferError,
    Stalled,
)
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise, until, waits
from tests.support.nrp_harness import COMMIT, CONTENT, ENTRY, INIT, LIST, MIB, NRPHarness, Polling
from tests.support.raw_server import refused_port
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

DATA = noise(2 * MIB)
USERS = {"ann": "token-of-ann"}


SHARED = NRPHarness


def held(harness: NRPHarness, record: str) -> Dict[str, bytes]:
    """The completed files of a record, by key."""
    return {key: harness.site.read(record, key) for key in harness.site.files(record)}


# -- no connection ------------------------------------------------------------------------------------------


def test_f01_refused_then_up(tmp_path: Path, log: Any) -> None:
    """Detect an error at the first refusal: a POST too is repeated where nothing of it was sent."""
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
        record = servers[0].nrp.create()
        with get_client(servers[0].nrp.url, token=USERS["ann"], clock=clock) as api:
            assert api.files.list(record) == []
            servers[0].stop()
            file = api.files.upload(record, "a.bin", None, DATA)
        assert file.result.retries == 0, "it was the start that was refused"
        assert servers[1].nrp.read(record, "a.bin") == DATA
    finally:
        for server in servers:
            server.stop()
    assert clock.waits == [0.5, 1.0]
    assert len(waits(log.records)) == 2


def test_f01_refused_for_good() -> None:
    clock = Polling()
    with refused_port() as port:
        with get_client(f"http://127.0.0.1:{port}", token="t", clock=clock) as api:
            with pytest.raises(NetworkError, match=f"http://127.0.0.1:{port}"):
                api.files.upload("abcde-12345", "a.bin", None, DATA)
    assert len(clock.waits) == 5


# -- resets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 1", "reset-after 256K", f"reset-after {len(DATA)}"])
def test_f03_reset_in_mid_upload(harness: NRPHarness, effect: str) -> None:
    """Fails if a second try begins where the first one ended."""
    record = harness.site.create()
    fault = harness.fault(CONTENT, effect, times=2)
    seen: List[Any] = []
    file = harness.client().files.upload(record, "a.bin", None, harness.file(DATA), progress=seen.append)
    assert held(harness, record) == {"a.bin": DATA}
    assert (fault.fired, file.result.retries, harness.count(CONTENT, 200)) == (2, 2, 1)
    assert harness.count(COMMIT, 200) == 1
    steps = [event.done for event in seen]
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"


def test_f02_always_reset(harness: NRPHarness) -> None:
    """Detect a commit of what never arrived, or tries without end."""
    record = harness.site.create()
    fault = harness.fault(CONTENT, "reset-before", times=None)
    with pytest.raises(NetworkError, match=f"PUT {harness.url}/api/records/{record}/draft/files/a.bin/content"):
        harness.client().files.upload(record, "a.bin", None, DATA)
    assert fault.fired == 6
    assert harness.count(COMMIT, 200) == 0
    assert [entry["status"] for entry in harness.site.entries(record)] == ["pending"]


@pytest.mark.parametrize("match", [INIT, COMMIT], ids=["init", "commit"])
@pytest.mark.parametrize("times", [1, 3])
def test_f02_reset_before_the_rest(harness: NRPHarness, match: str, times: int) -> None:
    """After a lost POST the client checks whether it had an effect, and repeats it if not."""
    record = harness.site.create()
    fault = harness.fault(match, "reset-before", times=times)
    harness.client().files.upload(record, "a.bin", {"title": "t"}, DATA)
    assert held(harness, record) == {"a.bin": DATA}
    assert (fault.fired, harness.count(CONTENT)) == (times, 1)
    assert harness.count(LIST if match == INIT else ENTRY) >= times, "looked before every repeat"


@pytest.mark.parametrize(("match", "kind"), [(INIT, OutcomeUnknown), (COMMIT, NetworkError)], ids=["init", "commit"])
def test_f02_always_reset_before_the_rest(harness: NRPHarness, match: str, kind: Any) -> None:
    record = harness.site.create()
    fault = harness.fault(match, "reset-before", times=None)
    with pytest.raises(kind, match="POST"):
        harness.client().files.upload(record, "a.bin", None, DATA)
    assert 2 <= fault.fired <= 6
    assert held(harness, record) == {}


# -- an answer that is lost ---------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])
@pytest.mark.parametrize("size", [0, 1, len(DATA)])
def test_f12_a_lost_answer(harness: NRPHarness, match: str, size: int) -> None:
    """Detect a blind repeat: 400 for the key, or a PUT on a completed file, which deletes it."""
    record = harness.site.create()
    harness.fault(match, "lose-answer")
    file = harness.client().files.upload(record, "a.bin", {"title": "t"}, DATA[:size])
    assert (file.size, file.status, file.metadata, file.result.ok) == (size, "completed", {"title": "t"}, True)
    assert held(harness, record) == {"a.bin": DATA[:size]}
    assert harness.count(INIT) == 1
    assert harness.count(COMMIT) == 1, "it is looked up, not made again"
    assert harness.count(CONTENT) == 1, "the content had arrived"


@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])
@pytest.mark.parametrize("effect", ["no-answer", "truncate 20", "no-length close truncate 20"])
def test_f12_silence_or_half_an_answer(harness: NRPHarness, match: str, effect: str) -> None:
    """F05, F06, F19: broken by half an answer that is read as a whole one, or by a wait for the other half."""
    record = harness.site.create()
    fault = harness.fault(match, effect)
    api = harness.client(timeout=patient(0.4) if effect == "no-answer" else 10.0)
    if effect.startswith("no-length"):
        # Nothing but the JSON tells that the answer ended early.
        with pytest.raises(DecodeError):
            api.files.upload(record, "a.bin", None, DATA)
        assert fault.fired == 1
    api.files.upload(record, "a.bin", None, DATA)
    assert held(harness, record) == {"a.bin": DATA}
    assert fault.fired == 1


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504"])
def test_f12_several_keys_in_one_lost_start(harness: NRPHarness, effect: str) -> None:
    """Fails if a start is made again as a whole: none of the keys would be new."""
    record = harness.site.create()
    harness.fault(INIT, effect)
    files = [(f"{number}.bin", noise(1000 + number, number)) for number in range(5)]
    harness.client().files.upload_many(record, files)
    assert held(harness, record) == dict(files)
    assert harness.count(INIT) == (1 if effect == "lose-answer" else 2)


@pytest.mark.parametrize(("match", "looked"), [(INIT, LIST), (COMMIT, ENTRY)], ids=["init", "commit"])
def test_f12_the_look_fails_too(harness: NRPHarness, match: str, looked: str) -> None:
    """Fails if a failed look counts as an answer."""
    record = harness.site.create()
    harness.fault(match, "lose-answer")
    fault = harness.fault(looked, "reset-before", times=2)
    harness.client().files.upload(record, "a.bin", None, DATA)
    assert held(harness, record) == {"a.bin": DATA}
    assert (fault.fired, harness.count(match)) == (2, 1)


def test_f12_a_file_of_another_user_is_not_taken_for_ours(harness: NRPHarness) -> None:
    """The start is refused since the key is taken by a completed file: it is compared, byte by byte's checksum."""
    record = harness.site.create(files={"a.bin": DATA, "b.bin": DATA[:-1] + b"\0"})
    api = harness.client()
    assert api.files.upload(record, "a.bin", None, DATA).result.resumed == len(DATA)
    with pytest.raises(Conflict, match="'b.bin' already exists with other content"):
        api.files.upload(record, "b.bin", None, DATA)
    assert harness.count(CONTENT) == 0, "a PUT on a completed file deletes it"
    assert held(harness, record)["b.bin"] == DATA[:-1] + b"\0"
    api.files.upload(record, "b.bin", None, DATA, replace=True)
    assert held(harness, record)["b.bin"] == DATA


# -- failures that pass -------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 504"])
@pytest.mark.parametrize("match", [CONTENT, COMMIT], ids=["content", "commit"])
@pytest.mark.parametrize("times", [1, 5])
def test_f08_passing_failures(harness: NRPHarness, match: str, effect: str, times: int) -> None:
    record = harness.site.create()
    fault = harness.fault(match, effect, times=times)
    harness.client().files.upload(record, "a.bin", None, DATA[:1000])
    assert held(harness, record) == {"a.bin": DATA[:1000]}
    assert fault.fired == times


@pytest.mark.parametrize("match", [CONTENT, COMMIT], ids=["content", "commit"])
def test_f08_six_times(harness: NRPHarness, match: str) -> None:
    """Detect a seventh try, or an error that does not say what the server said."""
    record = harness.site.create()
    harness.fault(match, "status 500 body=json:disk_is_gone", times=6)
    with pytest.raises(ServerError, match="disk_is_gone") as caught:
        harness.client().files.upload(record, "a.bin", None, DATA[:1000])
    assert caught.value.status == 500
    assert held(harness, record) == {}
    harness.client().files.upload(record, "a.bin", None, DATA[:1000])
    assert held(harness, record) == {"a.bin": DATA[:1000]}


# -- changes by other clients ------------------------------------------------------------------------------


def test_f17_the_draft_is_deleted_in_mid_upload(harness: NRPHarness) -> None:
    record = harness.site.create()
    api = harness.client()
    deleted: List[Any] = []

    def progress(event: Any) -> None:
        if event.done and not deleted:
            deleted.append(event)
            harness.client().delete(f"records/{record}/draft")

    harness.fault(CONTENT, "reset-after 1M")
    with pytest.raises(NotFound):
        api.files.upload(record, "a.bin", None, harness.file(DATA), progress=progress)
    assert deleted
    assert harness.count(COMMIT, 200) == 0


def test_f25_two_at_one_key(harness: NRPHarness) -> None:
    """Fails if there is a second PUT: it deletes the file that the first one completed, and both report success."""
    record = harness.site.create()
    path = harness.file(DATA)
    stalled = harness.fault(CONTENT, "stall-after 64K")
    errors: List[Any] = []

    def first() -> None:
        try:
            harness.client(timeout=30.0).files.upload(record, "a.bin", None, path)
        except SmartxferError as error:
            errors.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert stalled.wait(20)
        with pytest.raises(AlreadyInProgress):
            harness.client().files.upload(record, "a.bin", None, path)
        assert harness.count(COMMIT) == 0
    finally:
        harness.server.clear_faults()
        thread.join(20)
    assert (thread.is_alive(), errors) == (False, [])
    assert held(harness, record) == {"a.bin": DATA}


# -- slowness -----------------------------------------------------------------------------------------------


def test_f18_a_stalled_upload_is_ended(harness: NRPHarness) -> None:
    """Fails if a body hides its attempt: then only the time-out of the socket would end it."""
    record = harness.site.create()
    data = noise(8 * MIB)
    fault = harness.fault(CONTENT, "stall-after 64K")
    policy = RetryPolicy(backoff=0, stall_window=0.6)
    watch = Stopwatch()
    file = harness.client(retry=policy, timeout=30.0).files.upload(record, "a.bin", None, data)
    assert (fault.fired, file.result.retries, held(harness, record)) == (1, 1, {"a.bin": data})
    assert watch.seconds() < 6


def test_f18_stalled_for_good(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.fault(CONTENT, "stall-after 64K", times=2)
    policy = RetryPolicy(backoff=0, attempts=2, stall_window=0.3)
    with pytest.raises(Stalled, match="less than 1024 bytes/s"):
        harness.client(retry=policy, timeout=30.0).files.upload(record, "a.bin", None, noise(8 * MIB))
    assert harness.count(COMMIT) == 0


@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])
def test_f19_headers_never_come(harness: NRPHarness, match: str) -> None:
    """Detect a wait without an end, or a POST that is repeated without a look."""
    record = harness.site.create()
    fault = harness.fault(match, "stall")
    watch = Stopwatch()
    harness.client(timeout=patient(0.4)).files.upload(record, "a.bin", None, DATA[:1000])
    assert watch.seconds() < 5
    assert (fault.fired, held(harness, record)) == (1, {"a.bin": DATA[:1000]})
    until(lambda: harness.count(match) >= 1)
