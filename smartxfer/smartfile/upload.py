"""Files on their way up: one request each, looked after when its answer is lost, checked when it is there.

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

#: Seconds in which a file may still arrive whose answer was lost, and the pauses between two requests for it.
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
    """Send files to their paths; the results, failed ones included.

    :param pairs: what is sent, and the path it gets on the server.
    :param checksum: algorithm by which the server is asked what it holds; None compares sizes.
    :raises UsageError: a name cannot be sent.
    """
    for _, path in pairs:
        validate_upload_path(path)
    sendings = [FileUpload(api, runner, item, path, checksum, journal) for item, path in pairs]
    for item, path in pairs:
        runner.reporter.queue(path, item.size)
    jobs = [UploadJob(sending.make_spec(), runner, 1) for sending in sendings]
    runner.run_jobs(jobs, max_workers)
    return [attrs.evolve(job.result, item=sending.stored_info) for job, sending in zip(jobs, sendings)]


def resolve_target(api: SmartFileApi, path: str, name: str) -> str:
    """The path in full of a file that goes to ``path``: into it where it is a directory."""
    if path.endswith("/"):
        return join(path, name)
    full = normalize(path)
    found = api.find(full)
    if found is not None and found.isdir and not found.isfile:
        return join(full, name)
    return full


def skip_existing(
    api: SmartFileApi, pairs: Sequence[Tuple[LocalFile, str]], exists: UploadExists
) -> Dict[str, FileResult]:
    """Results, by path, of files that are not sent because the server has one of their path."""
    kept: Dict[str, FileResult] = {}
    for item, path in pairs if exists == "skip" else ():
        info = api.find(path)
        if info is not None and info.isfile:
            kept[path] = FileResult(path, item.path, info.size or 0, skipped="exists", item=info)
    return kept


class FileUpload:
    """One file's upload."""

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
        #: Seconds that the try took whose answer was lost.
        self._lost_response_seconds: Optional[float] = None
        self._clock = runner.clock
        #: What the server says of the file that it stored.
        self.stored_info: Optional[Info] = None

    def make_spec(self) -> UploadSpec:
        """The file as the engine wants it: in one part, empty or not."""
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
        began = self._clock.monotonic()
        try:
            answer = self._api_without_retries.send_request(
                self._api_without_retries.upload_request(self._path, body)
            ).json()
        except (NetworkError, ServerError) as error:
            if isinstance(error, Throttled) or not error.may_have_been_processed:
                raise
            self._lost_response_seconds = self._clock.monotonic() - began
            raise
        self._verify_response(answer)

    def _has_arrived(self, timeout: float) -> bool:
        """Return True when the server holds the file though its answer was lost.

        :param timeout: seconds in which it may still come to its end; sending again would take as long.
        """
        try:
            held = poll(
                lambda: self._is_stored(max(_LATE_ARRIVAL_TIMEOUT, self._lost_response_seconds or 0.0)),
                bool,
                timeout=timeout,
                intervals=_POLL_INTERVALS,
                clock=self._clock,
                sleep=self._api_without_retries.sleep,
            )
        except CommunicationError:
            return False  # sending it again is always right
        if held:
            log.info("%s had arrived, though the answer was lost", self._path)
        return held

    def _is_stored(self, timeout: float = TASK_TIMEOUT) -> bool:
        """Return True when the server holds these bytes; its MD5 tells, not the size alone.

        :param timeout: seconds to wait for the MD5; without one the bytes count as not held.
        """
        info = self._api_without_retries.find(self._path)
        if info is None or not info.isfile or info.size != self._item.size:
            return False
        try:
            held = self._api_without_retries.get_checksums([self._path], "MD5", timeout)[self._path]
        except (TaskFailed, WaitTimeout) as error:
            log.info("%s: the server gives no MD5: %s", self._path, error)
            return False
        self.stored_info = info
        return held == self._compute_digest("md5")

    def _verify_response(self, response: Any) -> None:
        """Compare what the server says it stored: one info object, or an array of them."""
        found = response if isinstance(response, list) else [response]
        infos = [Info.from_wire(entry) for entry in found if isinstance(entry, Mapping) and "path" in entry]
        if not infos:
            if self._is_stored():
                return
            raise SmartFileUnexpectedResponse(
                f"{self._path}: the response names no stored file: {redacted_excerpt(response, 200)}",
                hint="look at what it says, and upload the file again",
                status=200,
                details=response,
            )
        stored = [info for info in infos if normalize(info.path) == self._path]
        if not stored:
            raise SmartFileDecodeError(
                f"{self._path} is stored as {infos[0].path!r}",
                hint="the server does not take this name as it is: give the file another",
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
            held = self._api_with_retries.get_checksums([self._path], algorithm)[self._path]
            ours = self._compute_digest(algorithm)
            if held != ours:
                raise SmartFileChecksumMismatch(
                    f"{self._path}: the server holds other bytes than were sent",
                    hint="send it again",
                    algorithm=algorithm,
                    expected=ours,
                    actual=held,
                )
            verified = (algorithm, f"{algorithm}:{ours}")
        if self._journal is not None and self._item.resumable:
            self._journal.update_lazily(**{self._path: [self._item.size, self._item.mtime_ns]})
        return verified

    def _compute_digest(self, algorithm: str) -> str:
        source = self._item.open_unchanged()
        with contextlib.ExitStack() as stack:
            if self._item.path is not None:
                stack.callback(source.close)
            return compute_source_digest(source, algorithm)
