"""The download loop: pieces of a file, in parallel, verified before they get their final name."""

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

    :param identity: what tells this object from any other, kept beside a partial file.
    :param open_range: one try at bytes [start, stop); stop None for an unknown end.  It may begin earlier.
    :param size: bytes, or None where the service cannot say.
    :param step: pieces are cut at multiples of this many bytes; None where ranges cannot be used.
    :param ranges: asks the service whether it gives ranges; only where that makes a difference before the
        first byte.  None: it is found out on the way.
    :param digest: (algorithm, hex) that the service promises, if it does.
    :param doubt: asks the service for (algorithm, hex) of an object that an earlier run began to fetch, where
        its identity alone does not tell an older state of it from the newer one.
    :param note: told when the file stands under its final name.
    :param archive: returns a new check of an archive's own end, which is fed all bytes in order.
    :param mismatch: returns the error to raise for a wrong digest.
    :param check: decides about another try, where this file's state tells more than the error.
    :param within: what each try is made within, such as a connection that has to be waited for.
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
    """The object has to come again from its start."""

    def __init__(self, use_ranges: bool) -> None:
        super().__init__()
        self.use_ranges = use_ranges


class _Range:
    """Bytes still to come: ``at`` moves on to ``stop``, which is None where the end is not known.

    :param is_partial: whether they are asked for by a range, and not as the whole object.
    """

    __slots__ = ("is_partial", "position", "stop")

    def __init__(self, start: int, stop: Optional[int], is_partial: bool) -> None:
        self.position = start
        self.stop = stop
        self.is_partial = is_partial


class DownloadJob(FileJob):
    """One file's way down: begin, pieces, finish; from the start again where it must be."""

    def __init__(self, spec: DownloadSpec, runner: TransferRunner, max_ranges: int) -> None:
        super().__init__("download", spec.name, runner, 1 if spec.sink.sequential else max_ranges)
        self._spec = spec
        #: Tells the sink the attempt that its bytes come by, where it wants to know.
        self._set_sink_attempt: Optional[Callable[[Attempt], None]] = getattr(spec.sink, "set_attempt", None)
        self._use_ranges = spec.range_size is not None and spec.size is not None
        self._restart_requested = self._refetched = False
        self._size = spec.size
        self._done = 0
        self._digest: Optional[str] = None
        #: The promised digest, reckoned as bytes come in order: not every stream can be read back.
        self._hash: Any = None
        self._archive_check: Optional[ArchiveCheck] = None

    @property
    def result(self) -> FileResult:
        """What became of the file."""
        path: Optional[Path] = getattr(self._spec.sink, "path", None)
        verified = "size" if self._size is not None else None
        digest, kept = self._digest, getattr(self._spec.sink, "retained_file", None)
        if kept is not None:
            path, digest = kept.path, digest or kept.digest
            verified = "size" if kept.skipped == "identical" else None
        if digest:
            verified = digest.partition(":")[0]
        return self._build_result(
            path=path,
            bytes=self._done,
            digest=digest,
            skipped=None if kept is None else kept.skipped,
            verified=verified if self._failure is None else None,
        )

    # -- tasks, in worker threads -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._started_at = self._runner.clock.monotonic()
        have = list(self._spec.sink.begin(self._spec.size, self._spec.identity))
        kept = getattr(self._spec.sink, "retained_file", None)
        if kept is not None:  # nothing has to be fetched
            self._finishing, self._done = True, kept.size
            self._runner.reporter.start(self._name, kept.size, kept.size)
            self._report_done()
            return
        self._use_ranges = self._use_ranges and self._supports_ranges(bool(have))
        if have and not self._use_ranges:
            self._spec.sink.restart()
            have = []
        self._done = sum(stop - start for start, stop in have)
        self._reset_hash()
        self._report_start(self._spec.size, self._done)
        self._queue_ranges(have)

    def _supports_ranges(self, resuming: bool) -> bool:
        ask, size, step = self._spec.supports_ranges, self._spec.size, self._spec.range_size
        several = size is not None and step is not None and size > step
        return ask() if ask is not None and (resuming or several) else True

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
        """Forget all bytes, and count none of them."""
        self._spec.sink.restart()
        done, self._done, self._resumed = self._done, 0, 0
        self._runner.reporter.advance(self._name, -done, state)

    def _queue_ranges(self, present: Iterable[Extent]) -> None:
        if self._use_ranges and self._size is not None and self._spec.range_size is not None:
            pieces: Iterable[_Range] = (
                _Range(*gap, True) for gap in missing_extents(self._size, present, self._spec.range_size)
            )
        else:
            pieces = [_Range(0, self._size, False)] if self._size != 0 else []
        self._tasks.extend(functools.partial(self._fetch_range, piece) for piece in pieces)

    def _fetch_range(self, byte_range: _Range) -> None:
        doing = self._runner
        tries = doing.new_retry_state(
            f"{self._name}, from byte {byte_range.position}", retry_checks=[self._spec.retry_check]
        )
        attempts = tries.attempts(
            doing.attempt, raise_if_aborted=doing.raise_if_aborted, before_retry=self._report_retry
        )
        farthest = (
            byte_range.position
        )  # without ranges the bytes come again from 0: only new ones are progress
        while True:
            begun = next(attempts)
            if not byte_range.is_partial and byte_range.position:
                self._spec.sink.restart()
                self._reset_hash()
                self._advance(byte_range, -byte_range.position)
            with begun as attempt, self._spec.attempt_context(attempt):
                if self._set_sink_attempt is not None:
                    self._set_sink_attempt(attempt)
                self._fetch_once(byte_range)
            if not tries.has_pending_error or byte_range.position == byte_range.stop:
                return  # where it broke after the last byte, nothing is left to request
            if byte_range.position > farthest:
                farthest = byte_range.position
                tries.reset()

    def _fetch_once(self, byte_range: _Range) -> None:
        """One try at the rest of a piece."""
        asked = (byte_range.position, byte_range.stop)
        with self._spec.open_range(*asked) as incoming:
            if incoming.is_full_object and asked not in ((0, self._size), (0, None)):
                raise _RestartDownload(use_ranges=False)
            stop = byte_range.stop
            if stop is None:
                stop = self._size = incoming.size
            skip = byte_range.position - incoming.start
            ours = stop if not incoming.is_full_object and stop is not None and incoming.end > stop else None
            while True:
                data = incoming.read()
                if not data:
                    break
                if skip:
                    data, skip = data[skip:], max(0, skip - len(data))
                if ours is not None:
                    data = data[: ours - byte_range.position]
                if stop is not None and byte_range.position + len(data) > stop:
                    raise SizeMismatch(f"{self._name}: more than the promised bytes", expected=stop)
                self._spec.sink.write_at(data, byte_range.position)
                if self._hash is not None:
                    self._hash.update(data)
                if self._archive_check is not None:
                    self._run_archive_check(self._archive_check.feed, data)
                self._advance(byte_range, len(data))
            if stop is not None and byte_range.position < stop:
                raise Truncated(
                    f"{self._name}: the body ended at byte {byte_range.position} of {stop}",
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
        promised = self._spec.digest
        if promised is None and self._resumed and self._spec.fetch_digest is not None:
            promised = self._spec.fetch_digest()
        if promised is not None:
            algorithm, expected = promised
            actual = self._compute_digest(algorithm)
            if actual != expected.lower():
                self._refetch_once()
                wrong = ChecksumMismatch(
                    f"{self._name}: {algorithm} is {actual}, the server promised {expected}",
                    algorithm=algorithm,
                    expected=expected,
                    actual=actual,
                )
                raise self._spec.build_mismatch_error(wrong)
            self._digest = f"{algorithm}:{actual}"
        self._runner.raise_if_aborted()  # of a call that is over nothing is put in place
        self._spec.sink.commit()
        self._spec.on_complete()
        self._report_done()

    def _run_archive_check(self, step: Callable[..., None], *args: Any) -> None:
        """Do one step of an archive's check.

        :raises Truncated: the archive is cut short, the second time.
        :raises IntegrityError: the archive is damaged or lacks files, the second time.
        """
        try:
            step(*args)
        except (Truncated, IntegrityError):
            self._refetch_once()
            raise

    def _refetch_once(self) -> None:
        """Fetch the wrong bytes again, once; after that, keep nothing of them."""
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
        if self._failure is not None:  # else it has its final name
            self._spec.sink.suspend()
