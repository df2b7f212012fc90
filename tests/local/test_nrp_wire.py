"""226 labelled exchanges of a real InvenioRDM 14, replayed: same statuses, keys, types and error bodies."""

from __future__ import annotations

import json
from pathlib import Path

import nrp_wire
from nrp_replay import remaining

from smartxfer.local import LocalServer

WIRE = Path(__file__).parent.parent / "data" / "inveniordm-14-wire.txt"
LISTED = "nrp_wire_differences.txt"


def test_a_real_14_is_answered_alike(origin: str) -> None:
    options = {
        "users": ["ann"],
        "superuser": "root",
        "communities": ["com3a0362"],
        "fetch_hosts": [origin],
        "remote_hosts": [origin],
    }
    with LocalServer(nrp=options) as server:
        replay = nrp_wire.WireReplay(server, origin)
        for exchange in nrp_wire.read(WIRE):
            replay.play(exchange)
        assert server.nrp.listener.crashes == []
    unexpected, stale = remaining(replay.found, LISTED)
    assert not unexpected, json.dumps(unexpected, indent=1)
    assert not stale, f"differences that do not occur: {stale}"


def test_the_reader_sees_every_exchange() -> None:
    found = nrp_wire.read(WIRE)
    assert len(found) == len({exchange.name for exchange in found}) == 226
    assert all(exchange.status and exchange.target.startswith("/") for exchange in found)
    shown = sum(len(exchange.text) for exchange in found)
    assert shown > 100_000


def test_the_listed_differences_are_few() -> None:
    lines = (Path(__file__).parent / LISTED).read_text("utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) <= 40
