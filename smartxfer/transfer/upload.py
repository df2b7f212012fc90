"""The upload loop: sends the parts of a file in parallel, and completes it once all are acknowledged."""

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

    :param open_source: opens the source; called when the upload of the file begins.
    :param make_parts: returns the parts for a file size, without bytes that an earlier run has sent.  A list
        is suitable for few parts only; ``Parts`` and ``MissingParts`` compute each part on demand.
    :param send_part: makes one attempt to send one part; returns only when the server acknowledged it.
    :param complete: called once every part is acknowledged; returns (verified, digest).
    :param completed_parts: numbers of the parts that an earlier run has sent.
    :param prepare: called once the source is open; finds or creates the target on the server.
    :param on_part_sent: called in a worker thread for each part that is acknowledged.
    :param encode_part: returns the bytes to send for a part, such as its encryption.  It is called once for
        all attempts, and its buffer is valid within the ``with`` block only.
    :param resend_after_lost_response: False if a part must not be sent again when its response was lost.
    :param retry_check: retry rule of a part, for state of this file that the error does not contain.
    :param attempt_context: surrounds each attempt, for example to wait for a free connection.
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
    """Upload of one file: open the source, send the parts, complete the file."""

    def __init__(self, spec: UploadSpec, runner: TransferRunner, max_parts: int) -> None:
        super().__init__("upload", spec.name, runner, max_parts)
        self._spec = spec
        self._source: Optional[Source] = None
        self._verified: Tuple[Optional[str], Optional[str]] = (None, None)

    @property
    def result(self) -> FileResult:
        """The result of the file."""
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
        with contextlib.ExitStack() as resources:
            body = self._build_body(self._source, part, resources)
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
        encoded = BytesSource(resources.enter_context(self._spec.encode_part(part, plain)), source.name)
        progress = ScaledProgress(encoded.size, part.size, self._advance)
        return PartBody(encoded, Part(part.number, 0, encoded.size), progress)

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
