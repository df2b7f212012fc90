"""``send_files`` and ``share``: from files of the connected server to a transfer, or to a link.

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
"""A source, or sources and (source, destination) pairs, as the connected server sees them."""
#: Either separator: the server may run on Windows.
_SEPARATOR = re.compile(r"[/\\]")


class Share(NamedTuple):
    """What others need to fetch files: the token, and the link with it."""

    token: Token
    link: str


def build_share(token: Token, info: ServerInfo, url: str) -> Share:
    """The link with a token; its host is the server's external address, else the one of this connection.

    :param url: where this client reaches the server.
    """
    here = Origin.parse(url)
    host, port, said = here.host, here.port, info.server_external_address
    try:
        host, port = parse_host_port(said, here.port) if said else (host, port)
    except UsageError:
        log.warning("the server's external address is not one: %.80r", said)
    return Share(token, build_download_link(host, port, token.token))


def build_mappings(files: SourceFiles, into: str = "/") -> Dict[str, str]:
    """Mappings of a manifest (destination -> source), from sources and (source, destination) pairs.

    A source alone keeps its last name, below ``into``; so does the destination of a pair, unless it begins
    with a slash.

    :raises UsageError: it is a mapping, is empty, or two sources have one destination.
    """
    if isinstance(files, Mapping):
        raise UsageError(
            "a mapping does not say which side is the source",
            hint="give (source, destination) pairs, or call api.send.createManifest, whose mappings are "
            "destination -> source",
        )
    if isinstance(files, (bytes, bytearray)):
        raise UsageError(
            "files are named as the connected server sees them, not given as bytes",
            hint="pass paths on the server, such as ['/data/run1']",
        )
    if not isinstance(files, (str, os.PathLike, Iterable)):
        raise UsageError(
            f"files is a path or a list of paths and pairs, not {type(files).__name__}",
            hint="['/data/a.bin']",
        )
    several: Sequence[Any] = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    if not several:
        raise UsageError(
            "no files were given to send",
            hint="pass at least one path on the server, such as ['/data/run1']",
        )
    found: Dict[str, str] = {}
    for one in several:
        source, destination = _parse_pair(one, into)
        if destination in found:
            raise UsageError(
                f"two sources would become {destination!r}: {found[destination]!r}, {source!r}",
                hint="give one of them another destination: (source, destination)",
            )
        found[destination] = source
    return found


def _parse_pair(item: Any, into: str) -> Tuple[str, str]:
    """Source and destination."""
    if isinstance(item, (tuple, list)):
        if len(item) != 2:
            raise UsageError(
                f"a pair is (source, destination), not {item!r}", hint="pass ('/data/a.bin', '/b.bin')"
            )
        source, wanted = require_text(item[0], "a source"), require_text(item[1], "a destination")
    else:
        source = require_text(item, "a source")
        wanted = _SEPARATOR.split(source.rstrip("/\\"))[-1]
        if wanted in ("", ".", "..") or wanted.endswith(":"):
            raise UsageError(f"{source!r} has no name of its own", hint="give a (source, destination) pair")
    return source, wanted if _is_absolute(wanted) else f"{into.rstrip('/')}/{wanted}"


def _is_absolute(path: str) -> bool:
    return path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path) is not None


def build_destination_params(to: Any) -> Dict[str, Any]:
    """Parameters of ``createDestination`` for ``host``, ``host:port``, or (host, port); or an id.

    :raises UsageError: it is none of these.
    """
    if isinstance(to, Destination):
        return {"destinationId": extract_id(to, "destinationId")}
    if isinstance(to, (tuple, list)) and len(to) == 2:
        host, port = parse_host_port(require_text(to[0], "a host"), to[1])
    else:
        host, port = parse_host_port(require_text(to, "to"), DEFAULT_PORT)
    return {"destinationAddress": host, "destinationPort": port}


def create_manifest_and_wait(
    rpc: JsonRpcClient, mappings: Mapping[str, str], reporter: ProgressReporter, timeout: Optional[float]
) -> Manifest:
    """A complete manifest; one that failed is deleted.

    :raises TaskFailed: the server could not make it; ``task`` is what it said.
    """
    method = "send.createManifest"
    begun = parse_model(Manifest, method, rpc.call(method, {"mappings": dict(mappings)}))
    patience = StallTimer(rpc.clock)
    try:
        found: Manifest = require_complete(
            wait_for_task(
                rpc, "send.waitForManifest", begun.manifest_id, timeout, ProgressReporter(None), patience
            )
        )
    except SmartxferError as error:
        if getattr(error, "task", None) is not None:
            _delete_manifest(rpc, begun)
        raise
    reporter.raise_if_failed()
    return found


def _delete_manifest(rpc: JsonRpcClient, manifest: Manifest) -> None:
    try:
        rpc.call("send.deleteManifest", {"manifestId": manifest.manifest_id})
    except SmartxferError as error:
        log.warning("manifest %s is left on the server: %s", manifest.manifest_id, error)


def send_and_wait(
    rpc: JsonRpcClient,
    mappings: Mapping[str, str],
    destination_params: Mapping[str, Any],
    journal: Journal,
    reporter: ProgressReporter,
    timeout: Optional[float],
    user: Optional[str] = None,
) -> Transfer:
    """Have the files sent, and wait until they have arrived; an earlier call's transfer is gone on with.

    :param journal: remembers the transfer until it has ended.
    :param user: name of the account; None where it is not known.
    :raises TaskFailed: the manifest or the transfer failed.
    :raises TaskSuspended: somebody suspended it.
    :raises WaitTimeout: ``timeout`` seconds passed, or without it some minutes without progress; the transfer
        goes on.
    """
    ends = None if timeout is None else rpc.clock.monotonic() + timeout

    def left() -> Optional[float]:
        return None if ends is None else max(0.0, ends - rpc.clock.monotonic())

    transfer = _find_resumable_transfer(rpc, journal, destination_params, user)
    if transfer is None:
        destination = destination_params.get("destinationId")
        if destination is None:
            found = rpc.call("send.createDestination", destination_params)
            far = parse_model(
                Destination,
                "send.createDestination",
                found,
                destinationPort=destination_params["destinationPort"],
            )
            destination = far.destination_id
        manifest = create_manifest_and_wait(rpc, mappings, reporter, left())
        # An earlier transfer is over: were it still noted, this one would not be looked for.
        journal.update(manifest=manifest.manifest_id, transfer=None)
        params = {"destinationId": destination, "manifestId": manifest.manifest_id}
        try:
            transfer = parse_model(
                Transfer, "send.createTransfer", rpc.call("send.createTransfer", params), **params
            )
        except HTTPError as error:
            if _is_rejected(error):
                _delete_manifest(rpc, manifest)
            raise
        journal.update(transfer=transfer.transfer_id)
        log.info("transfer %s of %d files or directories begins", transfer.transfer_id, len(mappings))
    began = rpc.clock.monotonic()
    ended = _wait_until_ended(rpc, transfer, left(), reporter)
    if ended.status != Status.SUSPENDED:
        journal.clear()
    if ended.status == Status.ERROR and ended.manifest_id is not None:
        _delete_manifest(rpc, Manifest(manifest_id=ended.manifest_id))
    complete: Transfer = require_complete(ended)
    log.info("transfer %s is done in %.1f s", complete.transfer_id, rpc.clock.monotonic() - began)
    return complete


def _wait_until_ended(
    rpc: JsonRpcClient, transfer: Transfer, timeout: Optional[float], reporter: ProgressReporter
) -> Transfer:
    """The transfer once it has ended.

    :raises WaitTimeout: it has not; what the server says of the line to the far one is in the message.
    """
    patience = StallTimer(rpc.clock)
    method, id = "send.waitForTransfer", transfer.transfer_id
    try:
        ended: Transfer = wait_for_task(rpc, method, id, timeout, reporter, patience)
    except WaitTimeout as error:
        late = error
    else:
        validate_ids(method, ended, manifestId=transfer.manifest_id or ended.manifest_id)
        return ended
    why = "" if timeout is not None else _get_connection_error(rpc, transfer)
    raise JetStreamWaitTimeout(f"{late.args[0]}{why}", hint=late.hint, last=late.last)


def _get_connection_error(rpc: JsonRpcClient, transfer: Transfer) -> str:
    """What the server says of the line to the far server, for a message; "" where it says nothing."""
    asked = {"destinationId": transfer.destination_id}
    try:
        found = rpc.call("send.getDestination", asked) if transfer.destination_id else None
        said = parse_model(Destination, "send.getDestination", found, **asked).last_error_message
    except SmartxferError:
        return ""
    return f": {redact(said)[:200]}" if said else ""


def _is_rejected(error: HTTPError) -> bool:
    """Return True where the server itself says that it did not act on a call.

    After another answer (a page of a proxy, a failed gateway) the transfer may exist: the next run looks for
    it by its manifest.
    """
    if isinstance(error, UnexpectedResponse) or error.status >= 500:
        return False
    return error.code != "InternalError"


def _find_resumable_transfer(
    rpc: JsonRpcClient, journal: Journal, destination_params: Mapping[str, Any], user: Optional[str]
) -> Optional[Transfer]:
    """The transfer of an earlier call that ended before it did, set going where it was suspended.

    One that is over meanwhile is not taken for this call's: its files may have changed since.  Nor is one
    that the server shows as another's, or as one to another server.
    """
    id = journal.state.get("transfer") or _find_transfer_of_manifest(rpc, journal.state.get("manifest"))
    if not isinstance(id, str):
        return None
    try:
        found = rpc.call("send.getTransfer", {"transferId": id})
        transfer = parse_model(Transfer, "send.getTransfer", found, transferId=id)
    except NotFound:
        return None
    if transfer.status != Status.SUSPENDED and not transfer.processing:
        return None
    reason = _find_mismatch(rpc, transfer, journal.state.get("manifest"), destination_params, user)
    if reason is not None:
        log.warning("transfer %s of a journal is not continued, the files are sent anew: %s", id, reason)
        return None
    if transfer.status == Status.SUSPENDED:
        rpc.call("send.resumeTransfer", {"transferId": id})
    log.info("going on with transfer %s", id)
    return transfer


def _find_mismatch(
    rpc: JsonRpcClient,
    transfer: Transfer,
    manifest: Any,
    destination_params: Mapping[str, Any],
    user: Optional[str],
) -> Optional[str]:
    """Return how a transfer differs from the one that is wanted; None where no difference is known.

    :param manifest: id of its manifest in the journal.

    Source: JetStream protocol, section 6.
    """
    if isinstance(manifest, str) and transfer.manifest_id not in (None, manifest):
        return f"it sends manifest {transfer.manifest_id}"
    # A name with a domain may be shown without it, or the other way round.
    plain = [name for name in (user, transfer.owner) if name and not re.search(r"[\\@]", name)]
    if len(plain) == 2 and plain[0].lower() != plain[1].lower():
        return f"it belongs to {transfer.owner}"
    there = transfer.destination_id
    if there is None:
        return None
    if "destinationId" in destination_params:
        return None if there == destination_params["destinationId"] else f"it goes to destination {there}"
    try:
        found = Destination.from_wire(rpc.call("send.getDestination", {"destinationId": there}))
    except NotFound:
        return None
    wanted = (str(destination_params["destinationAddress"]).lower(), destination_params["destinationPort"])
    address = (found.destination_address or wanted[0]).lower()
    if (address, found.destination_port or wanted[1]) != wanted:
        return f"it goes to {found.destination_address}, port {found.destination_port}"
    return None


def _find_transfer_of_manifest(rpc: JsonRpcClient, manifest: Any) -> Optional[str]:
    """The transfer of a manifest, where the call that made it ended before it had the answer."""
    if not isinstance(manifest, str):
        return None
    listed = parse_models(Transfer, "send.getTransfers", rpc.call("send.getTransfers"))
    return next((one.transfer_id for one in listed if one.manifest_id == manifest), None)


def sort_mappings(mappings: Mapping[str, str]) -> List[List[str]]:
    """Mappings in an order of their own, for a key."""
    return [[source, destination] for destination, source in sorted(mappings.items())]
