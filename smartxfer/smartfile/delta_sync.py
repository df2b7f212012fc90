"""Update of one file by a delta: signature, delta, patch, and a final comparison of checksums.

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

#: Algorithm of the final comparison; the truncated strong sums of a signature do not prove equality.
CHECKSUM_ALGORITHM = "sha256"
#: Files with fewer blocks are transferred completely, because a signature would cost as much.
_MIN_BLOCKS = 4


def skipped_result(name: str, existing: RetainedFile) -> FileResult:
    """Return the result of an existing file that was kept."""
    return FileResult(name, existing.path, existing.size, skipped=existing.skipped, method="none")


class _DeltaNotUseful(Exception):
    """A delta is impossible, or larger than the file."""


#: After these errors the complete file is transferred: the server has no sync API, or its result is unusable.
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
    log.log(level, "%s is transferred without a delta: %s", path, reason)


class DeltaSync:
    """Updates of single files, in one run of the engine.

    :param librsync_available: if False, complete files are transferred.
    """

    def __init__(
        self, api: SmartFileApi, runner: TransferRunner, max_ranges: int, librsync_available: bool
    ) -> None:
        self._api = api
        self._api_with_retries = api.with_runner(runner)
        self._runner = runner
        self._max_ranges = max_ranges
        self._librsync_available = librsync_available

    # -- uploads ----------------------------------------------------------------------------------------

    def upload(self, item: LocalFile, path: str, remote_info: Optional[Info]) -> FileResult:
        """Update the file on the server.

        :param remote_info: the current file on the server; None if it does not exist.
        """
        counts = _ByteCounts()
        try:
            return self._upload_delta(item, path, remote_info, counts)
        except _FALLBACK_ERRORS as reason:
            _log_fallback(path, reason)
        results = upload_files(self._api, self._runner, [(item, path)], 1, CHECKSUM_ALGORITHM)
        [result] = raise_for_errors(results, self._runner)
        return counts.attach_to(result, "plain", sent=item.size)

    def _upload_delta(
        self, item: LocalFile, path: str, remote_info: Optional[Info], counts: "_ByteCounts"
    ) -> FileResult:
        local = self._require_local_path(item)
        block = self._choose_block_length(item.size, remote_info)
        assert remote_info is not None
        with _open_temporary_file() as signature, _open_temporary_file() as delta_file:
            self._download_to(
                self._api.signature_request(path, block), signature, f"{path} (signature)", counts
            )
            signature.seek(0)
            delta.read_signature(signature, basis_size=remote_info.size)
            signature.seek(0)
            size = self._runner.run_one(lambda: delta.delta(signature, local, delta_file))
            if size >= item.size:
                raise _DeltaNotUseful("the delta is as large as the file")
            item.open_unchanged().close()
            delta_file.seek(0)
            self._send_patch(path, delta_file, size, counts)
        remote_digest = self._runner.run_one(
            lambda: self._api_with_retries.get_checksums([path], CHECKSUM_ALGORITHM)[path]
        )
        local_digest = self._runner.run_one(lambda: compute_file_digest(local, CHECKSUM_ALGORITHM))
        if remote_digest != local_digest:
            raise SmartFileChecksumMismatch(f"{path}: the patched file differs: one of the files has changed")
        item.open_unchanged().close()
        return counts.attach_to(_verified_result(path, local, item.size, local_digest), "delta")

    def _send_patch(self, path: str, delta_file: BinaryIO, size: int, counts: "_ByteCounts") -> None:
        api = self._api.without_retries(self._runner)

        def send(part: Part, body: Body) -> None:
            api.send_request(api.sync_request("patch", path, "delta", body))

        job = UploadJob(
            UploadSpec(
                name=f"{path} (delta)",
                open_source=lambda: open_source(delta_file),
                make_parts=lambda size: [Part(0, 0, size)],
                send_part=send,
                complete=lambda: ("size", None),
                resend_after_lost_response=False,  # a patch can only be applied once
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
            # The patch may have been applied nevertheless; the checksum decides.
            log.info("%s: %s", path, error)

    # -- downloads --------------------------------------------------------------------------------------

    def download(
        self,
        local: Path,
        remote_info: Info,
        follow_symlink: bool = True,
        guard: Optional[ExistingFilePolicy] = None,
        root: Optional[Directory] = None,
    ) -> FileResult:
        """Update the local file.

        :param follow_symlink: update the target of a symbolic link instead of replacing the link.
        :param guard: policy for an existing file; None updates it.
        :param root: an open directory above the file; no directory between them may be a symbolic link.
        :raises TargetExists: the policy rejects the existing file.
        """
        counts = _ByteCounts()
        if follow_symlink and is_device(local):
            return self._download_whole(DeviceSink(local), remote_info, counts)
        sink = FileSink(local, follow=follow_symlink, root=root)
        try:
            entry = open_entry(local, follow=follow_symlink, root=root)
        except OSError as error:
            raise wrap_os_error(error, local) from None
        with entry.directory:
            try:
                initial_stat = _lstat_or_none(entry)  # the policy decides about this state of the file
            except OSError as error:
                raise wrap_os_error(error, local, "read") from None
            identity = {"service": "smartfile", "api": self._api.api_url, "path": remote_info.path}
            if guard is not None:
                retained = self._runner.run_one(
                    lambda: guard.find_retained_file(entry, remote_info.size, identity)
                )
                if retained is not None:
                    return skipped_result(remote_info.path, retained)
            try:
                if guard is not None and guard.exists == "rename":
                    raise _DeltaNotUseful('exists="rename" saves it under another name')
                return self._download_delta(entry, initial_stat, remote_info, guard, counts)
            except _FALLBACK_ERRORS as reason:
                _log_fallback(remote_info.path, reason)
        sink.existing_file_policy = guard
        return self._download_whole(sink, remote_info, counts)

    def _download_whole(self, sink: Any, remote_info: Info, counts: "_ByteCounts") -> FileResult:
        digest = self._runner.run_one(
            lambda: self._api_with_retries.get_checksums([remote_info.path], CHECKSUM_ALGORITHM)
        )[remote_info.path]
        spec = download.make_spec(self._api_with_retries, remote_info, sink, (CHECKSUM_ALGORITHM, digest))
        self._runner.reporter.queue(remote_info.path, remote_info.size)
        job = DownloadJob(spec, self._runner, self._max_ranges)
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
            raise _DeltaNotUseful("the local file does not exist, or is not a regular file")
        block = self._choose_block_length(initial_stat.st_size, remote_info)
        with _open_temporary_file(local.directory) as signature, _open_temporary_file(
            local.directory
        ) as delta_file:
            size = self._runner.run_one(lambda: delta.signature(local, signature, block_length=block))
            if remote_info.size is not None and size >= remote_info.size:
                raise _DeltaNotUseful("the signature is as large as the file")
            signature.seek(0)
            with contextlib.closing(open_source(signature)) as source:
                body = PartBody(source, Part(0, 0, size), lambda count: None)
                request = self._api.sync_request("delta", remote_info.path, "signature", body)
                self._download_to(request, delta_file, f"{remote_info.path} (delta)", counts)
            counts.sent += size
            delta_file.seek(0)
            result = self._runner.run_one(
                lambda: self._patch_local_file(local, initial_stat, remote_info, guard, delta_file)
            )
        return counts.attach_to(result, "delta")

    def _patch_local_file(
        self,
        local: Entry,
        initial_stat: os.stat_result,
        remote_info: Info,
        guard: Optional[ExistingFilePolicy],
        delta_file: BinaryIO,
    ) -> FileResult:
        """Write the patched file to a part file and rename it, like a download; without further threads.

        The next run recognizes the part file of a killed run as one of the same target.
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
            new_size = delta.patch(local, delta_file, out, size=remote_info.size)
            remote_digest = self._api_with_retries.get_checksums([remote_info.path], CHECKSUM_ALGORITHM)[
                remote_info.path
            ]
            local_digest = sink.digest(CHECKSUM_ALGORITHM)
            if remote_digest != local_digest:
                raise SmartFileChecksumMismatch(
                    f"{remote_info.path}: the patched file differs: one of the files has changed"
                )
            current = _lstat_or_none(local)
            if current is None or (current.st_size, current.st_mtime_ns) != (
                initial_stat.st_size,
                initial_stat.st_mtime_ns,
            ):
                raise SmartFileSourceChanged(f"{local} changed while it was updated")
            self._runner.raise_if_aborted()
            sink.existing_file_policy = guard  # only now, because it has already accepted this file
            committed = True
            sink.commit()
        finally:
            if not committed:
                sink.restart()  # a patch is not resumed
                sink.suspend()
        return _verified_result(remote_info.path, local.path, new_size, local_digest)

    # -- both directions --------------------------------------------------------------------------------

    def _choose_block_length(self, local_size: int, remote_info: Optional[Info]) -> int:
        """Return the block length for a delta; raise _DeltaNotUseful if a delta is not worthwhile."""
        if remote_info is None:
            raise _DeltaNotUseful("the server does not have the file")
        if not self._librsync_available:
            raise _DeltaNotUseful("librsync is not installed")
        remote_size = remote_info.size or 0
        block = delta.block_length_for(max(local_size, remote_size))
        if min(local_size, remote_size) < _MIN_BLOCKS * block:
            raise _DeltaNotUseful("the file is small")
        return block

    def _require_local_path(self, item: LocalFile) -> Path:
        if item.path is None or not item.resumable:
            raise _DeltaNotUseful("the source is not a regular file")
        return item.path

    def _download_to(self, request: RequestSpec, file: BinaryIO, name: str, counts: "_ByteCounts") -> None:
        def source(start: int, stop: Optional[int]) -> ContextManager[RangeResponse]:
            return open_range(self._api.http, request, start, stop, None)

        self._runner.reporter.queue(name, None)
        spec = DownloadSpec(
            name=name, sink=StreamSink(file), identity={"call": request.description}, open_range=source
        )
        job = DownloadJob(spec, self._runner, 1)
        self._runner.run_jobs([job], 1)
        counts.received += raise_for_errors([job.result], self._runner)[0].bytes


class _ByteCounts:
    """Numbers of bytes sent and received for one file, signatures and deltas included."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0

    def attach_to(self, result: FileResult, method: str, sent: int = 0, received: int = 0) -> FileResult:
        """Return the result with the method and the byte counts."""
        return attrs.evolve(
            result,
            method=method,
            bytes_sent=self.sent + sent,
            bytes_received=self.received + received,
        )


def _verified_result(name: str, path: Path, size: int, digest: str) -> FileResult:
    return FileResult(name, path, size, digest=f"{CHECKSUM_ALGORITHM}:{digest}", verified=CHECKSUM_ALGORITHM)


def _lstat_or_none(entry: Entry) -> Optional[os.stat_result]:
    """Return the status of a file or symbolic link; None if it does not exist."""
    try:
        return lstat(entry)
    except FileNotFoundError:
        return None


class _SequentialWriter:
    """A writable file object that writes to a sink sequentially."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._position = 0

    def write(self, data: Union[bytes, memoryview]) -> int:
        """Append the bytes."""
        self._sink.write_at(data, self._position)
        self._position += len(data)
        return len(data)


def _open_temporary_file(directory: Optional[Directory] = None) -> BinaryIO:
    """Create a temporary file without a name, of which a killed process leaves nothing.

    :param directory: where to create it; by default, in the system's directory for temporary files.
    """
    try:
        return create_anonymous_file() if directory is None else directory.create_anonymous_file()
    except OSError as error:
        raise wrap_os_error(error, "a temporary file" if directory is None else directory.path) from None
