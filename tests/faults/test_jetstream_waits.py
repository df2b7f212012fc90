"""Waits of JetStream that do not end, or end otherwise, and callbacks that raise: F41, F48."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Dict, List

import pytest

from smartxfer.errors import (
    Cancelled,
    DeadlineExceeded,
    NotFound,
    TaskFailed,
    TaskSuspended,
    UsageError,
    WaitTimeout,
)
from smartxfer.jetstream import JetStream, Transfer
from smartxfer.transfer.progress import ProgressEvent
from tests.support.fake_clock import JumpingClock
from tests.support.jetstream_harness import (
    DATA,
    ERRORS,
    MIB,
    JetStreamHarness,
    Polling,
    ReceivedCall,
    lying,
    noise,
    on,
    result,
    task,
    until,
)
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

WAIT = "send.waitForTransfer"
#: The pauses between polls of a server that answers at once.
BACKING_OFF = [0.2, 0.3, 0.45, 0.675, 1.0125, 1.51875, 2.278125, 3.4171875, 5.0, 5.0]


SHARED = partial(JetStreamHarness, files={"/a.bin": DATA})


def refused(word: str) -> Any:
    """A script's step: this error."""
    return lambda request: {"jsonrpc": "2.0", "id": request.id, "error": {"code": ERRORS[word], "message": "gone"}}


def _waits(received: List[ReceivedCall], method: str = WAIT) -> List[float]:
    return [one.params["timeoutSeconds"] for one in received if one.method == method]


# -- F48: without an end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["sending", "pending", "hovering"])
@pytest.mark.parametrize("method", ["waitForTransfer", "waitForManifest"])
def test_f48_never_ends(method: str, status: str) -> None:
    """Detect a wait without a bound, polls without pauses, or an error that forgets the last state."""
    id = "transferId" if method == "waitForTransfer" else "manifestId"
    clock, received = Polling(), []  # type: ignore[var-annotated]
    with lying({f"send.{method}": [result({id: "7", "status": status, "processing": True})]}, received) as server:
        with JetStream().api(server.url, clock=clock) as api:
            with pytest.raises(WaitTimeout, match=f"7 is {status} after 60 s") as caught:
                getattr(api.send, method)("7", timeout=60)
    assert clock.waits[:10] == pytest.approx(BACKING_OFF)
    assert (max(clock.waits), sum(clock.waits)) == (5.0, pytest.approx(60))
    assert (caught.value.last[id], caught.value.last.status) == ("7", status)
    asked = _waits(received, f"send.{method}")
    assert len(asked) == len(clock.waits) + 1
    assert asked[0] == 25.0
    assert all(seconds <= 25 for seconds in asked)
    assert asked[-1] <= 5.0, "not past the end"


def test_f48_a_server_without_long_polls(harness: JetStreamHarness) -> None:
    harness.site.configure(long_polls=False)
    clock = Polling()
    api = harness.client(clock=clock)
    stuck = api.send.createTransfer(api.send.createDestination("127.0.0.1", 1), harness.manifest(api))
    clock.waits.clear()
    with pytest.raises(WaitTimeout) as caught:
        api.send.waitForTransfer(stuck, timeout=30)
    assert clock.waits[:10] == pytest.approx(BACKING_OFF)
    assert sum(clock.waits) == pytest.approx(30)
    assert caught.value.last.status == "pending"
    assert api.send.getTransfer(stuck).processing, "it continues"


def test_f48_the_pause_is_reset_after_a_long_poll() -> None:
    """A poll that took its time is followed by the next at once."""
    clock = Polling()

    def slow(request: ReceivedCall) -> Any:
        clock.advance(request.params["timeoutSeconds"])
        return result(task("7", "sending", True))(request)

    with lying({WAIT: [slow, slow, result(task("7", "complete", False))]}) as server:
        with JetStream().api(server.url, clock=clock) as api:
            assert api.send.waitForTransfer("7").status == "complete"
    assert clock.waits == []


@pytest.mark.parametrize(("read", "most"), [(60, 25.0), (20, 15.0), (8, 4.0), (1, 0.5)])
def test_f48_a_poll_ends_before_the_read_timeout(read: float, most: float) -> None:
    received: List[ReceivedCall] = []
    with lying({WAIT: [result(task("7", "complete", False))]}, received) as server:
        with JetStream().api(server.url, timeout=(5, read)) as api:
            api.send.waitForTransfer("7")
            api.send.waitForTransfer("7", timeout=0.25)
    assert _waits(received) == [most, 0.25]


def test_f48_no_time_at_all() -> None:
    """One look, and no pause."""
    clock, received = Polling(), []  # type: ignore[var-annotated]
    with lying({WAIT: [result(task("7", "sending", True))]}, received) as server:
        with JetStream().api(server.url, clock=clock) as api, pytest.raises(WaitTimeout):
            api.send.waitForTransfer("7", timeout=0)
    assert (_waits(received), clock.waits) == ([0.0], [])


@pytest.mark.parametrize("timeout", [-1, float("nan"), "5", [1]], ids=repr)
def test_f48_an_invalid_timeout(harness: JetStreamHarness, timeout: Any) -> None:
    api = harness.client()
    with pytest.raises(UsageError, match="timeout"):
        api.send.waitForTransfer("7", timeout=timeout)
    assert harness.count(on(WAIT)) == 0


# -- F48: otherwise than it should ----------------------------------------------------------------------------


def _states(*acked: int, status: str = "sending") -> List[Any]:
    return [
        result(task("7", status, True, blockSize=256, blocksAcked=n, totalBlocks=10, totalBytes=2500))
        for n in acked
    ]


def test_f48_backwards() -> None:
    """Counters and states that step back, and past the end."""
    end = result(task("7", "complete", False, blockSize=256, blocksAcked=10, totalBlocks=10, totalBytes=2500))
    script = [*_states(4), *_states(9, 2), *_states(0, status="pending"), *_states(40), end]
    events: List[Any] = []
    with lying({WAIT: script}) as server, JetStream().api(server.url, clock=Polling()) as api:
        found = api.send.waitForTransfer("7", progress=events.append)
    assert (found.status, found.fraction) == ("complete", 1.0)
    assert all(0 <= event.done <= event.total == 2500 for event in events)
    assert (events[-1].done, events[-1].state) == (2500, "done")


@pytest.mark.parametrize("word", ["hovering", "", "pending", "sending", "COMPLETE"], ids=repr)
def test_f48_an_unknown_status_is_not_a_success(word: Any) -> None:
    """The task is neither active nor complete: the wait returns it, and send_files raises an error."""
    answers: Dict[str, Any] = {
        WAIT: [result(task("7", word, False))],
        "send.createDestination": {"destinationId": "1"},
        "send.createManifest": {"manifestId": "2", "status": "pending", "processing": True},
        "send.waitForManifest": {"manifestId": "2", "status": "complete", "processing": False},
        "send.createTransfer": task("7", "pending", True),
    }
    with lying(answers) as server, JetStream().api(server.url, clock=Polling()) as api:
        assert api.send.waitForTransfer("7").status == word
        with pytest.raises(TaskFailed, match="transfer 7 failed") as caught:
            api.send_files(["/a.bin"], "127.0.0.1")
    assert caught.value.task.transfer_id == "7"


@pytest.mark.parametrize("word", ["hovering", "error"])
def test_f48_a_manifest_that_does_not_come_about(word: str) -> None:
    """The error has its reason, the manifest is deleted, and nothing is sent."""
    received: List[ReceivedCall] = []
    ended = {"manifestId": "2", "status": word, "processing": False, "errorMessage": "/a.bin: no such file"}
    answers: Dict[str, Any] = {
        "send.createDestination": {"destinationId": "1"},
        "send.createManifest": {"manifestId": "2", "processing": True},
        "send.waitForManifest": ended,
    }
    with lying(answers, received) as server, JetStream().api(server.url) as api:
        with pytest.raises(TaskFailed, match="/a.bin: no such file"):
            api.send_files(["/a.bin"], "127.0.0.1")
    assert [one.method for one in received][-1] == "send.deleteManifest"


def test_f48_gone_while_it_is_waited_for() -> None:
    received: List[ReceivedCall] = []
    with lying({WAIT: [*_states(1), refused("NotFound")]}, received) as server:
        with JetStream().api(server.url, clock=Polling()) as api, pytest.raises(NotFound):
            api.send.waitForTransfer("7")
    assert len(_waits(received)) == 2


def test_f48_gone_after_success() -> None:
    """Detect another look at what has ended."""
    received: List[ReceivedCall] = []
    with lying({WAIT: [result(task("7", "complete", False)), refused("NotFound")]}, received) as server:
        with JetStream().api(server.url) as api:
            assert api.send.waitForTransfer("7").status == "complete"
            assert api.wait_all([]) == []
    assert len(_waits(received)) == 1


def test_f48_suspended_is_not_a_success(harness: JetStreamHarness) -> None:
    api = harness.client()
    suspended = harness.suspended(api)
    assert api.send.waitForTransfer(suspended).status == "suspended"
    answers: Dict[str, Any] = {
        "send.createDestination": {"destinationId": "1"},
        "send.createManifest": {"manifestId": "2", "processing": True},
        "send.waitForManifest": {"manifestId": "2", "status": "complete", "processing": False},
        "send.createTransfer": task("7", "pending", True),
        WAIT: task("7", "suspended", False),
    }
    with lying(answers) as server, JetStream().api(server.url) as liar:
        with pytest.raises(TaskSuspended, match="resumeTransfer") as caught:
            liar.send_files(["/a.bin"], "127.0.0.1")
    assert caught.value.task.status == "suspended"


def test_f48_a_request_without_an_end() -> None:
    clock, received = Polling(), []  # type: ignore[var-annotated]
    status = {"requestId": 3, "processing": True, "status": "pending", "errorMessage": ""}
    answers = {
        "lsAsync": {"requestId": 3},
        "getRequestResult": [refused("StillProcessing")],
        "getRequestStatus": status,
    }
    with lying(answers, received) as server, JetStream().api(server.url, clock=clock) as api:
        with pytest.raises(WaitTimeout, match="request 3 is not done after 30 s") as caught:
            api.ls("/", timeout=30)
    assert (caught.value.last.status, caught.value.last.processing) == ("pending", True)
    assert clock.waits[:10] == pytest.approx(BACKING_OFF)
    assert sum(clock.waits) == pytest.approx(30)


def test_f48_several_of_which_one_does_not_end() -> None:
    states = {"1": task("1", "complete", False), "2": task("2", "sending", True), "3": task("3", "error", False)}

    def state(request: ReceivedCall) -> Any:
        return result(states[request.params["transferId"]])(request)

    with lying({WAIT: [state]}) as server, JetStream().api(server.url, clock=Polling()) as api:
        tasks = [Transfer.from_wire(states[id]) for id in "123"]
        with pytest.raises(WaitTimeout, match="1 of 3 tasks are not done") as caught:
            api.wait_all(tasks, timeout=10)
    assert [one.status for one in caught.value.last] == ["complete", "sending", "error"]


@pytest.mark.slow
def test_f48_polls_that_break(harness: JetStreamHarness) -> None:
    """A connection that breaks under a long poll, and one that stays silent, end nothing."""
    api = harness.client(timeout=(5.0, patient(0.4)))
    harness.site.configure(rate=len(DATA))
    sent = api.send.createTransfer(harness.destination(api), harness.manifest(api))
    harness.fault(on(WAIT), "reset-before")
    harness.fault(on(WAIT), "stall", after=1)
    harness.fault(on(WAIT), "status 503 retry-after=0", after=2)
    assert api.send.waitForTransfer(sent, timeout=20).status == "complete"


# -- F41: a callback that raises; cancel, deadline --------------------------------------------------------------


class _Wrong(Exception):
    pass


def _raise(event: Any) -> None:
    raise _Wrong(event.name)


def _threads() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


@pytest.fixture
def slow(harness: JetStreamHarness) -> JetStreamHarness:
    """A sender that needs 16 s, so that no transfer is over before the call after it on a busy machine."""
    harness.site.write("/large.bin", noise(MIB))
    harness.site.configure(rate=MIB // 16)
    return harness


def test_f41_in_send_files(slow: JetStreamHarness) -> None:
    """The exception ends the wait, not the transfer; the same call continues it."""
    before = len(slow.held("transfers"))
    api = slow.client()

    def raise_while_it_waits(event: ProgressEvent) -> None:
        if event.done:  # before, the server might be asked for a transfer, and its answer be lost
            _raise(event)

    with pytest.raises(Cancelled, match="callback raised") as caught:
        api.send_files([("/large.bin", "/f41.bin")], slow.to, progress=raise_while_it_waits, timeout=20)
    assert isinstance(caught.value.__cause__, _Wrong)
    assert _threads() == []
    full: Any = lambda event: slow.site.configure(rate=0)  # noqa: E731 - once it was taken up: one that is over is not
    done = api.send_files([("/large.bin", "/f41.bin")], slow.to, timeout=60, progress=full)
    assert done.status == "complete"
    assert len(slow.held("transfers")) == before + 1
    assert slow.peer.read("/f41.bin") == noise(MIB)


@pytest.mark.parametrize("way", ["waitForTransfer", "waitForManifest", "wait_all"])
def test_f41_in_a_wait(slow: JetStreamHarness, way: str) -> None:
    api = slow.client()
    manifest = slow.manifest(api)
    sent = api.send.createTransfer(slow.destination(api), manifest, destinationPath=way)
    waits: Any = {
        "waitForTransfer": lambda: api.send.waitForTransfer(sent, timeout=20, progress=_raise),
        "waitForManifest": lambda: api.send.waitForManifest(manifest, timeout=20, progress=_raise),
        "wait_all": lambda: api.wait_all([sent, manifest], timeout=20, progress=_raise),
    }
    with pytest.raises(Cancelled, match="callback raised") as caught:
        waits[way]()
    assert isinstance(caught.value.__cause__, _Wrong)
    assert _threads() == []
    slow.site.configure(rate=0)
    assert api.send.waitForTransfer(sent, timeout=20).status == "complete"


@pytest.mark.parametrize("way", ["cancel", "deadline"])
def test_a_long_poll_is_left_at_once(slow: JetStreamHarness, way: str) -> None:
    """Detect a wait for the answer that the server holds back."""
    slow.site.configure(rate=1)
    stop = threading.Event()
    options: Any = {"cancel": stop} if way == "cancel" else {"deadline": 40.0}
    polled = slow.fault(on(WAIT), "stall")
    api = slow.client(clock=JumpingClock(lambda: polled.fired > 0, 45.0))  # the deadline passes then
    if way == "cancel":
        threading.Thread(target=lambda: polled.wait(20) and stop.set(), daemon=True).start()
    watch = Stopwatch()
    with pytest.raises(Cancelled if way == "cancel" else DeadlineExceeded):
        api.send_files(["/large.bin"], slow.to, timeout=60, **options)
    assert watch.seconds() < 2
    until(lambda: _threads() == [], "the end of the threads")
    [transfer] = [one for one in api.send.getTransfers() if one.processing and one.total_bytes == MIB]
    api.send.deleteTransfer(transfer)
