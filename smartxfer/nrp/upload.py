"""Files on their way up: content or parts, each acknowledged; then the commit, and a look at what it says.

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
from smartxfer.nrp.errors import (
    RepositoryConflict,
    RepositorySizeMismatch,
    RepositoryUploadNotStored,
)
from smartxfer.nrp.file_init import FileInit, initiate_uploads
from smartxfer.nrp.file_metadata import merge_metadata
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.limits import acquire_connection
from smartxfer.nrp.models import File, FileStatus, raise_if_rejected
from smartxfer.nrp.multipart import PartUploader, compute_multipart_etag, iter_part_digests, verify_checksum
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
#: Waits for a checksum that the repository reckons after the commit, in seconds.
_CHECKSUM_POLL_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8)
#: Answers of a gateway, or of a server that did not look at the request.
_GATEWAY_STATUSES = frozenset({502, 503, 504})


def upload_files(
    files_api: FilesApi,
    runner: TransferRunner,
    pairs: Sequence[Tuple[LocalFile, FileInit]],
    *,
    replace: bool,
    max_workers: int,
) -> List[Tuple[FileResult, Optional[File]]]:
    """Send files; what became of each, and what the repository holds of those that arrived.

    :param pairs: what is sent, and as what.
    :param replace: delete first what stands in the way.
    :param max_workers: files at a time, and parts of one file.
    """
    watched = attrs.evolve(files_api, api=files_api.api.with_runner(runner))
    for item, plan in pairs:
        runner.reporter.queue(plan.key, item.size)
    entries = runner.run_one(
        functools.partial(initiate_uploads, watched, [plan for _, plan in pairs], replace)
    )
    sendings = [FileUpload(files_api, runner, item, plan, entries[plan.key]) for item, plan in pairs]
    jobs = [
        UploadJob(sending.build_spec(), runner, max_workers if sending.file_init.mode.code == "M" else 1)
        for sending in sendings
    ]
    try:
        runner.run_jobs(jobs, max_workers)
        refused = [
            sending for sending, job in zip(sendings, jobs) if sending.has_unresumable_entry(job.result.error)
        ]
        if refused:
            runner.run_one(functools.partial(_delete_unresumable_entries, refused))
    finally:
        for sending in sendings:
            sending.close()
    return [
        (sending.with_resumed_bytes(job.result), sending.uploaded_file)
        for sending, job in zip(sendings, jobs)
    ]


def _delete_unresumable_entries(uploads: Sequence["FileUpload"]) -> None:
    for sending in uploads:
        if not sending.is_completed_elsewhere():
            sending.delete_entry()


class FileUpload:
    """One file's upload."""

    def __init__(
        self,
        files_api: FilesApi,
        runner: TransferRunner,
        local_file: LocalFile,
        file_init: FileInit,
        entry: File,
    ) -> None:
        self.file_init = file_init
        #: What the repository holds, once it does.
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
        #: Whether the content may have arrived although its request failed.
        self._content_may_have_arrived = False
        #: The entry after a commit that was made to find that out.
        self._recovered_entry: Optional[File] = None
        #: Whether it was started once more because another process was faster.
        self._restarted_after_conflict = False
        #: Whether that was just done, and its content not sent yet.
        self._restart_pending = False
        #: Whether the entry is verified, or deleted: it must not be touched any more.
        self._is_final = False
        #: Parts that an earlier run has sent; known once the upload begins.
        self._completed_parts: Dict[int, str] = {}

    def build_spec(self) -> UploadSpec:
        """The file as the engine wants it."""
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
        """The engine's result; what was there before has not been sent."""
        return attrs.evolve(result, resumed=result.bytes) if self._already_uploaded and result.ok else result

    def close(self) -> None:
        """Release the journal; one that a worker thread is still opening is released once it is open."""
        with self._runner.lock:
            self._closed, memory = True, self._journal
        if memory is not None:
            memory.close()

    def has_unresumable_entry(self, error: Optional[BaseException]) -> bool:
        """Return True if the failure left an entry of which nothing can be resumed."""
        if error is None or self._already_uploaded or self._is_final:
            return False
        empty = not (
            self._completed_parts or (self._part_uploader is not None and self._part_uploader.has_sent_parts)
        )
        return is_unresumable(error, empty)

    def is_completed_elsewhere(self) -> bool:
        """Return True if another process has completed the entry meanwhile: it is not ours to delete."""
        try:
            overtaken = self._retrying_api.read(self.file_init.key).status == FileStatus.COMPLETED
        except SmartxferError:
            return False
        if overtaken:
            log.warning("%s was completed by another process", self.file_init.key)
        return overtaken

    def delete_entry(self) -> None:
        """Delete an entry that is of no use: as pending it would block the publication."""
        try:
            self._retrying_api.delete(self.file_init.key)
        except NotFound:
            pass
        except SmartxferError as error:
            log.warning("%s could not be deleted in the repository: %s", self.file_init.key, error)
            return
        if self._journal is not None:
            self._journal.delete()

    def _prepare(self, source: Source) -> None:
        """Find out what an earlier run has sent; start the entry again where that was something else."""
        assert isinstance(source, HashingSource)
        self._source = source
        memory = UploadJournal(self._single_attempt_api.files_url, self.file_init.key)
        with self._runner.lock:
            self._journal, closed = memory, self._closed
        if closed:
            memory.close()
            raise Cancelled("the transfer was interrupted")
        if not self._already_uploaded:
            self._start_journal()
        elif not self._matches_source() and memory.owns_entry(self._entry):
            log.info("%s was left by a broken run, with other bytes; it is sent anew", self.file_init.key)
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
        """Compare a completed entry with the source."""
        assert self._source is not None
        algorithm, _, value = (self._entry.checksum or "").partition(":")
        if self._entry.size != self._source.size:
            return False
        etag, _, part_size = value.rpartition("-")
        if algorithm == "multipart" and part_size.isascii() and part_size.isdigit() and int(part_size):
            return etag == compute_multipart_etag(iter_part_digests(self._source, int(part_size)))
        return self._entry.md5 == self._source.digest()

    def _restart(self) -> None:
        """Delete the entry, and start it again."""
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
                hint="check the file; replace=True sends yours in its place",
                status=409,
                retryable=True,
            ) from None
        except (NetworkError, HTTPError) as error:
            whole = isinstance(body, bytes) or body.tell() >= len(body)
            self._content_may_have_arrived = whole and error.retryable and error.may_have_been_processed
            raise

    def _check_retry(self, part: Part, context: RetryContext) -> RetryDecision:
        """Have what is another request by now made without a wait."""
        if self._part_uploader is not None:
            return self._part_uploader.check_expired_url(part)
        restarted, self._restart_pending = self._restart_pending, False
        return RetryDecision.RETRY_IMMEDIATELY if restarted else RetryDecision.NO_DECISION

    def _put_content(self, body: Body) -> None:
        url = self._entry.links.content or self._single_attempt_api.build_url(self.file_init.key, "content")
        answer = self._single_attempt_api.api.send("PUT", url, body=body, headers=OCTET_STREAM_HEADERS)
        raise_if_rejected(answer.parse_model(File))

    def _is_entry_deleted(self) -> bool:
        """Return True if the entry is gone.

        The repository deletes an entry that is completed already, by another process, when content arrives
        for it: then it has to be sent anew, for that process has reported it as sent.

        Source: NRP / Invenio protocol, section 5, Content.
        """
        with contextlib.suppress(NotFound):
            return self._single_attempt_api.read(self.file_init.key) is None
        return True

    def _check_content_arrived(self) -> bool:
        """Find out if the content arrived although its answer was lost, or a gateway gave up waiting for it.

        An entry shows nothing of content that waits for its commit.  The commit is what tells: a server error
        without content, else the entry with the true size and checksum.

        Source: NRP / Invenio protocol, sections 5 (Content) and 9.
        """
        try:
            entry = self._commit(
                self._entry.links.commit or self._single_attempt_api.build_url(self.file_init.key, "commit")
            )
        except ServerError as error:
            if error.status in _GATEWAY_STATUSES:
                raise
            entry = self._single_attempt_api.read(self.file_init.key)
        except ClientError as error:
            if error.retryable:
                raise
            entry = self._single_attempt_api.read(self.file_init.key)
        self._commit_may_have_run = False
        if entry.status != FileStatus.COMPLETED:
            self._content_may_have_arrived = False
            return False
        self._entry = entry
        if self._matches_source():
            log.info("%s had arrived, though its request failed", self.file_init.key)
            self._recovered_entry = entry
            return True
        self._restart()  # what was committed is of an earlier try, or of an earlier run
        self._content_may_have_arrived = False
        return False

    def _on_part_sent(self, part: Part) -> None:
        if self._part_uploader is not None and self._journal is not None:
            self._journal.add_part(part, self._part_uploader.get_digest(part))

    # -- the end ----------------------------------------------------------------------------------------

    def _complete(self) -> Tuple[str, Optional[str]]:
        assert self._source is not None
        ours = self._source.digest()
        if self._already_uploaded:
            entry = self._entry
            if not self._matches_source():
                raise RepositoryConflict(
                    f"there is another file {self.file_init.key!r} already",
                    hint="replace=True deletes it first",
                    status=400,
                )
            log.info("%s is there already, as it is here", self.file_init.key)
            verified = ("md5", entry.checksum) if entry.md5 else ("multipart", entry.checksum)
        else:
            entry = self._recovered_entry or self._commit_with_retry()
            verified = self._verify_or_delete(entry, ours)
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
        """The entry after the commit; where an answer was lost, a look comes before a repeat."""
        url = self._entry.links.commit or self._single_attempt_api.build_url(self.file_init.key, "commit")
        return self._runner.retry(f"POST {url}", lambda: self._commit(url))

    def _commit(self, url: str) -> File:
        if self._commit_may_have_run:
            entry = self._single_attempt_api.read(self.file_init.key)
            if entry.status == FileStatus.COMPLETED:
                return entry
        try:
            answer = self._single_attempt_api.api.send("POST", url, success=OK)
        except (NetworkError, HTTPError) as error:
            self._commit_may_have_run = error.retryable
            raise
        return raise_if_rejected(answer.parse_model(File))

    def _verify_entry(self, entry: File, local_md5: str) -> Tuple[str, Optional[str]]:
        """Compare what the repository says it holds with what was read here."""
        assert self._source is not None
        if entry.status != FileStatus.COMPLETED:
            raise RepositoryUploadNotStored(f"{entry.key} is {entry.status} after its commit", file=entry)
        if entry.size != self._source.size:
            raise RepositorySizeMismatch(
                f"{entry.key}: the repository holds {entry.size} of {self._source.size} bytes",
                hint="it was deleted there; send it again",
                expected=self._source.size,
                actual=entry.size,
            )
        entry = self._wait_for_checksum(entry)
        checksum = entry.checksum or ""
        if checksum.startswith("multipart:"):
            digests = (
                self._part_uploader.get_digests(self._split_parts(self._source.size))
                if self._part_uploader is not None
                else None
            )
            if digests is None:
                return "size", None
            return "multipart", verify_checksum(
                entry, checksum.partition(":")[2].rpartition("-")[0], compute_multipart_etag(digests)
            )
        if entry.md5 is None:
            return "size", None
        return "md5", verify_checksum(entry, entry.md5, local_md5)

    def _wait_for_checksum(self, entry: File) -> File:
        """The entry, once its checksum is reckoned; as it is, where that takes long."""
        for wait in _CHECKSUM_POLL_DELAYS:
            if entry.checksum:
                break
            self._runner.sleep(wait)
            entry = self._retrying_api.read(self.file_init.key)
        return entry
