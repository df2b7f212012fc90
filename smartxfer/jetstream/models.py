"""What the control API answers: structures with the documented names.

Every field but the id may be absent.  Times on the wire are microseconds since 1970; each has a property that
gives it as a datetime in UTC.

Source: JetStream protocol, section 6.
"""

import datetime as dt
from typing import Any, Dict, List, Mapping, Optional, Type, TypeVar

import attrs

from smartxfer.jetstream.errors import ERRORS, JetStreamDecodeError
from smartxfer.structures import Id, Structure, Word, counted, wire

__all__ = [
    "Connection",
    "Destination",
    "Event",
    "Manifest",
    "ReceiveTransfer",
    "RequestStatus",
    "ServerInfo",
    "Source",
    "Status",
    "Token",
    "Transfer",
    "about",
    "check_said",
    "listed",
    "listing",
    "made",
    "several",
    "size",
]

S = TypeVar("S", bound=Structure)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class Status(Word):
    """How a task is; only to be relied on once ``processing`` is false.  Words not known here are kept."""

    PENDING: "Status"
    SENDING: "Status"
    COMPLETE: "Status"
    SUSPENDED: "Status"
    ERROR: "Status"


Status.PENDING = Status("pending")
Status.SENDING = Status("sending")
Status.COMPLETE = Status("complete")
Status.SUSPENDED = Status("suspended")
Status.ERROR = Status("error")
_FINAL = (Status.COMPLETE, Status.SUSPENDED, Status.ERROR)


def _maybe(name: str) -> Any:
    """A field that may be absent or null."""
    return wire(name, default=None)


def _count(name: str) -> Any:
    """A number of bytes or things that may be absent or null."""
    return counted(name, default=None)


def _moment(name: str) -> Any:
    """A property: a time of microseconds as a datetime in UTC, None where the time is not valid yet."""

    def moment(self: Any) -> Optional[dt.datetime]:
        microseconds = getattr(self, name)
        try:
            return None if microseconds is None else _EPOCH + dt.timedelta(microseconds=microseconds)
        except OverflowError:  # no calendar goes that far
            return None

    moment.__doc__ = f"``{name}`` as a datetime in UTC; None for a time that no calendar has."
    return property(moment)


class JetStreamStructure(Structure):
    """What JetStream answers."""

    _errors = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class RequestStatus(JetStreamStructure):
    """How an asynchronous request is."""

    request_id: Optional[int] = _maybe("requestId")
    processing: bool = False
    status: Status = Status("")
    error_message: Optional[str] = _maybe("errorMessage")


@attrs.frozen(slots=False, eq=False, repr=False)
class Task(JetStreamStructure):
    """What manifests and transfers have in common."""

    status: Status = Status("")
    processing: bool = False
    error_message: Optional[str] = _maybe("errorMessage")
    owner: Optional[str] = None
    owner_token: Optional[str] = _maybe("ownerToken")
    owner_token_session: Any = _maybe("ownerTokenSession")
    user_data: Optional[Dict[str, Any]] = _maybe("userData")


@attrs.frozen(slots=False, eq=False, repr=False)
class Manifest(Task):
    """A set of files; ``total_size`` is in bytes.  It sends nothing by itself."""

    manifest_id: Id = wire("manifestId", kw_only=True)
    total_files: Optional[int] = _count("totalFiles")
    total_size: Optional[int] = _count("totalSize")


@attrs.frozen(slots=False, eq=False, repr=False)
class Line(JetStreamStructure):
    """What destinations and connections have in common."""

    connection_id: Optional[Id] = _maybe("connectionId")
    destination_ip: Optional[str] = _maybe("destinationIP")
    destination_port: Optional[int] = _maybe("destinationPort")
    destination_public_key: Any = _maybe("destinationPublicKey")
    permitted_destination_public_key: Any = _maybe("permittedDestinationPublicKey")
    encryption_enabled: Optional[bool] = _maybe("encryptionEnabled")
    encrypted_connection_state: Optional[Status] = _maybe("encryptedConnectionState")
    last_destination_server_id: Any = _maybe("lastDestinationServerId")
    last_destination_server_uid: Any = _maybe("lastDestinationServerUid")
    last_error: Any = _maybe("lastError")
    last_error_message: Optional[str] = _maybe("lastErrorMessage")
    last_recv_time: Optional[int] = _maybe("lastRecvTime")
    last_send_time: Optional[int] = _maybe("lastSendTime")
    num_transfers_queued: Optional[int] = _maybe("numTransfersQueued")

    last_received_at = _moment("last_recv_time")
    last_sent_at = _moment("last_send_time")


@attrs.frozen(slots=False, eq=False, repr=False)
class Destination(Line):
    """A far server that files are sent to."""

    destination_id: Id = wire("destinationId", kw_only=True)
    destination_address: Optional[str] = _maybe("destinationAddress")
    owner: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class Connection(Line):
    """The line to a far server, which several destinations may share."""

    rate_controller_active: Optional[bool] = _maybe("rateControllerActive")
    rate_control_method: Any = _maybe("rateControlMethod")
    relay_ip: Optional[str] = _maybe("relayIP")
    relay_port: Optional[int] = _maybe("relayPort")
    round_trip_time_ms: Optional[float] = _maybe("roundTripTimeMs")


@attrs.frozen(slots=False, eq=False, repr=False)
class Transfer(Task):
    """A manifest on its way to a destination, counted in blocks of ``block_size`` bytes."""

    transfer_id: Id = wire("transferId", kw_only=True)
    destination_id: Optional[Id] = _maybe("destinationId")
    manifest_id: Optional[Id] = _maybe("manifestId")
    destination_path: Optional[str] = _maybe("destinationPath")
    priority: Optional[int] = None
    block_size: Optional[int] = _count("blockSize")
    blocks_sent: Optional[int] = _count("blocksSent")
    blocks_acked: Optional[int] = _count("blocksAcked")
    blocks_retransmitted: Optional[int] = _count("blocksRetransmitted")
    total_blocks: Optional[int] = _count("totalBlocks")
    total_bytes: Optional[int] = _count("totalBytes")
    bytes_sent: Optional[int] = _count("bytesSent")
    bytes_recv: Optional[int] = _count("bytesRecv")
    packets_sent: Optional[int] = _maybe("packetsSent")
    packets_recv: Optional[int] = _maybe("packetsRecv")
    checkpoint_frequency_seconds: Optional[float] = _maybe("checkpointFrequencySeconds")
    request_time: Optional[int] = _maybe("requestTime")
    queue_time: Optional[int] = _maybe("queueTime")
    start_time: Optional[int] = _maybe("startTime")
    end_time: Optional[int] = _maybe("endTime")
    snapshot_time: Optional[int] = _maybe("snapshotTime")

    requested_at = _moment("request_time")
    queued_at = _moment("queue_time")
    started_at = _moment("start_time")
    ended_at = _moment("end_time")
    snapshot_at = _moment("snapshot_time")

    @property
    def fraction(self) -> float:
        """How much has arrived, from 0 to 1."""
        if self.total_blocks:
            return min(1.0, (self.blocks_acked or 0) / self.total_blocks)
        return 1.0 if self.status == Status.COMPLETE else 0.0

    @property
    def bytes_acked(self) -> int:
        """Bytes that have arrived, to the block."""
        total = self.total_bytes or 0
        if self.total_blocks and self.blocks_acked == self.total_blocks:
            return total
        return min(total, (self.blocks_acked or 0) * (self.block_size or 0))

    @property
    def rate(self) -> Optional[float]:
        """Bytes a second since it started, None where that is not known."""
        until = self.end_time or self.snapshot_time
        if not self.start_time or not until or until <= self.start_time:
            return None
        return self.bytes_acked / ((until - self.start_time) / 1e6)

    @property
    def retransmitted(self) -> float:
        """Which share of the blocks was sent again, from 0 on."""
        return (self.blocks_retransmitted or 0) / self.blocks_sent if self.blocks_sent else 0.0


@attrs.frozen(slots=False, eq=False, repr=False)
class Token(JetStreamStructure):
    """A shared token (one manifest for a third party), or an API token (a login as its creator)."""

    token: str = attrs.field(metadata={"secret": True})
    description: Optional[str] = None
    creation_time: Optional[int] = _maybe("creationTime")
    expiry_time: Optional[int] = _maybe("expiryTime")
    password_required: Optional[bool] = _maybe("passwordRequired")
    permissions: Any = None
    owner: Optional[str] = None
    owner_token: Optional[str] = _maybe("ownerToken")
    owner_token_session: Any = _maybe("ownerTokenSession")
    user_data: Optional[Dict[str, Any]] = _maybe("userData")
    manifest_id: Optional[Id] = _maybe("manifestId")
    download_count: Optional[int] = _maybe("downloadCount")
    download_limit: Optional[int] = _maybe("downloadLimit")
    path: Optional[str] = None

    created_at = _moment("creation_time")
    expires_at = _moment("expiry_time")


@attrs.frozen(slots=False, eq=False, repr=False)
class ReceiveTransfer(JetStreamStructure):
    """A transfer as the receiving server sees it; ``total_size`` is in bytes."""

    transfer_id: Id = wire("transferId")
    destination_path: Optional[str] = _maybe("destinationPath")
    status: Status = Status("")
    total_size: Optional[int] = _count("totalSize")
    source_ip: Optional[str] = _maybe("sourceIP")
    source_port: Optional[int] = _maybe("sourcePort")
    last_recv_time: Optional[int] = _maybe("lastRecvTime")
    last_send_time: Optional[int] = _maybe("lastSendTime")
    last_error_time: Optional[int] = _maybe("lastErrorTime")

    last_received_at = _moment("last_recv_time")
    last_sent_at = _moment("last_send_time")
    last_error_at = _moment("last_error_time")


@attrs.frozen(slots=False, eq=False, repr=False)
class Source(JetStreamStructure):
    """A server that sends to this one; rates are in kilobits a second."""

    source_ip: Optional[str] = _maybe("sourceIP")
    source_port: Optional[int] = _maybe("sourcePort")
    active_transfer_count: Optional[int] = _maybe("activeTransferCount")
    inactive_transfer_count: Optional[int] = _maybe("inactiveTransferCount")
    complete_transfer_count: Optional[int] = _maybe("completeTransferCount")
    error_transfer_count: Optional[int] = _maybe("errorTransferCount")
    ave_recv_rate: Optional[float] = _maybe("aveRecvRate")
    ave_recv_rate_window: Optional[float] = _maybe("aveRecvRateWindow")
    destination_public_key: Any = _maybe("destinationPublicKey")
    encryption_enabled: Optional[bool] = _maybe("encryptionEnabled")
    encrypted_connection_state: Optional[Status] = _maybe("encryptedConnectionState")


@attrs.frozen(slots=False, eq=False, repr=False)
class Event(JetStreamStructure):
    """An entry of the event log; what it says besides is in ``extra``."""

    event: str = wire("_event")
    timestamp: Optional[int] = _maybe("_timestamp")

    at = _moment("timestamp")


@attrs.frozen(slots=False, eq=False, repr=False)
class ServerInfo(JetStreamStructure):
    """What a server says of itself; ``configuration`` only to superusers."""

    server_id: Optional[Id] = _maybe("serverId")
    server_name: Optional[str] = _maybe("serverName")
    server_external_address: Optional[str] = _maybe("serverExternalAddress")
    host_name: Optional[str] = _maybe("hostName")
    version: Optional[str] = None
    api_version: Optional[int] = _maybe("apiVersion")
    revision: Any = None
    api_control_port: Optional[int] = _maybe("apiControlPort")
    allow_remote_control: Optional[bool] = _maybe("allowRemoteControl")
    auth_required: Optional[bool] = _maybe("authRequired")
    api_tokens_available: Optional[bool] = _maybe("APITokensAvailable")
    encryption_available: Optional[bool] = _maybe("encryptionAvailable")
    multiplex_available: Optional[bool] = _maybe("multiplexAvailable")
    event_log_available: Optional[bool] = _maybe("eventLogAvailable")
    certificate_validation: Any = _maybe("certificateValidation")
    min_cipher: Any = _maybe("minCipher")
    public_key: Any = _maybe("publicKey")
    bandwidth_limits: Any = _maybe("bandwidthLimits")
    license: Any = None
    receiver: Any = None
    configuration: Any = None


def made(kind: Type[S], method: str, found: Any, **asked: Any) -> S:
    """The structure that a call yields.

    :param asked: ids by their names on the wire, as in :func:`about`.
    :raises DecodeError: it is something else, or has another id.
    """
    structure = kind.from_wire(found, method)
    for name in ("manifest_id", "destination_id", "transfer_id", "token"):
        if getattr(structure, name, None) == "":
            raise JetStreamDecodeError(f"{method}: the answer has an empty {name}")
    about(method, structure, **asked)
    return structure


def several(kind: Type[S], method: str, found: Any) -> List[S]:
    """The list of structures that a call yields; null stands for an empty one.

    :raises DecodeError: it is something else, or holds something else.
    """
    return [made(kind, method, one) for one in listed(method, found)]


def check_said(method: str, task: Any) -> None:
    """Check that a state says if the server still works on it.

    Some examples leave ``processing`` out once the status is final.

    :raises DecodeError: it has neither.
    """
    if task.get("processing") is None and task.status not in _FINAL:
        raise JetStreamDecodeError(f"{method}: the answer does not say if it is still being processed")


def listed(method: str, found: Any) -> List[Any]:
    """The list that a call yields; null stands for an empty one.

    :raises DecodeError: it is something else.
    """
    if not isinstance(found, (list, type(None))):
        raise JetStreamDecodeError(f"{method}: the answer is a {type(found).__name__}, not a list")
    return found or []


def listing(method: str, found: Any) -> Any:
    """The entries that a call yields: a list, or an object of lists by path; null stands for an empty list.

    :raises DecodeError: it is something else.
    """
    return found if isinstance(found, dict) else listed(method, found)


def size(method: str, found: Any) -> int:
    """The number of bytes that a call yields.

    :raises DecodeError: it is not a whole number of 0 or more.
    """
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1 << 63:
        raise JetStreamDecodeError(f"{method}: the answer is not a number of bytes")
    return found


def about(method: str, found: Any, **asked: Any) -> None:
    """Check that a structure is the one that was asked for.

    :param method: the call that it is the result of.
    :param asked: ids by their names on the wire; one that the structure lacks is not compared.
    :raises DecodeError: it has another id.
    """
    for name, wanted in asked.items():
        got = found.get(name) if isinstance(found, Mapping) else None
        if got is not None and str(got) != str(wanted):  # not shown: a token is a secret
            raise JetStreamDecodeError(f"{method}: the answer is about another {name}")
