"""Files on their way up: one request each, looked after when its answer is lost, checked when it is there.

Source: SmartFile protocol, sections 5 and 7.
"""

import contextlib
import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import CommunicationError, NetworkError, ServerError, TaskFailed, Throttled, WaitTimeout
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.defaults import TASK_TIMEOUT
from smartxfer.smartfile.errors import (
    SmartFileChecksumMismatch,
    SmartFileDecodeError,
    SmartFileTruncated,
    SmartFileUnexpectedAnswer,
)
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import join, normal, storable
from smartxfer.transfer.digest import digest_of_source
from smartxfer.transfer.existing import UploadExists
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Part
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import Body, Upload, UploadJob
from smartxfer.transport.polling import Pauses, poll
from smartxfer.transport.redact import excerpt

__all__ = ["kept_files", "send_files", "target"]

log = logging.getLogger("smartxfer.smartfile")

#: Seconds in which a file may still arrive whose answer was lost, and the pauses between two requests for it.
_PATIENCE = 5.0
_PAUSES = Pauses(first=0.25)


def send_files(
    calls: Calls,
    operation: Operation,
    pairs: Sequence[Tuple[Item, str]],
    at_once: int,
    checksum: Optional[str] = None,
    journal: Optional[Journal] = None,
) -> List[FileResult]:
    """Send files to their paths; the results, failed ones included.

    :param pairs: what is sent, and the path it gets on the server.
    :param checksum: algorithm by which the server is asked what it holds; None compares sizes.
    :raises UsageError: a name cannot be sent.
    """
    for _, path in pairs:
        storable(path)
    sendings = [_Sending(calls, operation, item, path, checksum, journal) for item, path in pairs]
    for item, path in pairs:
        operation.reporter.queue(path, item.size)
    jobs = [UploadJob(sending.describe(), operation, 1) for sending in sendings]
    operation.run(jobs, at_once)
    return [attrs.evolve(job.result, item=sending.stored) for job, sending in zip(jobs, sendings)]


def target(calls: Calls, path: str, name: str) -> str:
    """The path in full of a file that goes to ``path``: into it where it is a directory."""
    if path.endswith("/"):
        return join(path, name)
    full = normal(path)
    found = calls.find(full)
    if found is not None and found.isdir and not found.isfile:
        return join(full, name)
    return full


def kept_files(
    calls: Calls, pairs: Sequence[Tuple[Item, str]], exists: UploadExists
) -> Dict[str, FileResult]:
    """Results, by path, of files that are not sent because the server has one of their path."""
    kept: Dict[str, FileResult] = {}
    for item, path in pairs if exists == "skip" else ():
        info = calls.find(path)
        if info is not None and info.isfile:
            kept[path] = FileResult(path, item.path, info.size or 0, skipped="exists", item=info)
    return kept


class _Sending:
    """One file's upload."""

    def __init__(
        self,
        calls: Calls,
        operation: Operation,
        item: Item,
        path: str,
        checksum: Optional[str],
        journal: Optional[Journal],
    ) -> None:
        self._single = calls.untried(operation)
        self._watched = calls.watched(operation)
        self._item = item
        self._path = path
        self._checksum = checksum
        self._journal = journal
        #: Seconds that the try took whose answer was lost.
        self._lost: Optional[float] = None
        self._clock = operation.clock
        #: What the server says of the file that it stored.
        self.stored: Optional[Info] = None

    def describe(self) -> Upload:
        """The file as the engine wants it: in one part, empty or not."""
        return Upload(
            name=self._path,
            open_source=self._item.open_unchanged,
            plan=lambda size: [Part(0, 0, size)],
            send_part=self._send,
            finish=self._finish,
        )

    def _send(self, part: Part, body: Body) -> None:
        if self._lost is not None and self._arrived(min(_PATIENCE, self._lost)):
            return
        began = self._clock.monotonic()
        try:
            answer = self._single.make(self._single.store(self._path, body)).json()
        except (NetworkError, ServerError) as error:
            if isinstance(error, Throttled) or not error.acted_on:
                raise
            self._lost = self._clock.monotonic() - began
            raise
        self._check(answer)

    def _arrived(self, patience: float) -> bool:
        """Return True when the server holds the file though its answer was lost.

        :param patience: seconds in which it may still come to its end; sending again would take as long.
        """
        try:
            held = poll(
                lambda: self._is_held(max(_PATIENCE, self._lost or 0.0)),
                bool,
                seconds=patience,
                pauses=_PAUSES,
                clock=self._clock,
                pause=self._single.pause,
            )
        except CommunicationError:
            return False  # sending it again is always right
        if held:
            log.info("%s had arrived, though the answer was lost", self._path)
        return held

    def _is_held(self, timeout: float = TASK_TIMEOUT) -> bool:
        """Return True when the server holds these bytes; its MD5 tells, not the size alone.

        :param timeout: seconds to wait for the MD5; without one the bytes count as not held.
        """
        info = self._single.find(self._path)
        if info is None or not info.isfile or info.size != self._item.size:
            return False
        try:
            held = self._single.checksums([self._path], "MD5", timeout)[self._path]
        except (TaskFailed, WaitTimeout) as error:
            log.info("%s: the server gives no MD5: %s", self._path, error)
            return False
        self.stored = info
        return held == self._digest("md5")

    def _check(self, answer: Any) -> None:
        """Compare what the server says it stored: one info object, or an array of them."""
        found = answer if isinstance(answer, list) else [answer]
        infos = [Info.from_wire(entry) for entry in found if isinstance(entry, Mapping) and "path" in entry]
        if not infos:
            if self._is_held():
                return
            raise SmartFileUnexpectedAnswer(
                f"{self._path}: the server's answer names no file that it stored: {excerpt(answer, 200)}",
                hint="look at what it says, and upload the file again",
                status=200,
                details=answer,
            )
        stored = [info for info in infos if normal(info.path) == self._path]
        if not stored:
            raise SmartFileDecodeError(
                f"{self._path} is stored as {infos[0].path!r}",
                hint="the server does not take this name as it is: give the file another",
            )
        self.stored = stored[0]
        size = stored[0].size
        if size is not None and size != self._item.size:
            raise SmartFileTruncated(
                f"{self._path}: the server stored {size} of {self._item.size} bytes",
                got=size,
                expected=self._item.size,
            )

    def _finish(self) -> Tuple[str, Optional[str]]:
        verified: Tuple[str, Optional[str]] = ("size", None)
        if self._checksum is not None:
            algorithm = self._checksum
            held = self._watched.checksums([self._path], algorithm)[self._path]
            ours = self._digest(algorithm)
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
            self._journal.note_soon(**{self._path: [self._item.size, self._item.mtime_ns]})
        return verified

    def _digest(self, algorithm: str) -> str:
        source = self._item.open_unchanged()
        with contextlib.ExitStack() as stack:
            if self._item.path is not None:
                stack.callback(source.close)
            return digest_of_source(source, algorithm)
