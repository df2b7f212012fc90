"""Parts of the model of downloads: a disk with faults, a watched partial file, an answer that breaks."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

import attrs

from smartxfer._system import FileSystem
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transport import RequestSpec, attempt
from tests.support.engine_model import Step

if TYPE_CHECKING:
    from tests.support.engine_model_down import DownloadModel

KINDS = (
    "fine", "fine", "fine", "fine", "slow", "dropped", "cut", "ends early", "too much", "busy", "throttled", "failing", "missing",
    "expired", "ignores the range", "wrong range", "wrong total", "wrong length", "flip", "changes", "interrupt",
    "interrupt after", "kill", "kill after", "kill at a file", "full", "short writes", "cancel", "late", "rival", "grows",
)  # fmt: skip
NAME = "file"


@attrs.frozen
class Shape:
    """The abilities of the service.

    :param size: how the client learns the size: ``"known"``, ``"declared"`` (by the answer) or ``""``.
    :param digest: ``"md5"`` (published), ``"doubt"`` (on request) or "".
    :param etag: whether answers name the state of the object.
    :param ranges: whether the server serves ranges.
    :param asks: whether the client asks for that first.
    """

    size: str = "known"
    digest: str = "md5"
    etag: bool = True
    ranges: bool = True
    asks: bool = False


class Disk(FileSystem):
    """The files of the client: full at a byte, with short writes, or with a kill at one of its operations."""

    def __init__(self, model: DownloadModel) -> None:
        super().__init__()
        self._model = model
        self.room: Optional[int] = None
        self.most: Optional[int] = None
        self.operations_left: Optional[int] = None

    def _step(self) -> bool:
        """Count one operation; True if the process is killed after it.

        :raises Killed: before it.
        """
        if self._model.killed:
            return False
        if self.operations_left is None:
            return False
        self.operations_left -= 1
        if self.operations_left == 0:
            self._model.kill()
        return self.operations_left < 0

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        if self._step():
            super().pwrite(fd, data[: len(data) // 2], offset)
            self._model.kill()
        if self.room is not None:
            if offset >= self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            data = data[: self.room - offset]
        return super().pwrite(fd, data[: self.most], offset)

    def replace(self, source: Any, target: Any) -> None:
        last = self._step()
        if target.name == NAME:
            self._model.check_commit(source.path.read_bytes())
        elif self.room is not None and self._model.part_size() >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().replace(source, target)
        if last:
            self._model.kill()

    def free_space(self, directory: Any) -> int:
        return 1 << 40


class Sink(FileSink):
    """Tells the model what is in the partial file."""

    model: DownloadModel

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> List[Tuple[int, int]]:
        have = super().begin(size, identity)
        self.model.began(have, os.pread(self._open_part.fd, 1 << 16, 0), identity)
        return have

    def write_at(self, data: Any, offset: int) -> None:
        super().write_at(data, offset)
        self.model.wrote(bytes(data), offset)

    def restart(self) -> None:
        super().restart()
        self.model.restarted()


class Response:
    """An answer whose body comes in small blocks, and may break."""

    def __init__(self, model: DownloadModel, step: Step, status: int, headers: Dict[str, str], body: bytes) -> None:
        self.status_code, self.headers, self.raw = status, headers, self
        self._model, self._step, self._body = model, step, body
        self._at, self._sent = 0, 0
        self._breaks_at = len(body) + 1
        if step.kind in ("cut", "interrupt after", "kill after"):
            self._breaks_at = step.where % (len(body) + 1)
        elif step.kind == "ends early" and body:
            self._breaks_at = step.where % len(body)

    def read1(self, count: int, decode: bool) -> bytes:
        model, step = self._model, self._step
        if step.kind == "slow" and self._at:
            model.advance(step.where / 4)
        now = attempt.current_attempt()
        if now is not None and now.abort_error is not None:
            model.check_stall(model.progressed())
        block = self._body[self._at : min(self._at + model.block, self._breaks_at, self._at + count)]
        self._at += len(block)
        if block:
            return block
        if self._breaks_at > len(self._body):
            model.received()
        elif step.kind == "interrupt after":
            model.end_process(KeyboardInterrupt())
        elif step.kind == "kill after":
            model.kill()
        else:
            if self._at == len(self._body) and model.shape.size == "known":
                model.received()  # nothing is left to be asked for
            else:
                model.fail(step.kind, model.progressed())
            if step.kind == "cut" or model.shape.size == "":
                raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        return b""


class FakeWire:
    """The part of a wire that ranges are read over."""

    def __init__(self, model: DownloadModel) -> None:
        self._model = model
        self.clock = model.clock
        self.translate_errors = model.translate_errors

    @contextlib.contextmanager
    def stream(self, call: RequestSpec) -> Iterator[Any]:
        response = self.translate_errors(call.description, self._model.answer, call)
        now = attempt.current_attempt()
        if now is not None and now.time_limits is not None:
            now.time_limits.lift_budget()  # as the transport does: a file may take any time
        yield response, now
