"""The upload workflow: check, create or go on, send, complete.

Source: FileSender protocol, section 6.
"""

import functools
import logging
import unicodedata
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import attrs

from smartxfer.error_values import evolve
from smartxfer.errors import HTTPError, SmartxferError, SourceChanged, TooLarge
from smartxfer.filesender.calls import Calls, written_of
from smartxfer.filesender.completion import complete
from smartxfer.filesender.creation import create, discard
from smartxfer.filesender.earlier import Earlier, acknowledged_ranges
from smartxfer.filesender.errors import FileSenderDecodeError, FileSenderIntegrityError, FileSenderTruncated
from smartxfer.filesender.models import File, Transfer
from smartxfer.filesender.sealing import Sealing
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Missing, Part
from smartxfer.transfer.result import FileResult, settle
from smartxfer.transfer.tree import FilesLike, Item, collect
from smartxfer.transfer.upload import Body, Upload, UploadJob

__all__ = ["MOST_WORKERS", "FileUpload", "Sending", "Width", "collected", "send_files"]

log = logging.getLogger("smartxfer.filesender")

#: Threads per file when ``concurrent_chunks`` is None: "unlimited" still has to fit a machine.
MOST_WORKERS = 16
#: Chunks of less than so many bytes, of which there are more than so many, are no site's setting.
_SMALL_CHUNK, _MOST_SMALL_CHUNKS = 1024, 10_000


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

    def of_files(self, files: int) -> "Width":
        """Return the same for another number of files at a time."""
        return attrs.evolve(self, files=files)


def collected(files: FilesLike, follow_symlinks: bool) -> List[Item]:
    """Return the files that are meant, under names that the site's rules can take: composed accents."""
    return [
        attrs.evolve(item, name=unicodedata.normalize("NFC", item.name))
        for item in collect(files, follow_symlinks)
    ]


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


class FileUpload:
    """Describes the upload of one file to the engine.

    :param item: what is sent.
    :param file: what the server calls it.
    :param chunk_size: bytes of each chunk that is still to be sent.
    :param complete: False leaves out the completion.
    :param sealing: what encrypts the file, where that is wanted.
    """

    def __init__(
        self,
        calls: Calls,
        item: Item,
        file: File,
        *,
        chunk_size: int,
        journal: Optional[Journal] = None,
        complete: bool = True,
        sealing: Optional[Sealing] = None,
    ) -> None:
        self._calls = calls
        self._item = item
        self._file = file
        self._chunk_size = chunk_size
        self._journal = journal
        self._complete = complete
        self._sealing = sealing
        self._have = acknowledged_ranges(journal.state, item) if journal is not None else []

    @property
    def spec(self) -> Upload:
        """The upload as the engine runs it."""
        return Upload(
            name=self._item.name,
            open_source=self._item.open_unchanged,
            plan=self._plan,
            send_part=self._send_part,
            finish=self._finish,
            note=self._note,
            seal=None if self._sealing is None else self._sealing.of_file(self._item.name),
        )

    def _plan(self, size: int) -> Missing:
        """Return the chunks of the bytes that no earlier run has sent, whatever their chunks were."""
        count = len(range(0, size, self._chunk_size))
        if self._chunk_size < _SMALL_CHUNK and count > _MOST_SMALL_CHUNKS:
            raise FileSenderDecodeError(
                f"{self._item.name}: {count} chunks of {self._chunk_size} bytes are no site's setting",
                hint="ask the site's administrator for another upload_chunk_size",
            )
        return Missing(size, self._have, self._chunk_size)

    def _send_part(self, part: Part, body: Body) -> None:
        name, sealed = self._item.name, None
        if self._sealing is not None:
            sealed = self._sealing.sealed_length(name, part)
        expected = part.size if sealed is None else sealed
        try:
            call = self._calls.chunk(self._file, self._item.size, part, body, sealed)
            written = written_of(self._calls.wire.once(call))
        except HTTPError as error:
            if not isinstance(error, TooLarge) and error.code != "storage_chunk_too_large":
                raise
            raise evolve(error, hint=_too_large(part.size, sealed)) from None
        if written != expected:
            raise FileSenderTruncated(
                f"{name}: the server wrote {written} of {expected} bytes at {part.start}",
                got=written,
                expected=expected,
            )

    def _note(self, part: Part) -> None:
        if self._journal is not None:
            self._journal.append("acknowledged", self._item.name, [part.start, part.stop])

    def _finish(self) -> Tuple[str, Optional[str]]:
        try:
            if self._complete:
                self._calls.update_file(self._file, {"complete": True})
        except HTTPError as error:
            if error.code != "file_integrity_check_failed":
                raise
            lost = error
        else:
            return "size", None
        if self._journal is not None:
            self._journal.drop("acknowledged", self._item.name)
        raise FileSenderIntegrityError(
            f"{self._item.name}: the server holds another size than {self._item.size} bytes ({lost.summary})",
            hint="run again: its chunks are sent anew",
        )


def _too_large(size: int, sealed: Optional[int]) -> str:
    """Return the hint for a chunk that the site, or a proxy before it, refuses for its size.

    :param sealed: bytes of the chunk once it is encrypted.
    """
    if sealed is not None:
        return (
            f"ask the site's administrator to admit bodies of {sealed} bytes: "
            "the chunks of an encrypted file have the size that the site sets"
        )
    return f"pass chunk_size={max(1, size // 2)} or less to FileSenderClient and run again: it continues"


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
        transfer = self._operation.call(self._begin)
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

    def _begin(self) -> Transfer:
        """Go on with the transfer of an earlier run, or create one."""
        earlier = self._earlier()
        if earlier is not None:
            return earlier
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
