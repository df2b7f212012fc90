"""Uploads: content or parts, the commit, and verification of the stored file; with error recovery.

Source: NRP / Invenio protocol, sections 3, 5 and 6.
"""

import contextlib
import functools
import logging
from typing import Dict, List, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import (
    Cancelled,
    ClientError,
    HTTPError,
    IntegrityError,
    NetworkError,
    NotFound,
    ServerError,
    SmartxferError,
    UploadNotStored,
)
from smartxfer.nrp.errors import RepositoryConflict, RepositorySizeMismatch, RepositoryUploadNotStored
from smartxfer.nrp.file_init import FileInit, initiate_uploads
from smartxfer.nrp.file_metadata import merge_metadata
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.limits import acquire_connection
from smartxfer.nrp.models import File, FileStatus, raise_if_rejected
from smartxfer.nrp.multipart import PartUploader, compute_multipart_etag, has_same_content, verify_checksum
from smartxfer.nrp.statuses import OK
from smartxfer.nrp.upload_errors import is_unresumable
from smartxfer.nrp.upload_journal import UploadJournal
from smartxfer.transfer.file_parts import Part, split_into_parts
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.upload import Body, UploadJob, UploadSpec
from smartxfer.transport.retry_checks import RetryContext, RetryDecision

__all__ = ["upload_files"]

log = logging.getLogger("smartxfer.nrp")

OCTET_STREAM_HEADERS = {"Content-Type": "application/octet-stream"}
#: Delays before requests for a checksum that the repository computes after the commit, in seconds.
_CHECKSUM_POLL_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8)
#: Statuses of a gateway, or of a server that has not processed the request.
_GATEWAY_STATUSES = frozenset({502, 503, 504})


def upload_files(
    files_api: FilesApi,
    runner: TransferRunner,
    pairs: Sequence[Tuple[LocalFile, FileInit]],
    *,
    replace: bool,
    max_workers: int,
) -> List[Tuple[FileResult, Optional[File]]]:
    """Upload files; return the result of each, and the stored File if it succeeded.

    :param pairs: the local files, and the parameters of their initiation.
    :param replace: delete existing files first.
    :param max_workers: maximum number of concurrent files, and of parts of one file.
    """
    retrying_api = attrs.evolve(files_api, api=files_api.api.with_runner(runner))
    for item, file_init in pairs:
        runner.reporter.queue(file_init.key, item.size)
    entries = runner.run_one(
        functools.partial(initiate_uploads, retrying_api, [file_init for _, file_init in pairs], replace)
    )
    uploads = [FileUpload(files_api, runner, item, init, entries[init.key]) for item, init in pairs]
    jobs = [
        UploadJob(upload.build_spec(), runner, max_workers if upload.file_init.mode.code == "M" else 1)
        for upload in uploads
    ]
    try:
        runner.run_jobs(jobs, max_workers)
        failed = [u for u, job in zip(uploads, jobs) if u.has_unresumable_entry(job.result.error)]
        if failed:
            runner.run_one(functools.partial(_delete_unresumable_entries, failed))
    finally:
        for upload in uploads:
            upload.close()
    return [(u.with_resumed_bytes(job.result), u.uploaded_file) for u, job in zip(uploads, jobs)]


def _delete_unresumable_entries(uploads: Sequence["FileUpload"]) -> None:
    for upload in uploads:
        if not upload.is_completed_elsewhere():
            upload.delete_entry()


class FileUpload:
    """Upload of one file."""

    def __init__(
        self,
        files_api: FilesApi,
        runner: TransferRunner,
        local_file: LocalFile,
        file_init: FileInit,
        entry: File,
    ) -> None:
        self.file_init = file_init
        #: The stored File, None until the upload is complete.
        self.uploaded_file: Optional[File] = None
        self._single_attempt_api = attrs.evolve(files_api, api=files_api.api.without_retries(runner))
        self._retrying_api = attrs.evolve(files_api, api=files_api.api.with_runner(runner))
        self._runner = runner
        self._local_file = local_file
        self._entry = entry
        self._already_uploaded = entry.status == FileStatus.COMPLETED
        self._source: Optional[HashingSource] = None
        self._journal: Optional[UploadJournal] = None
        self._closed = False
        self._part_uploader: Optional[PartUploader] = None
        self._commit_may_have_run = False
        #: True if the content may have arrived although its request failed.
        self._content_may_have_arrived = False
        #: The entry after a commit that was sent to find out whether the content has arrived.
        self._recovered_entry: Optional[File] = None
        #: True if the upload was initiated again because another process had completed the entry; the second
        #: attribute is True until the content is sent.
        self._restarted_after_conflict = self._restart_pending = False
        #: True if the entry is verified or deleted: it must not be changed any more.
        self._is_final = False
        #: Parts that an earlier run has sent; read from the journal when the upload starts.
        self._completed_parts: Dict[int, str] = {}

    def build_spec(self) -> UploadSpec:
        """Return the specification for the engine."""
        return UploadSpec(
            name=self.file_init.key,
            open_source=lambda: HashingSource(self._local_file.open_unchanged(), "md5"),
            prepare=self._prepare,
            make_parts=self._split_parts,
            send_part=self._send_part,
            complete=self._complete,
            completed_parts=self._completed_parts,
            on_part_sent=self._on_part_sent,
            retry_check=self._check_retry,
            attempt_context=acquire_connection,
        )

    def with_resumed_bytes(self, result: FileResult) -> FileResult:
        """Return the engine's result; the bytes of a file that was already uploaded count as resumed."""
        return attrs.evolve(result, resumed=result.bytes) if self._already_uploaded and result.ok else result

    def close(self) -> None:
        """Close the journal; if a worker thread is opening it, that thread closes it."""
        with self._runner.lock:
            self._closed, journal = True, self._journal
        if journal is not None:
            journal.close()

    def has_unresumable_entry(self, error: Optional[BaseException]) -> bool:
        """Return True if a failed upload has a pending entry that cannot be resumed."""
        if error is None or self._already_uploaded or self._is_final:
            return False
        nothing_sent = not (
            self._completed_parts or (self._part_uploader is not None and self._part_uploader.has_sent_parts)
        )
        return is_unresumable(error, nothing_sent)

    def is_completed_elsewhere(self) -> bool:
        """Return True if another process has completed the entry, which must not be deleted then."""
        try:
            completed = self._retrying_api.read(self.file_init.key).status == FileStatus.COMPLETED
        except SmartxferError:
            return False
        if completed:
            log.warning("%s was completed by another process", self.file_init.key)
        return completed

    def delete_entry(self) -> None:
        """Delete an entry that cannot be resumed, because a pending entry blocks publishing."""
        try:
            self._retrying_api.delete(self.file_init.key)
        except NotFound:
            pass
        except SmartxferError as error:
            log.warning("cannot delete %s in the repository: %s", self.file_init.key, error)
            return
        if self._journal is not None:
            self._journal.delete()

    def _prepare(self, source: Source) -> None:
        """Load the journal; initiate the upload again if an interrupted run has completed other content."""
        assert isinstance(source, HashingSource)
        self._source = source
        journal = UploadJournal(self._single_attempt_api.files_url, self.file_init.key)
        with self._runner.lock:
            self._journal, closed = journal, self._closed
        if closed:
            journal.close()
            raise Cancelled(f"{self.file_init.key}: the transfer was interrupted")
        if not self._already_uploaded:
            self._start_journal()
        elif not self._matches_source() and journal.owns_entry(self._entry):
            log.info("%s has other content from an interrupted run; it is uploaded again", self.file_init.key)
            self._restart()

    def _start_journal(self) -> None:
        assert self._journal is not None
        if self.file_init.mode.code == "M":
            self._completed_parts.clear()
            self._completed_parts.update(self._journal.load_completed_parts(self._local_file, self._entry))
            self._part_uploader = PartUploader(self._single_attempt_api, self._entry, self._completed_parts)
        else:
            self._journal.record_start(self._entry)

    def _split_parts(self, size: int) -> Sequence[Part]:
        if self._already_uploaded:
            return []
        if self._part_uploader is None or not size:
            return [Part(0, 0, size)]
        return split_into_parts(
            size, self._entry.transfer.part_size or self.file_init.mode.get_part_size(size)
        )

    def _matches_source(self) -> bool:
        assert self._source is not None
        return has_same_content(self._entry, self._source)

    def _restart(self) -> None:
        """Delete the entry and initiate the upload again."""
        with contextlib.suppress(NotFound):
            self._retrying_api.delete(self.file_init.key)
        self._entry = initiate_uploads(self._retrying_api, [self.file_init], False)[self.file_init.key]
        self._already_uploaded, self._commit_may_have_run = False, False
        self._start_journal()

    def _send_part(self, part: Part, body: Body) -> None:
        if self._part_uploader is not None:
            self._part_uploader.upload(part, body)
            return
        if self._content_may_have_arrived and self._check_content_arrived():
            return
        try:
            self._put_content(body)
        except UploadNotStored:
            if self._restarted_after_conflict or not self._is_entry_deleted():
                raise
            self._restarted_after_conflict = True
            self._restart()
            self._restart_pending = True
            raise RepositoryConflict(
                f"{self.file_init.key} was completed by another process before its content was sent",
                hint="check the file in the repository; pass replace=True to replace it",
                status=409,
                retryable=True,
            ) from None
        except (NetworkError, HTTPError) as error:
            all_sent = isinstance(body, bytes) or body.tell() >= len(body)
            self._content_may_have_arrived = all_sent and error.retryable and error.may_have_been_processed
            raise

    def _check_retry(self, part: Part, context: RetryContext) -> RetryDecision:
        """Retry without a delay if the next request has another URL, or is for another entry."""
        if self._part_uploader is not None:
            return self._part_uploader.check_expired_url(part)
        restarted, self._restart_pending = self._restart_pending, False
        return RetryDecision.RETRY_IMMEDIATELY if restarted else RetryDecision.NO_DECISION

    def _put_content(self, body: Body) -> None:
        url = self._entry.links.content or self._single_attempt_api.build_url(self.file_init.key, "content")
        response = self._single_attempt_api.api.send("PUT", url, body=body, headers=OCTET_STREAM_HEADERS)
        raise_if_rejected(response.parse_model(File))

    def _is_entry_deleted(self) -> bool:
        """Return True if the entry does not exist any more.

        The repository deletes an entry that another process has completed when it receives content for it.
        Then the file must be uploaded again, because the other process has reported it as uploaded.

        Source: NRP / Invenio protocol, section 5, Content.
        """
        with contextlib.suppress(NotFound):
            return self._single_attempt_api.read(self.file_init.key) is None
        return True

    def _check_content_arrived(self) -> bool:
        """Return True if the content has arrived although the response was lost, or a gateway timed out.

        Before the commit, an entry does not show whether it has content.  Therefore the entry is committed.
        Without content this is a server error, otherwise it returns the actual size and checksum.

        Source: NRP / Invenio protocol, sections 5 (Content) and 9.
        """
        try:
            entry = self._commit(
                self._entry.links.commit or self._single_attempt_api.build_url(self.file_init.key, "commit")
            )
        except (ServerError, ClientError) as error:
            if error.status in _GATEWAY_STATUSES if isinstance(error, ServerError) else error.retryable:
                raise
            entry = self._single_attempt_api.read(self.file_init.key)
        self._commit_may_have_run = False
        if entry.status != FileStatus.COMPLETED:
            self._content_may_have_arrived = False
            return False
        self._entry = entry
        if self._matches_source():
            log.info("%s had arrived, although its request failed", self.file_init.key)
            self._recovered_entry = entry
            return True
        self._restart()  # the committed content is that of an earlier attempt or run
        self._content_may_have_arrived = False
        return False

    def _on_part_sent(self, part: Part) -> None:
        if self._part_uploader is not None and self._journal is not None:
            self._journal.add_part(part, self._part_uploader.get_digest(part))

    # -- commit and verification ------------------------------------------------------------------------

    def _complete(self) -> Tuple[str, Optional[str]]:
        assert self._source is not None
        local_md5 = self._source.digest()
        if self._already_uploaded:
            entry = self._entry
            if not self._matches_source():
                raise RepositoryConflict(
                    f"the file {self.file_init.key!r} already exists with other content",
                    hint="pass replace=True to delete it first",
                    status=400,
                )
            log.info("%s already exists with the same content", self.file_init.key)
            verified = ("md5", entry.checksum) if entry.md5 else ("multipart", entry.checksum)
        else:
            entry = self._recovered_entry or self._commit_with_retry()
            verified = self._verify_or_delete(entry, local_md5)
        self.uploaded_file = merge_metadata(self._retrying_api, entry, self.file_init.metadata)
        if self._journal is not None:
            self._journal.delete()
            self._journal.close()
        return verified

    def _verify_or_delete(self, entry: File, local_md5: str) -> Tuple[str, Optional[str]]:
        try:
            return self._verify_entry(entry, local_md5)
        except IntegrityError:
            self.delete_entry()
            raise
        finally:
            self._is_final = True

    def _commit_with_retry(self) -> File:
        """Commit and return the entry; after a lost response, read the entry before repeating the commit."""
        url = self._entry.links.commit or self._single_attempt_api.build_url(self.file_init.key, "commit")
        return self._runner.retry(f"POST {url}", lambda: self._commit(url))

    def _commit(self, url: str) -> File:
        if self._commit_may_have_run:
            entry = self._single_attempt_api.read(self.file_init.key)
            if entry.status == FileStatus.COMPLETED:
                return entry
        try:
            response = self._single_attempt_api.api.send("POST", url, success=OK)
        except (NetworkError, HTTPError) as error:
            self._commit_may_have_run = error.retryable
            raise
        return raise_if_rejected(response.parse_model(File))

    def _verify_entry(self, entry: File, local_md5: str) -> Tuple[str, Optional[str]]:
        """Compare status, size and checksum of the stored file with those of the local file."""
        assert self._source is not None
        if entry.status != FileStatus.COMPLETED:
            raise RepositoryUploadNotStored(f"{entry.key} is {entry.status} after its commit", file=entry)
        if entry.size != self._source.size:
            raise RepositorySizeMismatch(
                f"{entry.key}: the repository stored {entry.size} of {self._source.size} bytes",
                hint="the file was deleted in the repository: upload it again",
                expected=self._source.size,
                actual=entry.size,
            )
        entry = self._wait_for_checksum(entry)
        checksum = entry.checksum or ""
        if checksum.startswith("multipart:"):
            parts = self._split_parts(self._source.size)
            digests = self._part_uploader.get_digests(parts) if self._part_uploader is not None else None
            if digests is None:
                return "size", None
            etag = checksum.partition(":")[2].rpartition("-")[0]
            return "multipart", verify_checksum(entry, etag, compute_multipart_etag(digests))
        if entry.md5 is None:
            return "size", None
        return "md5", verify_checksum(entry, entry.md5, local_md5)

    def _wait_for_checksum(self, entry: File) -> File:
        """Return the entry with its checksum; without one if the repository needs too long to compute it."""
        for wait in _CHECKSUM_POLL_DELAYS:
            if entry.checksum:
                break
            self._runner.sleep(wait)
            entry = self._retrying_api.read(self.file_init.key)
        return entry
