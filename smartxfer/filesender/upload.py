"""Upload workflow: create or resume a transfer, send its files, complete it.

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
from smartxfer.filesender.upload_journal import ENCRYPTION_STATE_KEY, ResumableTransfer, get_sent_ranges
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

#: Threads per file when ``concurrent_chunks`` is None, because a machine cannot run unlimited threads.
MAX_WORKERS = 16
#: A file is not sent in more than this number of chunks that are smaller than this number of bytes: a site
#: with such a chunk size is misconfigured.
_SMALL_CHUNK_SIZE, _MAX_SMALL_CHUNKS = 1024, 10_000


@attrs.frozen
class Concurrency:
    """Numbers of concurrent files and chunks, and the chunk size.

    :param files: concurrent files.
    :param chunks: concurrent chunks per file.
    :param chunk_size: bytes.
    """

    files: int
    chunks: int
    chunk_size: int

    def with_files(self, files: int) -> "Concurrency":
        """Return a copy with another number of concurrent files."""
        return attrs.evolve(self, files=files)


def collect_normalized_files(files: FilesLike, follow_symlinks: bool) -> List[LocalFile]:
    """Return the files to send, with names in Unicode NFC: sites reject decomposed accents."""
    return [
        attrs.evolve(file, name=unicodedata.normalize("NFC", file.name))
        for file in collect_files(files, follow_symlinks)
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
    """Send the files of a transfer and return all results, including failures.

    :param api: API whose requests the runner controls.
    :param pairs: local files, each with the file that the server has created for it.
    :param mark_complete: False to leave out the completion of each file.
    :param encryption: encrypts the files; None to send them unencrypted.
    """
    jobs = []
    for local_file, file in pairs:
        runner.reporter.queue(local_file.name, local_file.size)
        upload = FileUpload(
            api,
            local_file,
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
    """The requests that upload one file, as callbacks of an :class:`UploadSpec`.

    :param local_file: the file to send.
    :param file: the file that the server has created for it.
    :param chunk_size: bytes of each chunk that is still to be sent.
    :param mark_complete: False to leave out the completion.
    :param encryption: encrypts the file; None to send it unencrypted.
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
        """Specification of the upload for :class:`UploadJob`."""
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
        """Return the chunks of the bytes that no earlier run has sent, even if its chunk size was another."""
        count = len(range(0, size, self._chunk_size))
        if self._chunk_size < _SMALL_CHUNK_SIZE and count > _MAX_SMALL_CHUNKS:
            raise FileSenderDecodeError(
                f"{self._local_file.name}: chunk size too small: {count} chunks of {self._chunk_size} bytes",
                hint="pass a larger chunk_size=, or ask the site's administrator to raise upload_chunk_size",
            )
        return MissingParts(size, self._sent_ranges, self._chunk_size)

    def _send_part(self, part: Part, body: Body) -> None:
        name, encrypted_size = self._local_file.name, None
        if self._encryption is not None:
            encrypted_size = self._encryption.ciphertext_length(name, part)
        expected = part.size if encrypted_size is None else encrypted_size
        try:
            request = self._api.build_chunk_request(
                self._file, self._local_file.size, part, body, encrypted_size
            )
            written = parse_written_bytes(self._api.http.request_once(request))
        except HTTPError as error:
            if not isinstance(error, TooLarge) and error.code != "storage_chunk_too_large":
                raise
            raise evolve_error(error, hint=_build_too_large_hint(part.size, encrypted_size)) from None
        if written != expected:
            raise FileSenderTruncated(
                f"{name}: the server wrote {written} of {expected} bytes at offset {part.start}",
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
            if self._journal is not None:
                self._journal.remove_entry("acknowledged", self._local_file.name)
            raise FileSenderIntegrityError(
                f"{self._local_file.name}: the server has not stored {self._local_file.size} bytes"
                f" ({error.summary})",
                hint="run again: it resends the chunks of this file",
            ) from None
        return "size", None


def _build_too_large_hint(size: int, encrypted_size: Optional[int]) -> str:
    """Return the hint for a chunk that the site, or a proxy in front of it, rejects as too large.

    :param encrypted_size: bytes of the encrypted chunk; None without encryption.
    """
    if encrypted_size is not None:
        return (
            f"ask the site's administrator to allow request bodies of {encrypted_size} bytes: "
            "encrypted files are always sent with the site's chunk size"
        )
    return f"pass chunk_size={max(1, size // 2)} or less to FileSenderClient and run again: it resumes"


class UploadWorkflow:
    """One run of the upload workflow, and the state that it stores for the next run.

    :param api: API whose requests the runner controls.
    :param body: validated body of ``POST /transfer``.
    :param journal: None if the upload cannot be resumed.
    :param encryption: encrypts the files; None to send them unencrypted.
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
        #: True if an earlier run has sent everything, and the site has made the transfer available.
        self._already_available = False

    def run(self) -> Transfer:
        """Create the transfer or resume that of an earlier run, send what is missing, complete it.

        :raises BatchError: some files failed; the transfer is not completed, and another run resumes it.
        """
        transfer = self._runner.run_one(self._find_or_create_transfer)
        try:
            pairs = self._match_files(transfer)
            if self._already_available:
                results = [_build_already_sent_result(local_file) for local_file in self._local_files]
            else:
                results = upload_files(
                    self._api,
                    self._runner,
                    pairs,
                    self._concurrency,
                    self._journal,
                    encryption=self._encryption,
                )
            report = raise_for_errors(results, self._runner)
            requested_before = bool(self._journal is not None and self._journal.state.get("completing"))
            self._update_journal(completing=True)
            completed = self._runner.run_one(
                lambda: complete_transfer(self._api, transfer.id, requested_before=requested_before)
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
        return completed.evolve(results=report)

    def _update_journal(self, **values: Any) -> None:
        if self._journal is not None:
            self._journal.update(**values)

    def _find_or_create_transfer(self) -> Transfer:
        """Return the transfer of an earlier run, or create one."""
        earlier = self._find_resumable_transfer()
        if earlier is not None:
            return earlier
        transfer = create_transfer(self._api, self._body)
        if self._journal is not None and self._journal.state:
            self._journal.clear()  # after the creation: if it is rejected, the old state can still be resumed
        if self._encryption is not None:
            self._runner.run_uninterruptible(functools.partial(self._encryption.derive_key, transfer.salt))
            resume_state = self._encryption.get_resume_state(transfer.salt)
            self._update_journal(**{ENCRYPTION_STATE_KEY: resume_state})
        self._update_journal(
            acknowledged={},
            completing=False,
            chunk_size=self._concurrency.chunk_size,
            transfer=_get_resume_fields(transfer, {local_file.name for local_file in self._local_files}),
        )
        return transfer

    def _find_resumable_transfer(self) -> Optional[Transfer]:
        """Return the transfer of an earlier run, if it is unfinished or complete on the server.

        :raises ClientError: an error that does not mean that the transfer is gone, such as status 429.
        """
        if self._journal is None:
            return None
        encryption = self._encryption
        earlier = ResumableTransfer.from_journal(
            self._journal.state, () if encryption is None else encryption.ciphers
        )
        if earlier is None:
            return None
        available = earlier.find_on_site(self._api)
        if available is None:
            return None
        self._already_available, transfer = available, earlier.transfer
        if encryption is not None and not available:
            if encryption.chunk_size != earlier.encryption["chunk_size"]:
                log.info(
                    "the site's chunk size has changed; restarting the encrypted transfer %s", transfer.id
                )
                discard_transfer(self._api, transfer.id)
                return None
            self._runner.run_uninterruptible(functools.partial(encryption.restore, earlier.encryption))
        log.info("resuming transfer %s", transfer.id)
        self._api.store_round_trip_token(transfer)
        return transfer

    def _match_files(self, transfer: Transfer) -> List[Tuple[LocalFile, File]]:
        """Return the local files, each with the file that the server has created for it.

        :raises IntegrityError: the server did not add a file to the transfer.
        """
        # The key has the size, too: a directory has its own entry, which may have the name of a file.
        files = {(file.name, file.size): file for file in transfer.files}
        missing = [local.name for local in self._local_files if (local.name, local.size) not in files]
        if missing:
            raise FileSenderIntegrityError(f"the server did not add {missing[0]!r} to the transfer")
        return [(local, files[local.name, local.size]) for local in self._local_files]

    def _discard_transfer(self, transfer_id: int) -> None:
        """Delete a transfer that cannot be completed because a source file has changed."""
        discard_transfer(self._api, transfer_id)
        if self._journal is not None:
            self._journal.clear()

    def _warn_incomplete(self, transfer_id: int) -> None:
        if self._journal is not None:
            log.warning(
                "transfer %s is incomplete: the same call resumes it, transfers.delete(%s) deletes it",
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
    """Return the fields of a transfer that a resume needs, to write no other tokens to the journal."""
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
