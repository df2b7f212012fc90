"""The upload workflow: check, create or go on, send, complete.

Source: FileSender protocol, section 6.
"""

import functools
import logging
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import attrs

from smartxfer.error_values import evolve
from smartxfer.errors import SmartxferError, SourceChanged
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.completion import complete
from smartxfer.filesender.creation import create, discard
from smartxfer.filesender.earlier import Earlier
from smartxfer.filesender.errors import FileSenderIntegrityError
from smartxfer.filesender.file_upload import FileUpload
from smartxfer.filesender.models import File, Transfer
from smartxfer.filesender.sealing import Sealing
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.result import FileResult, settle
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import UploadJob

__all__ = ["MOST_WORKERS", "Sending", "Width", "send_files"]

log = logging.getLogger("smartxfer.filesender")

#: Threads per file when ``concurrent_chunks`` is None: "unlimited" still has to fit a machine.
MOST_WORKERS = 16


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

    :param calls: those of the operation.
    :param pairs: what is sent, and what the server calls it.
    :param complete: False leaves out the completion of each file.
    :param sealing: what encrypts them.
    """
    jobs = []
    for item, file in pairs:
        operation.reporter.queue(item.name, item.size)
        upload = FileUpload(
            calls,
            item,
            file,
            chunk_size=width.chunk_size,
            journal=journal,
            complete=complete,
            sealing=sealing,
        )
        jobs.append(UploadJob(upload.spec, operation, width.chunks))
    operation.run(jobs, width.files)
    return [job.result for job in jobs]


class Sending:
    """One run of the upload workflow, and what it leaves for the next.

    :param calls: those of the operation.
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
        #: Whether an earlier run has sent everything, and the site has made the transfer available.
        self._available = False

    def run(self) -> Transfer:
        """Create the transfer or go on with an earlier run's, send what is missing, complete it.

        :raises BatchError: some files failed; the transfer is not completed and a re-run goes on.
        """
        transfer = self._operation.call(lambda: self._earlier() or self._create())
        try:
            pairs = self._pairs(transfer)
            if self._available:
                sent = [_sent_before(item) for item in self._items]
            else:
                sent = send_files(
                    self._calls, self._operation, pairs, self._width, self._journal, sealing=self._sealing
                )
            results = settle(sent, self._operation)
            before = bool(self._journal is not None and self._journal.state.get("completing"))
            self._note(completing=True)
            done = self._operation.call(lambda: complete(self._calls, transfer.id, asked_before=before))
        except BaseException as error:
            if any(isinstance(cause, SourceChanged) for cause in (error, *getattr(error, "errors", ()))):
                self._discard(transfer.id)
                raise
            if not isinstance(error, SmartxferError):
                raise
            self._warn(transfer.id)
            raise evolve(error, transfer_id=transfer.id) from error.__cause__
        if self._journal is not None:
            self._journal.forget()
        return done.but(results=results)

    def _note(self, **values: Any) -> None:
        if self._journal is not None:
            self._journal.note(**values)

    def _create(self) -> Transfer:
        transfer = create(self._calls, self._body)
        if self._journal is not None and self._journal.state:
            self._journal.forget()  # not before: a refused creation must not end what can be continued
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
        """Return the transfer of an earlier run, if the server still takes chunks for it.

        :raises ClientError: a refusal that does not say that the transfer is gone, such as 429.
        """
        if self._journal is None:
            return None
        sealing = self._sealing
        earlier = Earlier.of(self._journal.state, () if sealing is None else sealing.files)
        if earlier is None:
            return None
        available = earlier.find(self._calls)
        if available is None:
            return None
        self._available, transfer = available, earlier.transfer
        if sealing is not None and not available:
            if sealing.chunk_size != earlier.sealing["chunk_size"]:
                log.info("the site's chunk size has changed: the encrypted transfer is started anew")
                discard(self._calls, transfer.id)
                return None
            self._operation.aside(functools.partial(sealing.restore, earlier.sealing))
        log.info("going on with transfer %s", transfer.id)
        self._calls.remember(transfer)
        return transfer

    def _pairs(self, transfer: Transfer) -> List[Tuple[Item, File]]:
        """Return what is sent, and what the server calls it.

        :raises IntegrityError: the server did not take a file into the transfer.
        """
        # By name and size: a folder has an entry of its own, which may have the name of a file.
        files = {(file.name, file.size): file for file in transfer.files}
        missing = [item.name for item in self._items if (item.name, item.size) not in files]
        if missing:
            raise FileSenderIntegrityError(f"the server did not take {missing[0]!r} into the transfer")
        return [(item, files[item.name, item.size]) for item in self._items]

    def _discard(self, transfer_id: int) -> None:
        """A file changed: what was sent of it is of no use to anyone."""
        discard(self._calls, transfer_id)
        if self._journal is not None:
            self._journal.forget()

    def _warn(self, transfer_id: int) -> None:
        """Tell the caller which transfer is left half-way."""
        if self._journal is not None:
            log.warning(
                "transfer %s is not complete: the same call goes on with it, transfers.delete(%s) drops it",
                transfer_id,
                transfer_id,
            )


def _sent_before(item: Item) -> FileResult:
    return FileResult(name=item.name, path=item.path, bytes=item.size, verified="size", resumed=item.size)


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
