"""Waits without a timeout: a helper's ends after minutes without progress, the vendor's own does not."""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import WaitTimeout
from smartxfer.jetstream import API, Transfer
from tests.support import jetstream_harness as js
from tests.support.jetstream_harness import ReceivedCall, lying_api, refusal, result, task
from tests.support.service_harness import Polling

MINUTES = "without progress for 10 minutes"
WAIT = "send.waitForTransfer"
PENDING = {**js.MANIFEST, "status": "pending", "processing": True}
DESTINATION = {"destinationId": "42", "destinationPort": 8886}
REQUEST = {"requestId": 1}
#: A server on which nothing ever ends.
ENDLESS: Dict[str, Any] = {
    **js.SEND_FILES,
    **dict.fromkeys(("lsAsync", "duAsync", "mkdirAsync", "recv.getSourcesAsync"), REQUEST),
    "getRequestResult": [refusal("StillProcessing")],
    "getRequestStatus": {**REQUEST, "processing": True, "status": "pending"},
    "send.createDestination": DESTINATION,
    "send.getDestination": {**DESTINATION, "lastErrorMessage": "no route to host"},
    "send.createTransfer": {**task("7", "pending", True), "manifestId": "2", "destinationId": "42"},
    WAIT: task("7", "sending", True),
}


def _send(api: API, **options: Any) -> Any:
    return api.send_files("/a.bin", "far.example.org", **options)


HELPERS: Dict[str, Callable[[API], Any]] = {
    "send_files": _send,
    "wait_all": lambda api: api.wait_all([Transfer(transfer_id="7")]),
    "ls": lambda api: api.ls("/"),
    "du": lambda api: api.du("/"),
    "mkdir": lambda api: api.mkdir("/x"),
    "sources": lambda api: api.sources(),
    "result": lambda api: api.server.lsAsync("/").result(),
}


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_ends_without_progress(helper: str) -> None:
    """The message has what the server says of the line."""
    clock = Polling()
    with lying_api(ENDLESS, clock=clock) as api, pytest.raises(WaitTimeout) as caught:
        HELPERS[helper](api)
    if helper == "wait_all":
        assert [one.transfer_id for one in caught.value.last] == ["7"]
    else:
        assert MINUTES in str(caught.value)
        assert 'timeout=float("inf")' in caught.value.hint
    if helper == "send_files":
        assert f"{MINUTES}: no route to host" in str(caught.value)
        assert caught.value.last.transfer_id == "7"
    assert sum(clock.waits) == pytest.approx(600, abs=6)


def _to_and_fro() -> Callable[[ReceivedCall], Any]:
    """Blocks that come and go."""
    odd = itertools.cycle([1, 0])

    def step(request: ReceivedCall) -> Any:
        now = next(odd)
        seen = task("7", "sending" if now else "pending", True, blocksAcked=5 * now, totalBlocks=10)
        return result(seen)(request)

    return step


@pytest.mark.parametrize(
    ("helper", "method", "step"),
    [
        (_send, "send.waitForManifest", result(PENDING)),
        (lambda api: api.share("/a.bin"), "send.waitForManifest", result(PENDING)),
        (_send, WAIT, _to_and_fro()),
    ],
    ids=["send_files: a manifest", "share: a manifest", "to and fro"],
)
def test_what_is_not_progress(helper: Any, method: str, step: Any) -> None:
    clock = Polling()
    with lying_api({**ENDLESS, method: [step]}, clock=clock) as api, pytest.raises(WaitTimeout, match=MINUTES):
        helper(api)
    assert sum(clock.waits) == pytest.approx(600, abs=12 if method == WAIT else 6)


class Moving:
    """A transfer of which each look finds one block more, up to 400."""

    def __init__(self) -> None:
        self.blocks = 0

    def __call__(self, request: ReceivedCall) -> Any:
        self.blocks += 1
        counts = {"blocksAcked": self.blocks, "totalBlocks": 400, "blockSize": 256, "totalBytes": 102_400}
        done = self.blocks >= 400
        return result(task("7", "complete" if done else "sending", not done, **counts))(request)


def test_a_transfer_that_moves_is_waited_for() -> None:
    """Half an hour, by the pauses."""
    clock = Polling()
    with lying_api({**ENDLESS, WAIT: [Moving()]}, clock=clock) as api:
        assert _send(api).status == "complete"
    assert sum(clock.waits) > 1800


class Enough(Exception):
    """The test has seen enough."""


def _enough() -> None:
    raise Enough


VENDORS: Dict[str, Callable[[API], Any]] = {
    "waitForTransfer": lambda api: api.send.waitForTransfer("7"),
    "waitForManifest": lambda api: api.send.waitForManifest("2"),
    "getRequestResult": lambda api: api.server.getRequestResult(1),
    "send_files without a bound": lambda api: _send(api, timeout=float("inf")),
}


@pytest.mark.parametrize("vendors", VENDORS)
def test_the_vendors_own_waits_block(vendors: str) -> None:
    """Their page says so; an hour and more has passed by the pauses when the test ends it."""
    clock = Polling(wait800=_enough)
    answers = {**ENDLESS, "send.waitForManifest": PENDING} if vendors == "waitForManifest" else ENDLESS
    with lying_api(answers, clock=clock) as api, pytest.raises(Enough):
        VENDORS[vendors](api)
    assert sum(clock.waits) > 3600


def test_several_waits_share_their_limit() -> None:
    """One that is queued behind another that moves is waited for, too."""
    moving = Moving()

    def step(request: ReceivedCall) -> Any:
        if request.params.get("transferId") == "7":
            return moving(request)
        done = moving.blocks >= 400
        return result(task("8", "complete" if done else "pending", not done))(request)

    with lying_api({WAIT: [step]}, clock=Polling(), max_workers=2) as api:
        found: List[Any] = api.wait_all([Transfer(transfer_id="8"), Transfer(transfer_id="7")])
        assert [one.status for one in found] == ["complete", "complete"]
