"""Files on their way up: a record by the content's SHA-256, one PUT, and what may stand in the way.

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

__all__ = ["FileUpload", "clear_finished_journal", "compute_sha256", "select_most_complete", "upload_files"]

log = logging.getLogger("smartxfer.perseus")

#: Pauses between two requests for a record that another client may be sending.
_POLL_INTERVALS = PollIntervals(initial=0.25)
#: How often a record is made anew: its address expired, or it stood in the way.
_MAX_RENEWALS = 3


def upload_files(
    uploads: Sequence["FileUpload"], runner: TransferRunner, max_workers: int
) -> List[FileResult]:
    """Send what is described; the results, failed ones included.

    A record that was made for content that then did not arrive is deleted again.
    """
    for sending in uploads:
        runner.reporter.queue(sending.item.name, sending.item.size)
    jobs = [UploadJob(sending.make_spec(), runner, 1) for sending in uploads]
    try:
        runner.run_jobs(jobs, max_workers)
        # Records are deleted before other processes are let at their contents.
        results = {sending: _finalize_result(sending, job.result) for sending, job in zip(uploads, jobs)}
    except Exception as error:
        for sending in uploads:
            sending.delete_unfinished_record(error)
        raise
    finally:
        for sending in uploads:
            sending.close()
    return [
        attrs.evolve(results[sending], error=results[sending].error or results[sending.primary].error)
        for sending in uploads
    ]


def _finalize_result(upload: "FileUpload", result: FileResult) -> FileResult:
    if upload.primary is not upload:
        return attrs.evolve(result, resumed=result.bytes)
    if result.error is not None:
        upload.delete_unfinished_record(result.error)
        return result
    return attrs.evolve(result, resumed=result.bytes if upload.reused else 0)


class FileUpload:
    """One file's upload.

    :param uploads_by_hash: who sends which content, by its SHA-256: of several of one content, the first.
    :param repair: whether a record that stays pending is deleted and made anew.
    :param grace: seconds to wait for such a record.
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
        #: Hex SHA-256 of the content, once it is read.
        self.digest = ""
        #: The record, once there is one that is right.
        self.record: Optional[File] = None
        #: Whether the content was there already.
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
        #: By what the storage's answer has confirmed the content.
        self._verified = "size"
        #: Seconds that the try took whose answer was lost: its content may have arrived.
        self._lost_response_seconds: Optional[float] = None
        self._renewal_count = 0
        #: Whether the address is dead, and its record is to be made anew before the next try.
        self._url_expired = False
        self._journal: Optional[Journal] = None
        self._closed = self._completed = False

    def make_spec(self) -> UploadSpec:
        """The file as the engine wants it: in one part, or in none where its content is known."""
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
        """Who sends this content: itself, or another of the same content."""
        return self._uploads_by_hash.get(self.digest, self)

    def delete_unfinished_record(self, error: BaseException) -> None:
        """Delete the record that was made for content that did not arrive, or is not the file's any more.

        :param error: the reason of the failure; the content of a file that has changed is not kept.
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
            self._clear_journal()  # somebody else deleted it
        except SmartxferError as error:
            log.warning("the record of %s stays pending: %s", self.item.name, error)
        else:
            self._clear_journal()

    def close(self) -> None:
        """Release the journal; one that a worker thread is still opening is released once it is open."""
        with self._runner.lock:
            self._closed, journal = True, self._journal
        if journal is not None:
            journal.close()

    # -- the record -------------------------------------------------------------------------------------

    def _prepare(self, content: Source) -> None:
        """Have a record to which the content goes, or which has it; there is one of each content."""
        self.digest, self._md5 = compute_source_digests(
            content, ["sha256", "md5"], self._runner.raise_if_aborted
        )
        content.check_unchanged()
        with self._runner.lock:
            leader = self._uploads_by_hash.setdefault(self.digest, self)
        if leader is not self:
            return
        self._set_journal(Journal(_journal_key(self._api, self.digest), self.item.name))
        self._acquire_record(
            self._api_with_retries,
            select_most_complete(self._api_with_retries.find(sourceHashes=[self.digest])),
        )

    def _set_journal(self, journal: Journal) -> None:
        """Keep a journal.

        :raises Cancelled: the call was interrupted meanwhile.
        """
        with self._runner.lock:
            self._journal, closed = journal, self._closed
        if closed:
            journal.close()
            raise Cancelled("the transfer was interrupted")

    def _acquire_record(self, api: PerseusApi, existing: Optional[File]) -> None:
        """Have a record with an address to send to, or one whose content is there."""
        refusal: Optional[CommunicationError] = None
        for _ in range(_MAX_RENEWALS):
            ours = False
            if existing is None:
                try:
                    self.record, self._url = api.create(self.item.name, self.digest)
                except (Conflict, OutcomeUnknown) as error:
                    refusal, ours = error, isinstance(error, OutcomeUnknown)
                    existing = select_most_complete(api.find(sourceHashes=[self.digest]))
                    if existing is None:
                        continue
                else:
                    if self._url:
                        self._save_record_id(self.record)
                        return
                    existing = self.record
            there = self._resolve_existing(api, existing, ours)
            if there is not None:
                self.record, self._url, self.reused = there, "", True
                return
            existing = None
        raise refusal or PerseusConflict(
            f"{self.item.name}: its record cannot be made",
            hint="run again; repair=True replaces a record that is in the way",
            status=409,
        )

    def _resolve_existing(self, api: PerseusApi, existing: File, created_here: bool) -> Optional[File]:
        """A record once it has its content; None where it was deleted, because it will not get it."""
        created_here = created_here or existing.id == self._load_record_id()
        if not created_here:
            existing = self._wait_for_other_uploader(api, existing)
        if existing.status == FileStatus.UPLOADED:
            return existing
        if existing.status != FileStatus.FAILED and not created_here and not self._repair:
            raise PerseusUploadPendingElsewhere(
                f"{self.item.name}: the service awaits this content from somebody else ({existing.id})",
                hint="wait if somebody is sending it; repair=True deletes that record and sends",
                file=existing,
            )
        log.info(
            "%s: the %s record %s is deleted, to be made anew", self.item.name, existing.status, existing.id
        )
        try:
            api.delete(existing.id)
        except NotFound:
            log.debug("somebody else deleted it")
        return None

    def _wait_for_other_uploader(self, api: PerseusApi, existing: File) -> File:
        """A record after the time that somebody else may need to end its upload."""
        if existing.status.final or self._grace <= 0:
            return existing
        first = min(_POLL_INTERVALS.initial, self._grace)
        api.sleep(first)
        return poll(
            lambda: next(iter(api.find(ids=[existing.id])), existing),
            lambda state: state.status.final,
            timeout=self._grace - first,
            intervals=attrs.evolve(_POLL_INTERVALS, initial=2 * first),
            clock=api.clock,
            sleep=api.sleep,
        )

    # -- the content ------------------------------------------------------------------------------------

    def _send_part(self, part: Part, body: Body) -> None:
        if self._lost_response_seconds is not None and self._has_arrived(
            min(self._grace, self._lost_response_seconds)
        ):
            return
        if self._url_expired:
            self._renew_record()
        if self.reused:
            return  # somebody else has sent it meanwhile
        began = self._runner.clock.monotonic()
        try:
            answer = put_presigned(self._api_without_retries.http, self._url, body)
        except (NetworkError, StorageError) as error:
            if isinstance(error, StorageError) and error.expired and self._count_renewal():
                self._url_expired = True
            elif _is_response_lost(error):
                self._lost_response_seconds = self._runner.clock.monotonic() - began
            raise
        self._lost_response_seconds = None
        self._compare_md5(answer)

    def _decide_retry(self, part: Part, context: RetryContext) -> RetryDecision:
        """Have a content sent to another address without a wait, where the one before has expired."""
        refusal = context.http_error
        dead = self._url_expired and isinstance(refusal, StorageError) and refusal.expired
        return RetryDecision.RETRY_IMMEDIATELY if dead else RetryDecision.NO_DECISION

    def _compare_md5(self, response: BufferedResponse) -> None:
        """Compare the storage's MD5 with ours; another one is told, and the service's check decides."""
        theirs = get_etag_md5(response)
        self._verified = "md5" if theirs == self._md5 else "size"
        if theirs not in ("", self._md5):
            log.warning(
                "%s: the storage's ETag %s is not the content's MD5 %s; wait=True says whether the service "
                "takes the file in",
                self.item.name,
                theirs,
                self._md5,
            )

    def _has_arrived(self, timeout: float) -> bool:
        """Return True when the service has the content though the storage's answer was lost.

        A record that the service gave up is made anew before the next try.

        :param timeout: seconds in which its status may still change; sending again would take as long.
        """
        assert self.record is not None
        file = self.record
        try:
            known = poll(
                lambda: next(iter(self._api_without_retries.find(ids=[file.id])), file),
                lambda state: state.status.final,
                timeout=timeout,
                intervals=_POLL_INTERVALS,
                clock=self._runner.clock,
                sleep=self._api_without_retries.sleep,
            )
        except CommunicationError:
            return False
        if known.status == FileStatus.UPLOADED:
            log.info("%s had arrived, though the answer was lost", self.item.name)
            self.record = known
            return True
        if known.status == FileStatus.FAILED and self._count_renewal():
            self._url_expired = True
        return False

    def _count_renewal(self) -> bool:
        """Count a record that is to be made anew; False when that was done often enough."""
        self._renewal_count += 1
        return self._renewal_count <= _MAX_RENEWALS

    def _renew_record(self) -> None:
        """Have another record made: the address of this one is dead."""
        assert self.record is not None
        log.info("%s: the address has expired; the record is made anew", self.item.name)
        self._acquire_record(self._api_with_retries, self.record)
        self._url_expired, self._lost_response_seconds = False, None

    def _complete(self) -> Tuple[str, Optional[str]]:
        self._completed = True
        self._clear_journal()
        return ("sha256" if self.reused else self._verified), f"sha256:{self.digest}"

    # -- what a later run needs to know -----------------------------------------------------------------

    def _save_record_id(self, record: File) -> None:
        if self._journal is not None:
            self._journal.update(record=record.id)

    def _load_record_id(self) -> Optional[str]:
        return None if self._journal is None else self._journal.state.get("record")

    def _clear_journal(self) -> None:
        if self._journal is not None:
            self._journal.clear()


def _journal_key(api: PerseusApi, digest: str) -> Dict[str, str]:
    return {"service": "perseus", "api": api.base_url, "sha256": digest}


def clear_sent_journal(api: PerseusApi, digest: str, name: str) -> None:
    """Remove the journal of a run that was ended after it had sent a content.

    :param digest: hex SHA-256 of a content that the service has.
    :param name: of its file, for messages.
    """
    clear_finished_journal(_journal_key(api, digest), name)


def _is_response_lost(error: CommunicationError) -> bool:
    """Return True where the content may have arrived in spite of the error."""
    if isinstance(error, StorageError):
        return error.status in (500, 502, 504)
    return error.may_have_been_processed


def select_most_complete(files: Sequence[File]) -> Optional[File]:
    """Of several records of one content the most telling: uploaded, else pending, else failed; the newest."""
    order = {FileStatus.FAILED: 0, FileStatus.UPLOADED: 2}
    ranked = sorted(files, key=lambda file: (order.get(file.status, 1), file.created or ""))
    return ranked[-1] if ranked else None


def compute_sha256(item: LocalFile) -> str:
    """Hex SHA-256 of a file's content, of one state of it.

    :raises SourceChanged: it changed meanwhile.
    """
    source = item.open_unchanged()
    try:
        found = compute_source_digest(source, "sha256")
        source.check_unchanged()
        return found
    finally:
        if item.path is not None:
            source.close()
