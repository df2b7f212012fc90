"""Waits of JetStream that do not end, or end otherwise, and callbacks that raise: F41, F48."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.jetstream import Transfer
from smartxfer.transfer.progress import ProgressEvent
from tests.support import jetstream_harness as js
from tests.support.fake_clock import JumpingClock
from tests.support.filesender_harness import noise, until
from tests.support.jetstream_harness import JetStreamHarness, ReceivedCall, lying_api, on, result, task
from tests.support.service_harness import MIB, Polling
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient
from tests.support.uploads import client_threads

WAIT = "send.waitForTransfer"
SENDING, COMPLETE = task("7", "sending", True), task("7", "complete", False)
#: The pauses between polls of a server that answers at once.
BACKING_OFF = [0.2, 0.3, 0.45, 0.675, 1.0125, 1.51875, 2.278125, 3.4171875, 5.0, 5.0]
SHARED = partial(JetStreamHarness, files={"/a.bin": js.DATA})


def _asked(received: List[ReceivedCall], method: str = WAIT) -> List[float]:
    """The time-outs of the polls."""
    return [one.params["timeoutSeconds"] for one in received if one.method == method]


# -- F48: without an end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["sending", "pending", "hovering"])
@pytest.mark.parametrize("method", ["waitForTransfer", "waitForManifest"])
def test_f48_never_ends(method: str, status: str) -> None:
    """Detect a wait without a bound, polls without pauses, or an error that forgets the last state."""
    id = "transferId" if method == "waitForTransfer" else "manifestId"
    clock, received = Polling(), []  # type: ignore[var-annotated]
    answers = {f"send.{method}": {id: "7", "status": status, "processing": True}}
    with lying_api(answers, received, clock=clock) as api:
        with pytest.raises(errors.WaitTimeout, match=f"7 is {status} after 60 s") as caught:
            getattr(api.send, method)("7", timeout=60)
    assert clock.waits[:10] == pytest.approx(BACKING_OFF)
    assert (max(clock.waits), sum(clock.waits)) == (5.0, pytest.approx(60))
    assert (caught.value.last[id], caught.value.last.status) == ("7", status)
    asked = _asked(received, f"send.{method}")
    assert (len(asked), asked[0], max(asked)) == (len(clock.waits) + 1, 25.0, 25.0)
    assert asked[-1] <= 5.0, "not past the end"


def test_f48_a_server_without_long_polls(harness: JetStreamHarness) -> None:
    harness.site.configure(long_polls=False)
    clock = Polling()
    api = harness.client(clock=clock)
    stuck = api.send.createTransfer(api.send.createDestination("127.0.0.1", 1), harness.manifest(api))
    clock.waits.clear()
    with pytest.raises(errors.WaitTimeout) as caught:
        api.send.waitForTransfer(stuck, timeout=30)
    assert clock.waits[:10] == pytest.approx(BACKING_OFF)
    assert (sum(clock.waits), caught.value.last.status) == (pytest.approx(30), "pending")
    assert api.send.getTransfer(stuck).processing, "it continues"


def test_f48_the_pause_is_reset_after_a_long_poll() -> None:
    """A poll that took its time is followed by the next at once."""
    clock = Polling()

    def slow(request: ReceivedCall) -> Any:
        clock.advance(request.params["timeoutSeconds"])
        return result(SENDING)(request)

    with lying_api({WAIT: [slow, slow, result(COMPLETE)]}, clock=clock) as api:
        assert api.send.waitForTransfer("7").status == "complete"
    assert clock.waits == []


@pytest.mark.parametrize(("read", "most"), [(60, 25.0), (20, 15.0), (8, 4.0), (1, 0.5)])
def test_f48_a_poll_ends_before_the_read_timeout(read: float, most: float) -> None:
    received: List[ReceivedCall] = []
    with lying_api({WAIT: COMPLETE}, received, timeout=(5, read)) as api:
        api.send.waitForTransfer("7")
        api.send.waitForTransfer("7", timeout=0.25)
    assert _asked(received) == [most, 0.25]


def test_f48_no_time_at_all() -> None:
    """One look, and no pause."""
    clock, received = Polling(), []  # type: ignore[var-annotated]
    with lying_api({WAIT: SENDING}, received, clock=clock) as api, pytest.raises(errors.WaitTimeout):
        api.send.waitForTransfer("7", timeout=0)
    assert (_asked(received), clock.waits) == ([0.0], [])


# -- F48: otherwise than it should ----------------------------------------------------------------------------


def _state(acked: int, status: str = "sending") -> Any:
    counts = {"blockSize": 256, "blocksAcked": acked, "totalBlocks": 10, "totalBytes": 2500}
    return result(task("7", status, status != "complete", **counts))


def test_f48_backwards() -> None:
    """Counters and states that step back, and past the end."""
    script = [_state(4), _state(9), _state(2), _state(0, "pending"), _state(40), _state(10, "complete")]
    events: List[Any] = []
    with lying_api({WAIT: script}, clock=Polling()) as api:
        found = api.send.waitForTransfer("7", progress=events.append)
    assert (found.status, found.fraction) == ("complete", 1.0)
    assert all(0 <= event.done <= event.total == 2500 for event in events)
    assert (events[-1].done, events[-1].state) == (2500, "done")


@pytest.mark.parametrize("word", ["hovering", "", "pending", "sending", "COMPLETE"], ids=repr)
def test_f48_an_unknown_status_is_not_a_success(word: Any) -> None:
    """The task is neither active nor complete: the wait returns it, and send_files raises an error."""
    with lying_api({**js.SEND_FILES, WAIT: task("7", word, False)}, clock=Polling()) as api:
        assert api.send.waitForTransfer("7").status == word
        with pytest.raises(errors.TaskFailed, match="transfer 7 failed") as caught:
            api.send_files(["/a.bin"], "127.0.0.1")
    assert caught.value.task.transfer_id == "7"


@pytest.mark.parametrize("word", ["hovering", "error"])
def test_f48_a_manifest_that_does_not_come_about(word: str) -> None:
    """The error has its reason, the manifest is deleted, and nothing is sent."""
    received: List[ReceivedCall] = []
    ended = {**js.MANIFEST, "status": word, "errorMessage": "/a.bin: no such file"}
    with lying_api({**js.SEND_FILES, "send.waitForManifest": ended}, received) as api:
        with pytest.raises(errors.TaskFailed, match="/a.bin: no such file"):
            api.send_files(["/a.bin"], "127.0.0.1")
    called = [one.method for one in received]
    assert (called[-1], "send.createTransfer" in called) == ("send.deleteManifest", False)


def test_f48_gone_while_it_is_waited_for() -> None:
    received: List[ReceivedCall] = []
    with lying_api({WAIT: [_state(1), js.refusal("NotFound")]}, received, clock=Polling()) as api:
        with pytest.raises(errors.NotFound):
            api.send.waitForTransfer("7")
    assert len(_asked(received)) == 2


def test_f48_gone_after_success() -> None:
    """Detect another look at what has ended."""
    received: List[ReceivedCall] = []
    with lying_api({WAIT: [result(COMPLETE), js.refusal("NotFound")]}, received) as api:
        assert api.send.waitForTransfer("7").status == "complete"
        assert api.wait_all([]) == []
    assert len(_asked(received)) == 1


def test_f48_suspended_is_not_a_success(harness: JetStreamHarness) -> None:
    api = harness.client()
    assert api.send.waitForTransfer(harness.suspended(api)).status == "suspended"
    with lying_api({**js.SEND_FILES, WAIT: task("7", "suspended", False)}) as liar:
        with pytest.raises(errors.TaskSuspended, match="resumeTransfer") as caught:
            liar.send_files(["/a.bin"], "127.0.0.1")
    assert caught.value.task.status == "suspended"


def test_f48_a_request_without_an_end() -> None:
    clock = Polling()
    status = {"requestId": 3, "processing": True, "status": "pending", "errorMessage": ""}
    answers = {
        "lsAsync": {"requestId": 3},
        "getRequestResult": [js.refusal("StillProcessing")],
        "getRequestStatus": status,
    }
    with lying_api(answers, clock=clock) as api:
        with pytest.raises(errors.WaitTimeout, match="request 3 is not done after 30 s") as caught:
            api.ls("/", timeout=30)
    assert (caught.value.last.status, caught.value.last.processing) == ("pending", True)
    assert clock.waits[:10] == pytest.approx(BACKING_OFF)
    assert sum(clock.waits) == pytest.approx(30)


def test_f48_several_of_which_one_does_not_end() -> None:
    states = {id: task(id, status, status == "sending") for id, status in zip("123", ("complete", "sending", "error"))}

    def state(request: ReceivedCall) -> Any:
        return result(states[request.params["transferId"]])(request)

    with lying_api({WAIT: [state]}, clock=Polling()) as api:
        with pytest.raises(errors.WaitTimeout, match="1 of 3 tasks are not done") as caught:
            api.wait_all([Transfer.from_wire(state) for state in states.values()], timeout=10)
    assert [one.status for one in caught.value.last] == ["complete", "sending", "error"]


@pytest.mark.slow
def test_f48_polls_that_break(harness: JetStreamHarness) -> None:
    """A connection that breaks under a long poll, and one that stays silent, end nothing."""
    api = harness.client(timeout=(5.0, patient(0.4)))
    harness.site.configure(rate=len(js.DATA))
    sent = api.send.createTransfer(harness.destination(api), harness.manifest(api))
    for number, effect in enumerate(("reset-before", "stall", "status 503 retry-after=0")):
        harness.fault(on(WAIT), effect, after=number)
    assert api.send.waitForTransfer(sent, timeout=20).status == "complete"


# -- F41: a callback that raises; cancel, deadline --------------------------------------------------------------


class _Wrong(Exception):
    pass


def _raise(event: Any) -> None:
    raise _Wrong(event.name)


@pytest.fixture
def slow(harness: JetStreamHarness) -> JetStreamHarness:
    """A sender that needs 16 s, so that no transfer is over before the call after it on a busy machine."""
    harness.site.write("/large.bin", noise(MIB))
    harness.site.configure(rate=MIB // 16)
    return harness


def test_f41_in_send_files(slow: JetStreamHarness) -> None:
    """The exception ends the wait, not the transfer; the same call continues it."""
    before = len(slow.held("transfers"))
    send = partial(slow.client().send_files, [("/large.bin", "/f41.bin")], slow.to)

    def raise_while_it_waits(event: ProgressEvent) -> None:
        if event.done:  # before, the server might be asked for a transfer, and its answer be lost
            _raise(event)

    with pytest.raises(errors.Cancelled, match="callback raised") as caught:
        send(progress=raise_while_it_waits, timeout=20)
    assert (type(caught.value.__cause__), client_threads()) == (_Wrong, [])
    full: Any = lambda event: slow.site.configure(rate=0)  # noqa: E731 - once it was taken up: one that is over is not
    assert send(timeout=60, progress=full).status == "complete"
    assert (len(slow.held("transfers")), slow.peer.read("/f41.bin")) == (before + 1, noise(MIB))


@pytest.mark.parametrize("way", ["waitForTransfer", "waitForManifest", "wait_all"])
def test_f41_in_a_wait(slow: JetStreamHarness, way: str) -> None:
    api = slow.client()
    manifest = slow.manifest(api)
    sent = api.send.createTransfer(slow.destination(api), manifest, destinationPath=way)
    wait = api.wait_all if way == "wait_all" else getattr(api.send, way)
    with pytest.raises(errors.Cancelled, match="callback raised") as caught:
        wait([sent, manifest] if way == "wait_all" else sent if "Transfer" in way else manifest, timeout=20, progress=_raise)
    assert (type(caught.value.__cause__), client_threads()) == (_Wrong, [])
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
    with pytest.raises(errors.Cancelled if way == "cancel" else errors.DeadlineExceeded):
        api.send_files(["/large.bin"], slow.to, timeout=60, **options)
    assert watch.seconds() < 2
    until(lambda: client_threads() == [], "the end of the threads")
    [transfer] = [one for one in api.send.getTransfers() if one.processing and one.total_bytes == MIB]
    api.send.deleteTransfer(transfer)
