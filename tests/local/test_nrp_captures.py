"""Replay of requests captured from a real InvenioRDM 14: same statuses, keys and their order, types and error bodies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smartxfer.local import LocalServer
from tests.support.local import nrp_capture as capture
from tests.support.local import nrp_exchanges
from tests.support.local.file_origin import Origin
from tests.support.local.nrp_replay import Replay, remaining

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
PARTS = sorted(DATA.glob("inveniordm-14-part*.txt"))
#: Labelled captures, their number of requests, and the least number of characters in the responses.
CAPTURES = {"wire": (226, 100_000), "more": (394, 180_000)}


def replayed(server: LocalServer, replay: Any, exchanges: Any, listed: str) -> None:
    """Play exchanges; differences are those of a list, and each of the list occurs."""
    for exchange in exchanges:
        replay.play(exchange)
    assert server.nrp.listener.crashes == []
    unexpected, stale = remaining(replay.found, listed)
    assert not unexpected, json.dumps(unexpected, indent=1)
    assert not stale, f"differences that do not occur: {stale}"


def test_numbered_requests(origin: Origin) -> None:
    options = {
        # The captured owner was the first user, and a superuser.
        "users": ["ann", "bob"], "superuser": "ann", "fetch_hosts": [origin.host], "remote_hosts": [origin.host],
        # The fetch is never done in the response that starts it.
        "fetch_delay": 0.05,
    }  # fmt: skip
    with LocalServer(services=["nrp"], nrp=options) as server:
        for _ in range(2):
            server.nrp.create()  # Drafts of earlier runs, which the search returns.
        exchanges = [exchange for part in PARTS for exchange in capture.read(part)]
        replayed(server, Replay(server, origin.host), exchanges, "nrp_differences.txt")


@pytest.mark.parametrize("name", CAPTURES)
def test_labelled_requests(origin: Origin, name: str) -> None:
    options = {
        "users": ["ann"], "superuser": "root", "communities": ["com3a0362"], "fetch_hosts": [origin.host],
        "remote_hosts": [origin.host],
    }  # fmt: skip
    with LocalServer(services=["nrp"], nrp=options) as server:
        exchanges = nrp_exchanges.read(DATA / f"inveniordm-14-{name}.txt")
        replay = nrp_exchanges.WireReplay(server, origin.host)
        replayed(server, replay, exchanges, f"nrp_{name}_differences.txt")


def test_the_reader_sees_every_numbered_request() -> None:
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


@pytest.mark.parametrize("name", CAPTURES)
def test_the_reader_sees_every_labelled_request(name: str) -> None:
    count, characters = CAPTURES[name]
    found = nrp_exchanges.read(DATA / f"inveniordm-14-{name}.txt")
    assert len(found) == len({exchange.name for exchange in found}) == count
    assert all(exchange.status and exchange.target.startswith("/") for exchange in found)
    assert sum(len(exchange.text) for exchange in found) > characters


@pytest.mark.parametrize("name", CAPTURES)
def test_the_listed_differences_are_few(name: str) -> None:
    lines = (HERE / f"nrp_{name}_differences.txt").read_text("utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) <= 40
