"""The upload loop: parts of files, in parallel, each acknowledged before its file is finished."""

import contextlib
import functools
from typing import Any, Callable, Collection, ContextManager, Iterable, Optional, Sequence, Tuple, Union

import attrs

from smartxfer.transfer.body import PartBody, ScaledProgress
from smartxfer.transfer.file_job import FileJob
from smartxfer.transfer.file_parts import MissingParts, Part, Parts
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.source import BytesSource
from smartxfer.transport.attempt import AttemptContext
from smartxfer.transport.retry_checks import RetryContext, RetryDecision, make_no_decision

__all__ = ["UploadJob", "UploadSpec"]

Body = Union[bytes, PartBody]


@attrs.frozen
class UploadSpec:
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
    make_parts: Callable[[int], Union[Parts, MissingParts, Sequence[Part]]]
    send_part: Callable[[Part, Body], Any]
    complete: Callable[[], Tuple[str, Optional[str]]]
    completed_parts: Collection[int] = ()
    prepare: Callable[[Source], None] = lambda source: None
    on_part_sent: Callable[[Part], None] = lambda part: None
    encode_part: Optional[Callable[[Part, Iterable[memoryview]], ContextManager[memoryview]]] = None
    resend_after_lost_response: bool = True
    retry_check: Callable[[Part, RetryContext], RetryDecision] = make_no_decision
    attempt_context: AttemptContext = contextlib.nullcontext


class UploadJob(FileJob):
    """One file's way up: open, parts, finish."""

    def __init__(self, spec: UploadSpec, runner: TransferRunner, max_parts: int) -> None:
        super().__init__("upload", spec.name, runner, max_parts)
        self._spec = spec
        self._source: Optional[Source] = None
        self._verified: Tuple[Optional[str], Optional[str]] = (None, None)

    @property
    def result(self) -> FileResult:
        """What became of the file."""
        verified, digest = self._verified
        return self._build_result(
            path=getattr(self._source, "path", None),
            bytes=self._source.size if self._source is not None else 0,
            digest=digest,
            verified=verified,
        )

    # -- tasks, in worker threads -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._started_at = self._runner.clock.monotonic()
        self._source = self._spec.open_source()
        self._spec.prepare(self._source)
        parts = self._spec.make_parts(self._source.size)
        done = self._spec.completed_parts
        if isinstance(parts, (Parts, MissingParts)):
            left = parts.remaining_bytes(done)
        else:
            left = sum(part.size for part in parts if part.number not in done)
        self._report_start(self._source.size, self._source.size - left)
        self._tasks.extend(
            functools.partial(self._send_part, part) for part in parts if part.number not in done
        )

    def _send_part(self, part: Part) -> None:
        assert self._source is not None
        with contextlib.ExitStack() as lent:
            body = self._build_body(self._source, part, lent)
            payload: Body = body if part.size else b""
            try:
                self._runner.retry(
                    f"{self._name}, bytes {part.start} to {part.stop}",
                    functools.partial(self._spec.send_part, part, payload),
                    idempotent=self._spec.resend_after_lost_response,
                    on_retry=self._report_retry,
                    retry_checks=[functools.partial(self._spec.retry_check, part)],
                    attempt_context=self._spec.attempt_context,
                )
            except BaseException:
                body.rollback_progress()
                raise
        self._spec.on_part_sent(part)

    def _build_body(self, source: Source, part: Part, resources: contextlib.ExitStack) -> PartBody:
        plain = PartBody(source, part, self._advance)
        if self._spec.encode_part is None:
            return plain
        sealed = BytesSource(resources.enter_context(self._spec.encode_part(part, plain)), source.name)
        moved = ScaledProgress(sealed.size, part.size, self._advance)
        return PartBody(sealed, Part(part.number, 0, sealed.size), moved)

    def _advance(self, count: int) -> None:
        self._runner.reporter.advance(self._name, count)

    def _finish(self) -> None:
        assert self._source is not None
        self._source.check_unchanged()
        self._runner.raise_if_aborted()
        self._verified = self._spec.complete()
        self._report_done()

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
