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
from smartxfer.directories import Directory, Entry, create_anonymous_file, lstat, open_entry
from smartxfer.errors import (
    BadRequest,
    ChecksumMismatch,
    CommunicationError,
    DeltaError,
    NotFound,
    ServerError,
    UnexpectedResponse,
)
from smartxfer.local_errors import wrap_os_error
from smartxfer.smartfile import download
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.errors import SmartFileChecksumMismatch, SmartFileSourceChanged
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.upload import upload_files
from smartxfer.transfer.body import PartBody
from smartxfer.transfer.device_sink import DeviceSink, is_device
from smartxfer.transfer.digest import compute_file_digest
from smartxfer.transfer.download import DownloadJob, DownloadSpec
from smartxfer.transfer.existing_files import ExistingFilePolicy, RetainedFile
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.ranges import RangeResponse, open_range
from smartxfer.transfer.result import FileResult, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.sink import FileSink, StreamSink
from smartxfer.transfer.source import open_source
from smartxfer.transfer.upload import Body, UploadJob, UploadSpec
from smartxfer.transport import RequestSpec

__all__ = ["CHECKSUM_ALGORITHM", "DeltaSync", "skipped_result"]

log = logging.getLogger("smartxfer.smartfile")

#: What both sides reckon in the end; the strong sums of a signature are too weak to be trusted alone.
CHECKSUM_ALGORITHM = "sha256"
#: Files of fewer blocks than this are sent whole: a signature would cost as much.
_MIN_BLOCKS = 4


def skipped_result(name: str, existing: RetainedFile) -> FileResult:
    """The result of an existing file that was kept."""
    return FileResult(name, existing.path, existing.size, skipped=existing.skipped, method="none")


class _DeltaNotUseful(Exception):
    """A delta is of no use here."""


#: After these the whole file is moved: the server has no sync API, or what came of it is of no use.
_FALLBACK_ERRORS = (
    _DeltaNotUseful,
    DeltaError,
    ChecksumMismatch,
    NotFound,
    BadRequest,
    ServerError,
    UnexpectedResponse,
)


def _log_fallback(path: str, reason: BaseException) -> None:
    level = logging.DEBUG if isinstance(reason, _DeltaNotUseful) else logging.WARNING
    log.log(level, "%s is moved whole: %s", path, reason)


class DeltaSync:
    """Brings files up to date, one at a time, under one operation.

    :param librsync_available: whether signatures and deltas can be made on this machine.
    """

    def __init__(
        self, api: SmartFileApi, runner: TransferRunner, max_ranges: int, librsync_available: bool
    ) -> None:
        self._api = api
        self._api_with_retries = api.with_runner(runner)
        self._runner = runner
        self._max_ranges = max_ranges
        self._librsync_available = librsync_available

    # -- up ---------------------------------------------------------------------------------------------

    def upload(self, item: LocalFile, path: str, remote_info: Optional[Info]) -> FileResult:
        """Bring the server's file up to date with the local one.

        :param remote_info: the server's file as it stands; None where there is none.
        """
        moved = _ByteCounts()
        try:
            return self._upload_delta(item, path, remote_info, moved)
        except _FALLBACK_ERRORS as reason:
            _log_fallback(path, reason)
        sent = upload_files(self._api, self._runner, [(item, path)], 1, CHECKSUM_ALGORITHM)
        [result] = raise_for_errors(sent, self._runner)
        return moved.attach_to(result, "plain", sent=item.size)

    def _upload_delta(
        self, item: LocalFile, path: str, remote_info: Optional[Info], counts: "_ByteCounts"
    ) -> FileResult:
        local = self._require_local_path(item)
        block = self._choose_block_length(item.size, remote_info)
        assert remote_info is not None
        with _open_temporary_file() as signature, _open_temporary_file() as change:
            self._download_to(
                self._api.signature_request(path, block), signature, f"{path} (signature)", counts
            )
            signature.seek(0)
            delta.read_signature(signature, basis_size=remote_info.size)
            signature.seek(0)
            size = self._runner.run_one(lambda: delta.delta(signature, local, change))
            if size >= item.size:
                raise _DeltaNotUseful("the delta is as large as the file")
            item.open_unchanged().close()
            change.seek(0)
            self._send_patch(path, change, size, counts)
        held = self._runner.run_one(
            lambda: self._api_with_retries.get_checksums([path], CHECKSUM_ALGORITHM)[path]
        )
        ours = self._runner.run_one(lambda: compute_file_digest(local, CHECKSUM_ALGORITHM))
        if held != ours:
            raise SmartFileChecksumMismatch("the patched file is another: it changed meanwhile")
        item.open_unchanged().close()
        return counts.attach_to(_verified_result(path, local, item.size, ours), "delta")

    def _send_patch(self, path: str, delta_file: BinaryIO, size: int, counts: "_ByteCounts") -> None:
        single = self._api.without_retries(self._runner)

        def send(part: Part, body: Body) -> None:
            single.send_request(self._api.sync_request("patch", path, "delta", body))

        job = UploadJob(
            UploadSpec(
                name=f"{path} (delta)",
                open_source=lambda: open_source(delta_file),
                make_parts=lambda size: [Part(0, 0, size)],
                send_part=send,
                complete=lambda: ("size", None),
                resend_after_lost_response=False,  # a patch fits only the file it was made for
            ),
            self._runner,
            1,
        )
        self._runner.reporter.queue(f"{path} (delta)", size)
        self._runner.run_jobs([job], 1)
        counts.sent += size
        try:
            raise_for_errors([job.result], self._runner)
        except CommunicationError as error:
            # Whether the patch went in, the checksum tells.
            log.info("%s: %s", path, error)

    # -- down -------------------------------------------------------------------------------------------

    def download(
        self,
        local: Path,
        remote_info: Info,
        follow_symlink: bool = True,
        guard: Optional[ExistingFilePolicy] = None,
        root: Optional[Directory] = None,
    ) -> FileResult:
        """Bring the local file up to date with the server's.

        :param follow_symlink: bring the target of a symbolic link up to date, not the link.
        :param guard: what decides about an existing file; None brings it up to date.
        :param root: an open directory above the file: no directory between them may be a symbolic link.
        :raises TargetExists: the guard wants it kept.
        """
        moved = _ByteCounts()
        if follow_symlink and is_device(local):
            return self._download_whole(DeviceSink(local), remote_info, moved)
        sink = FileSink(local, follow=follow_symlink, root=root)
        try:
            entry = open_entry(local, follow=follow_symlink, root=root)
        except OSError as error:
            raise wrap_os_error(error, local) from None
        with entry.directory:
            try:
                before = _lstat_or_none(entry)  # the guard decides about this file, and about no later one
            except OSError as error:
                raise wrap_os_error(error, local, "read") from None
            identity = {"service": "smartfile", "api": self._api.api_url, "path": remote_info.path}
            if guard is not None:
                kept = self._runner.run_one(
                    lambda: guard.find_retained_file(entry, remote_info.size, identity)
                )
                if kept is not None:
                    return skipped_result(remote_info.path, kept)
            try:
                if guard is not None and guard.exists == "rename":
                    raise _DeltaNotUseful("it gets another name")
                return self._download_delta(entry, before, remote_info, guard, moved)
            except _FALLBACK_ERRORS as reason:
                _log_fallback(remote_info.path, reason)
        sink.existing_file_policy = guard
        return self._download_whole(sink, remote_info, moved)

    def _download_whole(self, sink: Any, remote_info: Info, counts: "_ByteCounts") -> FileResult:
        digest = self._runner.run_one(
            lambda: self._api_with_retries.get_checksums([remote_info.path], CHECKSUM_ALGORITHM)
        )[remote_info.path]
        wanted = download.make_spec(self._api_with_retries, remote_info, sink, (CHECKSUM_ALGORITHM, digest))
        self._runner.reporter.queue(remote_info.path, remote_info.size)
        job = DownloadJob(wanted, self._runner, self._max_ranges)
        self._runner.run_jobs([job], 1)
        [result] = raise_for_errors([job.result], self._runner)
        return counts.attach_to(result, "plain", received=result.bytes)

    def _download_delta(
        self,
        local: Entry,
        initial_stat: Optional[os.stat_result],
        remote_info: Info,
        guard: Optional[ExistingFilePolicy],
        counts: "_ByteCounts",
    ) -> FileResult:
        if initial_stat is None or not stat.S_ISREG(initial_stat.st_mode):
            raise _DeltaNotUseful("there is no local file")
        block = self._choose_block_length(initial_stat.st_size, remote_info)
        with _open_temporary_file(local.directory) as signature, _open_temporary_file(
            local.directory
        ) as change:
            size = self._runner.run_one(lambda: delta.signature(local, signature, block_length=block))
            if remote_info.size is not None and size >= remote_info.size:
                raise _DeltaNotUseful("the signature is as large as the file")
            signature.seek(0)
            with contextlib.closing(open_source(signature)) as source:
                body = PartBody(source, Part(0, 0, size), lambda count: None)
                call = self._api.sync_request("delta", remote_info.path, "signature", body)
                self._download_to(call, change, f"{remote_info.path} (delta)", counts)
            counts.sent += size
            change.seek(0)
            patched = self._runner.run_one(
                lambda: self._patch_local_file(local, initial_stat, remote_info, guard, change)
            )
        return counts.attach_to(patched, "delta")

    def _patch_local_file(
        self,
        local: Entry,
        initial_stat: os.stat_result,
        remote_info: Info,
        guard: Optional[ExistingFilePolicy],
        delta_file: BinaryIO,
    ) -> FileResult:
        """Patch the local file by way of a partial file, as a download does; in one thread of the operation.

        What a killed run leaves is known to the next run as a partial file of the same target.
        """
        sink = FileSink(local.path, follow=False, root=local.directory)
        identity = {
            "service": "smartfile",
            "api": self._api.api_url,
            "path": remote_info.path,
            "patched": True,
        }
        sink.begin(remote_info.size, identity)
        committed = False
        try:
            sink.restart()
            out: Any = _SequentialWriter(sink)
            made = delta.patch(local, delta_file, out, size=remote_info.size)
            held = self._api_with_retries.get_checksums([remote_info.path], CHECKSUM_ALGORITHM)[
                remote_info.path
            ]
            ours = sink.digest(CHECKSUM_ALGORITHM)
            if held != ours:
                raise SmartFileChecksumMismatch("the patched file is another: it changed meanwhile")
            now = _lstat_or_none(local)
            if now is None or (now.st_size, now.st_mtime_ns) != (
                initial_stat.st_size,
                initial_stat.st_mtime_ns,
            ):
                raise SmartFileSourceChanged(f"{local} changed while it was brought up to date")
            self._runner.raise_if_aborted()
            sink.existing_file_policy = guard  # it was asked already whether this file may be replaced
            committed = True
            sink.commit()
        finally:
            if not committed:
                sink.restart()  # nothing is resumed of a patch
                sink.suspend()
        return _verified_result(remote_info.path, local.path, made, ours)

    # -- both -------------------------------------------------------------------------------------------

    def _choose_block_length(self, size: int, remote_info: Optional[Info]) -> int:
        """The block length for a delta; raises where there is no use in one."""
        if remote_info is None:
            raise _DeltaNotUseful("there is no such file on the server")
        if not self._librsync_available:
            raise _DeltaNotUseful("there is no librsync on this machine")
        old = remote_info.size or 0
        block = delta.block_length_for(max(size, old))
        if min(size, old) < _MIN_BLOCKS * block:
            raise _DeltaNotUseful("it is a small file")
        return block

    def _require_local_path(self, item: LocalFile) -> Path:
        if item.path is None or not item.resumable:
            raise _DeltaNotUseful("it is not a local file whose size is true")
        return item.path

    def _download_to(self, request: RequestSpec, file: BinaryIO, name: str, counts: "_ByteCounts") -> None:
        def source(start: int, stop: Optional[int]) -> ContextManager[RangeResponse]:
            return open_range(self._api.http, request, start, stop, None)

        self._runner.reporter.queue(name, None)
        wanted = DownloadSpec(
            name=name, sink=StreamSink(file), identity={"call": request.description}, open_range=source
        )
        job = DownloadJob(wanted, self._runner, 1)
        self._runner.run_jobs([job], 1)
        counts.received += raise_for_errors([job.result], self._runner)[0].bytes


class _ByteCounts:
    """Bytes that went over the line for one file, whatever for."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0

    def attach_to(self, result: FileResult, method: str, sent: int = 0, received: int = 0) -> FileResult:
        """The result, with what it cost."""
        return attrs.evolve(
            result,
            method=method,
            bytes_sent=self.sent + sent,
            bytes_received=self.received + received,
        )


def _verified_result(name: str, path: Path, size: int, digest: str) -> FileResult:
    return FileResult(name, path, size, digest=f"{CHECKSUM_ALGORITHM}:{digest}", verified=CHECKSUM_ALGORITHM)


def _lstat_or_none(entry: Entry) -> Optional[os.stat_result]:
    """The file or symbolic link of a name; None where there is none."""
    try:
        return lstat(entry)
    except FileNotFoundError:
        return None


class _SequentialWriter:
    """A file for writing, whose bytes go to a sink one after the other."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._position = 0

    def write(self, data: Union[bytes, memoryview]) -> int:
        """Append the bytes."""
        self._sink.write_at(data, self._position)
        self._position += len(data)
        return len(data)


def _open_temporary_file(directory: Optional[Directory] = None) -> BinaryIO:
    """A temporary file without a name: a process that is killed leaves nothing of it.

    :param directory: on whose file system it is; by default that for temporary files.
    """
    try:
        return create_anonymous_file() if directory is None else directory.create_anonymous_file()
    except OSError as error:
        raise wrap_os_error(error, "a temporary file" if directory is None else directory.path) from None
