"""The download loop: fetches ranges of a file in parallel, and verifies it before it gets its final name."""

import contextlib
import functools
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterable, Optional, Tuple

import attrs

from smartxfer.errors import (
    ChecksumMismatch,
    IntegrityError,
    SizeMismatch,
    Truncated,
)
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.extents import missing_extents
from smartxfer.transfer.file_job import FileJob
from smartxfer.transfer.protocols import Extent, Sink
from smartxfer.transfer.ranges import RangeResponse
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import Attempt
from smartxfer.transport.archive_check import ArchiveCheck
from smartxfer.transport.attempt import AttemptContext
from smartxfer.transport.retry_checks import RetryRule, make_no_decision

__all__ = ["DownloadJob", "DownloadSpec"]


@attrs.frozen
class DownloadSpec:
    """One file to fetch, as a service describes it to the engine.

    :param identity: identifies this version of the object; stored in the state file of the part file.
    :param open_range: makes one attempt to open bytes [start, stop); ``stop`` is None for an unknown end.
        The response may begin earlier.
    :param size: bytes, or None if the service does not publish the size.
    :param range_size: ranges begin and end at multiples of this many bytes; None if ranges cannot be used.
    :param supports_ranges: requests whether the server supports ranges; called only if this must be known
        before the first byte.  None: the first response shows it.
    :param digest: (algorithm, hex) that the service publishes, or None.
    :param fetch_digest: requests (algorithm, hex) of an object that an earlier run began to fetch,
        if its identity does not distinguish an older version from the current one.
    :param on_complete: called when the file has its final name.
    :param new_archive_check: returns a new check of an archive, which gets all bytes in order.
    :param build_mismatch_error: returns the error to raise for a wrong digest.
    :param retry_check: retry rule for state of this file that the error does not contain.
    :param attempt_context: surrounds each attempt, for example to wait for a free connection.
    """

    name: str
    sink: Sink
    identity: Dict[str, Any]
    open_range: Callable[[int, Optional[int]], ContextManager[RangeResponse]]
    size: Optional[int] = None
    range_size: Optional[int] = None
    supports_ranges: Optional[Callable[[], bool]] = None
    digest: Optional[Tuple[str, str]] = None
    fetch_digest: Optional[Callable[[], Tuple[str, str]]] = None
    on_complete: Callable[[], None] = lambda: None
    new_archive_check: Optional[Callable[[], ArchiveCheck]] = None
    build_mismatch_error: Callable[[ChecksumMismatch], IntegrityError] = lambda error: error
    retry_check: RetryRule = make_no_decision
    attempt_context: AttemptContext = contextlib.nullcontext


class _RestartDownload(Exception):
    """The object must be fetched again from its start."""

    def __init__(self, use_ranges: bool) -> None:
        super().__init__()
        self.use_ranges = use_ranges


class _Range:
    """Bytes that are still to be fetched, from ``position`` to ``stop``, which is None for an unknown end.

    :param is_partial: True if they are requested with a Range header, not as the whole object.
    """

    __slots__ = ("is_partial", "position", "stop")

    def __init__(self, start: int, stop: Optional[int], is_partial: bool) -> None:
        self.position = start
        self.stop = stop
        self.is_partial = is_partial


class DownloadJob(FileJob):
    """Download of one file: open the sink, fetch the ranges, verify, commit; restart if necessary."""

    def __init__(self, spec: DownloadSpec, runner: TransferRunner, max_ranges: int) -> None:
        super().__init__("download", spec.name, runner, 1 if spec.sink.sequential else max_ranges)
        self._spec = spec
        #: Passes the current attempt to the sink, if the sink accepts it.
        self._set_sink_attempt: Optional[Callable[[Attempt], None]] = getattr(spec.sink, "set_attempt", None)
        self._use_ranges = spec.range_size is not None and spec.size is not None
        self._restart_requested = self._refetched = False
        self._size = spec.size
        self._done = 0
        self._digest: Optional[str] = None
        #: Digest of bytes that arrive in order, because not every stream can be read back.
        self._hash: Any = None
        self._archive_check: Optional[ArchiveCheck] = None

    @property
    def result(self) -> FileResult:
        """The result of the file."""
        path: Optional[Path] = getattr(self._spec.sink, "path", None)
        verified = "size" if self._size is not None else None
        digest, retained = self._digest, getattr(self._spec.sink, "retained_file", None)
        if retained is not None:
            path, digest = retained.path, digest or retained.digest
            verified = "size" if retained.skipped == "identical" else None
        if digest:
            verified = digest.partition(":")[0]
        return self._build_result(
            path=path,
            bytes=self._done,
            digest=digest,
            skipped=None if retained is None else retained.skipped,
            verified=verified if self._failure is None else None,
        )

    # -- tasks, in worker threads -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._started_at = self._runner.clock.monotonic()
        present = list(self._spec.sink.begin(self._spec.size, self._spec.identity))
        retained = getattr(self._spec.sink, "retained_file", None)
        if retained is not None:  # nothing has to be fetched
            self._finishing, self._done = True, retained.size
            self._runner.reporter.start(self._name, retained.size, retained.size)
            self._report_done()
            return
        self._use_ranges = self._use_ranges and self._supports_ranges(bool(present))
        if present and not self._use_ranges:
            self._spec.sink.restart()
            present = []
        self._done = sum(stop - start for start, stop in present)
        self._reset_hash()
        self._report_start(self._spec.size, self._done)
        self._queue_ranges(present)

    def _supports_ranges(self, resuming: bool) -> bool:
        check, size, range_size = self._spec.supports_ranges, self._spec.size, self._spec.range_size
        several = size is not None and range_size is not None and size > range_size
        return check() if check is not None and (resuming or several) else True

    def _reset_hash(self) -> None:
        if self._spec.sink.sequential and self._spec.digest is not None:
            self._hash = new_hash(self._spec.digest[0])
        if self._spec.new_archive_check is not None:
            self._archive_check = self._spec.new_archive_check()

    def _restart(self) -> None:
        self._discard("retrying")
        self._reset_hash()
        self._size = self._spec.size
        self._queue_ranges([])

    def _discard(self, state: str) -> None:
        """Discard all bytes and reset the progress."""
        self._spec.sink.restart()
        done, self._done, self._resumed = self._done, 0, 0
        self._runner.reporter.advance(self._name, -done, state)

    def _queue_ranges(self, present: Iterable[Extent]) -> None:
        if self._use_ranges and self._size is not None and self._spec.range_size is not None:
            ranges: Iterable[_Range] = (
                _Range(*gap, True) for gap in missing_extents(self._size, present, self._spec.range_size)
            )
        else:
            ranges = [_Range(0, self._size, False)] if self._size != 0 else []
        self._tasks.extend(functools.partial(self._fetch_range, byte_range) for byte_range in ranges)

    def _fetch_range(self, byte_range: _Range) -> None:
        runner = self._runner
        retry_state = runner.new_retry_state(
            f"{self._name}, from byte {byte_range.position}", retry_checks=[self._spec.retry_check]
        )
        attempts = retry_state.attempts(
            runner.attempt, raise_if_aborted=runner.raise_if_aborted, before_retry=self._report_retry
        )
        # Without ranges each attempt begins at byte 0 again: only new bytes count as progress.
        farthest = byte_range.position
        while True:
            next_attempt = next(attempts)
            if not byte_range.is_partial and byte_range.position:
                self._spec.sink.restart()
                self._reset_hash()
                self._advance(byte_range, -byte_range.position)
            with next_attempt as attempt, self._spec.attempt_context(attempt):
                if self._set_sink_attempt is not None:
                    self._set_sink_attempt(attempt)
                self._fetch_once(byte_range)
            if not retry_state.has_pending_error or byte_range.position == byte_range.stop:
                return  # an error after the last byte leaves nothing to request
            if byte_range.position > farthest:
                farthest = byte_range.position
                retry_state.reset()

    def _fetch_once(self, byte_range: _Range) -> None:
        """Make one attempt to fetch the rest of a range."""
        requested = (byte_range.position, byte_range.stop)
        with self._spec.open_range(*requested) as response:
            if response.is_full_object and requested not in ((0, self._size), (0, None)):
                raise _RestartDownload(use_ranges=False)
            stop = byte_range.stop
            if stop is None:
                stop = self._size = response.size
            skip = byte_range.position - response.start
            longer = not response.is_full_object and stop is not None and response.end > stop
            cut_at = stop if longer else None
            while True:
                data = response.read()
                if not data:
                    break
                if skip:
                    data, skip = data[skip:], max(0, skip - len(data))
                if cut_at is not None:
                    data = data[: cut_at - byte_range.position]
                if stop is not None and byte_range.position + len(data) > stop:
                    raise SizeMismatch(f"{self._name}: the server sent more than {stop} bytes", expected=stop)
                self._spec.sink.write_at(data, byte_range.position)
                if self._hash is not None:
                    self._hash.update(data)
                if self._archive_check is not None:
                    self._run_archive_check(self._archive_check.feed, data)
                self._advance(byte_range, len(data))
            if stop is not None and byte_range.position < stop:
                raise Truncated(
                    f"{self._name}: the response body ended at byte {byte_range.position} of {stop}",
                    got=byte_range.position,
                    expected=stop,
                )

    def _advance(self, byte_range: _Range, count: int) -> None:
        byte_range.position += count
        with self._runner.lock:
            self._done += count
        self._runner.reporter.advance(self._name, count)

    def _finish(self) -> None:
        if self._archive_check is not None:
            self._run_archive_check(self._archive_check.verify)
        published = self._spec.digest
        if published is None and self._resumed and self._spec.fetch_digest is not None:
            published = self._spec.fetch_digest()
        if published is not None:
            self._verify_digest(*published)
        self._runner.raise_if_aborted()  # a call that has ended must not rename its file
        self._spec.sink.commit()
        self._spec.on_complete()
        self._report_done()

    def _verify_digest(self, algorithm: str, expected: str) -> None:
        """Compare the digest of the received bytes with the published one.

        The first mismatch restarts the download.

        :raises ChecksumMismatch: they differ for the second time.
        """
        actual = self._compute_digest(algorithm)
        if actual != expected.lower():
            self._refetch_once()
            mismatch = ChecksumMismatch(
                f"{self._name}: {algorithm} is {actual}, the server promised {expected}",
                algorithm=algorithm,
                expected=expected,
                actual=actual,
            )
            raise self._spec.build_mismatch_error(mismatch)
        self._digest = f"{algorithm}:{actual}"

    def _run_archive_check(self, step: Callable[..., None], *args: Any) -> None:
        """Call one step of the archive check; the first failure restarts the download.

        :raises Truncated: the archive is truncated for the second time.
        :raises IntegrityError: the archive is damaged or lacks files for the second time.
        """
        try:
            step(*args)
        except (Truncated, IntegrityError):
            self._refetch_once()
            raise

    def _refetch_once(self) -> None:
        """Restart the download on the first call; discard the bytes on the second call."""
        if not self._refetched and getattr(self._spec.sink, "rewindable", True):
            self._refetched = True
            raise _RestartDownload(use_ranges=True)
        if self._refetched:
            self._discard("moving")

    def _compute_digest(self, algorithm: str) -> str:
        if self._hash is not None:
            return str(self._hash.hexdigest())
        return self._spec.sink.digest(algorithm)

    def _record_failure(self, error: BaseException) -> None:
        if not isinstance(error, _RestartDownload):
            super()._record_failure(error)
            return
        self._restart_requested = True
        self._use_ranges = self._use_ranges and error.use_ranges
        self._tasks.clear()

    def _on_parts_done(self) -> None:
        if not self._restart_requested:
            super()._on_parts_done()
            return
        self._restart_requested = self._finishing = False
        self._tasks.append(self._restart)

    def _close(self) -> None:
        if self._failure is not None:  # otherwise commit() has closed the sink
            self._spec.sink.suspend()
