"""The upload loop: parts of files, in parallel, each acknowledged before its file is finished."""

import contextlib
import functools
from typing import Any, Callable, Collection, ContextManager, Iterable, Optional, Sequence, Tuple, Union

import attrs

from smartxfer.transfer.body import PartBody, Scaled
from smartxfer.transfer.file_job import FileJob
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Missing, Part, Parts
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.source import BytesSource
from smartxfer.transport.attempt import Within
from smartxfer.transport.checks import Decision, RetryContext, pass_on

__all__ = ["Upload", "UploadJob"]

Body = Union[bytes, PartBody]


@attrs.frozen
class Upload:
    """One file to send, as a service describes it to the engine.

    :param open_source: opens the bytes; called when the file's turn comes.
    :param prepare: called once they are open: finds on the server what they go to, or makes it.
    :param plan: the parts, given the size; it may leave out bytes that an earlier run has sent.  A list
        is for few of them: the others compute each part when it is due.
    :param send_part: one try of one part; returns only when the server acknowledged it.
    :param finish: called once every part is acknowledged; returns (verified, digest).
    :param acknowledged: indices of the parts that an earlier run has sent.
    :param note: told of each part that is acknowledged, from worker threads.
    :param seal: makes what is sent of a part's bytes, such as their encryption; called once for all tries.
        What it gives is good while its block lasts.
    :param repeatable: False when a part must not be sent again once its answer was lost.
    :param check: decides about another try of a part, where this file's state tells more than the error.
    :param within: what each try is made within, such as a connection that has to be waited for.
    """

    name: str
    open_source: Callable[[], Source]
    plan: Callable[[int], Union[Parts, Missing, Sequence[Part]]]
    send_part: Callable[[Part, Body], Any]
    finish: Callable[[], Tuple[str, Optional[str]]]
    acknowledged: Collection[int] = ()
    prepare: Callable[[Source], None] = lambda source: None
    note: Callable[[Part], None] = lambda part: None
    seal: Optional[Callable[[Part, Iterable[memoryview]], ContextManager[memoryview]]] = None
    repeatable: bool = True
    check: Callable[[Part, RetryContext], Decision] = pass_on
    within: Within = contextlib.nullcontext


class UploadJob(FileJob):
    """One file's way up: open, parts, finish."""

    def __init__(self, upload: Upload, operation: Operation, at_once: int) -> None:
        super().__init__("upload", upload.name, operation, at_once)
        self._upload = upload
        self._source: Optional[Source] = None
        self._verified: Tuple[Optional[str], Optional[str]] = (None, None)

    @property
    def result(self) -> FileResult:
        """What became of the file."""
        verified, digest = self._verified
        return self._result(
            path=getattr(self._source, "path", None),
            bytes=self._source.size if self._source is not None else 0,
            digest=digest,
            verified=verified,
        )

    # -- tasks, in worker threads -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._started = self._operation.clock.monotonic()
        self._source = self._upload.open_source()
        self._upload.prepare(self._source)
        parts = self._upload.plan(self._source.size)
        done = self._upload.acknowledged
        if isinstance(parts, (Parts, Missing)):
            left = parts.left(done)
        else:
            left = sum(part.size for part in parts if part.number not in done)
        self._report_begin(self._source.size, self._source.size - left)
        self._waiting.follow(
            functools.partial(self._send, part) for part in parts if part.number not in done
        )

    def _send(self, part: Part) -> None:
        assert self._source is not None
        with contextlib.ExitStack() as lent:
            body = self._body(self._source, part, lent)
            payload: Body = body if part.size else b""
            try:
                self._operation.retry(
                    f"{self._name}, bytes {part.start} to {part.stop}",
                    functools.partial(self._upload.send_part, part, payload),
                    idempotent=self._upload.repeatable,
                    failed=self._report_retry,
                    checks=[functools.partial(self._upload.check, part)],
                    within=self._upload.within,
                )
            except BaseException:
                body.unsend()
                raise
        self._upload.note(part)

    def _body(self, source: Source, part: Part, lent: contextlib.ExitStack) -> PartBody:
        plain = PartBody(source, part, self._moved)
        if self._upload.seal is None:
            return plain
        sealed = BytesSource(lent.enter_context(self._upload.seal(part, plain)), source.name)
        moved = Scaled(sealed.size, part.size, self._moved)
        return PartBody(sealed, Part(part.number, 0, sealed.size), moved)

    def _moved(self, count: int) -> None:
        self._operation.reporter.move(self._name, count)

    def _finish(self) -> None:
        assert self._source is not None
        self._source.check_unchanged()
        self._operation.check()
        self._verified = self._upload.finish()
        self._report_done()

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
