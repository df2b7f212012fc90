"""Replay of labelled requests to a real InvenioRDM 14: same statuses, keys, types and error bodies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smartxfer.local import LocalServer
from tests.support.local import nrp_exchanges
from tests.support.local.nrp_replay import remaining

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
#: Captures, their number of requests, and the least number of characters in the responses.
CAPTURES = {"wire": (226, 100_000), "more": (394, 180_000)}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_real_14_is_answered_alike(origin: str, name: str) -> None:
    options = {
        "users": ["ann"],
        "superuser": "root",
        "communities": ["com3a0362"],
        "fetch_hosts": [origin],
        "remote_hosts": [origin],
    }
    with LocalServer(services=["nrp"], nrp=options) as server:
        replay = nrp_exchanges.WireReplay(server, origin)
        for exchange in nrp_exchanges.read(DATA / f"inveniordm-14-{name}.txt"):
            replay.play(exchange)
        assert server.nrp.listener.crashes == []
    unexpected, stale = remaining(replay.found, f"nrp_{name}_differences.txt")
    assert not unexpected, json.dumps(unexpected, indent=1)
    assert not stale, f"differences that do not occur: {stale}"


@pytest.mark.parametrize("name", CAPTURES)
def test_the_reader_sees_every_exchange(name: str) -> None:
    count, characters = CAPTURES[name]
    found = nrp_exchanges.read(DATA / f"inveniordm-14-{name}.txt")
    assert len(found) == len({exchange.name for exchange in found}) == count
    assert all(exchange.status and exchange.target.startswith("/") for exchange in found)
    assert sum(len(exchange.text) for exchange in found) > characters


@pytest.mark.parametrize("name", CAPTURES)
def test_the_listed_differences_are_few(name: str) -> None:
    lines = (HERE / f"nrp_{name}_differences.txt").read_text("utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) <= 40
