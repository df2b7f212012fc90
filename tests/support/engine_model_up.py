"""Uploads by the engine: a source file, a journal, and a server in memory that breaks in every way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Set, Tuple

from smartxfer.errors import IntegrityError, SourceChanged, Truncated
from smartxfer.transfer.file_parts import MissingParts, Part
from smartxfer.transfer.journal import Journal, state_directory
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.result import raise_for_errors
from smartxfer.transfer.upload import UploadJob, UploadSpec
from smartxfer.transport import attempt
from tests.support.engine_model import Killed, Model, Step

KINDS = (
    "fine", "fine", "fine", "slow", "lost", "dropped", "cut", "busy", "throttled", "failing", "refused", "expired", "short", "restart",
    "forgets", "source", "interrupt", "interrupt after", "kill", "kill after", "kill at a note", "cancel", "late", "rival",
)  # fmt: skip
_NAME = "file"


def span(start: int, stop: int) -> Set[int]:
    return set(range(start, stop))


class Trickle:
    """A source whose reads are short, so that small parts have several blocks."""

    def __init__(self, source: Any, most: int) -> None:
        self._source, self._most = source, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def read_at(self, buffer: memoryview, offset: int) -> int:
        found: int = self._source.read_at(buffer[: self._most], offset)
        return found


class Notes:
    """Journals in memory, of which a killed process writes no more."""

    def __init__(self, model: UploadModel) -> None:
        self._model = model
        self._texts: Dict[str, str] = {}
        self.kill_at_next: Optional[str] = None

    def load(self, key: str) -> Optional[str]:
        return self._texts.get(key)

    def save(self, key: str, text: str) -> None:
        if self._model.killed:
            return
        self._model.check_note(json.loads(text)["state"])
        when, self.kill_at_next = self.kill_at_next, None
        if when == "before":
            self._model.unnoted()
            self._model.end_process(Killed())
        self._texts[key] = text
        if when == "after":
            self._model.end_process(Killed())

    def remove(self, key: str) -> None:
        if not self._model.killed:
            self._texts.pop(key, None)

    def state(self, key: str) -> Dict[str, Any]:
        """Return what a later run would find."""
        state: Dict[str, Any] = json.loads(self._texts[key])["state"] if key in self._texts else {}
        return state


class UploadModel(Model):
    """A client that sends one file, and the server that takes it.

    The server knows uploads by a number: bytes by their offset, until they are completed.
    """

    def __init__(self, directory: Path, data: bytes, chunk: int, block: int) -> None:
        self.path = directory / "source"
        self._changes = 0
        self.chunk, self._block = chunk, block
        self.stored: Dict[int, Dict[int, int]] = {}
        #: Offsets that were acknowledged to the client: what the server has, unless it forgets.
        self.acknowledged: Dict[int, Set[int]] = {}
        self.completed: Dict[int, bytes] = {}
        self.storage = Notes(self)
        super().__init__(directory)
        self._write(data)

    def _begin_run(self, script: Sequence[Step], deadline: Optional[float]) -> None:
        super()._begin_run(script, deadline)
        self.number = 0
        self.storage.kill_at_next = None
        self._in_flight = 0
        self._opened: Optional[bytes] = None
        self._changed = self._completing = self._dropped = False
        #: Offsets that the client knows to be acknowledged.
        self._known: Set[int] = set()
        self.retries = 0
        self.result: Any = None
        self._name = ""

    # -- what happens between runs ----------------------------------------------------------------------

    def _write(self, data: bytes, another_file: bool = False) -> None:
        self.data = data
        self._changed, self._changes = not self._completing, self._changes + 1
        if another_file:
            self.path.rename(self.path.with_name("before"))
        self.path.write_bytes(data)
        when = 1_600_000_000_000_000_000 + self._changes * 1_000_000
        os.utime(str(self.path), ns=(when, when))

    def change_source(self, where: int) -> None:
        """Change, extend or shorten the file, or put another one in its place."""
        kind, at = where % 4, where // 4 % (len(self.data) + 1)
        if kind == 0:
            self._write(self.data[:at] + b"+" + self.data[at:])
        elif kind == 1:
            self._write(self.data[:at])
        else:
            self._write(bytes(255 - byte for byte in self.data), another_file=kind == 3)

    def forget(self, where: int) -> None:
        """Lose bytes that were acknowledged."""
        for number, have in self.stored.items():
            for offset in sorted(self.acknowledged[number])[where % 7 : where % 7 + 1 + where // 8]:
                have.pop(offset, None)

    def restart(self) -> None:
        """Lose what was not acknowledged."""
        for number, have in self.stored.items():
            self.stored[number] = {at: byte for at, byte in have.items() if at in self.acknowledged[number]}

    # -- the client -------------------------------------------------------------------------------------

    def journal(self, item: LocalFile) -> Journal:
        key = {"service": "model", "files": [[item.name, str(item.path), item.size, item.mtime_ns]]}
        return Journal(key, "this upload", storage=self.storage, clock=self.clock)

    def item(self) -> LocalFile:
        found = os.stat(str(self.path))
        return LocalFile(_NAME, self.path, found.st_size, self.path, found.st_mtime_ns)

    def transfer(self) -> None:
        item = self.item()
        with self.journal(item) as journal, self.operation() as doing:
            self._name = journal._name
            try:
                self._send_file(item, journal, doing)
            except SourceChanged:
                journal.clear()
                raise

    def _send_file(self, item: LocalFile, journal: Journal, doing: Any) -> None:
        self.number = number = doing.run_one(lambda: self._find_or_create(journal))
        have = [tuple(extent) for extent in journal.state["acknowledged"].get(_NAME, ())]
        self.at_start = {at for extent in have for at in range(*extent)}
        self._known = set(self.at_start)
        self.require(self.at_start <= self.acknowledged[number], "the journal has what was never acknowledged")

        def finish() -> Tuple[str, Optional[str]]:
            try:
                doing.retry("complete", lambda: self.translate_errors("POST", self._complete, number))
            except IntegrityError:
                self._dropped = True
                journal.remove_entry("acknowledged", _NAME)
                raise
            return "size", None

        upload = UploadSpec(
            name=item.name,
            open_source=lambda: self._open(item),
            make_parts=lambda size: MissingParts(size, have, self.chunk),
            send_part=lambda part, body: self._send_part(number, part, body),
            complete=finish,
            on_part_sent=lambda part: journal.append("acknowledged", _NAME, [part.start, part.stop]),
        )
        job = UploadJob(upload, doing, 2)
        doing.run_jobs([job], 1)
        self.result = raise_for_errors([job.result])[0]
        journal.clear()

    def _find_or_create(self, journal: Journal) -> int:
        number = int(journal.state.get("upload", 0))
        if number not in self.stored:
            number = len(self.acknowledged) + 1
            self.stored[number], self.acknowledged[number] = {}, set()
            journal.update(upload=number, acknowledged={})
        return number

    def _open(self, item: LocalFile) -> Trickle:
        opened = Trickle(item.open_unchanged(), self._block)
        self._opened, self._changed = self.data, False
        return opened

    def _send_part(self, number: int, part: Part, body: Any) -> None:
        written = self.translate_errors("PUT", self._put, number, part, body)
        if written != part.size:
            raise Truncated("not all of it was written")

    # -- the server -------------------------------------------------------------------------------------

    def _put(self, number: int, part: Part, body: Any) -> int:
        offsets = span(part.start, part.stop)
        self.require(not offsets & self._known, "%s was acknowledged and is sent again", part)
        step = self._begin_request(part.start)
        if hasattr(body, "seek"):
            body.seek(0)
            body.set_attempt(attempt.current_attempt())  # as the transport does
        self._in_flight = 0
        received = self._receive(body, part, step)
        self.require(len(received) == part.size, "a part of another length than the request says")
        if step.kind == "source":
            self.change_source(step.where)
        have = self.stored[number]
        have.update(zip(range(part.start, part.stop), received[:-1] if step.kind == "short" else received))
        self._after(step)
        if step.kind == "short":
            self.fail("short")
            return part.size - 1
        if step.kind == "restart":
            self.restart()
        if step.kind in ("lost", "restart"):
            self.reset(step.kind)
        self.acknowledged[number] |= offsets
        self._known |= offsets
        self.stored_at.append((self.clock.monotonic(), offsets))
        self._in_flight = 0
        self.succeed()
        if step.kind == "forgets":
            self.forget(step.where)
        return part.size

    def _begin_request(self, part: Any) -> Step:
        late = self.noted_in_time(0.5) - self.offsets(self.storage.state(self._name))
        self.require(not late, "%s were acknowledged long ago, and are not in the journal", late)
        step = self.request(part)
        if step.kind == "rival":
            self.require_refused(lambda: self.journal(self.item()).close(), self._changed)
        elif step.kind == "kill":
            self.end_process(Killed())
        elif step.kind == "kill at a note":
            self.storage.kill_at_next = "before" if step.where % 2 else "after"
        return step

    def _receive(self, body: Any, part: Part, step: Step) -> bytes:
        if step.kind == "source" and step.where >= 128:
            self.change_source(step.where)
        received, limit = bytearray(), part.size + 1
        if step.kind == "cut":
            limit = step.where % (part.size + 1)
        while True:
            self._in_flight = len(received)  # known when the next block is asked for
            block = body.read(4)
            if len(received) + len(block) >= limit:
                self.reset("cut")
            if not block:
                return bytes(received)
            received += block
            if step.kind == "slow":
                self.advance(step.where / 4)
            self.check_stall()

    def _after(self, step: Step) -> None:
        """End the process once the server has the bytes."""
        if step.kind == "interrupt after":
            self.end_process(KeyboardInterrupt())
        elif step.kind == "kill after":
            self.end_process(Killed())

    def _complete(self, number: int) -> None:
        size = len(self._opened or b"")
        self.require(self._known >= span(0, size), "completed before every part was acknowledged")
        self.require(not self._changed, "completed though the source changed")
        self._completing = True
        step = self._begin_request("complete")
        if step.kind == "source":
            self.change_source(step.where)
        have = self.stored[number]
        if len(have) < size:
            self.succeed()
            raise IntegrityError("the server has another size")
        self.completed[number] = bytes(have[offset] for offset in range(size))
        self.require(self.completed[number] == self._opened, "the server completed other bytes than the source's")
        self._after(step)
        if step.kind in ("lost", "restart", "cut", "short"):
            self.reset(step.kind)
        self.succeed()

    # -- checks -----------------------------------------------------------------------------------------

    def true_progress(self) -> Sequence[int]:
        done = len(self._known)
        return (done, done + self._in_flight)

    def check_note(self, state: Dict[str, Any]) -> None:
        """Check what is to be written to the journal."""
        number = state.get("upload")
        noted = self.offsets(state)
        self.require(noted <= self.acknowledged.get(number, set()), "noted before it was acknowledged")

    def unnoted(self) -> None:
        """The process is killed before its latest acknowledgement is on the disk."""
        del self.stored_at[-1:]

    @staticmethod
    def offsets(state: Dict[str, Any]) -> Set[int]:
        extents = state.get("acknowledged", {}).get(_NAME, ())
        return {at for start, stop in extents for at in range(start, stop)}

    def check_run(self) -> None:
        if self._name:
            with self.lock(state_directory() / "locks" / f"{self._name}.lock"):
                pass  # it is free
        if self.error is None:
            self._check_success()
        elif self._name and self.number and not self._dropped and not isinstance(self.error, SourceChanged):
            acknowledged = self.noted_in_time(0.5) if self.killed else self._known
            kept = self.offsets(self.storage.state(self._name))
            assert acknowledged <= kept, f"{acknowledged - kept} were acknowledged, and the journal does not say so"
            if self.events and not self.killed:
                assert self.events[-1].state in ("failed", "done"), "the end of a file was not reported"
                assert self.events[-1].done == len(self._known), "bytes count that were not stored"

    def _check_success(self) -> None:
        assert self.completed.get(self.number) == self._opened, "done, and the server has other bytes"
        assert self.result.bytes == len(self._opened or b"")
        assert self.result.resumed == len(self.at_start)
        assert self.storage.load(self._name) is None, "the journal outlived the upload"
        assert self.events[-1].state == "done"
