"""Uploads: one request per file, recovery of lost responses, and verification of the stored file.

Source: SmartFile protocol, sections 5 and 7.
"""

import contextlib
import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import CommunicationError, NetworkError, ServerError, TaskFailed, Throttled, WaitTimeout
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.defaults import TASK_TIMEOUT
from smartxfer.smartfile.errors import (
    SmartFileChecksumMismatch,
    SmartFileDecodeError,
    SmartFileTruncated,
    SmartFileUnexpectedResponse,
)
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import join, normalize, validate_upload_path
from smartxfer.transfer.digest import compute_source_digest
from smartxfer.transfer.existing_files import UploadExists
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.upload import Body, UploadJob, UploadSpec
from smartxfer.transport.polling import PollIntervals, poll
from smartxfer.transport.redaction import redacted_excerpt

__all__ = ["resolve_target", "skip_existing", "upload_files"]

log = logging.getLogger("smartxfer.smartfile")

#: Seconds to wait for a file whose response was lost, and intervals between two requests for it.
_LATE_ARRIVAL_TIMEOUT = 5.0
_POLL_INTERVALS = PollIntervals(initial=0.25)


def upload_files(
    api: SmartFileApi,
    runner: TransferRunner,
    pairs: Sequence[Tuple[LocalFile, str]],
    max_workers: int,
    checksum: Optional[str] = None,
    journal: Optional[Journal] = None,
) -> List[FileResult]:
    """Upload files and return their results, failed ones included.

    :param pairs: each file, and its path on the server.
    :param checksum: algorithm of the final comparison with the server; None compares sizes.
    :raises UsageError: a name is invalid.
    """
    for _, path in pairs:
        validate_upload_path(path)
    uploads = [FileUpload(api, runner, item, path, checksum, journal) for item, path in pairs]
    for item, path in pairs:
        runner.reporter.queue(path, item.size)
    jobs = [UploadJob(upload.make_spec(), runner, 1) for upload in uploads]
    runner.run_jobs(jobs, max_workers)
    return [attrs.evolve(job.result, item=upload.stored_info) for job, upload in zip(jobs, uploads)]


def resolve_target(api: SmartFileApi, path: str, name: str) -> str:
    """Return the absolute path of a file that is uploaded to ``path``, a directory or the file's path."""
    if path.endswith("/"):
        return join(path, name)
    absolute = normalize(path)
    info = api.find(absolute)
    if info is not None and info.isdir and not info.isfile:
        return join(absolute, name)
    return absolute


def skip_existing(
    api: SmartFileApi, pairs: Sequence[Tuple[LocalFile, str]], exists: UploadExists
) -> Dict[str, FileResult]:
    """Return results, by path, of the files that ``exists="skip"`` skips because they exist on the server."""
    skipped: Dict[str, FileResult] = {}
    for item, path in pairs if exists == "skip" else ():
        info = api.find(path)
        if info is not None and info.isfile:
            skipped[path] = FileResult(path, item.path, info.size or 0, skipped="exists", item=info)
    return skipped


class FileUpload:
    """Upload of one file."""

    def __init__(
        self,
        api: SmartFileApi,
        runner: TransferRunner,
        item: LocalFile,
        path: str,
        checksum: Optional[str],
        journal: Optional[Journal],
    ) -> None:
        self._api_without_retries = api.without_retries(runner)
        self._api_with_retries = api.with_runner(runner)
        self._item = item
        self._path = path
        self._checksum = checksum
        self._journal = journal
        #: Duration of an attempt whose response was lost, in seconds.
        self._lost_response_seconds: Optional[float] = None
        self._clock = runner.clock
        #: The server's Info of the stored file.
        self.stored_info: Optional[Info] = None

    def make_spec(self) -> UploadSpec:
        """Return the specification for the engine, with one part even for an empty file."""
        return UploadSpec(
            name=self._path,
            open_source=self._item.open_unchanged,
            make_parts=lambda size: [Part(0, 0, size)],
            send_part=self._send_part,
            complete=self._complete,
        )

    def _send_part(self, part: Part, body: Body) -> None:
        if self._lost_response_seconds is not None and self._has_arrived(
            min(_LATE_ARRIVAL_TIMEOUT, self._lost_response_seconds)
        ):
            return
        start = self._clock.monotonic()
        try:
            body_of_response = self._api_without_retries.send_request(
                self._api_without_retries.upload_request(self._path, body)
            ).json()
        except (NetworkError, ServerError) as error:
            if isinstance(error, Throttled) or not error.may_have_been_processed:
                raise
            self._lost_response_seconds = self._clock.monotonic() - start
            raise
        self._verify_response(body_of_response)

    def _has_arrived(self, timeout: float) -> bool:
        """Return True if the server has stored the file although the response was lost.

        :param timeout: seconds to wait for the file; sending it again would take as long.
        """
        try:
            stored = poll(
                lambda: self._is_stored(max(_LATE_ARRIVAL_TIMEOUT, self._lost_response_seconds or 0.0)),
                bool,
                timeout=timeout,
                intervals=_POLL_INTERVALS,
                clock=self._clock,
                sleep=self._api_without_retries.sleep,
            )
        except CommunicationError:
            return False  # sending the file again is always correct
        if stored:
            log.info("%s had arrived, although the response was lost", self._path)
        return stored

    def _is_stored(self, timeout: float = TASK_TIMEOUT) -> bool:
        """Return True if size and MD5 of the file on the server are those of the local file.

        :param timeout: seconds to wait for the MD5; without it, the result is False.
        """
        info = self._api_without_retries.find(self._path)
        if info is None or not info.isfile or info.size != self._item.size:
            return False
        try:
            remote_digest = self._api_without_retries.get_checksums([self._path], "MD5", timeout)[self._path]
        except (TaskFailed, WaitTimeout) as error:
            log.info("%s: the server did not return an MD5: %s", self._path, error)
            return False
        self.stored_info = info
        return remote_digest == self._compute_digest("md5")

    def _verify_response(self, response: Any) -> None:
        """Compare path and size with those in the response, which is an info object or an array of them."""
        entries = response if isinstance(response, list) else [response]
        infos = [Info.from_wire(entry) for entry in entries if isinstance(entry, Mapping) and "path" in entry]
        if not infos:
            if self._is_stored():
                return
            raise SmartFileUnexpectedResponse(
                f"{self._path}: the response contains no stored file: {redacted_excerpt(response, 200)}",
                hint="check the response, and upload the file again",
                status=200,
                details=response,
            )
        stored = [info for info in infos if normalize(info.path) == self._path]
        if not stored:
            raise SmartFileDecodeError(
                f"the server stored {self._path} under another name: {infos[0].path!r}",
                hint="pass a name that the server accepts unchanged",
            )
        self.stored_info = stored[0]
        size = stored[0].size
        if size is not None and size != self._item.size:
            raise SmartFileTruncated(
                f"{self._path}: the server stored {size} of {self._item.size} bytes",
                got=size,
                expected=self._item.size,
            )

    def _complete(self) -> Tuple[str, Optional[str]]:
        verified: Tuple[str, Optional[str]] = ("size", None)
        if self._checksum is not None:
            algorithm = self._checksum
            remote_digest = self._api_with_retries.get_checksums([self._path], algorithm)[self._path]
            local_digest = self._compute_digest(algorithm)
            if remote_digest != local_digest:
                raise SmartFileChecksumMismatch(
                    f"{self._path}: the {algorithm} of the stored file differs from that of the sent bytes",
                    hint="upload the file again",
                    algorithm=algorithm,
                    expected=local_digest,
                    actual=remote_digest,
                )
            verified = (algorithm, f"{algorithm}:{local_digest}")
        if self._journal is not None and self._item.resumable:
            self._journal.update_lazily(**{self._path: [self._item.size, self._item.mtime_ns]})
        return verified

    def _compute_digest(self, algorithm: str) -> str:
        source = self._item.open_unchanged()
        with contextlib.ExitStack() as stack:
            if self._item.path is not None:
                stack.callback(source.close)
            return compute_source_digest(source, algorithm)
