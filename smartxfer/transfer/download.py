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
from smartxfer.transfer.extents import gaps
from smartxfer.transfer.file_job import FileJob
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Extent, Sink
from smartxfer.transfer.ranges import Incoming
from smartxfer.transfer.result import FileResult
from smartxfer.transport import Attempt
from smartxfer.transport.archive import ArchiveCheck
from smartxfer.transport.attempt import Within
from smartxfer.transport.checks import Check, pass_on

__all__ = ["Download", "DownloadJob"]


@attrs.frozen
class Download:
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
    open_range: Callable[[int, Optional[int]], ContextManager[Incoming]]
    size: Optional[int] = None
    step: Optional[int] = None
    ranges: Optional[Callable[[], bool]] = None
    digest: Optional[Tuple[str, str]] = None
    doubt: Optional[Callable[[], Tuple[str, str]]] = None
    note: Callable[[], None] = lambda: None
    archive: Optional[Callable[[], ArchiveCheck]] = None
    mismatch: Callable[[ChecksumMismatch], IntegrityError] = lambda error: error
    check: Check = pass_on
    within: Within = contextlib.nullcontext


class _Again(Exception):
    """The object has to come again from its start."""

    def __init__(self, ranged: bool) -> None:
        super().__init__()
        self.ranged = ranged


class _Piece:
    """Bytes still to come: ``at`` moves on to ``stop``, which is None where the end is not known.

    :param ranged: whether they are asked for by a range, and not as the whole object.
    """

    __slots__ = ("at", "ranged", "stop")

    def __init__(self, start: int, stop: Optional[int], ranged: bool) -> None:
        self.at = start
        self.stop = stop
        self.ranged = ranged


class DownloadJob(FileJob):
    """One file's way down: begin, pieces, finish; from the start again where it must be."""

    def __init__(self, download: Download, operation: Operation, at_once: int) -> None:
        super().__init__("download", download.name, operation, 1 if download.sink.sequential else at_once)
        self._download = download
        #: Tells the sink the attempt that its bytes come by, where it wants to know.
        self._follow: Optional[Callable[[Attempt], None]] = getattr(download.sink, "follow", None)
        self._ranged = download.step is not None and download.size is not None
        self._again = self._fetched_twice = False
        self._size = download.size
        self._done = 0
        self._digest: Optional[str] = None
        #: The promised digest, reckoned as bytes come in order: not every stream can be read back.
        self._running: Any = None
        self._archive: Optional[ArchiveCheck] = None

    @property
    def result(self) -> FileResult:
        """What became of the file."""
        path: Optional[Path] = getattr(self._download.sink, "path", None)
        verified = "size" if self._size is not None else None
        digest, kept = self._digest, getattr(self._download.sink, "kept", None)
        if kept is not None:
            path, digest = kept.path, digest or kept.digest
            verified = "size" if kept.skipped == "identical" else None
        if digest:
            verified = digest.partition(":")[0]
        return self._result(
            path=path,
            bytes=self._done,
            digest=digest,
            skipped=None if kept is None else kept.skipped,
            verified=verified if self._failure is None else None,
        )

    # -- tasks, in worker threads -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._started = self._operation.clock.monotonic()
        have = list(self._download.sink.begin(self._download.size, self._download.identity))
        kept = getattr(self._download.sink, "kept", None)
        if kept is not None:  # nothing has to be fetched
            self._finishing, self._done = True, kept.size
            self._operation.reporter.begin(self._name, kept.size, kept.size)
            self._report_done()
            return
        self._ranged = self._ranged and self._knows_ranges(bool(have))
        if have and not self._ranged:
            self._download.sink.restart()
            have = []
        self._done = sum(stop - start for start, stop in have)
        self._hash_anew()
        self._report_begin(self._download.size, self._done)
        self._cut(have)

    def _knows_ranges(self, begun: bool) -> bool:
        ask, size, step = self._download.ranges, self._download.size, self._download.step
        several = size is not None and step is not None and size > step
        return ask() if ask is not None and (begun or several) else True

    def _hash_anew(self) -> None:
        if self._download.sink.sequential and self._download.digest is not None:
            self._running = new_hash(self._download.digest[0])
        if self._download.archive is not None:
            self._archive = self._download.archive()

    def _restart(self) -> None:
        self._discard("retrying")
        self._hash_anew()
        self._size = self._download.size
        self._cut([])

    def _discard(self, state: str) -> None:
        """Forget all bytes, and count none of them."""
        self._download.sink.restart()
        done, self._done, self._resumed = self._done, 0, 0
        self._operation.reporter.move(self._name, -done, state)

    def _cut(self, have: Iterable[Extent]) -> None:
        if self._ranged and self._size is not None and self._download.step is not None:
            pieces: Iterable[_Piece] = (
                _Piece(*gap, True) for gap in gaps(self._size, have, self._download.step)
            )
        else:
            pieces = [_Piece(0, self._size, False)] if self._size != 0 else []
        self._waiting.follow(functools.partial(self._fetch, piece) for piece in pieces)

    def _fetch(self, piece: _Piece) -> None:
        doing = self._operation
        tries = doing.tries(f"{self._name}, from byte {piece.at}", checks=[self._download.check])
        attempts = tries.attempts(doing.attempt, check=doing.check, again=self._report_retry)
        farthest = piece.at  # without ranges the bytes come again from 0: only new ones are progress
        while True:
            begun = next(attempts)
            if not piece.ranged and piece.at:
                self._download.sink.restart()
                self._hash_anew()
                self._moved(piece, -piece.at)
            with begun as attempt, self._download.within(attempt):
                if self._follow is not None:
                    self._follow(attempt)
                self._pull(piece)
            if not tries.failing or piece.at == piece.stop:
                return  # where it broke after the last byte, nothing is left to request
            if piece.at > farthest:
                farthest = piece.at
                tries.progressed()

    def _pull(self, piece: _Piece) -> None:
        """One try at the rest of a piece."""
        asked = (piece.at, piece.stop)
        with self._download.open_range(*asked) as incoming:
            if incoming.whole and asked not in ((0, self._size), (0, None)):
                raise _Again(ranged=False)
            stop = piece.stop
            if stop is None:
                stop = self._size = incoming.size
            skip = piece.at - incoming.start
            ours = stop if not incoming.whole and stop is not None and incoming.end > stop else None
            while True:
                data = incoming.read()
                if not data:
                    break
                if skip:
                    data, skip = data[skip:], max(0, skip - len(data))
                if ours is not None:
                    data = data[: ours - piece.at]
                if stop is not None and piece.at + len(data) > stop:
                    raise SizeMismatch(f"{self._name}: more than the promised bytes", expected=stop)
                self._download.sink.write_at(data, piece.at)
                if self._running is not None:
                    self._running.update(data)
                if self._archive is not None:
                    self._checked(self._archive.feed, data)
                self._moved(piece, len(data))
            if stop is not None and piece.at < stop:
                raise Truncated(
                    f"{self._name}: the body ended at byte {piece.at} of {stop}",
                    got=piece.at,
                    expected=stop,
                )

    def _moved(self, piece: _Piece, count: int) -> None:
        piece.at += count
        with self._operation.lock:
            self._done += count
        self._operation.reporter.move(self._name, count)

    def _finish(self) -> None:
        if self._archive is not None:
            self._checked(self._archive.finish)
        promised = self._download.digest
        if promised is None and self._resumed and self._download.doubt is not None:
            promised = self._download.doubt()
        if promised is not None:
            algorithm, expected = promised
            actual = self._reckoned(algorithm)
            if actual != expected.lower():
                self._fetch_twice()
                wrong = ChecksumMismatch(
                    f"{self._name}: {algorithm} is {actual}, the server promised {expected}",
                    algorithm=algorithm,
                    expected=expected,
                    actual=actual,
                )
                raise self._download.mismatch(wrong)
            self._digest = f"{algorithm}:{actual}"
        self._operation.check()  # of a call that is over nothing is put in place
        self._download.sink.commit()
        self._download.note()
        self._report_done()

    def _checked(self, step: Callable[..., None], *args: Any) -> None:
        """Do one step of an archive's check.

        :raises Truncated: the archive is cut short, the second time.
        :raises IntegrityError: the archive is damaged or lacks files, the second time.
        """
        try:
            step(*args)
        except (Truncated, IntegrityError):
            self._fetch_twice()
            raise

    def _fetch_twice(self) -> None:
        """Fetch the wrong bytes again, once; after that, keep nothing of them."""
        if not self._fetched_twice and getattr(self._download.sink, "rewindable", True):
            self._fetched_twice = True
            raise _Again(ranged=True)
        if self._fetched_twice:
            self._discard("moving")

    def _reckoned(self, algorithm: str) -> str:
        if self._running is not None:
            return str(self._running.hexdigest())
        return self._download.sink.digest(algorithm)

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, _Again):
            super()._failed(error)
            return
        self._again = True
        self._ranged = self._ranged and error.ranged
        self._waiting.clear()

    def _go_on(self) -> None:
        if not self._again:
            super()._go_on()
            return
        self._again = self._finishing = False
        self._waiting.append(self._restart)

    def _close(self) -> None:
        if self._failure is not None:  # else it has its final name
            self._download.sink.leave()
