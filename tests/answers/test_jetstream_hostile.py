"""JetStream: each call with arbitrary responses raises a smartxfer error or returns a usable result."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer import JetStream, RetryPolicy
from smartxfer.errors import DecodeError
from smartxfer.testing import canned
from tests.support.altered_responses import AlteredResponses, Change, Clock, every
from tests.testing import test_canned_jetstream as table

CALLS = sorted({name for name, _ in canned.JETSTREAM_CASES})
WAITS = {"send.waitForManifest": table.MANIFEST, "send.waitForTransfer": table.TRANSFER}


def make(method: str) -> Any:
    """Makes the call with a client of its own; the vendor's waits get an end."""

    def run(harness: AlteredResponses) -> Any:
        api = JetStream().api(canned.JETSTREAM_URL, retry=RetryPolicy(attempts=1), clock=Clock())
        try:
            if method in WAITS:
                return getattr(api.send, method.rpartition(".")[2])(WAITS[method], timeout=60)
            if method == "server.getRequestResult":
                return api.server.getRequestResult(10**9, timeout=60)
            return table.call(api, method)
        finally:
            api.session.close()

    return run


@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_ours_or_a_result(harness: AlteredResponses, method: str) -> None:
    assert harness.run("jetstream", method, make(method), every(41)) == []


# -- what is refused, and by which words ----------------------------------------------------------------------

OTHER = "another"
#: (the call, the method whose result is replaced, where in it, by what, what the error says).
REFUSED = [
    *(
        ("du", "getRequestResult", (), value, "duAsync")
        for value in ("1091", [], None, -1, 1.5, True, {}, 10**30)
    ),
    *(("server.echo", "echo", (), value, "echo") for value in ("other", None, ["ACGT"], {})),
    *(("ls", "getRequestResult", (), value, "lsAsync") for value in ("text", 5, True)),
    *(("ls_roots", "getRequestResult", (), value, "lsRootsAsync") for value in ("text", {}, 5)),
    *(("sources", "getRequestResult", (), value, "getSourcesAsync") for value in ("text", {}, [5], [None])),
    *(("receiving", "getRequestResult", (), value, "getTransfersAsync") for value in ("text", [{}], [[]])),
    ("send.getTransfer", "send.getTransfer", ("transferId",), OTHER, "another transferId"),
    ("send.getManifest", "send.getManifest", ("manifestId",), OTHER, "another manifestId"),
    ("send.getDestination", "send.getDestination", ("destinationId",), OTHER, "another destinationId"),
    ("send.getConnection", "send.getConnection", ("connectionId",), OTHER, "another connectionId"),
    ("send.getSharedToken", "send.getSharedToken", ("token",), OTHER, "another token"),
    ("server.getAPIToken", "getAPIToken", ("token",), OTHER, "another token"),
    ("server.getRequestStatus", "getRequestStatus", ("requestId",), 999, "another requestId"),
    ("server.getRequestStatus", "getRequestStatus", (), {}, "processing"),
    ("send.waitForTransfer", "send.waitForTransfer", ("transferId",), OTHER, "another transferId"),
    ("send.waitForTransfer", "send.waitForTransfer", (), {"transferId": "17"}, "processing"),
    ("send.waitForManifest", "send.waitForManifest", ("manifestId",), OTHER, "another manifestId"),
    ("send.createTransfer", "send.createTransfer", ("manifestId",), OTHER, "another manifestId"),
    ("send.createTransfer", "send.createTransfer", ("destinationId",), OTHER, "another destinationId"),
    ("send.createTransfer", "send.createTransfer", ("transferId",), "", "empty transfer_id"),
    ("send.createDestination", "send.createDestination", ("destinationPort",), 1, "another destinationPort"),
    ("send.createSharedToken", "send.createSharedToken", ("manifestId",), OTHER, "another manifestId"),
    ("send.createSharedToken", "send.createSharedToken", ("token",), "", "empty token"),
    ("send.createManifest", "send.createManifest", ("manifestId",), "", "empty manifest_id"),
    ("send_files", "send.waitForManifest", ("manifestId",), OTHER, "another manifestId"),
    ("send_files", "send.createTransfer", ("manifestId",), OTHER, "another manifestId"),
    ("send_files", "send.createTransfer", ("destinationId",), OTHER, "another destinationId"),
    ("send_files", "send.createDestination", ("destinationPort",), 1, "another destinationPort"),
    ("send_files", "send.waitForTransfer", ("transferId",), OTHER, "another transferId"),
    ("send_files", "send.waitForTransfer", ("manifestId",), OTHER, "another manifestId"),
    ("send_files", "send.waitForTransfer", ("totalBytes",), -1, "below 0"),
    ("send_files", "send.waitForTransfer", ("blocksAcked",), 10**30, "too large"),
    ("share", "send.createSharedToken", ("manifestId",), OTHER, "another manifestId"),
    ("wait_all", "send.waitForTransfer", ("transferId",), OTHER, "another transferId"),
    ("send.getTransfers", "send.getTransfers", (), {"transferId": "17"}, "send.getTransfers"),
    ("send.getTransfers", "send.getTransfers", (0,), "17", "send.getTransfers"),
    ("send.getManifestFiles", "send.getManifestFiles", (), "text", "send.getManifestFiles"),
    ("server.getServerInfo", "getServerInfo", (), [], "getServerInfo"),
    ("server.lsAsync", "lsAsync", ("requestId",), "first", "lsAsync"),
]


@pytest.mark.parametrize(
    "row", REFUSED, ids=lambda row: f"{row[0]} {'.'.join(map(str, row[2]))} {row[3]!r:.12}"
)
def test_refused(harness: AlteredResponses, row: Any) -> None:
    method, label, path, value, says = row
    with pytest.raises(DecodeError, match=says):
        harness.call("jetstream", method, make(method), Change(label, path, value))


@pytest.mark.parametrize("value", ["../../x", "\ud800", "a b", "x:99999999", "a@b"], ids=ascii)
def test_an_invalid_external_address(harness: AlteredResponses, value: str) -> None:
    """The link names the server by the address of this connection."""
    change = Change("getServerInfo", ("serverExternalAddress",), value)
    shared, _ = harness.call("jetstream", "share", make("share"), change)
    assert shared.link == f"jetstream://jetstream.example.org/download?token={table.TOKEN}"


@pytest.mark.parametrize("value", [10**30, -(10**30), 1 << 63, 10**99])
def test_a_time_out_of_range_is_none(harness: AlteredResponses, value: int) -> None:
    change = Change("send.getTransfer", ("endTime",), value)
    transfer, _ = harness.call("jetstream", "send.getTransfer", make("send.getTransfer"), change)
    assert (transfer.ended_at, transfer.end_time) == (None, value)
