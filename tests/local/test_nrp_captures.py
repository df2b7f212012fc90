"""Replay of requests captured from a real InvenioRDM 14: same statuses, keys, types and error bodies."""

from __future__ import annotations

import json
from pathlib import Path

from smartxfer.local import LocalServer
from tests.support.local import nrp_capture as capture
from tests.support.local.nrp_replay import Replay, remaining

DATA = Path(__file__).parent.parent / "data"
PARTS = sorted(DATA.glob("inveniordm-14-part*.txt"))


def test_a_real_14_is_answered_alike(origin: str) -> None:
    options = {
        # The captured owner was the first user, and a superuser.
        "users": ["ann", "bob"],
        "superuser": "ann",
        "fetch_hosts": [origin],
        "remote_hosts": [origin],
        # The fetch is never done in the response that starts it.
        "fetch_delay": 0.05,
    }
    with LocalServer(services=["nrp"], nrp=options) as server:
        replay = Replay(server, origin)
        for _ in range(2):
            server.nrp.create()  # Drafts of earlier runs, which the search returns.
        for part in PARTS:
            for exchange in capture.read(part):
                replay.play(exchange)
        assert server.nrp.listener.crashes == []
    unexpected, stale = remaining(replay.found, "nrp_differences.txt")
    assert not unexpected, json.dumps(unexpected, indent=1)
    assert not stale, f"differences that are none: {stale}"


def test_the_reader_sees_every_exchange() -> None:
    assert len(PARTS) == 5
    for part in PARTS:
        exchanges = capture.read(part)
        raw = sum(exchange.short for exchange in exchanges)
        assert len(exchanges) - raw == part.read_text("utf-8").count("\n>>> ")
        assert all(exchange.status for exchange in exchanges)


def test_what_is_cut_off_is_read_up_to_there() -> None:
    text = json.dumps({"a": [{"b": 'x"{\\'}, 2], "c": {"d": None, "e": [1]}})
    assert capture.whole(text) == (json.loads(text), True)
    for end in range(1, len(text)):
        found, complete = capture.whole(text[:end])
        assert not complete
        assert set(found) <= {"a", "c"}
    assert capture.whole(text[:-4])[0] == {"a": [{"b": 'x"{\\'}, 2], "c": {"d": None, "e": []}}
