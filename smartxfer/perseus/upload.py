"""Uploads: a record, identified by the content's SHA-256, then one PUT request; with error recovery.

Source: Perseus protocol, sections A.4, A.5 and A.7.
"""

import logging
from typing import Dict, List, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import (
    Cancelled,
    CommunicationError,
    Conflict,
    NetworkError,
    NotFound,
    OutcomeUnknown,
    SmartxferError,
    SourceChanged,
    StorageError,
)
from smartxfer.perseus.api import PerseusApi
from smartxfer.perseus.errors import PerseusConflict, PerseusUploadPendingElsewhere
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.storage import put_presigned
from smartxfer.transfer.digest import compute_source_digest, compute_source_digests
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.journal import Journal, clear_finished_journal
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.upload import Body, UploadJob, UploadSpec
from smartxfer.transport import BufferedResponse
from smartxfer.transport.polling import PollIntervals, poll
from smartxfer.transport.retry_checks import RetryContext, RetryDecision
from smartxfer.transport.s3_response import get_etag_md5

__all__ = ["FileUpload", "clear_sent_journal", "compute_sha256", "select_most_complete", "upload_files"]

log = logging.getLogger("smartxfer.perseus")

#: Intervals between two requests for a record that another client may be sending.
_POLL_INTERVALS = PollIntervals(initial=0.25)
#: How often a record is created again, after its URL expired, or because another record had the same content.
_MAX_RENEWALS = 3


def upload_files(
    uploads: Sequence["FileUpload"], runner: TransferRunner, max_workers: int
) -> List[FileResult]:
    """Run the uploads and return their results, failed ones included.

    The record of a content that did not arrive is deleted.
    """
    for upload in uploads:
        runner.reporter.queue(upload.item.name, upload.item.size)
    jobs = [UploadJob(upload.make_spec(), runner, 1) for upload in uploads]
    try:
        runner.run_jobs(jobs, max_workers)
        # Records are deleted before close() releases the locks of their contents.
        results = {upload: _finalize_result(upload, job.result) for upload, job in zip(uploads, jobs)}
    except Exception as error:
        for upload in uploads:
            upload.delete_unfinished_record(error)
        raise
    finally:
        for upload in uploads:
            upload.close()
    return [
        attrs.evolve(results[upload], error=results[upload].error or results[upload.primary].error)
        for upload in uploads
    ]


def _finalize_result(upload: "FileUpload", result: FileResult) -> FileResult:
    if upload.primary is not upload:
        return attrs.evolve(result, resumed=result.bytes)
    if result.error is not None:
        upload.delete_unfinished_record(result.error)
        return result
    return attrs.evolve(result, resumed=result.bytes if upload.reused else 0)


class FileUpload:
    """Upload of one file.

    :param uploads_by_hash: the upload that sends a content, by SHA-256; the first of several with the same
        content.  Shared by all uploads of a call.
    :param repair: if a record of this content stays pending, delete it and create another.
    :param grace: seconds to wait for another client to finish such a record.
    """

    def __init__(
        self,
        api: PerseusApi,
        runner: TransferRunner,
        item: LocalFile,
        uploads_by_hash: Dict[str, "FileUpload"],
        *,
        repair: bool = False,
        grace: float = 5.0,
    ) -> None:
        self.item = item
        #: Hex SHA-256 of the content, "" until it is computed.
        self.digest = ""
        #: The record of the content, None until it is created or found.
        self.record: Optional[File] = None
        #: True if the service already had the content.
        self.reused = False
        self._api = api
        self._api_without_retries = api.without_retries(runner)
        self._api_with_retries = api.with_runner(runner)
        self._runner = runner
        self._uploads_by_hash = uploads_by_hash
        self._repair = repair
        self._grace = grace
        self._url = ""
        self._md5 = ""
        #: Property of the content that the storage's response has confirmed.
        self._verified = "size"
        #: Duration of an attempt whose response was lost, in seconds: the content may have arrived.
        self._lost_response_seconds: Optional[float] = None
        self._renewal_count = 0
        #: True if the upload URL has expired; the next attempt replaces the record first.
        self._url_expired = False
        self._journal: Optional[Journal] = None
        self._closed = self._completed = False

    def make_spec(self) -> UploadSpec:
        """Return the specification for the engine: one part, or none if the service has the content."""
        return UploadSpec(
            name=self.item.name,
            open_source=self.item.open_unchanged,
            prepare=self._prepare,
            make_parts=lambda size: [Part(0, 0, size)] if self._url else [],
            send_part=self._send_part,
            complete=self._complete,
            retry_check=self._decide_retry,
        )

    @property
    def primary(self) -> "FileUpload":
        """The upload that sends this content: this one, or another of the same content."""
        return self._uploads_by_hash.get(self.digest, self)

    def delete_unfinished_record(self, error: BaseException) -> None:
        """Delete the record if its content did not arrive, or if the file has changed since.

        :param error: reason of the failure.
        """
        if self._completed or not self._url or self.record is None:
            return
        changed = isinstance(error, SourceChanged)
        if not changed and self._lost_response_seconds is not None and self._has_arrived(0.0):
            self._clear_journal()  # a later run finds the content
            return
        try:
            self._api.without_retries(self._runner).delete(self.record.id)
        except NotFound:
            self._clear_journal()  # another client deleted it
        except SmartxferError as error:
            log.warning("the record of %s stays pending: %s", self.item.name, error)
        else:
            self._clear_journal()

    def close(self) -> None:
        """Close the journal; if a worker thread is opening it, that thread closes it."""
        with self._runner.lock:
            self._closed, journal = True, self._journal
        if journal is not None:
            journal.close()

    # -- the record -------------------------------------------------------------------------------------

    def _prepare(self, content: Source) -> None:
        """Compute the checksum and create the record, or find one that has the content."""
        self.digest, self._md5 = compute_source_digests(
            content, ["sha256", "md5"], self._runner.raise_if_aborted
        )
        content.check_unchanged()
        with self._runner.lock:
            primary = self._uploads_by_hash.setdefault(self.digest, self)
        if primary is not self:
            return
        self._set_journal(Journal(_journal_key(self._api, self.digest), self.item.name))
        self._acquire_record(
            self._api_with_retries,
            select_most_complete(self._api_with_retries.find(sourceHashes=[self.digest])),
        )

    def _set_journal(self, journal: Journal) -> None:
        """Store the journal; raise Cancelled if :meth:`close` was called while it was opened."""
        with self._runner.lock:
            self._journal, closed = journal, self._closed
        if closed:
            journal.close()
            raise Cancelled(f"{self.item.name}: the transfer was interrupted")

    def _acquire_record(self, api: PerseusApi, existing: Optional[File]) -> None:
        """Create a record with an upload URL, or find one that has the content."""
        failure: Optional[CommunicationError] = None
        for _ in range(_MAX_RENEWALS):
            created_here = False
            if existing is None:
                try:
                    self.record, self._url = api.create(self.item.name, self.digest)
                except (Conflict, OutcomeUnknown) as error:
                    failure, created_here = error, isinstance(error, OutcomeUnknown)
                    existing = select_most_complete(api.find(sourceHashes=[self.digest]))
                    if existing is None:
                        continue
                else:
                    if self._url:
                        self._save_record_id(self.record)
                        return
                    existing = self.record
            stored = self._resolve_existing(api, existing, created_here)
            if stored is not None:
                self.record, self._url, self.reused = stored, "", True
                return
            existing = None
        raise failure or PerseusConflict(
            f"{self.item.name}: the record was replaced {_MAX_RENEWALS} times without success",
            hint="try again when no other client uploads this content",
            status=409,
        )

    def _resolve_existing(self, api: PerseusApi, existing: File, created_here: bool) -> Optional[File]:
        """Return the record when it has its content; delete it and return None if it will not get any."""
        created_here = created_here or existing.id == self._load_record_id()
        if not created_here:
            existing = self._wait_for_other_uploader(api, existing)
        if existing.status == FileStatus.UPLOADED:
            return existing
        if existing.status != FileStatus.FAILED and not created_here and not self._repair:
            raise PerseusUploadPendingElsewhere(
                f"{self.item.name}: record {existing.id} of this content is pending for another client",
                hint="wait for that upload, or pass repair=True to delete the record and upload",
                file=existing,
            )
        log.info("%s: the %s record %s is replaced", self.item.name, existing.status, existing.id)
        try:
            api.delete(existing.id)
        except NotFound:
            log.debug("another client deleted it")
        return None

    def _wait_for_other_uploader(self, api: PerseusApi, existing: File) -> File:
        """Poll a record until it is final or the grace period has ended, and return it."""
        if existing.status.final or self._grace <= 0:
            return existing
        first = min(_POLL_INTERVALS.initial, self._grace)
        api.sleep(first)
        intervals = attrs.evolve(_POLL_INTERVALS, initial=2 * first)
        return _poll_until_final(api, existing, self._grace - first, intervals)

    # -- the content ------------------------------------------------------------------------------------

    def _send_part(self, part: Part, body: Body) -> None:
        if self._lost_response_seconds is not None and self._has_arrived(
            min(self._grace, self._lost_response_seconds)
        ):
            return
        if self._url_expired:
            self._renew_record()
        if self.reused:
            return  # another client has sent it in the meantime
        start = self._runner.clock.monotonic()
        try:
            response = put_presigned(self._api_without_retries.http, self._url, body)
        except (NetworkError, StorageError) as error:
            if isinstance(error, StorageError) and error.expired and self._count_renewal():
                self._url_expired = True
            elif _is_response_lost(error):
                self._lost_response_seconds = self._runner.clock.monotonic() - start
            raise
        self._lost_response_seconds = None
        self._compare_md5(response)

    def _decide_retry(self, part: Part, context: RetryContext) -> RetryDecision:
        """Retry without a delay after the upload URL expired."""
        error = context.http_error
        expired = self._url_expired and isinstance(error, StorageError) and error.expired
        return RetryDecision.RETRY_IMMEDIATELY if expired else RetryDecision.NO_DECISION

    def _compare_md5(self, response: BufferedResponse) -> None:
        """Log a warning if the ETag is another MD5; only the service's own check is authoritative."""
        etag = get_etag_md5(response)
        self._verified = "md5" if etag == self._md5 else "size"
        if etag not in ("", self._md5):
            message = (
                "%s: the storage's ETag %s is not the content's MD5 %s; pass wait=True to verify the upload"
            )
            log.warning(message, self.item.name, etag, self._md5)

    def _has_arrived(self, timeout: float) -> bool:
        """Return True if the service has the content although the storage's response was lost.

        If the service reports ``failed``, the next attempt replaces the record first.

        :param timeout: seconds to wait for a final status; sending again would take as long.
        """
        assert self.record is not None
        try:
            current = _poll_until_final(self._api_without_retries, self.record, timeout, _POLL_INTERVALS)
        except CommunicationError:
            return False
        if current.status == FileStatus.UPLOADED:
            log.info("%s had arrived, although the response was lost", self.item.name)
            self.record = current
            return True
        if current.status == FileStatus.FAILED and self._count_renewal():
            self._url_expired = True
        return False

    def _count_renewal(self) -> bool:
        """Count a replacement of the record; return False if the limit is reached."""
        self._renewal_count += 1
        return self._renewal_count <= _MAX_RENEWALS

    def _renew_record(self) -> None:
        """Replace the record, because its upload URL is not valid any more."""
        assert self.record is not None
        log.info("%s: the upload URL is not valid any more; the record is replaced", self.item.name)
        self._acquire_record(self._api_with_retries, self.record)
        self._url_expired, self._lost_response_seconds = False, None

    def _complete(self) -> Tuple[str, Optional[str]]:
        self._completed = True
        self._clear_journal()
        return ("sha256" if self.reused else self._verified), f"sha256:{self.digest}"

    # -- the journal, for a later run -------------------------------------------------------------------

    def _save_record_id(self, record: File) -> None:
        if self._journal is not None:
            self._journal.update(record=record.id)

    def _load_record_id(self) -> Optional[str]:
        return None if self._journal is None else self._journal.state.get("record")

    def _clear_journal(self) -> None:
        if self._journal is not None:
            self._journal.clear()


def _poll_until_final(api: PerseusApi, record: File, timeout: float, intervals: PollIntervals) -> File:
    """Poll a record until its status is final or ``timeout`` seconds have passed, and return it."""
    return poll(
        lambda: next(iter(api.find(ids=[record.id])), record),
        lambda current: current.status.final,
        timeout=timeout,
        intervals=intervals,
        clock=api.clock,
        sleep=api.sleep,
    )


def _journal_key(api: PerseusApi, digest: str) -> Dict[str, str]:
    return {"service": "perseus", "api": api.base_url, "sha256": digest}


def clear_sent_journal(api: PerseusApi, digest: str, name: str) -> None:
    """Remove the journal of a run that was interrupted after it had sent a content.

    :param digest: hex SHA-256 of a content that the service has.
    :param name: name of its file, for messages.
    """
    clear_finished_journal(_journal_key(api, digest), name)


def _is_response_lost(error: CommunicationError) -> bool:
    """Return True if the content may have arrived in spite of the error."""
    if isinstance(error, StorageError):
        return error.status in (500, 502, 504)
    return error.may_have_been_processed


def select_most_complete(files: Sequence[File]) -> Optional[File]:
    """Return the newest uploaded record, else the newest pending, else the newest failed one; or None."""
    order = {FileStatus.FAILED: 0, FileStatus.UPLOADED: 2}
    ranked = sorted(files, key=lambda file: (order.get(file.status, 1), file.created or ""))
    return ranked[-1] if ranked else None


def compute_sha256(item: LocalFile) -> str:
    """Return the hex SHA-256 of a file's content.

    :raises SourceChanged: the file changed while it was read.
    """
    source = item.open_unchanged()
    try:
        digest = compute_source_digest(source, "sha256")
        source.check_unchanged()
        return digest
    finally:
        if item.path is not None:
            source.close()
