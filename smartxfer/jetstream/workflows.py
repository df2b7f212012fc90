"""Workflows of ``send_files`` and ``share``: create a manifest, then a transfer or a shared token.

Source: JetStream protocol, sections 2 and 10.
"""

import logging
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from smartxfer.errors import HTTPError, NotFound, SmartxferError, UnexpectedResponse, UsageError, WaitTimeout
from smartxfer.jetstream.address import DEFAULT_PORT, build_download_link, parse_host_port
from smartxfer.jetstream.errors import JetStreamWaitTimeout
from smartxfer.jetstream.interface import extract_id, require_text
from smartxfer.jetstream.models import (
    Destination,
    Manifest,
    ServerInfo,
    Status,
    Token,
    Transfer,
    parse_model,
    parse_models,
    validate_ids,
)
from smartxfer.jetstream.polling import StallTimer, require_complete, wait_for_task
from smartxfer.jetstream.rpc import JsonRpcClient
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.progress import ProgressReporter
from smartxfer.transport import Origin
from smartxfer.transport.redaction import redact

__all__ = [
    "Share",
    "SourceFiles",
    "build_destination_params",
    "build_mappings",
    "build_share",
    "create_manifest_and_wait",
    "send_and_wait",
    "sort_mappings",
]

log = logging.getLogger("smartxfer.jetstream")

RemotePath = Union[str, "os.PathLike[str]"]
SourceFiles = Union[RemotePath, Iterable[Union[RemotePath, Tuple[RemotePath, RemotePath]]]]
"""A path on the connected server, or a list of paths and (source, destination) pairs."""
#: Both separators, because the server may run on Windows.
_SEPARATOR = re.compile(r"[/\\]")


class Share(NamedTuple):
    """A shared token, and the download link that contains it."""

    token: Token
    link: str


def build_share(token: Token, info: ServerInfo, url: str) -> Share:
    """Return a token with its link, whose host is the server's external address, else that of the connection.

    :param url: URL of the connection.
    """
    origin, address = Origin.parse(url), info.server_external_address
    host, port = origin.host, origin.port
    try:
        host, port = parse_host_port(address, origin.port) if address else (host, port)
    except UsageError:
        log.warning("the server's external address is invalid: %.80r", address)
    return Share(token, build_download_link(host, port, token.token))


def build_mappings(files: SourceFiles, into: str = "/") -> Dict[str, str]:
    """Return the mappings of a manifest (destination -> source) for sources and (source, destination) pairs.

    The destination of a source without a pair is its last component, relative to ``into``.  The destination
    of a pair is relative to ``into``, too, unless it is an absolute path.

    :raises UsageError: it is a mapping, is empty, or two sources have the same destination.
    """
    if isinstance(files, Mapping):
        raise UsageError(
            "files must not be a mapping: it is not clear which side is the source",
            hint="pass (source, destination) pairs, or call api.send.createManifest, whose mappings are "
            "destination -> source",
        )
    if isinstance(files, (bytes, bytearray)):
        raise UsageError(
            "files must be paths on the connected server, not bytes", hint="pass files=['/data/a.bin']"
        )
    if not isinstance(files, (str, os.PathLike, Iterable)):
        raise UsageError(
            f"files must be a path or a list of paths and pairs, not a {type(files).__name__}",
            hint="pass files=['/data/a.bin']",
        )
    items: Sequence[Any] = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    if not items:
        raise UsageError("no files to send", hint="pass files=['/data/a.bin']")
    mappings: Dict[str, str] = {}
    for item in items:
        source, destination = _parse_pair(item, into)
        if destination in mappings:
            raise UsageError(
                f"two sources have the destination {destination!r}: {mappings[destination]!r}, {source!r}",
                hint="pass (source, destination) pairs with different destinations",
            )
        mappings[destination] = source
    return mappings


def _parse_pair(item: Any, into: str) -> Tuple[str, str]:
    """Return source and destination."""
    if isinstance(item, (tuple, list)):
        if len(item) != 2:
            raise UsageError(f"invalid pair: {item!r}", hint="pass (source, destination)")
        source, destination = require_text(item[0], "source"), require_text(item[1], "destination")
    else:
        source = require_text(item, "source")
        destination = _SEPARATOR.split(source.rstrip("/\\"))[-1]
        if destination in ("", ".", "..") or destination.endswith(":"):
            raise UsageError(
                f"the path {source!r} does not end in a name", hint="pass a (source, destination) pair"
            )
    return source, destination if _is_absolute(destination) else f"{into.rstrip('/')}/{destination}"


def _is_absolute(path: str) -> bool:
    return path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path) is not None


def build_destination_params(to: Any) -> Dict[str, Any]:
    """Return the parameters of ``createDestination``, or the id of a Destination.

    :param to: ``host``, ``host:port``, (host, port), or a Destination.
    :raises UsageError: it is something else.
    """
    if isinstance(to, Destination):
        return {"destinationId": extract_id(to, "destinationId")}
    if isinstance(to, (tuple, list)) and len(to) == 2:
        host, port = parse_host_port(require_text(to[0], "host"), to[1])
    else:
        host, port = parse_host_port(require_text(to, "to"), DEFAULT_PORT)
    return {"destinationAddress": host, "destinationPort": port}


def create_manifest_and_wait(
    rpc: JsonRpcClient, mappings: Mapping[str, str], reporter: ProgressReporter, timeout: Optional[float]
) -> Manifest:
    """Create a manifest, wait until it is complete, and return it; delete it if it fails.

    :raises TaskFailed: the server could not complete the manifest; ``task`` is its last state.
    """
    method = "send.createManifest"
    created = parse_model(Manifest, method, rpc.call(method, {"mappings": dict(mappings)}))
    stall_timer = StallTimer(rpc.clock)
    try:
        manifest: Manifest = require_complete(
            wait_for_task(
                rpc, "send.waitForManifest", created.manifest_id, timeout, ProgressReporter(None), stall_timer
            )
        )
    except SmartxferError as error:
        if getattr(error, "task", None) is not None:
            _delete_manifest(rpc, created)
        raise
    reporter.raise_if_failed()
    return manifest


def _delete_manifest(rpc: JsonRpcClient, manifest: Manifest) -> None:
    try:
        rpc.call("send.deleteManifest", {"manifestId": manifest.manifest_id})
    except SmartxferError as error:
        log.warning("manifest %s could not be deleted: %s", manifest.manifest_id, error)


def send_and_wait(
    rpc: JsonRpcClient,
    mappings: Mapping[str, str],
    destination_params: Mapping[str, Any],
    journal: Journal,
    reporter: ProgressReporter,
    timeout: Optional[float],
    user: Optional[str] = None,
) -> Transfer:
    """Send files and wait until they have arrived; resume the transfer of an earlier call if there is one.

    :param journal: stores the id of the transfer until it has ended.
    :param user: name of the account; None if it is not known.
    :raises TaskFailed: the manifest or the transfer failed.
    :raises TaskSuspended: the transfer was suspended on the server.
    :raises WaitTimeout: ``timeout`` seconds have passed, or without it some minutes without progress; the
        server continues the transfer.
    """
    end_time = None if timeout is None else rpc.clock.monotonic() + timeout

    def remaining() -> Optional[float]:
        return None if end_time is None else max(0.0, end_time - rpc.clock.monotonic())

    transfer = _find_resumable_transfer(rpc, journal, destination_params, user)
    if transfer is None:
        destination_id = destination_params.get("destinationId")
        if destination_id is None:
            method, port = "send.createDestination", destination_params["destinationPort"]
            result = rpc.call(method, destination_params)
            destination_id = parse_model(Destination, method, result, destinationPort=port).destination_id
        manifest = create_manifest_and_wait(rpc, mappings, reporter, remaining())
        # Remove the id of an earlier transfer, which has ended: otherwise a later run would not search for
        # the transfer of this manifest.
        journal.update(manifest=manifest.manifest_id, transfer=None)
        params = {"destinationId": destination_id, "manifestId": manifest.manifest_id}
        try:
            transfer = parse_model(
                Transfer, "send.createTransfer", rpc.call("send.createTransfer", params), **params
            )
        except HTTPError as error:
            if _is_rejected(error):
                _delete_manifest(rpc, manifest)
            raise
        journal.update(transfer=transfer.transfer_id)
        log.info("started transfer %s of %d files or directories", transfer.transfer_id, len(mappings))
    started = rpc.clock.monotonic()
    ended = _wait_until_ended(rpc, transfer, remaining(), reporter)
    if ended.status != Status.SUSPENDED:
        journal.clear()
    if ended.status == Status.ERROR and ended.manifest_id is not None:
        _delete_manifest(rpc, Manifest(manifest_id=ended.manifest_id))
    complete: Transfer = require_complete(ended)
    log.info("transfer %s is complete after %.1f s", complete.transfer_id, rpc.clock.monotonic() - started)
    return complete


def _wait_until_ended(
    rpc: JsonRpcClient, transfer: Transfer, timeout: Optional[float], reporter: ProgressReporter
) -> Transfer:
    """Wait for a transfer and return its last state.

    :raises WaitTimeout: it has not ended; the message has the last error of the destination's connection.
    """
    stall_timer = StallTimer(rpc.clock)
    method, transfer_id = "send.waitForTransfer", transfer.transfer_id
    try:
        ended: Transfer = wait_for_task(rpc, method, transfer_id, timeout, reporter, stall_timer)
    except WaitTimeout as error:
        timeout_error = error
    else:
        validate_ids(method, ended, manifestId=transfer.manifest_id or ended.manifest_id)
        return ended
    reason = "" if timeout is not None else _get_connection_error(rpc, transfer)
    raise JetStreamWaitTimeout(
        f"{timeout_error.args[0]}{reason}", hint=timeout_error.hint, last=timeout_error.last
    )


def _get_connection_error(rpc: JsonRpcClient, transfer: Transfer) -> str:
    """Return the last error of the connection to the destination, for a message; "" if there was no error."""
    method, params = "send.getDestination", {"destinationId": transfer.destination_id}
    try:
        result = rpc.call(method, params) if transfer.destination_id else None
        message = parse_model(Destination, method, result, **params).last_error_message
    except SmartxferError:
        return ""
    return f": {redact(message)[:200]}" if message else ""


def _is_rejected(error: HTTPError) -> bool:
    """Return True if the error shows that the server has not executed the call.

    After another error (a page of a proxy, a failed gateway) the transfer may exist: the next run searches
    for it by its manifest.
    """
    if isinstance(error, UnexpectedResponse) or error.status >= 500:
        return False
    return error.code != "InternalError"


def _find_resumable_transfer(
    rpc: JsonRpcClient, journal: Journal, destination_params: Mapping[str, Any], user: Optional[str]
) -> Optional[Transfer]:
    """Return the unfinished transfer of an interrupted call, and resume it if it is suspended.

    A transfer that has ended is not used, because its files may have changed since.  Neither is a transfer of
    another user or to another destination.
    """
    manifest_id = journal.state.get("manifest")
    transfer_id = journal.state.get("transfer") or _find_transfer_of_manifest(rpc, manifest_id)
    if not isinstance(transfer_id, str):
        return None
    try:
        result = rpc.call("send.getTransfer", {"transferId": transfer_id})
        transfer = parse_model(Transfer, "send.getTransfer", result, transferId=transfer_id)
    except NotFound:
        return None
    if transfer.status != Status.SUSPENDED and not transfer.processing:
        return None
    reason = _find_mismatch(rpc, transfer, manifest_id, destination_params, user)
    if reason is not None:
        log.warning(
            "transfer %s of the journal is not resumed, the files are sent again: %s", transfer_id, reason
        )
        return None
    if transfer.status == Status.SUSPENDED:
        rpc.call("send.resumeTransfer", {"transferId": transfer_id})
    log.info("resuming transfer %s", transfer_id)
    return transfer


def _find_mismatch(
    rpc: JsonRpcClient,
    transfer: Transfer,
    manifest_id: Any,
    destination_params: Mapping[str, Any],
    user: Optional[str],
) -> Optional[str]:
    """Return how a transfer differs from the expected one; None if no difference is known.

    :param manifest_id: id of its manifest in the journal.

    Source: JetStream protocol, section 6.
    """
    if isinstance(manifest_id, str) and transfer.manifest_id not in (None, manifest_id):
        return f"it sends manifest {transfer.manifest_id}"
    # Names with a domain are not compared: the server may report the name with or without it.
    names = [name for name in (user, transfer.owner) if name and not re.search(r"[\\@]", name)]
    if len(names) == 2 and names[0].lower() != names[1].lower():
        return f"it belongs to {transfer.owner}"
    destination_id = transfer.destination_id
    if destination_id is None:
        return None
    if "destinationId" in destination_params:
        is_same = destination_id == destination_params["destinationId"]
        return None if is_same else f"its destination is {destination_id}"
    try:
        actual = Destination.from_wire(rpc.call("send.getDestination", {"destinationId": destination_id}))
    except NotFound:
        return None
    expected = (str(destination_params["destinationAddress"]).lower(), destination_params["destinationPort"])
    address = (actual.destination_address or expected[0]).lower()
    if (address, actual.destination_port or expected[1]) != expected:
        return f"its destination is {actual.destination_address}, port {actual.destination_port}"
    return None


def _find_transfer_of_manifest(rpc: JsonRpcClient, manifest_id: Any) -> Optional[str]:
    """Return the id of a manifest's transfer, for the case that the response to its creation was lost."""
    if not isinstance(manifest_id, str):
        return None
    transfers = parse_models(Transfer, "send.getTransfers", rpc.call("send.getTransfers"))
    return next((item.transfer_id for item in transfers if item.manifest_id == manifest_id), None)


def sort_mappings(mappings: Mapping[str, str]) -> List[List[str]]:
    """Return the mappings as sorted pairs, for the key of a journal."""
    return [[source, destination] for destination, source in sorted(mappings.items())]
