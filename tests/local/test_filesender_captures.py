"""Replay of requests captured from a real 3.8 and 2.67: same statuses, keys, types and messages."""

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local import capture
from tests.support.local.replay import Replay

DATA = Path(__file__).parent.parent / "data"

def admitted(name: str) -> Dict[Tuple[str, str], str]:
    """Return the known differences: name of the request, path, reason, separated by ``|``."""
    lines = (DATA / f"filesender-{name}-differences.txt").read_text("utf-8").splitlines()
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            call, path, reason = (word.strip() for word in line.split("|", 2))
            assert reason, line
            found[call, path] = reason
    return found


def captured(capture_name: str) -> Path:
    """Return the file of a capture."""
    return DATA / f"filesender-{capture_name}.txt"


VERSIONS = ("3.8", "2.67")
#: Each capture, its release, and the options of its site.
CAPTURES: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "3.8": ("3.8", {"upload_chunk_size": 1048576, "users": ["sender@example.org"]}),
    "2.67": ("2.67", {"upload_chunk_size": 1048576, "users": ["sender@example.org"]}),
    "3.8-wire": ("3.8", {}),
    "2.67-wire": ("2.67", {}),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_real_server_is_answered_alike(name: str) -> None:
    exchanges = capture.read(captured(name))
    assert len(exchanges) > 35
    version, options = CAPTURES[name]
    with LocalServer(services=["filesender"], filesender={"version": version, **options}) as server:
        replay = Replay(wire.Site(server.filesender))
        for exchange in exchanges:
            replay.play(exchange)
        assert server.filesender.listener.crashes == []
    allowed = admitted(name)
    found = {(name, path) for name, path, _ in replay.found}
    unexpected = [entry for entry in replay.found if entry[:2] not in allowed]
    assert not unexpected, json.dumps(unexpected, indent=1)
    unused = sorted(set(allowed) - found)
    assert not unused, f"differences that are none: {unused}"


@pytest.mark.parametrize("name", CAPTURES)
def test_the_reader_sees_every_exchange(name: str) -> None:
    text = captured(name).read_text("utf-8")
    exchanges = capture.read(captured(name))
    assert len(exchanges) == text.count("\n>>> ") == text.count("\n<<< ")
    methods = {"GET", "POST", "PUT", "DELETE"}
    assert {exchange.method for exchange in exchanges} - {"HEAD", "PATCH", "OPTIONS"} == methods


@pytest.mark.parametrize("name", CAPTURES)
def test_the_differences_are_few(name: str) -> None:
    assert len(admitted(name)) <= 40


@pytest.mark.parametrize("version", VERSIONS)
def test_releases_are_distinguished(version: str) -> None:
    other = VERSIONS[1 - VERSIONS.index(version)]
    with LocalServer(
        services=["filesender"], filesender={"version": other, "users": ["sender@example.org"]}
    ) as server:
        replay = Replay(wire.Site(server.filesender))
        for exchange in capture.read(captured(version))[:2]:
            replay.play(exchange)
    differ = {path for _, path, _ in replay.found}
    assert {"$.keys()", "$.created.formatted", "$.transfer_preferences.keys()"} <= differ
