"""Journals that name a transfer of another user, to another server, or of another manifest."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from smartxfer.errors import WaitTimeout
from smartxfer.jetstream import API, Transfer
from smartxfer.transfer.journal import state_directory
from tests.support.jetstream_servers import BOUND, JetStreamServers


def break_off(harness: JetStreamServers, api: API, to: Any = None) -> Transfer:
    """Return a transfer that continues after its call has ended."""
    harness.near.write("/big", os.urandom(200_000))
    harness.near.configure(rate=10_000)
    with pytest.raises(WaitTimeout) as raised:
        api.send_files("/big", to or (harness.far.host, harness.far.port), timeout=0.1)
    last: Transfer = raised.value.last
    return last


def changed(**values: Any) -> None:
    (path,) = (state_directory() / "journals").glob("*.json")
    found = json.loads(path.read_text())
    found["state"].update(values)
    path.write_text(json.dumps(found))


def again(harness: JetStreamServers, api: API, own: Transfer, to: Any = None) -> Transfer:
    """The result of the same call, made while every transfer but the own one is still on its way."""
    api.send.deleteTransfer(own)
    full: Any = lambda event: harness.near.configure(rate=0)  # noqa: E731 - once it was taken up
    return api.send_files("/big", to or (harness.far.host, harness.far.port), timeout=BOUND, progress=full)


@pytest.mark.parametrize("other", ["server", "destination id", "manifest"])
def test_one_of_another_kind_is_not_continued(
    harness: JetStreamServers, api: API, caplog: pytest.LogCaptureFixture, other: str
) -> None:
    to = harness.destination(api) if other == "destination id" else None
    own = break_off(harness, api, to)
    destination: Any = own.destination_id
    manifest: Any = own.manifest_id
    if other == "manifest":
        harness.near.write("/secret", b"x" * 100_000)
        manifest = api.send.waitForManifest(
            api.send.createManifest({"/s": "/secret"}), timeout=BOUND
        ).manifest_id
        why = f"it sends manifest {manifest}"
    else:
        destination = api.send.createDestination("127.0.0.1", 9).destination_id
        why = f"its destination is {destination}" if to else "its destination is 127.0.0.1, port 9"
    planted = api.send.createTransfer(destination, manifest)
    changed(transfer=planted.transfer_id)
    done = again(harness, api, own, to)
    assert (done.transfer_id != planted.transfer_id, done.destination_id) == (True, own.destination_id)
    assert why in caplog.text
    assert harness.far.read("/big") == harness.near.read("/big")
    api.send.deleteTransfer(planted)


def test_one_of_another_user_is_not_continued(harness: JetStreamServers, caplog: pytest.LogCaptureFixture) -> None:
    """A superuser sees the transfers of all."""
    root, bob = harness.api("root"), harness.api("bob")
    root.server.superuser()
    own = break_off(harness, root)
    there = bob.send.createDestination(harness.far.host, harness.far.port)
    manifest = bob.send.waitForManifest(bob.send.createManifest({"/big": "/big"}), timeout=BOUND)
    other = bob.send.createTransfer(there, manifest)
    changed(transfer=other.transfer_id, manifest=manifest.manifest_id)
    done = again(harness, root, own)
    assert done.transfer_id != other.transfer_id
    assert "it belongs to bob" in caplog.text


@pytest.mark.parametrize("value", [5, ["x"], {"a": 1}, True, 1e300])
def test_a_damaged_journal_is_ignored(harness: JetStreamServers, api: API, value: Any) -> None:
    own = break_off(harness, api)
    changed(transfer=value, manifest=value)
    done = again(harness, api, own)
    assert done.transfer_id != own.transfer_id
    assert harness.far.read("/big") == harness.near.read("/big")
