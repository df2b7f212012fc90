"""One file brought up to date by a delta: signature, delta, patch, and a checksum that has the last word.

Source: SmartFile protocol, sections 7 and 9.
"""

import contextlib
import logging
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, ContextManager, Optional, Union

import attrs

from smartxfer import delta
from smartxfer.directories import Directory, Entry, lstat, nameless_file, open_entry
from smartxfer.errors import (
    BadRequest,
    ChecksumMismatch,
    CommunicationError,
    DeltaError,
    NotFound,
    ServerError,
    UnexpectedAnswer,
)
from smartxfer.local_errors import local_error
from smartxfer.smartfile import downloading
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.errors import SmartFileChecksumMismatch, SmartFileSourceChanged
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.uploading import send_files
from smartxfer.transfer.body import PartBody
from smartxfer.transfer.device import DeviceSink, is_device
from smartxfer.transfer.digest import digest_of
from smartxfer.transfer.download import Download, DownloadJob
from smartxfer.transfer.existing import Guard, Kept
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Part
from smartxfer.transfer.ranges import Incoming, open_range
from smartxfer.transfer.result import FileResult, settle
from smartxfer.transfer.sink import FileSink, StreamSink
from smartxfer.transfer.source import open_source
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import Body, Upload, UploadJob
from smartxfer.transport import Call

__all__ = ["ALGORITHM", "Resync", "kept_result"]

log = logging.getLogger("smartxfer.smartfile")

#: What both sides reckon in the end; the strong sums of a signature are too weak to be trusted alone.
ALGORITHM = "sha256"
#: Files of fewer blocks than this are sent whole: a signature would cost as much.
_LEAST_BLOCKS = 4


def kept_result(name: str, kept: Kept) -> FileResult:
    """The result of an existing file that was kept."""
    return FileResult(name, kept.path, kept.size, skipped=kept.skipped, method="none")


class _Plain(Exception):
    """A delta is of no use here."""


#: After these the whole file is moved: the server has no sync API, or what came of it is of no use.
_USELESS = (_Plain, DeltaError, ChecksumMismatch, NotFound, BadRequest, ServerError, UnexpectedAnswer)


def _tell(path: str, reason: BaseException) -> None:
    level = logging.DEBUG if isinstance(reason, _Plain) else logging.WARNING
    log.log(level, "%s is moved whole: %s", path, reason)


class Resync:
    """Brings files up to date, one at a time, under one operation.

    :param deltas: whether signatures and deltas can be made on this machine.
    """

    def __init__(self, calls: Calls, operation: Operation, width: int, deltas: bool) -> None:
        self._calls = calls
        self._watched = calls.watched(operation)
        self._operation = operation
        self._width = width
        self._deltas = deltas

    # -- up ---------------------------------------------------------------------------------------------

    def up(self, item: Item, path: str, there: Optional[Info]) -> FileResult:
        """Bring the server's file up to date with the local one.

        :param there: the server's file as it stands; None where there is none.
        """
        moved = _Moved()
        try:
            return self._up_by_delta(item, path, there, moved)
        except _USELESS as reason:
            _tell(path, reason)
        sent = send_files(self._calls, self._operation, [(item, path)], 1, ALGORITHM)
        [result] = settle(sent, self._operation)
        return moved.result(result, "plain", sent=item.size)

    def _up_by_delta(self, item: Item, path: str, there: Optional[Info], moved: "_Moved") -> FileResult:
        local = self._local_of(item)
        block = self._block(item.size, there)
        assert there is not None
        with _nameless() as signature, _nameless() as change:
            self._fetch(self._calls.signature(path, block), signature, f"{path} (signature)", moved)
            signature.seek(0)
            delta.read_signature(signature, basis_size=there.size)
            signature.seek(0)
            size = self._operation.call(lambda: delta.delta(signature, local, change))
            if size >= item.size:
                raise _Plain("the delta is as large as the file")
            item.open_unchanged().close()
            change.seek(0)
            self._patch(path, change, size, moved)
        held = self._operation.call(lambda: self._watched.checksums([path], ALGORITHM)[path])
        ours = self._operation.call(lambda: digest_of(local, ALGORITHM))
        if held != ours:
            raise SmartFileChecksumMismatch("the patched file is another: it changed meanwhile")
        item.open_unchanged().close()
        return moved.result(_verified(path, local, item.size, ours), "delta")

    def _patch(self, path: str, change: BinaryIO, size: int, moved: "_Moved") -> None:
        single = self._calls.untried(self._operation)

        def send(part: Part, body: Body) -> None:
            single.make(self._calls.sync("patch", path, "delta", body))

        job = UploadJob(
            Upload(
                name=f"{path} (delta)",
                open_source=lambda: open_source(change),
                plan=lambda size: [Part(0, 0, size)],
                send_part=send,
                finish=lambda: ("size", None),
                repeatable=False,  # a patch fits the file it was made for, not the patched one
            ),
            self._operation,
            1,
        )
        self._operation.reporter.queue(f"{path} (delta)", size)
        self._operation.run([job], 1)
        moved.sent += size
        try:
            settle([job.result], self._operation)
        except CommunicationError as error:
            # Whether the patch went in, the checksum tells.
            log.info("%s: %s", path, error)

    # -- down -------------------------------------------------------------------------------------------

    def down(
        self,
        local: Path,
        there: Info,
        follow: bool = True,
        guard: Optional[Guard] = None,
        root: Optional[Directory] = None,
    ) -> FileResult:
        """Bring the local file up to date with the server's.

        :param follow: bring the target of a symbolic link up to date, not the link.
        :param guard: what decides about an existing file; None brings it up to date.
        :param root: an open directory above the file: no directory between them may be a symbolic link.
        :raises TargetExists: the guard wants it kept.
        """
        moved = _Moved()
        if follow and is_device(local):
            return self._down_whole(DeviceSink(local), there, moved)
        sink = FileSink(local, follow=follow, root=root)
        try:
            entry = open_entry(local, follow=follow, root=root)
        except OSError as error:
            raise local_error(error, local) from None
        with entry.directory:
            try:
                before = _found(entry)  # the guard decides about this file, and about no later one
            except OSError as error:
                raise local_error(error, local, "read") from None
            identity = {"service": "smartfile", "api": self._calls.api, "path": there.path}
            if guard is not None:
                kept = self._operation.call(lambda: guard.before(entry, there.size, identity))
                if kept is not None:
                    return kept_result(there.path, kept)
            try:
                if guard is not None and guard.exists == "rename":
                    raise _Plain("it gets another name")
                return self._down_by_delta(entry, before, there, guard, moved)
            except _USELESS as reason:
                _tell(there.path, reason)
        sink.guard = guard
        return self._down_whole(sink, there, moved)

    def _down_whole(self, sink: Any, there: Info, moved: "_Moved") -> FileResult:
        digest = self._operation.call(lambda: self._watched.checksums([there.path], ALGORITHM))[there.path]
        wanted = downloading.describe(self._watched, there, sink, (ALGORITHM, digest))
        self._operation.reporter.queue(there.path, there.size)
        job = DownloadJob(wanted, self._operation, self._width)
        self._operation.run([job], 1)
        [result] = settle([job.result], self._operation)
        return moved.result(result, "plain", received=result.bytes)

    def _down_by_delta(
        self,
        local: Entry,
        before: Optional[os.stat_result],
        there: Info,
        guard: Optional[Guard],
        moved: "_Moved",
    ) -> FileResult:
        if before is None or not stat.S_ISREG(before.st_mode):
            raise _Plain("there is no local file")
        block = self._block(before.st_size, there)
        with _nameless(local.directory) as signature, _nameless(local.directory) as change:
            size = self._operation.call(lambda: delta.signature(local, signature, block_length=block))
            if there.size is not None and size >= there.size:
                raise _Plain("the signature is as large as the file")
            signature.seek(0)
            with contextlib.closing(open_source(signature)) as source:
                body = PartBody(source, Part(0, 0, size), lambda count: None)
                call = self._calls.sync("delta", there.path, "signature", body)
                self._fetch(call, change, f"{there.path} (delta)", moved)
            moved.sent += size
            change.seek(0)
            patched = self._operation.call(lambda: self._patched(local, before, there, guard, change))
        return moved.result(patched, "delta")

    def _patched(
        self,
        local: Entry,
        before: os.stat_result,
        there: Info,
        guard: Optional[Guard],
        change: BinaryIO,
    ) -> FileResult:
        """Patch the local file by way of a partial file, as a download does; in one thread of the operation.

        What a killed run leaves is known to the next run as a partial file of the same target.
        """
        sink = FileSink(local.path, follow=False, root=local.directory)
        identity = {"service": "smartfile", "api": self._calls.api, "path": there.path, "patched": True}
        sink.begin(there.size, identity)
        committed = False
        try:
            sink.restart()
            out: Any = _InOrder(sink)
            made = delta.patch(local, change, out, size=there.size)
            held = self._watched.checksums([there.path], ALGORITHM)[there.path]
            ours = sink.digest(ALGORITHM)
            if held != ours:
                raise SmartFileChecksumMismatch("the patched file is another: it changed meanwhile")
            now = _found(local)
            if now is None or (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise SmartFileSourceChanged(f"{local} changed while it was brought up to date")
            self._operation.check()
            sink.guard = guard  # it was asked already whether this file may be replaced
            committed = True
            sink.commit()
        finally:
            if not committed:
                sink.restart()  # nothing is resumed of a patch
                sink.leave()
        return _verified(there.path, local.path, made, ours)

    # -- both -------------------------------------------------------------------------------------------

    def _block(self, size: int, there: Optional[Info]) -> int:
        """The block length for a delta; raises where there is no use in one."""
        if there is None:
            raise _Plain("there is no such file on the server")
        if not self._deltas:
            raise _Plain("there is no librsync on this machine")
        old = there.size or 0
        block = delta.block_length_for(max(size, old))
        if min(size, old) < _LEAST_BLOCKS * block:
            raise _Plain("it is a small file")
        return block

    def _local_of(self, item: Item) -> Path:
        if item.path is None or not item.resumable:
            raise _Plain("it is not a local file whose size is true")
        return item.path

    def _fetch(self, call: Call, into: BinaryIO, name: str, moved: "_Moved") -> None:
        def source(start: int, stop: Optional[int]) -> ContextManager[Incoming]:
            return open_range(self._calls.wire, call, start, stop, None)

        self._operation.reporter.queue(name, None)
        wanted = Download(name=name, sink=StreamSink(into), identity={"call": call.what}, open_range=source)
        job = DownloadJob(wanted, self._operation, 1)
        self._operation.run([job], 1)
        moved.received += settle([job.result], self._operation)[0].bytes


class _Moved:
    """Bytes that went over the line for one file, whatever for."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0

    def result(self, of: FileResult, method: str, sent: int = 0, received: int = 0) -> FileResult:
        """The result, with what it cost."""
        return attrs.evolve(
            of,
            method=method,
            bytes_sent=self.sent + sent,
            bytes_received=self.received + received,
        )


def _verified(name: str, path: Path, size: int, digest: str) -> FileResult:
    return FileResult(name, path, size, digest=f"{ALGORITHM}:{digest}", verified=ALGORITHM)


def _found(entry: Entry) -> Optional[os.stat_result]:
    """The file or symbolic link of a name; None where there is none."""
    try:
        return lstat(entry)
    except FileNotFoundError:
        return None


class _InOrder:
    """A file for writing, whose bytes go to a sink one after the other."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._at = 0

    def write(self, data: Union[bytes, memoryview]) -> int:
        """Append the bytes."""
        self._sink.write_at(data, self._at)
        self._at += len(data)
        return len(data)


def _nameless(directory: Optional[Directory] = None) -> BinaryIO:
    """A temporary file without a name: a process that is killed leaves nothing of it.

    :param directory: on whose file system it is; by default that for temporary files.
    """
    try:
        return nameless_file() if directory is None else directory.nameless()
    except OSError as error:
        raise local_error(error, "a temporary file" if directory is None else directory.path) from None
