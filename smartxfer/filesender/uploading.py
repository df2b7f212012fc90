"""The upload workflow: check, create or go on, send, complete.

Source: FileSender protocol, section 6.
"""

import functools
import logging
import mimetypes
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

import attrs

from smartxfer.errors import (
    BadRequest,
    ClientError,
    CommunicationError,
    HTTPError,
    IntegrityError,
    LimitExceeded,
    SmartxferError,
    SourceChanged,
    Truncated,
    UsageError,
)
from smartxfer.filesender.auth import GuestAuth
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.models import File, Transfer
from smartxfer.filesender.sealing import Sealing
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Part, cut
from smartxfer.transfer.result import FileResult, settle
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import Body, Upload, UploadLane

__all__ = ["MOST_WORKERS", "Sending", "Width", "request_body", "send_files"]

log = logging.getLogger("smartxfer.filesender")

#: Threads per file when ``concurrent_chunks`` is None: "unlimited" still has to fit a machine.
MOST_WORKERS = 16


def request_body(
    items: Sequence[Item], transfer_args: Mapping[str, Any], sender: Optional[str], link: bool
) -> Dict[str, Any]:
    """The body of ``POST /transfer``.

    ``get_a_link`` is always said: a server left to itself turns it on and forgets the recipients.

    Source: FileSender protocol, section 6.1.
    """
    body = {name: value for name, value in transfer_args.items() if value is not None}
    recipients = body.get("recipients", [])
    recipients = [recipients] if isinstance(recipients, str) else list(recipients)
    options = body.get("options", {})
    if not isinstance(options, Mapping):
        options = dict.fromkeys(options, True)
    wants_link = bool(options.get("get_a_link", link or not recipients))
    if wants_link and recipients:
        raise UsageError(
            "a transfer with a link has no recipients: the server would send them nothing",
            hint="leave out the recipients, or the link",
        )
    if not wants_link and not recipients and sender is not None and not options.get("add_me_to_recipients"):
        raise UsageError(
            "a transfer without a link needs recipients", hint="name them, or leave out get_a_link"
        )
    if sender is not None:
        body.setdefault("from", sender)
    body["recipients"] = recipients
    body["options"] = {"email_download_complete": True, **options, "get_a_link": wants_link}
    body["files"] = [
        {
            "name": item.name,
            "size": item.size,
            "mime_type": mimetypes.guess_type(item.name)[0] or "application/octet-stream",
            "cid": f"file_{number}_{item.size}_0_0",
        }
        for number, item in enumerate(items)
    ]
    return body


@attrs.frozen
class Width:
    """How much is sent at once.

    :param files: files at a time.
    :param chunks: chunks of each file at a time.
    :param chunk_size: bytes.
    """

    files: int
    chunks: int
    chunk_size: int


def send_files(
    calls: Calls,
    operation: Operation,
    pairs: Sequence[Tuple[Item, File]],
    width: Width,
    journal: Optional[Journal] = None,
    complete: bool = True,
    sealing: Optional[Sealing] = None,
) -> List[FileResult]:
    """Send the files of a transfer; the results, failed ones included.

    :param pairs: what is sent, and what the server calls it.
    :param complete: False leaves out the completion of each file.
    :param sealing: what encrypts them.
    """
    lanes = []
    for item, file in pairs:
        operation.reporter.queue(item.name, item.size)
        upload = _upload(calls, operation, item, file, width.chunk_size, journal, complete, sealing)
        lanes.append(UploadLane(upload, operation, width.chunks))
    operation.run(lanes, width.files)
    return [lane.result for lane in lanes]


def _upload(
    calls: Calls,
    operation: Operation,
    item: Item,
    file: File,
    chunk_size: int,
    journal: Optional[Journal],
    complete: bool,
    sealing: Optional[Sealing],
) -> Upload:
    def send_part(part: Part, body: Body) -> None:
        sealed = None if sealing is None else sealing.sealed_length(item.name, part)
        written, expected = calls.put_chunk(file, item.size, part, body, sealed), sealed or part.size
        if written != expected:
            raise Truncated(
                f"{item.name}: the server wrote {written} of {expected} bytes at {part.start}",
                got=written,
                expected=expected,
            )

    def note(part: Part) -> None:
        if journal is not None:
            journal.append("acknowledged", item.name, part.number)

    def finish() -> Tuple[str, Optional[str]]:
        try:
            if complete:
                calls.update_file(file, {"complete": True}, operation)
        except HTTPError as error:
            if error.code != "file_integrity_check_failed":
                raise
            lost = error
        else:
            return "size", None
        if journal is not None:
            journal.drop("acknowledged", item.name)
        raise IntegrityError(
            f"{item.name}: the server holds another size than {item.size} bytes ({lost.summary})",
            hint="run again: its chunks are sent anew",
        )

    acknowledged = journal.state.get("acknowledged", {}) if journal is not None else {}
    return Upload(
        name=item.name,
        open_source=item.open_unchanged,
        plan=lambda size: cut(size, chunk_size),
        send_part=send_part,
        finish=finish,
        acknowledged=frozenset(acknowledged.get(item.name, ())),
        note=note,
        seal=None if sealing is None else sealing.of_file(item.name),
    )


class Sending:
    """One run of the upload workflow, and what it leaves for the next.

    :param body: of ``POST /transfer``, checked.
    :param journal: None where there is nothing to recognise the same request by.
    :param sealing: what encrypts the files, where that is wanted.
    """

    def __init__(
        self,
        calls: Calls,
        operation: Operation,
        items: Sequence[Item],
        body: Dict[str, Any],
        width: Width,
        journal: Optional[Journal],
        sealing: Optional[Sealing] = None,
    ) -> None:
        if sealing is not None:
            width = attrs.evolve(width, chunk_size=sealing.chunk_size)
        self._sealing = sealing
        self._calls = calls
        self._operation = operation
        self._items = items
        self._body = body
        self._width = width
        self._journal = journal

    def run(self) -> Transfer:
        """Create the transfer or go on with an earlier run's, send what is missing, complete it.

        :raises BatchError: some files failed; the transfer is not completed and a re-run goes on.
        """
        transfer = self._operation.call(lambda: self._earlier() or self._create())
        try:
            results = settle(self._send(transfer))
            self._note(completing=True)
            done = self._operation.call(lambda: self._complete(transfer.id))
        except BaseException as error:
            if any(isinstance(cause, SourceChanged) for cause in (error, *getattr(error, "errors", ()))):
                self._discard(transfer.id)
            else:
                self._explain(error, transfer.id)
            raise
        if self._journal is not None:
            self._journal.forget()
        return done.but(results=tuple(results))

    def _note(self, **values: Any) -> None:
        if self._journal is not None:
            self._journal.note(**values)

    def _create(self) -> Transfer:
        try:
            transfer = self._calls.create_transfer(self._body, self._operation)
        except BadRequest as error:
            if error.code == "rest_bad_parameter" and not self._body.get("aup_checked"):
                error.hint = (
                    "the site may want its terms of use accepted: read them on its upload page, "
                    f"{self._calls.base}/?s=upload, then pass accept_aup=True"
                )
            raise
        told = {recipient.email for recipient in transfer.recipients}
        untold = [address for address in self._body["recipients"] if address not in told]
        if untold:
            self._discard(transfer.id)
            raise LimitExceeded(
                f"the site took the transfer, but not its recipient {untold[0]}",
                hint="a voucher may turn every transfer into a link: leave out the recipients",
            )
        if self._sealing is not None:
            self._operation.aside(functools.partial(self._sealing.unlock, transfer.salt))
            self._note(sealing=self._sealing.remembered(transfer.salt))
        self._note(
            acknowledged={},
            completing=False,
            chunk_size=self._width.chunk_size,
            transfer=_needed(transfer, {item.name for item in self._items}),
        )
        return transfer

    def _earlier(self) -> Optional[Transfer]:
        """The transfer of an earlier run, if the server still takes chunks for it."""
        state = self._journal.state if self._journal is not None else {}
        if not state.get("transfer"):
            return None
        transfer = Transfer.from_wire(state["transfer"])
        try:
            self._calls.unfinished_transfer(transfer, self._operation)
        except ClientError as error:
            if not state.get("completing") or isinstance(self._calls.access.auth, GuestAuth):
                log.info("the earlier transfer is gone (%s), starting anew", error.code)
                return None
            try:
                self._calls.get_transfer(transfer.id, self._operation)
            except ClientError:
                return None
        if self._sealing is not None:
            self._operation.aside(functools.partial(self._sealing.restore, state["sealing"]))
        log.info("going on with transfer %s", transfer.id)
        self._calls.remember(transfer)
        self._width = attrs.evolve(self._width, chunk_size=state["chunk_size"])
        return transfer

    def _send(self, transfer: Transfer) -> List[FileResult]:
        # By name and size: a folder has an entry of its own, which may have the name of a file.
        files = {(file.name, file.size): file for file in transfer.files}
        missing = [item.name for item in self._items if (item.name, item.size) not in files]
        if missing:
            raise IntegrityError(f"the server did not take {missing[0]!r} into the transfer")
        pairs = [(item, files[item.name, item.size]) for item in self._items]
        return send_files(
            self._calls, self._operation, pairs, self._width, self._journal, sealing=self._sealing
        )

    def _complete(self, transfer_id: int) -> Transfer:
        return self._calls.update_transfer(transfer_id, {"complete": True}, self._operation)

    def _discard(self, transfer_id: int) -> None:
        """A file changed: what was sent of it is of no use to anyone."""
        try:
            self._calls.delete_transfer(transfer_id)
        except CommunicationError as error:
            log.warning("transfer %s could not be deleted: %s", transfer_id, error)
        if self._journal is not None:
            self._journal.forget()

    def _explain(self, error: BaseException, transfer_id: int) -> None:
        """Tell the caller which transfer is left half-way."""
        error.transfer_id = transfer_id  # type: ignore[attr-defined]
        if self._journal is not None and isinstance(error, SmartxferError):
            log.warning(
                "transfer %s is not complete: the same call goes on with it, delete_transfer(%s) drops it",
                transfer_id,
                transfer_id,
            )


def _needed(transfer: Transfer, names: Set[str]) -> Dict[str, Any]:
    """What a resume needs of a transfer, and no more: its tokens stand in a file."""
    return {
        "id": transfer.id,
        "roundtriptoken": transfer.roundtriptoken,
        "files": [
            {
                "id": file.id,
                "transfer_id": transfer.id,
                "puid": file.key,
                "name": file.name,
                "size": file.size,
            }
            for file in transfer.files
            if file.name in names
        ],
    }
