"""Models of the objects in responses, with the documented names, and parsers for results of other types.

All fields except the id may be missing.  Times are in microseconds since 1970; each has a property that
returns it as a datetime in UTC.

Source: JetStream protocol, section 6.
"""

import datetime as dt
from typing import Any, Dict, List, Mapping, Optional, Type, TypeVar

import attrs

from smartxfer.jetstream.errors import ERRORS, JetStreamDecodeError
from smartxfer.models import Model, OpaqueId, OpenEnum, count_field, wire_field

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
    "parse_byte_count",
    "parse_list",
    "parse_listing",
    "parse_model",
    "parse_models",
    "validate_ids",
    "validate_processing",
]

S = TypeVar("S", bound=Model)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class Status(OpenEnum):
    """Status of a task, which is final once ``processing`` is false; may have other values than these."""

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
_FINAL_STATUSES = (Status.COMPLETE, Status.SUSPENDED, Status.ERROR)


def _optional(name: str) -> Any:
    """Return a field that may be missing or null."""
    return wire_field(name, default=None)


def _optional_count(name: str) -> Any:
    """Return a field for a non-negative number that may be missing or null."""
    return count_field(name, default=None)


def _datetime_property(name: str) -> Any:
    """Return a property that converts a field of microseconds to a datetime in UTC."""

    def get_datetime(self: Any) -> Optional[dt.datetime]:
        microseconds = getattr(self, name)
        try:
            return None if microseconds is None else _EPOCH + dt.timedelta(microseconds=microseconds)
        except OverflowError:  # later than the year 9999
            return None

    get_datetime.__doc__ = f"``{name}`` as a datetime in UTC; None if it is missing or out of range."
    return property(get_datetime)


class JetStreamModel(Model):
    """Base class of the models, which raises errors of JetStream."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class RequestStatus(JetStreamModel):
    """Status of an asynchronous request."""

    request_id: Optional[int] = _optional("requestId")
    processing: bool = False
    status: Status = Status("")
    error_message: Optional[str] = _optional("errorMessage")


@attrs.frozen(slots=False, eq=False, repr=False)
class Task(JetStreamModel):
    """Fields of manifests and transfers."""

    status: Status = Status("")
    processing: bool = False
    error_message: Optional[str] = _optional("errorMessage")
    owner: Optional[str] = None
    owner_token: Optional[str] = _optional("ownerToken")
    owner_token_session: Any = _optional("ownerTokenSession")
    user_data: Optional[Dict[str, Any]] = _optional("userData")


@attrs.frozen(slots=False, eq=False, repr=False)
class Manifest(Task):
    """A list of files, to be sent by a transfer; ``total_size`` is in bytes."""

    manifest_id: OpaqueId = wire_field("manifestId", kw_only=True)
    total_files: Optional[int] = _optional_count("totalFiles")
    total_size: Optional[int] = _optional_count("totalSize")


@attrs.frozen(slots=False, eq=False, repr=False)
class _ConnectionFields(JetStreamModel):
    """Fields of destinations and connections."""

    connection_id: Optional[OpaqueId] = _optional("connectionId")
    destination_ip: Optional[str] = _optional("destinationIP")
    destination_port: Optional[int] = _optional("destinationPort")
    destination_public_key: Any = _optional("destinationPublicKey")
    permitted_destination_public_key: Any = _optional("permittedDestinationPublicKey")
    encryption_enabled: Optional[bool] = _optional("encryptionEnabled")
    encrypted_connection_state: Optional[Status] = _optional("encryptedConnectionState")
    last_destination_server_id: Any = _optional("lastDestinationServerId")
    last_destination_server_uid: Any = _optional("lastDestinationServerUid")
    last_error: Any = _optional("lastError")
    last_error_message: Optional[str] = _optional("lastErrorMessage")
    last_recv_time: Optional[int] = _optional("lastRecvTime")
    last_send_time: Optional[int] = _optional("lastSendTime")
    num_transfers_queued: Optional[int] = _optional("numTransfersQueued")

    last_received_at = _datetime_property("last_recv_time")
    last_sent_at = _datetime_property("last_send_time")


@attrs.frozen(slots=False, eq=False, repr=False)
class Destination(_ConnectionFields):
    """A server that files can be sent to."""

    destination_id: OpaqueId = wire_field("destinationId", kw_only=True)
    destination_address: Optional[str] = _optional("destinationAddress")
    owner: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class Connection(_ConnectionFields):
    """A network connection to another server, which several destinations may share."""

    rate_controller_active: Optional[bool] = _optional("rateControllerActive")
    rate_control_method: Any = _optional("rateControlMethod")
    relay_ip: Optional[str] = _optional("relayIP")
    relay_port: Optional[int] = _optional("relayPort")
    round_trip_time_ms: Optional[float] = _optional("roundTripTimeMs")


@attrs.frozen(slots=False, eq=False, repr=False)
class Transfer(Task):
    """Transfer of a manifest to a destination; its progress is in blocks of ``block_size`` bytes."""

    transfer_id: OpaqueId = wire_field("transferId", kw_only=True)
    destination_id: Optional[OpaqueId] = _optional("destinationId")
    manifest_id: Optional[OpaqueId] = _optional("manifestId")
    destination_path: Optional[str] = _optional("destinationPath")
    priority: Optional[int] = None
    block_size: Optional[int] = _optional_count("blockSize")
    blocks_sent: Optional[int] = _optional_count("blocksSent")
    blocks_acked: Optional[int] = _optional_count("blocksAcked")
    blocks_retransmitted: Optional[int] = _optional_count("blocksRetransmitted")
    total_blocks: Optional[int] = _optional_count("totalBlocks")
    total_bytes: Optional[int] = _optional_count("totalBytes")
    bytes_sent: Optional[int] = _optional_count("bytesSent")
    bytes_recv: Optional[int] = _optional_count("bytesRecv")
    packets_sent: Optional[int] = _optional("packetsSent")
    packets_recv: Optional[int] = _optional("packetsRecv")
    checkpoint_frequency_seconds: Optional[float] = _optional("checkpointFrequencySeconds")
    request_time: Optional[int] = _optional("requestTime")
    queue_time: Optional[int] = _optional("queueTime")
    start_time: Optional[int] = _optional("startTime")
    end_time: Optional[int] = _optional("endTime")
    snapshot_time: Optional[int] = _optional("snapshotTime")

    requested_at = _datetime_property("request_time")
    queued_at = _datetime_property("queue_time")
    started_at = _datetime_property("start_time")
    ended_at = _datetime_property("end_time")
    snapshot_at = _datetime_property("snapshot_time")

    @property
    def fraction(self) -> float:
        """Fraction that has arrived, from 0 to 1."""
        if self.total_blocks:
            return min(1.0, (self.blocks_acked or 0) / self.total_blocks)
        return 1.0 if self.status == Status.COMPLETE else 0.0

    @property
    def bytes_acked(self) -> int:
        """Bytes of the blocks that have arrived."""
        total = self.total_bytes or 0
        if self.total_blocks and self.blocks_acked == self.total_blocks:
            return total
        return min(total, (self.blocks_acked or 0) * (self.block_size or 0))

    @property
    def rate(self) -> Optional[float]:
        """Bytes per second since its start; None if a time is missing."""
        end = self.end_time or self.snapshot_time
        if not self.start_time or not end or end <= self.start_time:
            return None
        return self.bytes_acked / ((end - self.start_time) / 1e6)

    @property
    def retransmitted(self) -> float:
        """Retransmitted blocks as a fraction of the blocks sent."""
        return (self.blocks_retransmitted or 0) / self.blocks_sent if self.blocks_sent else 0.0


@attrs.frozen(slots=False, eq=False, repr=False)
class Token(JetStreamModel):
    """A shared token (one manifest for a third party), or an API token (a login as its creator)."""

    token: str = attrs.field(metadata={"secret": True})
    description: Optional[str] = None
    creation_time: Optional[int] = _optional("creationTime")
    expiry_time: Optional[int] = _optional("expiryTime")
    password_required: Optional[bool] = _optional("passwordRequired")
    permissions: Any = None
    owner: Optional[str] = None
    owner_token: Optional[str] = _optional("ownerToken")
    owner_token_session: Any = _optional("ownerTokenSession")
    user_data: Optional[Dict[str, Any]] = _optional("userData")
    manifest_id: Optional[OpaqueId] = _optional("manifestId")
    download_count: Optional[int] = _optional("downloadCount")
    download_limit: Optional[int] = _optional("downloadLimit")
    path: Optional[str] = None

    created_at = _datetime_property("creation_time")
    expires_at = _datetime_property("expiry_time")


@attrs.frozen(slots=False, eq=False, repr=False)
class ReceiveTransfer(JetStreamModel):
    """A transfer to the connected server; ``total_size`` is in bytes."""

    transfer_id: OpaqueId = wire_field("transferId")
    destination_path: Optional[str] = _optional("destinationPath")
    status: Status = Status("")
    total_size: Optional[int] = _optional_count("totalSize")
    source_ip: Optional[str] = _optional("sourceIP")
    source_port: Optional[int] = _optional("sourcePort")
    last_recv_time: Optional[int] = _optional("lastRecvTime")
    last_send_time: Optional[int] = _optional("lastSendTime")
    last_error_time: Optional[int] = _optional("lastErrorTime")

    last_received_at = _datetime_property("last_recv_time")
    last_sent_at = _datetime_property("last_send_time")
    last_error_at = _datetime_property("last_error_time")


@attrs.frozen(slots=False, eq=False, repr=False)
class Source(JetStreamModel):
    """A server that sends files to the connected server; rates are in kilobits per second."""

    source_ip: Optional[str] = _optional("sourceIP")
    source_port: Optional[int] = _optional("sourcePort")
    active_transfer_count: Optional[int] = _optional("activeTransferCount")
    inactive_transfer_count: Optional[int] = _optional("inactiveTransferCount")
    complete_transfer_count: Optional[int] = _optional("completeTransferCount")
    error_transfer_count: Optional[int] = _optional("errorTransferCount")
    ave_recv_rate: Optional[float] = _optional("aveRecvRate")
    ave_recv_rate_window: Optional[float] = _optional("aveRecvRateWindow")
    destination_public_key: Any = _optional("destinationPublicKey")
    encryption_enabled: Optional[bool] = _optional("encryptionEnabled")
    encrypted_connection_state: Optional[Status] = _optional("encryptedConnectionState")


@attrs.frozen(slots=False, eq=False, repr=False)
class Event(JetStreamModel):
    """An entry of the event log; other fields are in ``extra``."""

    event: str = wire_field("_event")
    timestamp: Optional[int] = _optional("_timestamp")

    at = _datetime_property("timestamp")


@attrs.frozen(slots=False, eq=False, repr=False)
class ServerInfo(JetStreamModel):
    """Identity and settings of a server; only superusers receive ``configuration``."""

    server_id: Optional[OpaqueId] = _optional("serverId")
    server_name: Optional[str] = _optional("serverName")
    server_external_address: Optional[str] = _optional("serverExternalAddress")
    host_name: Optional[str] = _optional("hostName")
    version: Optional[str] = None
    api_version: Optional[int] = _optional("apiVersion")
    revision: Any = None
    api_control_port: Optional[int] = _optional("apiControlPort")
    allow_remote_control: Optional[bool] = _optional("allowRemoteControl")
    auth_required: Optional[bool] = _optional("authRequired")
    api_tokens_available: Optional[bool] = _optional("APITokensAvailable")
    encryption_available: Optional[bool] = _optional("encryptionAvailable")
    multiplex_available: Optional[bool] = _optional("multiplexAvailable")
    event_log_available: Optional[bool] = _optional("eventLogAvailable")
    certificate_validation: Any = _optional("certificateValidation")
    min_cipher: Any = _optional("minCipher")
    public_key: Any = _optional("publicKey")
    bandwidth_limits: Any = _optional("bandwidthLimits")
    license: Any = None
    receiver: Any = None
    configuration: Any = None


def parse_model(model_type: Type[S], method: str, result: Any, **expected_ids: Any) -> S:
    """Parse the result of a call.

    :param expected_ids: ids by their JSON names, as in :func:`validate_ids`.
    :raises DecodeError: the result is invalid or has another id.
    """
    model = model_type.from_wire(result, method)
    for name in ("manifest_id", "destination_id", "transfer_id", "token"):
        if getattr(model, name, None) == "":
            raise JetStreamDecodeError(f"{method}: the result has an empty {name}")
    validate_ids(method, model, **expected_ids)
    return model


def parse_models(model_type: Type[S], method: str, result: Any) -> List[S]:
    """Parse a result that is a list of objects; null is an empty list.

    :raises DecodeError: the result or one of its items is invalid.
    """
    return [parse_model(model_type, method, item) for item in parse_list(method, result)]


def validate_processing(method: str, task: Any) -> None:
    """Check that a task has ``processing`` or a final status.

    Some examples in the vendor's documentation have no ``processing`` once the status is final.

    :raises DecodeError: it has neither.
    """
    if task.get("processing") is None and task.status not in _FINAL_STATUSES:
        raise JetStreamDecodeError(f"{method}: the result has no field 'processing' and no final status")


def parse_list(method: str, result: Any) -> List[Any]:
    """Return a result that is a list; null is an empty list.

    :raises DecodeError: it is something else.
    """
    if not isinstance(result, (list, type(None))):
        raise JetStreamDecodeError(f"{method}: the result is a {type(result).__name__}, not a list")
    return result or []


def parse_listing(method: str, result: Any) -> Any:
    """Return a result that is a list, or an object with lists by path; null is an empty list.

    :raises DecodeError: it is something else.
    """
    return result if isinstance(result, dict) else parse_list(method, result)


def parse_byte_count(method: str, result: Any) -> int:
    """Return a result that is a number of bytes.

    :raises DecodeError: it is not a non-negative integer.
    """
    if isinstance(result, bool) or not isinstance(result, int) or not 0 <= result < 1 << 63:
        raise JetStreamDecodeError(f"{method}: the result is not a number of bytes")
    return result


def validate_ids(method: str, result: Any, **expected_ids: Any) -> None:
    """Check that a result describes the requested object.

    :param method: the call that returned the result.
    :param expected_ids: ids by their JSON names; ids that the result does not have are not compared.
    :raises DecodeError: it has another id.
    """
    for name, expected in expected_ids.items():
        actual = result.get(name) if isinstance(result, Mapping) else None
        if actual is not None and str(actual) != str(expected):  # values are not shown: a token is a secret
            raise JetStreamDecodeError(f"{method}: the result has another {name}")
