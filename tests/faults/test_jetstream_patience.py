"""Waits without a timeout: a helper's ends after minutes without progress, the vendor's own does not."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import WaitTimeout
from smartxfer.jetstream import API, JetStream, Transfer
from tests.support.jetstream_harness import Polling, ReceivedCall, lying, result, task

MINUTES = "without progress for 10 minutes"
WAIT = "send.waitForTransfer"
MANIFEST: Dict[str, Any] = {"manifestId": "2", "status": "complete", "processing": False}
DESTINATION = {"destinationId": "42", "destinationPort": 8886}


def _still(request: ReceivedCall) -> Any:
    code = {"code": -32006, "message": "still at work", "data": {"type": "StillProcessing"}}
    return {"jsonrpc": "2.0", "id": request.id, "error": code}


def _script(**more: Any) -> Dict[str, List[Any]]:
    """A server on which nothing ever ends; ``more`` answers some methods otherwise, dots as underscores."""
    script = {
        "lsAsync": [result({"requestId": 1})],
        "duAsync": [result({"requestId": 1})],
        "mkdirAsync": [result({"requestId": 1})],
        "recv.getSourcesAsync": [result({"requestId": 1})],
        "getRequestResult": [_still],
        "getRequestStatus": [result({"requestId": 1, "processing": True, "status": "pending"})],
        "send.createManifest": [result(MANIFEST)],
        "send.waitForManifest": [result(MANIFEST)],
        "send.createDestination": [result(DESTINATION)],
        "send.getDestination": [result({**DESTINATION, "lastErrorMessage": "no route to host"})],
        "send.createTransfer": [
            result({**task("7", "pending", True), "manifestId": "2", "destinationId": "42"})
        ],
        WAIT: [result(task("7", "sending", True))],
    }
    script.update({name.replace("_", "."): steps for name, steps in more.items()})
    return script


HELPERS: Dict[str, Callable[[API], Any]] = {
    "send_files": lambda api: api.send_files("/a.bin", "far.example.org"),
    "wait_all": lambda api: api.wait_all([Transfer(transfer_id="7")]),
    "ls": lambda api: api.ls("/"),
    "du": lambda api: api.du("/"),
    "mkdir": lambda api: api.mkdir("/x"),
    "sources": lambda api: api.sources(),
    "result": lambda api: api.server.lsAsync("/").result(),
}


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_ends_without_progress(helper: str) -> None:
    clock = Polling()
    with lying(_script()) as server, JetStream().api(server.url, clock=clock) as api:
        with pytest.raises(WaitTimeout) as caught:
            HELPERS[helper](api)
    if helper == "wait_all":
        assert [one.transfer_id for one in caught.value.last] == ["7"]
    else:
        assert MINUTES in str(caught.value)
        assert 'timeout=float("inf")' in caught.value.hint
    assert sum(clock.waits) == pytest.approx(600, abs=6)


@pytest.mark.parametrize("waiting", ["send_files", "share"])
def test_a_manifest_that_never_ends(waiting: str) -> None:
    clock = Polling()
    pending = {**MANIFEST, "status": "pending", "processing": True}
    with lying(_script(send_waitForManifest=[result(pending)])) as server:
        with JetStream().api(server.url, clock=clock) as api, pytest.raises(WaitTimeout, match=MINUTES):
            api.share("/a.bin") if waiting == "share" else api.send_files("/a.bin", "far.example.org")
    assert sum(clock.waits) == pytest.approx(600, abs=6)


def test_what_the_server_says_of_the_line_is_in_the_message() -> None:
    with lying(_script()) as server, JetStream().api(server.url, clock=Polling()) as api:
        with pytest.raises(WaitTimeout, match=f"{MINUTES}: no route to host") as caught:
            api.send_files("/a.bin", "far.example.org")
    assert caught.value.last.transfer_id == "7"


def _moving(request: ReceivedCall) -> Any:
    """Each look finds one block more, up to 400."""
    _moving.blocks += 1  # type: ignore[attr-defined]
    now = _moving.blocks  # type: ignore[attr-defined]
    seen = task(
        "7", "sending", now < 400, blocksAcked=now, totalBlocks=400, blockSize=256, totalBytes=102_400
    )
    return result(seen if now < 400 else {**seen, "status": "complete"})(request)


def test_a_transfer_that_moves_is_waited_for() -> None:
    """Half an hour, by the pauses."""
    clock = Polling()
    _moving.blocks = 0  # type: ignore[attr-defined]
    with lying(_script(send_waitForTransfer=[_moving])) as server:
        with JetStream().api(server.url, clock=clock) as api:
            assert api.send_files("/a.bin", "far.example.org").status == "complete"
    assert sum(clock.waits) > 1800


def _to_and_fro(request: ReceivedCall) -> Any:
    _to_and_fro.looks += 1  # type: ignore[attr-defined]
    odd = _to_and_fro.looks % 2  # type: ignore[attr-defined]
    return result(task("7", "sending" if odd else "pending", True, blocksAcked=5 * odd, totalBlocks=10))(request)


def test_to_and_fro_is_not_progress() -> None:
    clock = Polling()
    _to_and_fro.looks = 0  # type: ignore[attr-defined]
    with lying(_script(send_waitForTransfer=[_to_and_fro])) as server:
        with JetStream().api(server.url, clock=clock) as api, pytest.raises(WaitTimeout, match=MINUTES):
            api.send_files("/a.bin", "far.example.org")
    assert sum(clock.waits) == pytest.approx(600, abs=12)


class Enough(Exception):
    """The test has seen enough."""


def _enough() -> None:
    raise Enough


VENDORS: Dict[str, Callable[[API], Any]] = {
    "waitForTransfer": lambda api: api.send.waitForTransfer("7"),
    "waitForManifest": lambda api: api.send.waitForManifest("2"),
    "getRequestResult": lambda api: api.server.getRequestResult(1),
    "send_files without a bound": lambda api: api.send_files(
        "/a.bin", "far.example.org", timeout=float("inf")
    ),
}


@pytest.mark.parametrize("vendors", VENDORS)
def test_the_vendors_own_waits_block(vendors: str) -> None:
    """Their page says so; an hour and more has passed by the pauses when the test ends it."""
    clock = Polling(wait800=_enough)
    pending = {**MANIFEST, "status": "pending", "processing": True}
    more = {"send_waitForManifest": [result(pending)]} if vendors == "waitForManifest" else {}
    with lying(_script(**more)) as server, JetStream().api(server.url, clock=clock) as api:
        with pytest.raises(Enough):
            VENDORS[vendors](api)
    assert sum(clock.waits) > 3600


def test_several_waits_share_their_limit() -> None:
    """One that is queued behind another that moves is waited for, too."""
    clock = Polling()
    _moving.blocks = 0  # type: ignore[attr-defined]

    def step(request: ReceivedCall) -> Any:
        if request.params.get("transferId") == "7":
            return _moving(request)
        done = _moving.blocks >= 400  # type: ignore[attr-defined]
        return result(task("8", "complete" if done else "pending", not done))(request)

    with lying({WAIT: [step]}) as server, JetStream().api(server.url, clock=clock, max_workers=2) as api:
        found = api.wait_all([Transfer(transfer_id="8"), Transfer(transfer_id="7")])
        assert [one.status for one in found] == ["complete", "complete"]
