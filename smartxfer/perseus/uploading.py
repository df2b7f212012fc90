"""Files on their way up: a record by the content's SHA-256, one PUT, and what may stand in the way.

Source: Perseus protocol, sections A.4, A.5 and A.7.
"""

import logging
from typing import Dict, List, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import (
    Cancelled,
    CommunicationError,
    Conflict,
    NetworkError,
    NotFound,
    OutcomeUnknown,
    SmartxferError,
    SourceChanged,
    StorageError,
)
from smartxfer.perseus.calls import Calls
from smartxfer.perseus.errors import PerseusConflict, PerseusStuckPending
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.storage import put
from smartxfer.transfer.digest import digest_of_source, digests_of_source
from smartxfer.transfer.journal import Journal, forget_finished
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Part
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import Body, Upload, UploadJob
from smartxfer.transport import Answer
from smartxfer.transport.checks import Decision, RetryContext
from smartxfer.transport.polling import Pauses, poll
from smartxfer.transport.stored import md5_of_stored

__all__ = ["Sending", "best", "forget_sent", "hashed", "send_files"]

log = logging.getLogger("smartxfer.perseus")

#: Pauses between two requests for a record that another client may be sending.
_PAUSES = Pauses(first=0.25)
#: How often a record is made anew: its address expired, or it stood in the way.
_RENEWALS = 3


def send_files(sendings: Sequence["Sending"], operation: Operation, at_once: int) -> List[FileResult]:
    """Send what is described; the results, failed ones included.

    A record that was made for content that then did not arrive is deleted again.
    """
    for sending in sendings:
        operation.reporter.queue(sending.item.name, sending.item.size)
    jobs = [UploadJob(sending.describe(), operation, 1) for sending in sendings]
    try:
        operation.run(jobs, at_once)
        # Records are deleted before other processes are let at their contents.
        results = {sending: _settled(sending, job.result) for sending, job in zip(sendings, jobs)}
    except Exception as error:
        for sending in sendings:
            sending.give_up(error)
        raise
    finally:
        for sending in sendings:
            sending.close()
    return [
        attrs.evolve(results[sending], error=results[sending].error or results[sending.leader].error)
        for sending in sendings
    ]


def _settled(sending: "Sending", result: FileResult) -> FileResult:
    if sending.leader is not sending:
        return attrs.evolve(result, resumed=result.bytes)
    if result.error is not None:
        sending.give_up(result.error)
        return result
    return attrs.evolve(result, resumed=result.bytes if sending.reused else 0)


class Sending:
    """One file's upload.

    :param claims: who sends which content, by its SHA-256: of several of one content, the first.
    :param repair: whether a record that stays pending is deleted and made anew.
    :param grace: seconds to wait for such a record.
    """

    def __init__(
        self,
        calls: Calls,
        operation: Operation,
        item: Item,
        claims: Dict[str, "Sending"],
        *,
        repair: bool = False,
        grace: float = 5.0,
    ) -> None:
        self.item = item
        #: Hex SHA-256 of the content, once it is read.
        self.digest = ""
        #: The record, once there is one that is right.
        self.file: Optional[File] = None
        #: Whether the content was there already.
        self.reused = False
        self._calls = calls
        self._single = calls.untried(operation)
        self._watched = calls.watched(operation)
        self._operation = operation
        self._claims = claims
        self._repair = repair
        self._grace = grace
        self._url = ""
        self._md5 = ""
        #: By what the storage's answer has confirmed the content.
        self._verified = "size"
        #: Seconds that the try took whose answer was lost: its content may have arrived.
        self._lost: Optional[float] = None
        self._renewals = 0
        #: Whether the address is dead, and its record is to be made anew before the next try.
        self._stale = False
        self._journal: Optional[Journal] = None
        self._closed = self._done = False

    def describe(self) -> Upload:
        """The file as the engine wants it: in one part, or in none where its content is known."""
        return Upload(
            name=self.item.name,
            open_source=self.item.open_unchanged,
            prepare=self._prepare,
            plan=lambda size: [Part(0, 0, size)] if self._url else [],
            send_part=self._send,
            finish=self._finish,
            check=self._check,
        )

    @property
    def leader(self) -> "Sending":
        """Who sends this content: itself, or another of the same content."""
        return self._claims.get(self.digest, self)

    def give_up(self, error: BaseException) -> None:
        """Delete the record that was made for content that did not arrive, or is not the file's any more.

        :param error: the reason of the failure; the content of a file that has changed is not kept.
        """
        if self._done or not self._url or self.file is None:
            return
        changed = isinstance(error, SourceChanged)
        if not changed and self._lost is not None and self._arrived(0.0):
            self._forget()  # a later run finds the content
            return
        try:
            self._calls.untried(self._operation).delete(self.file.id)
        except NotFound:
            self._forget()  # somebody else deleted it
        except SmartxferError as error:
            log.warning("the record of %s stays pending: %s", self.item.name, error)
        else:
            self._forget()

    def close(self) -> None:
        """Release the journal; one that a worker thread is still opening is released once it is open."""
        with self._operation.lock:
            self._closed, journal = True, self._journal
        if journal is not None:
            journal.close()

    # -- the record -------------------------------------------------------------------------------------

    def _prepare(self, content: Source) -> None:
        """Have a record to which the content goes, or which has it; there is one of each content."""
        self.digest, self._md5 = digests_of_source(content, ["sha256", "md5"], self._operation.check)
        content.check_unchanged()
        with self._operation.lock:
            leader = self._claims.setdefault(self.digest, self)
        if leader is not self:
            return
        self._take(Journal(_journal_key(self._calls, self.digest), self.item.name))
        self._obtain(self._watched, best(self._watched.find(sourceHashes=[self.digest])))

    def _take(self, journal: Journal) -> None:
        """Keep a journal.

        :raises Cancelled: the call was interrupted meanwhile.
        """
        with self._operation.lock:
            self._journal, closed = journal, self._closed
        if closed:
            journal.close()
            raise Cancelled("the transfer was interrupted")

    def _obtain(self, calls: Calls, known: Optional[File]) -> None:
        """Have a record with an address to send to, or one whose content is there."""
        refusal: Optional[CommunicationError] = None
        for _ in range(_RENEWALS):
            ours = False
            if known is None:
                try:
                    self.file, self._url = calls.create(self.item.name, self.digest)
                except (Conflict, OutcomeUnknown) as error:
                    refusal, ours = error, isinstance(error, OutcomeUnknown)
                    known = best(calls.find(sourceHashes=[self.digest]))
                    if known is None:
                        continue
                else:
                    if self._url:
                        self._remember(self.file)
                        return
                    known = self.file
            there = self._settled(calls, known, ours)
            if there is not None:
                self.file, self._url, self.reused = there, "", True
                return
            known = None
        raise refusal or PerseusConflict(f"{self.item.name}: its record cannot be made", status=409)

    def _settled(self, calls: Calls, known: File, ours: bool) -> Optional[File]:
        """A record once it has its content; None where it was deleted, because it will not get it."""
        ours = ours or known.id == self._remembered()
        if not ours:
            known = self._waited(calls, known)
        if known.status == FileStatus.UPLOADED:
            return known
        if known.status != FileStatus.FAILED and not ours and not self._repair:
            raise PerseusStuckPending(
                f"{self.item.name}: the service awaits this content from somebody else ({known.id})",
                hint="wait if somebody is sending it; repair=True deletes that record and sends",
                file=known,
            )
        log.info("%s: the %s record %s is deleted, to be made anew", self.item.name, known.status, known.id)
        try:
            calls.delete(known.id)
        except NotFound:
            log.debug("somebody else deleted it")
        return None

    def _waited(self, calls: Calls, known: File) -> File:
        """A record after the time that somebody else may need to end its upload."""
        if known.status.final or self._grace <= 0:
            return known
        first = min(_PAUSES.first, self._grace)
        calls.pause(first)
        return poll(
            lambda: next(iter(calls.find(ids=[known.id])), known),
            lambda state: state.status.final,
            seconds=self._grace - first,
            pauses=attrs.evolve(_PAUSES, first=2 * first),
            clock=calls.clock,
            pause=calls.pause,
        )

    # -- the content ------------------------------------------------------------------------------------

    def _send(self, part: Part, body: Body) -> None:
        if self._lost is not None and self._arrived(min(self._grace, self._lost)):
            return
        if self._stale:
            self._renew()
        if self.reused:
            return  # somebody else has sent it meanwhile
        began = self._operation.clock.monotonic()
        try:
            answer = put(self._single.wire, self._url, body)
        except (NetworkError, StorageError) as error:
            if isinstance(error, StorageError) and error.expired and self._can_renew():
                self._stale = True
            elif _is_lost(error):
                self._lost = self._operation.clock.monotonic() - began
            raise
        self._lost = None
        self._compare(answer)

    def _check(self, part: Part, context: RetryContext) -> Decision:
        """Have a content sent to another address without a wait, where the one before has expired."""
        refusal = context.refusal
        dead = self._stale and isinstance(refusal, StorageError) and refusal.expired
        return Decision.RETRY_AT_ONCE if dead else Decision.PASS

    def _compare(self, answer: Answer) -> None:
        """Compare the storage's MD5 with ours; another one is told, and the service's check decides."""
        theirs = md5_of_stored(answer)
        self._verified = "md5" if theirs == self._md5 else "size"
        if theirs not in ("", self._md5):
            log.warning(
                "%s: the storage's ETag %s is not the content's MD5 %s; wait=True says whether the service "
                "takes the file in",
                self.item.name,
                theirs,
                self._md5,
            )

    def _arrived(self, patience: float) -> bool:
        """Return True when the service has the content though the storage's answer was lost.

        A record that the service gave up is made anew before the next try.

        :param patience: seconds in which its status may still change; sending again would take as long.
        """
        assert self.file is not None
        file = self.file
        try:
            known = poll(
                lambda: next(iter(self._single.find(ids=[file.id])), file),
                lambda state: state.status.final,
                seconds=patience,
                pauses=_PAUSES,
                clock=self._operation.clock,
                pause=self._single.pause,
            )
        except CommunicationError:
            return False
        if known.status == FileStatus.UPLOADED:
            log.info("%s had arrived, though the answer was lost", self.item.name)
            self.file = known
            return True
        if known.status == FileStatus.FAILED and self._can_renew():
            self._stale = True
        return False

    def _can_renew(self) -> bool:
        """Count a record that is to be made anew; False when that was done often enough."""
        self._renewals += 1
        return self._renewals <= _RENEWALS

    def _renew(self) -> None:
        """Have another record made: the address of this one is dead."""
        assert self.file is not None
        log.info("%s: the address has expired; the record is made anew", self.item.name)
        self._obtain(self._watched, self.file)
        self._stale, self._lost = False, None

    def _finish(self) -> Tuple[str, Optional[str]]:
        self._done = True
        self._forget()
        return ("sha256" if self.reused else self._verified), f"sha256:{self.digest}"

    # -- what a later run needs to know -----------------------------------------------------------------

    def _remember(self, file: File) -> None:
        if self._journal is not None:
            self._journal.note(record=file.id)

    def _remembered(self) -> Optional[str]:
        return None if self._journal is None else self._journal.state.get("record")

    def _forget(self) -> None:
        if self._journal is not None:
            self._journal.forget()


def _journal_key(calls: Calls, digest: str) -> Dict[str, str]:
    return {"service": "perseus", "api": calls.root, "sha256": digest}


def forget_sent(calls: Calls, digest: str, name: str) -> None:
    """Remove the journal of a run that was ended after it had sent a content.

    :param digest: hex SHA-256 of a content that the service has.
    :param name: of its file, for messages.
    """
    forget_finished(_journal_key(calls, digest), name)


def _is_lost(error: CommunicationError) -> bool:
    """Return True where the content may have arrived in spite of the error."""
    if isinstance(error, StorageError):
        return error.status in (500, 502, 504)
    return error.acted_on


def best(files: Sequence[File]) -> Optional[File]:
    """Of several records of one content the most telling: uploaded, else pending, else failed; the newest."""
    order = {FileStatus.FAILED: 0, FileStatus.UPLOADED: 2}
    ranked = sorted(files, key=lambda file: (order.get(file.status, 1), file.created or ""))
    return ranked[-1] if ranked else None


def hashed(item: Item) -> str:
    """Hex SHA-256 of a file's content, of one state of it.

    :raises SourceChanged: it changed meanwhile.
    """
    source = item.open_unchanged()
    try:
        found = digest_of_source(source, "sha256")
        source.check_unchanged()
        return found
    finally:
        if item.path is not None:
            source.close()
