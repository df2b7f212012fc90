"""Structures: documented names as given, converted attributes, times, shares, unknown fields, pickles."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import jetstream
from smartxfer.errors import DecodeError, UsageError
from smartxfer.jetstream import (
    Connection,
    Destination,
    Event,
    Manifest,
    ReceiveTransfer,
    Request,
    RequestStatus,
    ServerInfo,
    Source,
    Status,
    Token,
    Transfer,
)
from smartxfer.jetstream.interface import extract_id, to_microseconds
from smartxfer.models import to_wire

UTC = dt.timezone.utc
MOMENT = 1513291572659128
AS_DATETIME = dt.datetime(2017, 12, 14, 22, 46, 12, 659128, tzinfo=UTC)

#: Every documented field of each structure (section 6), with a value that its attribute shows unchanged.
DOCUMENTED: Dict[Any, str] = {
    RequestStatus: "requestId processing status errorMessage",
    Manifest: "manifestId status processing errorMessage totalFiles totalSize owner ownerToken"
    " ownerTokenSession userData",
    Destination: "destinationId connectionId destinationAddress destinationIP destinationPort"
    " destinationPublicKey permittedDestinationPublicKey encryptionEnabled encryptedConnectionState"
    " lastDestinationServerId lastDestinationServerUid lastError lastErrorMessage lastRecvTime lastSendTime"
    " numTransfersQueued owner",
    Connection: "connectionId destinationIP destinationPort destinationPublicKey encryptionEnabled"
    " encryptedConnectionState rateControllerActive rateControlMethod relayIP relayPort roundTripTimeMs",
    Transfer: "transferId destinationId manifestId destinationPath status processing errorMessage owner"
    " ownerToken ownerTokenSession priority blockSize blocksSent blocksAcked blocksRetransmitted totalBlocks"
    " totalBytes bytesSent bytesRecv packetsSent packetsRecv checkpointFrequencySeconds requestTime queueTime"
    " startTime endTime snapshotTime",
    Token: "token description creationTime expiryTime passwordRequired permissions owner ownerToken"
    " ownerTokenSession userData manifestId downloadCount downloadLimit path",
    ReceiveTransfer: "transferId destinationPath status totalSize sourceIP sourcePort lastRecvTime lastSendTime"
    " lastErrorTime",
    Source: "sourceIP sourcePort activeTransferCount inactiveTransferCount completeTransferCount"
    " errorTransferCount aveRecvRate aveRecvRateWindow destinationPublicKey encryptionEnabled"
    " encryptedConnectionState",
    Event: "_event _timestamp",
    ServerInfo: "serverId serverName serverExternalAddress hostName version apiVersion revision apiControlPort"
    " allowRemoteControl authRequired APITokensAvailable encryptionAvailable multiplexAvailable"
    " eventLogAvailable certificateValidation minCipher publicKey bandwidthLimits license receiver"
    " configuration",
}
_TRUTHS = ("processing", "Enabled", "Required", "Available", "Active", "allowRemoteControl")
_NUMBERS = (
    "Count", "Limit", "Port", "Time", "Files", "Size", "Sent", "Recv", "Acked", "Retransmitted", "Blocks",
    "Bytes", "Queued", "Ms", "Seconds", "Rate", "Window", "priority", "timestamp", "requestId", "apiVersion",
)  # fmt: skip


def sample(name: str) -> Any:
    """A value of the documented type."""
    if name == "userData":
        return {"a": 1}
    if name.endswith(_TRUTHS):
        return True
    return 7 if name.endswith(_NUMBERS) else "text"


def _attributes(made: Any) -> Dict[str, Any]:
    return {name: value for name, value in vars(made).items() if not name.startswith("_")}


@pytest.mark.parametrize("kind", DOCUMENTED)
class TestEveryStructure:
    def test_every_documented_field_has_its_item_and_its_attribute(self, kind: Any) -> None:
        wire = {name: sample(name) for name in DOCUMENTED[kind].split()}
        made = kind.from_wire(wire)
        assert dict(made) == wire == to_wire(made)
        assert made.extra == {}
        shown = [value for value in _attributes(made).values() if value is not None]
        assert len(shown) == len(wire)
        assert all(value in wire.values() for value in shown)
        assert made == kind.from_wire(wire)

    def test_only_the_id_has_to_be_there_and_null_is_as_good_as_absent(self, kind: Any) -> None:
        first, *others = DOCUMENTED[kind].split()
        absent = kind.from_wire({first: sample(first)})
        stated = {"status", "processing"}
        nulls = kind.from_wire(
            {first: sample(first), **{name: None for name in others if name not in stated}}
        )
        assert _attributes(nulls) == _attributes(absent)
        assert len([value for value in _attributes(absent).values() if value]) == 1
        assert first in absent


@pytest.mark.parametrize(
    ("kind", "name", "attribute"),
    [
        (Manifest, "manifestId", "manifest_id"),
        (Destination, "destinationId", "destination_id"),
        (Transfer, "transferId", "transfer_id"),
        (ReceiveTransfer, "transferId", "transfer_id"),
    ],
)
class TestIds:
    @pytest.mark.parametrize("id", ["2", 2, "localhost:8886", "0123456789abcdef0123456789abcdef"])
    def test_text_also_where_a_number_was_sent(self, kind: Any, name: str, attribute: str, id: Any) -> None:
        made = kind.from_wire({name: id})
        assert getattr(made, attribute) == str(id)
        assert isinstance(getattr(made, attribute), str)
        assert made[name] == id
        assert extract_id(made, name) == str(id)

    @pytest.mark.parametrize("wire", [{}, {"id": "2"}, []])
    def test_none_without_its_id(self, kind: Any, name: str, attribute: str, wire: Any) -> None:
        with pytest.raises(DecodeError):
            kind.from_wire(wire)


#: (kind, field on the wire, attribute of the number, property of the datetime)
MOMENTS = [
    (Transfer, "requestTime", "request_time", "requested_at"),
    (Transfer, "queueTime", "queue_time", "queued_at"),
    (Transfer, "startTime", "start_time", "started_at"),
    (Transfer, "endTime", "end_time", "ended_at"),
    (Transfer, "snapshotTime", "snapshot_time", "snapshot_at"),
    (Token, "creationTime", "creation_time", "created_at"),
    (Token, "expiryTime", "expiry_time", "expires_at"),
    (Destination, "lastRecvTime", "last_recv_time", "last_received_at"),
    (Destination, "lastSendTime", "last_send_time", "last_sent_at"),
    (Connection, "lastRecvTime", "last_recv_time", "last_received_at"),
    (ReceiveTransfer, "lastRecvTime", "last_recv_time", "last_received_at"),
    (ReceiveTransfer, "lastSendTime", "last_send_time", "last_sent_at"),
    (ReceiveTransfer, "lastErrorTime", "last_error_time", "last_error_at"),
    (Event, "_timestamp", "timestamp", "at"),
]


@pytest.mark.parametrize(("kind", "name", "raw", "converted"), MOMENTS)
def test_times(kind: Any, name: str, raw: str, converted: str) -> None:
    ids = {"transferId": "1", "token": "A", "destinationId": "1", "_event": "serverStarted"}
    made = kind.from_wire({**ids, name: MOMENT})
    assert (made[name], getattr(made, raw), getattr(made, converted)) == (MOMENT, MOMENT, AS_DATETIME)
    assert getattr(made, converted).utcoffset() == dt.timedelta(0)
    unset = kind.from_wire({**ids, name: None})
    assert (unset[name], getattr(unset, raw), getattr(unset, converted)) == (None, None, None)


@given(st.timedeltas(dt.timedelta(0), dt.timedelta(days=80_000)))
def test_a_datetime_leads_back_to_the_microsecond(since: dt.timedelta) -> None:
    moment = dt.datetime.fromtimestamp(0, UTC) + since
    number = to_microseconds(moment, lambda: 0.0)
    assert Token.from_wire({"token": "A", "expiryTime": number}).expires_at == moment
    elsewhere = moment.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert to_microseconds(elsewhere, lambda: 0.0) == number


def test_moments_that_are_given() -> None:
    assert to_microseconds(None, lambda: 5.0) is None
    assert to_microseconds(MOMENT, lambda: 5.0) == MOMENT
    assert to_microseconds(dt.timedelta(seconds=2), lambda: 5.0) == 7_000_000
    assert to_microseconds(AS_DATETIME, lambda: 5.0) == MOMENT
    for wrong in (True, 1.5, "tomorrow", dt.date(2026, 1, 1), AS_DATETIME.replace(tzinfo=None)):
        with pytest.raises(UsageError):
            to_microseconds(wrong, lambda: 5.0)  # type: ignore[arg-type]


def transfer(**wire: Any) -> Transfer:
    return Transfer.from_wire({"transferId": "17", **wire})


class TestProgress:
    @pytest.mark.parametrize(
        ("wire", "fraction", "acked"),
        [
            ({}, 0.0, 0),
            ({"status": "complete"}, 1.0, 0),
            ({"status": "complete", "totalBlocks": 0, "totalBytes": 0}, 1.0, 0),
            ({"totalBlocks": 4, "blocksAcked": None, "totalBytes": 1000, "blockSize": 256}, 0.0, 0),
            ({"totalBlocks": 4, "blocksAcked": 1, "totalBytes": 1000, "blockSize": 256}, 0.25, 256),
            ({"totalBlocks": 4, "blocksAcked": 3, "totalBytes": 1000, "blockSize": 256}, 0.75, 768),
            ({"totalBlocks": 4, "blocksAcked": 4, "totalBytes": 1000, "blockSize": 256}, 1.0, 1000),
            # Many small files: whole blocks would be more than there is.
            ({"totalBlocks": 9, "blocksAcked": 8, "totalBytes": 9, "blockSize": 256}, 8 / 9, 9),
            ({"totalBlocks": 4, "blocksAcked": 5, "totalBytes": 1000, "blockSize": 256}, 1.0, 1000),
            ({"totalBlocks": 4, "blocksAcked": 2}, 0.5, 0),
        ],
    )
    def test_how_much_has_arrived(self, wire: Dict[str, Any], fraction: float, acked: int) -> None:
        assert (transfer(**wire).fraction, transfer(**wire).bytes_acked) == (fraction, acked)

    def test_the_rate(self) -> None:
        counts = {"totalBlocks": 4, "blocksAcked": 2, "totalBytes": 1000, "blockSize": 256}
        assert transfer(**counts, startTime=1_000_000, snapshotTime=3_000_000).rate == 256.0
        ended = transfer(**counts, startTime=1_000_000, snapshotTime=9_000_000, endTime=2_000_000)
        assert ended.rate == 512.0
        for unknown in ({}, {"startTime": 5}, {"snapshotTime": 5}, {"startTime": 5, "snapshotTime": 5}):
            assert transfer(**counts, **unknown).rate is None

    def test_what_was_sent_again(self) -> None:
        assert transfer(blocksSent=8, blocksRetransmitted=2).retransmitted == 0.25
        assert transfer(blocksSent=8).retransmitted == 0.0
        assert transfer(blocksRetransmitted=2).retransmitted == 0.0


def test_the_seed_s_structures_answer_both_ways() -> None:
    manifest = Manifest.from_wire(
        {"status": "complete", "totalFiles": 1, "totalSize": 1091, "manifestId": "2"}
    )
    assert (manifest["manifestId"], manifest.manifest_id, manifest["totalSize"], manifest.total_size) == (
        "2", "2", 1091, 1091,
    )  # fmt: skip
    assert (manifest.processing, manifest.status) == (False, Status.COMPLETE)
    slip = Manifest.from_wire(
        {"processing": True, "status": "pending", " manifestId": "3", "manifestId": "2"}
    )
    assert (slip.manifest_id, slip[" manifestId"]) == ("2", "3")


def test_an_event_keeps_what_its_structure_says() -> None:
    event = Event.from_wire({"_event": "transferUpdated", "_timestamp": MOMENT, "transferId": "17"})
    assert (event.event, event["transferId"], event.extra) == ("transferUpdated", "17", {"transferId": "17"})


def test_a_token_is_not_shown() -> None:
    token = Token.from_wire({"token": "MAYWEBRO.TRUPO.VEVEEBLU", "description": "for Bob"})
    assert "TRUPO" not in repr(token)
    assert "for Bob" in repr(token)
    assert token["token"] == token.token == "MAYWEBRO.TRUPO.VEVEEBLU"


class TestRequest:
    def test_a_pickle_leaves_the_connection_behind(self) -> None:
        api = jetstream.JetStream().api("127.0.0.1", 1)
        linked = Request.from_wire({"requestId": 17}).evolve(_rpc=lambda: api._rpc, _convert=lambda found: [found])
        assert linked.convert_result(1) == [1]
        again = pickle.loads(pickle.dumps(linked))
        assert (type(again), again.request_id, again["requestId"], dict(again)) == (
            Request,
            17,
            17,
            {"requestId": 17},
        )
        assert again == linked
        assert again.convert_result(1) == 1
        for call in (again.status, again.result):
            with pytest.raises(UsageError, match="not attached to a connection"):
                call()

    def test_it_shows_its_id_alone(self) -> None:
        assert repr(Request.from_wire({"requestId": 1})) == "Request(request_id=1)"


@pytest.mark.parametrize("value", [None, "", True, 1.5, [], {}, {"id": "2"}, Manifest(manifest_id="2")])
def test_invalid_transfer_ids(value: Any) -> None:
    with pytest.raises(UsageError, match="transferId"):
        extract_id(value, "transferId")


def test_ids_that_are_taken() -> None:
    assert extract_id("2", "manifestId") == extract_id(2, "manifestId") == extract_id({"manifestId": 2}, "manifestId") == "2"
    assert extract_id(Request.from_wire({"requestId": 3}), "requestId") == 3
    assert extract_id(transfer(manifestId="9"), "manifestId") == "9"
