"""The upload workflow: check, create or go on, send, complete.

Source: FileSender protocol, section 6.
"""

import functools
import logging
import unicodedata
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import attrs

from smartxfer.error_values import evolve_error
from smartxfer.errors import HTTPError, SmartxferError, SourceChanged, TooLarge
from smartxfer.filesender.completion import complete_transfer
from smartxfer.filesender.creation import create_transfer, discard_transfer
from smartxfer.filesender.errors import FileSenderDecodeError, FileSenderIntegrityError, FileSenderTruncated
from smartxfer.filesender.models import File, Transfer
from smartxfer.filesender.rest_api import FileSenderApi, parse_written_bytes
from smartxfer.filesender.upload_encryption import UploadEncryption
from smartxfer.filesender.upload_journal import ResumableTransfer, get_sent_ranges
from smartxfer.transfer.file_parts import MissingParts, Part
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.local_files import FilesLike, LocalFile, collect_files
from smartxfer.transfer.result import FileResult, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.upload import Body, UploadJob, UploadSpec

__all__ = [
    "MAX_WORKERS",
    "Concurrency",
    "FileUpload",
    "UploadWorkflow",
    "collect_normalized_files",
    "upload_files",
]

log = logging.getLogger("smartxfer.filesender")

#: Threads per file when ``concurrent_chunks`` is None: "unlimited" still has to fit a machine.
MAX_WORKERS = 16
#: Chunks of less than so many bytes, of which there are more than so many, are no site's setting.
_SMALL_CHUNK_SIZE, _MAX_SMALL_CHUNKS = 1024, 10_000


@attrs.frozen
class Concurrency:
    """How much is sent at once.

    :param files: files at a time.
    :param chunks: chunks of each file at a time.
    :param chunk_size: bytes.
    """

    files: int
    chunks: int
    chunk_size: int

    def with_files(self, files: int) -> "Concurrency":
        """Return the same for another number of files at a time."""
        return attrs.evolve(self, files=files)


def collect_normalized_files(files: FilesLike, follow_symlinks: bool) -> List[LocalFile]:
    """Return the files that are meant, under names that the site's rules can take: composed accents."""
    return [
        attrs.evolve(item, name=unicodedata.normalize("NFC", item.name))
        for item in collect_files(files, follow_symlinks)
    ]


def upload_files(
    api: FileSenderApi,
    runner: TransferRunner,
    pairs: Sequence[Tuple[LocalFile, File]],
    concurrency: Concurrency,
    journal: Optional[Journal] = None,
    mark_complete: bool = True,
    encryption: Optional[UploadEncryption] = None,
) -> List[FileResult]:
    """Send the files of a transfer; the results, failed ones included.

    :param api: those of the operation.
    :param pairs: what is sent, and what the server calls it.
    :param mark_complete: False leaves out the completion of each file.
    :param encryption: what encrypts them.
    """
    jobs = []
    for item, file in pairs:
        runner.reporter.queue(item.name, item.size)
        upload = FileUpload(
            api,
            item,
            file,
            chunk_size=concurrency.chunk_size,
            journal=journal,
            mark_complete=mark_complete,
            encryption=encryption,
        )
        jobs.append(UploadJob(upload.spec, runner, concurrency.chunks))
    runner.run_jobs(jobs, concurrency.files)
    return [job.result for job in jobs]


class FileUpload:
    """Describes the upload of one file to the engine.

    :param local_file: what is sent.
    :param file: what the server calls it.
    :param chunk_size: bytes of each chunk that is still to be sent.
    :param mark_complete: False leaves out the completion.
    :param encryption: what encrypts the file, where that is wanted.
    """

    def __init__(
        self,
        api: FileSenderApi,
        local_file: LocalFile,
        file: File,
        *,
        chunk_size: int,
        journal: Optional[Journal] = None,
        mark_complete: bool = True,
        encryption: Optional[UploadEncryption] = None,
    ) -> None:
        self._api = api
        self._local_file = local_file
        self._file = file
        self._chunk_size = chunk_size
        self._journal = journal
        self._mark_complete = mark_complete
        self._encryption = encryption
        self._sent_ranges = get_sent_ranges(journal.state, local_file) if journal is not None else []

    @property
    def spec(self) -> UploadSpec:
        """The upload as the engine runs it."""
        return UploadSpec(
            name=self._local_file.name,
            open_source=self._local_file.open_unchanged,
            make_parts=self._plan_parts,
            send_part=self._send_part,
            complete=self._complete_file,
            on_part_sent=self._on_part_sent,
            encode_part=None
            if self._encryption is None
            else self._encryption.create_part_encryptor(self._local_file.name),
        )

    def _plan_parts(self, size: int) -> MissingParts:
        """Return the chunks of the bytes that no earlier run has sent, whatever their chunks were."""
        count = len(range(0, size, self._chunk_size))
        if self._chunk_size < _SMALL_CHUNK_SIZE and count > _MAX_SMALL_CHUNKS:
            raise FileSenderDecodeError(
                f"{self._local_file.name}: {count} chunks of {self._chunk_size} bytes are no site's setting",
                hint="ask the site's administrator for another upload_chunk_size",
            )
        return MissingParts(size, self._sent_ranges, self._chunk_size)

    def _send_part(self, part: Part, body: Body) -> None:
        name, sealed = self._local_file.name, None
        if self._encryption is not None:
            sealed = self._encryption.ciphertext_length(name, part)
        expected = part.size if sealed is None else sealed
        try:
            call = self._api.build_chunk_request(self._file, self._local_file.size, part, body, sealed)
            written = parse_written_bytes(self._api.http.request_once(call))
        except HTTPError as error:
            if not isinstance(error, TooLarge) and error.code != "storage_chunk_too_large":
                raise
            raise evolve_error(error, hint=_build_too_large_hint(part.size, sealed)) from None
        if written != expected:
            raise FileSenderTruncated(
                f"{name}: the server wrote {written} of {expected} bytes at {part.start}",
                got=written,
                expected=expected,
            )

    def _on_part_sent(self, part: Part) -> None:
        if self._journal is not None:
            self._journal.append("acknowledged", self._local_file.name, [part.start, part.stop])

    def _complete_file(self) -> Tuple[str, Optional[str]]:
        try:
            if self._mark_complete:
                self._api.update_file(self._file, {"complete": True})
        except HTTPError as error:
            if error.code != "file_integrity_check_failed":
                raise
            lost = error
        else:
            return "size", None
        if self._journal is not None:
            self._journal.remove_entry("acknowledged", self._local_file.name)
        raise FileSenderIntegrityError(
            f"{self._local_file.name}: the server does not hold {self._local_file.size} bytes"
            f" ({lost.summary})",
            hint="run again: its chunks are sent anew",
        )


def _build_too_large_hint(size: int, encrypted_size: Optional[int]) -> str:
    """Return the hint for a chunk that the site, or a proxy before it, refuses for its size.

    :param encrypted_size: bytes of the chunk once it is encrypted.
    """
    if encrypted_size is not None:
        return (
            f"ask the site's administrator to admit bodies of {encrypted_size} bytes: "
            "the chunks of an encrypted file have the size that the site sets"
        )
    return f"pass chunk_size={max(1, size // 2)} or less to FileSenderClient and run again: it continues"


class UploadWorkflow:
    """One run of the upload workflow, and what it leaves for the next.

    :param api: those of the operation.
    :param body: of ``POST /transfer``, checked.
    :param journal: None where there is nothing to recognise the same request by.
    :param encryption: what encrypts the files, where that is wanted.
    """

    def __init__(
        self,
        api: FileSenderApi,
        runner: TransferRunner,
        local_files: Sequence[LocalFile],
        body: Dict[str, Any],
        concurrency: Concurrency,
        journal: Optional[Journal],
        encryption: Optional[UploadEncryption] = None,
    ) -> None:
        if encryption is not None:
            concurrency = attrs.evolve(concurrency, chunk_size=encryption.chunk_size)
        self._encryption = encryption
        self._api = api
        self._runner = runner
        self._local_files = local_files
        self._body = body
        self._concurrency = concurrency
        self._journal = journal
        #: Whether an earlier run has sent everything, and the site has made the transfer available.
        self._already_available = False

    def run(self) -> Transfer:
        """Create the transfer or go on with an earlier run's, send what is missing, complete it.

        :raises BatchError: some files failed; the transfer is not completed and a re-run goes on.
        """
        transfer = self._runner.run_one(self._find_or_create_transfer)
        try:
            pairs = self._match_files(transfer)
            if self._already_available:
                sent = [_build_already_sent_result(item) for item in self._local_files]
            else:
                sent = upload_files(
                    self._api,
                    self._runner,
                    pairs,
                    self._concurrency,
                    self._journal,
                    encryption=self._encryption,
                )
            results = raise_for_errors(sent, self._runner)
            before = bool(self._journal is not None and self._journal.state.get("completing"))
            self._update_journal(completing=True)
            done = self._runner.run_one(
                lambda: complete_transfer(self._api, transfer.id, requested_before=before)
            )
        except BaseException as error:
            if any(isinstance(cause, SourceChanged) for cause in (error, *getattr(error, "errors", ()))):
                self._discard_transfer(transfer.id)
                raise
            if not isinstance(error, SmartxferError):
                raise
            self._warn_incomplete(transfer.id)
            raise evolve_error(error, transfer_id=transfer.id) from error.__cause__
        if self._journal is not None:
            self._journal.clear()
        return done.evolve(results=results)

    def _update_journal(self, **values: Any) -> None:
        if self._journal is not None:
            self._journal.update(**values)

    def _find_or_create_transfer(self) -> Transfer:
        """Go on with the transfer of an earlier run, or create one."""
        earlier = self._find_resumable_transfer()
        if earlier is not None:
            return earlier
        transfer = create_transfer(self._api, self._body)
        if self._journal is not None and self._journal.state:
            self._journal.clear()  # not before: a refused creation must not end what can be continued
        if self._encryption is not None:
            self._runner.run_uninterruptible(functools.partial(self._encryption.derive_key, transfer.salt))
            self._update_journal(sealing=self._encryption.get_resume_state(transfer.salt))
        self._update_journal(
            acknowledged={},
            completing=False,
            chunk_size=self._concurrency.chunk_size,
            transfer=_get_resume_fields(transfer, {item.name for item in self._local_files}),
        )
        return transfer

    def _find_resumable_transfer(self) -> Optional[Transfer]:
        """Return the transfer of an earlier run, if the server still takes chunks for it.

        :raises ClientError: a refusal that does not say that the transfer is gone, such as 429.
        """
        if self._journal is None:
            return None
        sealing = self._encryption
        earlier = ResumableTransfer.from_journal(
            self._journal.state, () if sealing is None else sealing.ciphers
        )
        if earlier is None:
            return None
        available = earlier.find_on_site(self._api)
        if available is None:
            return None
        self._already_available, transfer = available, earlier.transfer
        if sealing is not None and not available:
            if sealing.chunk_size != earlier.encryption["chunk_size"]:
                log.info("the site's chunk size has changed: the encrypted transfer is started anew")
                discard_transfer(self._api, transfer.id)
                return None
            self._runner.run_uninterruptible(functools.partial(sealing.restore, earlier.encryption))
        log.info("going on with transfer %s", transfer.id)
        self._api.store_round_trip_token(transfer)
        return transfer

    def _match_files(self, transfer: Transfer) -> List[Tuple[LocalFile, File]]:
        """Return what is sent, and what the server calls it.

        :raises IntegrityError: the server did not take a file into the transfer.
        """
        # By name and size: a folder has an entry of its own, which may have the name of a file.
        files = {(file.name, file.size): file for file in transfer.files}
        missing = [item.name for item in self._local_files if (item.name, item.size) not in files]
        if missing:
            raise FileSenderIntegrityError(f"the server did not take {missing[0]!r} into the transfer")
        return [(item, files[item.name, item.size]) for item in self._local_files]

    def _discard_transfer(self, transfer_id: int) -> None:
        """A file changed: what was sent of it is of no use to anyone."""
        discard_transfer(self._api, transfer_id)
        if self._journal is not None:
            self._journal.clear()

    def _warn_incomplete(self, transfer_id: int) -> None:
        """Tell the caller which transfer is left half-way."""
        if self._journal is not None:
            log.warning(
                "transfer %s is not complete: the same call goes on with it, transfers.delete(%s) drops it",
                transfer_id,
                transfer_id,
            )


def _build_already_sent_result(local_file: LocalFile) -> FileResult:
    return FileResult(
        name=local_file.name,
        path=local_file.path,
        bytes=local_file.size,
        verified="size",
        resumed=local_file.size,
    )


def _get_resume_fields(transfer: Transfer, file_names: Set[str]) -> Dict[str, Any]:
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
            if file.name in file_names
        ],
    }
