"""Files on their way up: content or parts, each acknowledged; then the commit, and a look at what it says.

Source: NRP / Invenio protocol, sections 3, 5 and 6.
"""

import contextlib
import functools
import logging
from typing import Dict, List, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import (
    Cancelled,
    ClientError,
    HTTPError,
    IntegrityError,
    NetworkError,
    NotFound,
    ServerError,
    SmartxferError,
    TransferRefused,
)
from smartxfer.nrp.errors import (
    RepositoryConflict,
    RepositorySizeMismatch,
    RepositoryTransferRefused,
)
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.file_metadata import merge
from smartxfer.nrp.limits import connection
from smartxfer.nrp.memory import Memory
from smartxfer.nrp.models import File, FileStatus, taken
from smartxfer.nrp.parts import PartSender, digests_of, equal, etag_of
from smartxfer.nrp.refusals import nothing_to_resume
from smartxfer.nrp.starting import Plan, announce
from smartxfer.nrp.statuses import DONE
from smartxfer.transfer.hashed import HashedSource
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Part, cut
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import Body, Upload, UploadJob
from smartxfer.transport.checks import Decision, RetryContext

__all__ = ["send_files"]

log = logging.getLogger("smartxfer.nrp")

CONTENT = {"Content-Type": "application/octet-stream"}
#: Waits for a checksum that the repository reckons after the commit, in seconds.
_CHECKSUM_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)
#: Answers of a gateway, or of a server that did not look at the request.
_GATEWAY = frozenset({502, 503, 504})


def send_files(
    files: FileCalls,
    operation: Operation,
    pairs: Sequence[Tuple[Item, Plan]],
    *,
    replace: bool,
    at_once: int,
) -> List[Tuple[FileResult, Optional[File]]]:
    """Send files; what became of each, and what the repository holds of those that arrived.

    :param pairs: what is sent, and as what.
    :param replace: delete first what stands in the way.
    :param at_once: files at a time, and parts of one file.
    """
    watched = attrs.evolve(files, calls=files.calls.watched(operation))
    for item, plan in pairs:
        operation.reporter.queue(plan.key, item.size)
    entries = operation.call(functools.partial(announce, watched, [plan for _, plan in pairs], replace))
    sendings = [_Sending(files, operation, item, plan, entries[plan.key]) for item, plan in pairs]
    jobs = [
        UploadJob(sending.describe(), operation, at_once if sending.plan.how.letter == "M" else 1)
        for sending in sendings
    ]
    try:
        operation.run(jobs, at_once)
        refused = [sending for sending, job in zip(sendings, jobs) if sending.refused(job.result.error)]
        if refused:
            operation.call(functools.partial(_withdraw, refused))
    finally:
        for sending in sendings:
            sending.close()
    return [(sending.told(job.result), sending.stored) for sending, job in zip(sendings, jobs)]


def _withdraw(sendings: Sequence["_Sending"]) -> None:
    for sending in sendings:
        if not sending.overtaken():
            sending.withdraw()


class _Sending:
    """One file's upload."""

    def __init__(self, files: FileCalls, operation: Operation, item: Item, plan: Plan, entry: File) -> None:
        self.plan = plan
        #: What the repository holds, once it does.
        self.stored: Optional[File] = None
        self._single = attrs.evolve(files, calls=files.calls.untried(operation))
        self._watched = attrs.evolve(files, calls=files.calls.watched(operation))
        self._operation = operation
        self._item = item
        self._entry = entry
        self._there = entry.status == FileStatus.COMPLETED
        self._source: Optional[HashedSource] = None
        self._memory: Optional[Memory] = None
        self._closed = False
        self._parts: Optional[PartSender] = None
        self._committing = False
        #: Whether the content may have arrived although its request failed.
        self._unsure = False
        #: The entry after a commit that was made to find that out.
        self._arrived: Optional[File] = None
        #: Whether it was started once more because another process was faster.
        self._anew = False
        #: Whether that was just done, and its content not sent yet.
        self._restarted = False
        #: Whether the entry is verified, or deleted: it must not be touched any more.
        self._settled = False
        #: Parts that an earlier run has sent; known once the upload begins.
        self._acknowledged: Dict[int, str] = {}

    def describe(self) -> Upload:
        """The file as the engine wants it."""
        return Upload(
            name=self.plan.key,
            open_source=lambda: HashedSource(self._item.open_unchanged(), "md5"),
            prepare=self._prepare,
            plan=self._cut,
            send_part=self._send,
            finish=self._finish,
            acknowledged=self._acknowledged,
            note=self._note,
            check=self._check,
            within=connection,
        )

    def told(self, result: FileResult) -> FileResult:
        """The engine's result; what was there before has not been sent."""
        return attrs.evolve(result, resumed=result.bytes) if self._there and result.ok else result

    def close(self) -> None:
        """Release the journal; one that a worker thread is still opening is released once it is open."""
        with self._operation.lock:
            self._closed, memory = True, self._memory
        if memory is not None:
            memory.close()

    def refused(self, error: Optional[BaseException]) -> bool:
        """Return True if the failure left an entry of which nothing can be resumed."""
        if error is None or self._there or self._settled:
            return False
        empty = not (self._acknowledged or (self._parts is not None and self._parts.sent))
        return nothing_to_resume(error, empty)

    def overtaken(self) -> bool:
        """Return True if another process has completed the entry meanwhile: it is not ours to delete."""
        try:
            overtaken = self._watched.read(self.plan.key).status == FileStatus.COMPLETED
        except SmartxferError:
            return False
        if overtaken:
            log.warning("%s was completed by another process", self.plan.key)
        return overtaken

    def withdraw(self) -> None:
        """Delete an entry that is of no use: as pending it would block the publication."""
        try:
            self._watched.delete(self.plan.key)
        except NotFound:
            pass
        except SmartxferError as error:
            log.warning("%s could not be deleted in the repository: %s", self.plan.key, error)
            return
        if self._memory is not None:
            self._memory.forget()

    def _prepare(self, source: Source) -> None:
        """Find out what an earlier run has sent; start the entry again where that was something else."""
        assert isinstance(source, HashedSource)
        self._source = source
        memory = Memory(self._single.base, self.plan.key)
        with self._operation.lock:
            self._memory, closed = memory, self._closed
        if closed:
            memory.close()
            raise Cancelled("the transfer was interrupted")
        if not self._there:
            self._begin()
        elif not self._same() and memory.began(self._entry):
            log.info("%s was left by a broken run, with other bytes; it is sent anew", self.plan.key)
            self._restart()

    def _begin(self) -> None:
        assert self._memory is not None
        if self.plan.how.letter == "M":
            self._acknowledged.clear()
            self._acknowledged.update(self._memory.resumed(self._item, self._entry))
            self._parts = PartSender(self._single, self._entry, self._acknowledged)
        else:
            self._memory.begin(self._entry)

    def _cut(self, size: int) -> Sequence[Part]:
        if self._there:
            return []
        if self._parts is None or not size:
            return [Part(0, 0, size)]
        return cut(size, self._entry.transfer.part_size or self.plan.how.cut(size))

    def _same(self) -> bool:
        """Compare a completed entry with the source."""
        assert self._source is not None
        algorithm, _, value = (self._entry.checksum or "").partition(":")
        if self._entry.size != self._source.size:
            return False
        etag, _, part_size = value.rpartition("-")
        if algorithm == "multipart" and part_size.isascii() and part_size.isdigit() and int(part_size):
            return etag == etag_of(digests_of(self._source, int(part_size)))
        return self._entry.md5 == self._source.digest()

    def _restart(self) -> None:
        """Delete the entry, and start it again."""
        with contextlib.suppress(NotFound):
            self._watched.delete(self.plan.key)
        self._entry = announce(self._watched, [self.plan], False)[self.plan.key]
        self._there, self._committing = False, False
        self._begin()

    def _send(self, part: Part, body: Body) -> None:
        if self._parts is not None:
            self._parts.send(part, body)
            return
        if self._unsure and self._look():
            return
        try:
            self._put(body)
        except TransferRefused:
            if self._anew or not self._gone():
                raise
            self._anew = True
            self._restart()
            self._restarted = True
            raise RepositoryConflict(
                f"{self.plan.key} was completed by another process before its content was sent",
                status=409,
                retryable=True,
            ) from None
        except (NetworkError, HTTPError) as error:
            whole = isinstance(body, bytes) or body.tell() >= len(body)
            self._unsure = whole and error.retryable and error.acted_on
            raise

    def _check(self, part: Part, context: RetryContext) -> Decision:
        """Have what is another request by now made without a wait."""
        if self._parts is not None:
            return self._parts.has_new_address(part)
        restarted, self._restarted = self._restarted, False
        return Decision.RETRY_AT_ONCE if restarted else Decision.PASS

    def _put(self, body: Body) -> None:
        url = self._entry.links.content or self._single.url(self.plan.key, "content")
        answer = self._single.calls.send("PUT", url, body=body, headers=CONTENT)
        taken(answer.made(File))

    def _gone(self) -> bool:
        """Return True if the entry is gone.

        The repository deletes an entry that is completed already, by another process, when content arrives
        for it: then it has to be sent anew, for that process has reported it as sent.

        Source: NRP / Invenio protocol, section 5, Content.
        """
        with contextlib.suppress(NotFound):
            return self._single.read(self.plan.key) is None
        return True

    def _look(self) -> bool:
        """Find out if the content arrived although its answer was lost, or a gateway gave up waiting for it.

        An entry shows nothing of content that waits for its commit.  The commit is what tells: a server error
        without content, else the entry with the true size and checksum.

        Source: NRP / Invenio protocol, sections 5 (Content) and 9.
        """
        try:
            entry = self._commit(self._entry.links.commit or self._single.url(self.plan.key, "commit"))
        except ServerError as error:
            if error.status in _GATEWAY:
                raise
            entry = self._single.read(self.plan.key)
        except ClientError as error:
            if error.retryable:
                raise
            entry = self._single.read(self.plan.key)
        self._committing = False
        if entry.status != FileStatus.COMPLETED:
            self._unsure = False
            return False
        self._entry = entry
        if self._same():
            log.info("%s had arrived, though its request failed", self.plan.key)
            self._arrived = entry
            return True
        self._restart()  # what was committed is of an earlier try, or of an earlier run
        self._unsure = False
        return False

    def _note(self, part: Part) -> None:
        if self._parts is not None and self._memory is not None:
            self._memory.note(part, self._parts.digest(part))

    # -- the end ----------------------------------------------------------------------------------------

    def _finish(self) -> Tuple[str, Optional[str]]:
        assert self._source is not None
        ours = self._source.digest()
        if self._there:
            entry = self._entry
            if not self._same():
                raise RepositoryConflict(
                    f"there is another file {self.plan.key!r} already",
                    hint="replace=True deletes it first",
                    status=400,
                )
            log.info("%s is there already, as it is here", self.plan.key)
            verified = ("md5", entry.checksum) if entry.md5 else ("multipart", entry.checksum)
        else:
            entry = self._arrived or self._committed()
            verified = self._checked(entry, ours)
        self.stored = merge(self._watched, entry, self.plan.metadata)
        if self._memory is not None:
            self._memory.forget()
            self._memory.close()
        return verified

    def _checked(self, entry: File, ours: str) -> Tuple[str, Optional[str]]:
        try:
            return self._verified(entry, ours)
        except IntegrityError:
            self.withdraw()
            raise
        finally:
            self._settled = True

    def _committed(self) -> File:
        """The entry after the commit; where an answer was lost, a look comes before a repeat."""
        url = self._entry.links.commit or self._single.url(self.plan.key, "commit")
        return self._operation.retry(f"POST {url}", lambda: self._commit(url))

    def _commit(self, url: str) -> File:
        if self._committing:
            entry = self._single.read(self.plan.key)
            if entry.status == FileStatus.COMPLETED:
                return entry
        try:
            answer = self._single.calls.send("POST", url, success=DONE)
        except (NetworkError, HTTPError) as error:
            self._committing = error.retryable
            raise
        return taken(answer.made(File))

    def _verified(self, entry: File, ours: str) -> Tuple[str, Optional[str]]:
        """Compare what the repository says it holds with what was read here."""
        assert self._source is not None
        if entry.status != FileStatus.COMPLETED:
            raise RepositoryTransferRefused(f"{entry.key} is {entry.status} after its commit", file=entry)
        if entry.size != self._source.size:
            raise RepositorySizeMismatch(
                f"{entry.key}: the repository holds {entry.size} of {self._source.size} bytes",
                hint="it was deleted there; send it again",
                expected=self._source.size,
                actual=entry.size,
            )
        entry = self._with_checksum(entry)
        checksum = entry.checksum or ""
        if checksum.startswith("multipart:"):
            digests = self._parts.digests(self._cut(self._source.size)) if self._parts is not None else None
            if digests is None:
                return "size", None
            return "multipart", equal(entry, checksum.partition(":")[2].rpartition("-")[0], etag_of(digests))
        if entry.md5 is None:
            return "size", None
        return "md5", equal(entry, entry.md5, ours)

    def _with_checksum(self, entry: File) -> File:
        """The entry, once its checksum is reckoned; as it is, where that takes long."""
        for wait in _CHECKSUM_WAITS:
            if entry.checksum:
                break
            self._operation.pause(wait)
            entry = self._watched.read(self.plan.key)
        return entry
