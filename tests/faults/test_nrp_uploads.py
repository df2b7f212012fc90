"""Files on their way to a repository: F01 to F03, F05, F06, F12, F17 to F19, F22, F25, F40, F49."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.local import LocalServer
from smartxfer.nrp import MemorySource, get_client
from smartxfer.transport import RetryPolicy
from tests.support.amounts import amount
from tests.support.filesender_harness import noise, until, waits
from tests.support.nrp_harness import COMMIT, CONTENT, ENTRY, INIT, LIST, MIB, PART, STEP, NRPHarness, Polling
from tests.support.raw_server import refused_port
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient
from tests.support.uploads import client_threads

DATA = noise(2 * MIB)
PARTS = noise(2 * STEP + 1000)
SHARED = partial(NRPHarness, max_files=2000)

around_the_content = pytest.mark.parametrize("match", [INIT, COMMIT], ids=["init", "commit"])
each_step = pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])


# -- no connection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["up", "down"])
def test_f01_refused_then_up(tmp_path: Path, log: Any, way: str) -> None:
    """Detect an error at the first refusal: a POST too is repeated where nothing of it was sent."""
    servers: List[LocalServer] = []
    with refused_port() as port:
        pass

    def start() -> None:
        site = {"port": port, "users": {"ann": "token-of-ann"}}
        servers.append(LocalServer(tmp_path / "data", services=["nrp"], nrp=site).start())

    clock = Polling(wait2=start)
    clock.chance = 1.0
    start()
    try:
        record = servers[0].nrp.create(files={"down": DATA})
        with get_client(servers[0].nrp.url, token="token-of-ann", clock=clock) as api:
            [file] = api.files.list(record)
            servers[0].stop()
            if way == "up":
                assert api.files.upload(record, "up", None, DATA).result.retries == 0, "the start was refused"
                assert servers[1].nrp.read(record, "up") == DATA
            else:
                assert api.files.download(file, tmp_path / "a.bin").read_bytes() == DATA
    finally:
        for server in servers:
            server.stop()
    assert (clock.waits, len(waits(log.records))) == ([0.5, 1.0], 2)


@pytest.mark.parametrize("way", ["up", "down"])
def test_f01_refused_for_good(tmp_path: Path, way: str) -> None:
    clock = Polling()
    with refused_port() as port:
        with get_client(f"http://127.0.0.1:{port}", token="t", clock=clock) as api:
            with pytest.raises(errors.NetworkError, match=f"http://127.0.0.1:{port}"):
                if way == "up":
                    api.files.upload("abcde-12345", "a.bin", None, DATA)
                else:
                    api.files.download("abcde-12345", "a.bin", tmp_path / "x")
    assert (len(clock.waits), list(tmp_path.iterdir())) == (5, [])


# -- resets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 1", "reset-after 256K", f"reset-after {len(DATA)}"])
def test_f03_reset_in_mid_upload(harness: NRPHarness, effect: str) -> None:
    """Fails if a second try begins where the first one ended."""
    fault = harness.fault(CONTENT, effect, times=2)
    steps: List[int] = []
    file = harness.send(harness.file(DATA), progress=lambda event: steps.append(event.done))
    assert harness.held() == {"a.bin": DATA}
    assert (fault.fired, file.result.retries, harness.count(CONTENT, 200), harness.count(COMMIT, 200)) == (2, 2, 1, 1)
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"


@around_the_content
@pytest.mark.parametrize("times", [1, 3])
def test_f02_reset_before_the_rest(harness: NRPHarness, match: str, times: int) -> None:
    """After a lost POST the client checks whether it had an effect, and repeats it if not."""
    fault = harness.fault(match, "reset-before", times=times)
    harness.send(DATA, metadata={"title": "t"})
    assert (harness.held(), fault.fired, harness.count(CONTENT)) == ({"a.bin": DATA}, times, 1)
    assert harness.count(LIST if match == INIT else ENTRY) >= times, "looked before every repeat"


@around_the_content
def test_f02_always_reset_before_the_rest(harness: NRPHarness, match: str) -> None:
    fault = harness.fault(match, "reset-before", times=None)
    with pytest.raises(errors.OutcomeUnknown if match == INIT else errors.NetworkError, match="POST"):
        harness.send(DATA)
    assert 2 <= fault.fired <= 6
    assert harness.held() == {}


# -- an answer that is lost ---------------------------------------------------------------------------------


@each_step
@pytest.mark.parametrize("size", [0, 1, len(DATA)])
def test_f12_a_lost_answer(harness: NRPHarness, match: str, size: int) -> None:
    """Detect a blind repeat: 400 for the key, or a PUT on a completed file, which deletes it."""
    harness.fault(match, "lose-answer")
    file = harness.send(DATA[:size], metadata={"title": "t"})
    assert (file.size, file.status, file.metadata, file.result.ok) == (size, "completed", {"title": "t"}, True)
    assert (file.result.verified, harness.held()) == ("md5", {"a.bin": DATA[:size]})
    counts = {step: harness.count(step) for step in (INIT, CONTENT, COMMIT)}
    assert counts == {INIT: 1, CONTENT: 1, COMMIT: 1}, "it is looked up, not made again"


@each_step
@pytest.mark.parametrize("effect", ["no-answer", "truncate 20", "no-length close truncate 20"])
def test_f12_silence_or_half_an_answer(harness: NRPHarness, match: str, effect: str) -> None:
    """F05, F06, F19: broken by half an answer that is read as a whole one, or by a wait for the other half."""
    fault = harness.fault(match, effect)
    timeout = patient(0.4) if effect == "no-answer" else 10.0
    if effect.startswith("no-length"):
        # Nothing but the JSON tells that the answer ended early.
        with pytest.raises(errors.DecodeError):
            harness.send(DATA, timeout=timeout)
        assert fault.fired == 1
    harness.send(DATA, timeout=timeout)
    assert (harness.held(), fault.fired) == ({"a.bin": DATA}, 1)


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504"])
def test_f12_several_keys_in_one_lost_start(harness: NRPHarness, effect: str) -> None:
    """Fails if a start is made again as a whole: none of the keys would be new."""
    harness.fault(INIT, effect)
    files = [(f"{number}.bin", noise(1000 + number, number)) for number in range(5)]
    harness.send_many(files)
    assert (harness.held(), harness.count(INIT)) == (dict(files), 1 if effect == "lose-answer" else 2)


@pytest.mark.parametrize(("match", "looked"), [(INIT, LIST), (COMMIT, ENTRY)], ids=["init", "commit"])
def test_f12_the_look_fails_too(harness: NRPHarness, match: str, looked: str) -> None:
    """Fails if a failed look counts as an answer."""
    harness.fault(match, "lose-answer")
    fault = harness.fault(looked, "reset-before", times=2)
    harness.send(DATA)
    assert (harness.held(), fault.fired, harness.count(match)) == ({"a.bin": DATA}, 2, 1)


def test_f12_a_file_of_another_user_is_not_taken_for_ours(harness: NRPHarness) -> None:
    """The start is refused since the key is taken by a completed file: it is compared, byte by byte's checksum."""
    other = DATA[:-1] + b"\0"
    for key, data in {"a.bin": DATA, "b.bin": other}.items():
        harness.site.write(harness.draft, key, data)
    assert harness.send(DATA).result.resumed == len(DATA)
    with pytest.raises(errors.Conflict, match="'b.bin' already exists with other content"):
        harness.send(DATA, "b.bin")
    assert harness.count(CONTENT) == 0, "a PUT on a completed file deletes it"
    assert harness.held()["b.bin"] == other
    harness.send(DATA, "b.bin", replace=True)
    assert harness.held()["b.bin"] == DATA


# -- changes by other clients, and two clients --------------------------------------------------------------


def test_f17_the_draft_is_deleted_in_mid_upload(harness: NRPHarness) -> None:
    deleted: List[Any] = []

    def progress(event: Any) -> None:
        if event.done and not deleted:
            deleted.append(event)
            harness.client().delete(f"records/{harness.draft}/draft")

    harness.fault(CONTENT, "reset-after 1M")
    with pytest.raises(errors.NotFound):
        harness.send(harness.file(DATA), progress=progress)
    assert deleted
    assert harness.count(COMMIT, 200) == 0


@pytest.mark.parametrize("case", ["in one piece", "in parts", "in parts, another file"])
def test_f25_two_at_one_key(harness: NRPHarness, case: str) -> None:
    """Detect a second PUT, which deletes what the first run completed, interleaved parts, or an early commit."""
    send, match, data = (harness.send_parts, PART, PARTS) if "parts" in case else (harness.send, CONTENT, DATA)
    path = harness.file(data)
    stalled = harness.fault(match, "stall-after 64K", after=1 if "parts" in case else 0)
    failures: List[Any] = []

    def first() -> None:
        try:
            send(path, timeout=30.0)
        except errors.SmartxferError as error:
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert stalled.wait(20)
        with pytest.raises(errors.AlreadyInProgress):
            send(harness.file(noise(len(data), 2), "other") if "other" in case else path)
        assert harness.count(COMMIT) == 0
    finally:
        harness.server.clear_faults()
        thread.join(20)
    assert (thread.is_alive(), failures, harness.held()) == (False, [], {"a.bin": data})


# -- slowness -----------------------------------------------------------------------------------------------


def test_f18_a_stalled_upload_is_ended(harness: NRPHarness) -> None:
    """Fails if a body hides its attempt: then only the time-out of the socket would end it."""
    data = noise(8 * MIB)
    fault = harness.fault(CONTENT, "stall-after 64K")
    watch = Stopwatch()
    file = harness.send(data, retry=RetryPolicy(backoff=0, stall_window=0.6), timeout=30.0)
    assert (fault.fired, file.result.retries, harness.held()) == (1, 1, {"a.bin": data})
    assert watch.seconds() < 6


def test_f18_stalled_for_good(harness: NRPHarness) -> None:
    harness.fault(CONTENT, "stall-after 64K", times=2)
    with pytest.raises(errors.Stalled, match="less than 1024 bytes/s"):
        harness.send(noise(8 * MIB), retry=RetryPolicy(backoff=0, attempts=2, stall_window=0.3), timeout=30.0)
    assert harness.count(COMMIT) == 0


@each_step
def test_f19_headers_never_come(harness: NRPHarness, match: str) -> None:
    """Detect a wait without an end, or a POST that is repeated without a look."""
    fault = harness.fault(match, "stall")
    watch = Stopwatch()
    harness.send(DATA[:1000], timeout=patient(0.4))
    assert watch.seconds() < 5
    assert (fault.fired, harness.held()) == (1, {"a.bin": DATA[:1000]})
    until(lambda: harness.count(match) >= 1)


def test_f22_an_upload_is_cancelled(harness: NRPHarness) -> None:
    """Detect a wait for the line, or a client that is of no use any more."""
    cancel = threading.Event()
    client = harness.client(timeout=60.0)
    stalled = harness.fault(CONTENT, "stall-after 64K")
    thread = threading.Thread(target=lambda: stalled.wait(20) and cancel.set())
    thread.start()
    with pytest.raises(errors.Cancelled):
        client.files.upload(harness.draft, "a.bin", None, DATA, cancel=cancel)
    thread.join(20)
    assert client_threads() == []
    harness.server.clear_faults()
    client.files.upload(harness.draft, "a.bin", None, DATA)
    assert harness.held() == {"a.bin": DATA}


# -- sources ------------------------------------------------------------------------------------------------


def test_f40_a_source_in_memory_by_parts(harness: NRPHarness) -> None:
    data = noise(STEP + 1)
    harness.fault(PART, "reset-after 1", times=2)
    harness.send(MemorySource(data), transfer_type="multipart", part_size=STEP)
    assert harness.held() == {"a.bin": data}


@pytest.mark.slow
def test_f49_one_in_twenty_of_many_fails(harness: NRPHarness) -> None:
    """Detect results that do not say which, or a re-run that touches more than the failures."""
    count = amount(100, 1000)
    files = {f"{number:04}.txt": b"%d" % number for number in range(count)}
    paths = [harness.file(data, f"many/{name}") for name, data in files.items()]
    bad = list(files)[::20]
    faults = [harness.fault(f"PUT *{name}/content", "status 400 body=json:no") for name in bad]
    with pytest.raises(errors.BatchError, match=f"{count // 20} of {count} files failed") as caught:
        harness.send_many(paths)
    assert [result.name for result in caught.value.results if not result.ok] == bad
    assert all(fault.fired == 1 for fault in faults)
    assert len(harness.held()) == count - len(bad)
    harness.forget()
    assert [file.key for file in harness.send_many(paths)] == list(files)
    assert harness.count(CONTENT) == harness.count(COMMIT) == len(bad), "only what was missing"
    assert harness.held() == files
