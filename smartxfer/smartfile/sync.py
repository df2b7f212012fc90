"""Synchronisation: files and directories brought up to date by moving what differs.

Source: SmartFile protocol, sections 7 and 9.
"""

import contextlib
import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Collection, Dict, Mapping, Optional, Sequence, Tuple

import requests

from smartxfer import delta
from smartxfer._system import Clock
from smartxfer.client_options import CertFiles, ClientOptions, Timeout, Verify
from smartxfer.directories import Directory
from smartxfer.errors import UnsafeName, UsageError
from smartxfer.os_text import FilePath
from smartxfer.secret_text import wrap_secrets
from smartxfer.smartfile import download, trees, upload
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.basic import BasicClient
from smartxfer.smartfile.client import SmartFileClient
from smartxfer.smartfile.content_comparison import find_identical_files
from smartxfer.smartfile.delta_sync import CHECKSUM_ALGORITHM, DeltaSync, skipped_result
from smartxfer.smartfile.directory_sync import (
    list_remote_files,
    log_summary,
    planned_result,
    result_or_error,
    sync_tree,
    unchanged_result,
)
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import as_path_text, normalize, parse_target, split
from smartxfer.transfer.directory_download import open_target_directory
from smartxfer.transfer.download_history import DownloadHistory, Origin, get_download_history
from smartxfer.transfer.existing_files import ExistingFilePolicy, Exists, validate_exists
from smartxfer.transfer.local_files import collect_files
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, TransferReport, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.safe_paths import fold_name, is_renamed, safe_path, unique_paths_or_errors
from smartxfer.transfer.sink import FileSink, is_directory_target
from smartxfer.transfer.source import as_target_path
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SyncClient"]

log = logging.getLogger("smartxfer.smartfile")


class SyncClient:
    """Brings files up to date, in either direction, by moving only what differs.

    Deltas are made with the system's librsync; where it is missing, and for small or new files, whole files
    are moved.  Afterwards both sides' SHA-256 is compared, always.  It is no two-way synchronisation: the
    side that is named last is made like the first, and nothing is ever removed.

    :param api: a BasicClient or OAuthClient; ``with`` and :meth:`close` close it.

    >>> with SyncClient.from_environment() as client:
    ...     result = client.upload("report.pdf", "/report.pdf")
    >>> result.method, result.verified
    ('plain', 'sha256')

    Source: SmartFile protocol, sections 7 and 9.
    """

    def __init__(self, api: SmartFileClient) -> None:
        self.api = api
        self._librsync_message_logged = False

    @classmethod
    def from_environment(
        cls,
        *,
        timeout: Timeout = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: Verify = True,
        cert: Optional[CertFiles] = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: Optional[Clock] = None,
    ) -> "Self":
        """Return a client that works with ``BasicClient.from_environment(...)``, by the same parameters."""
        proxies = wrap_secrets(proxies)
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(BasicClient.from_environment(**options.to_kwargs()))

    def close(self) -> None:
        """Close the client that it works with."""
        self.api.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def upload(
        self,
        local: FilePath,
        remote: str,
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Bring a file on the server up to date with a local one.

        :param local: path of a file.
        :param remote: its path on the server, or a directory that exists.
        :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
        :param cancel: anything with ``is_set()``; a delta in the making is not interrupted.
        :param deadline: seconds after which to stop.
        :return: what was moved, how, and that it was verified.
        :raises SourceChanged: the local file changed meanwhile.

        Source: SmartFile protocol, section 7.
        """
        remote = parse_target(remote, local, "upload")
        items = collect_files([local])
        if len(items) != 1 or items[0].path is None or "/" in items[0].name:
            raise UsageError("upload() takes the path of one file", hint="upload_tree() takes a directory")
        [item] = items
        with self.api._new_runner(progress, cancel, deadline) as runner:
            calls = self.api._api.with_runner(runner)
            path = runner.run_one(lambda: upload.resolve_target(calls, remote, item.name))
            there = runner.run_one(lambda: _require_file(calls.find(path)))
            return self._new_delta_sync(runner).upload(item, path, there)

    def download(
        self,
        local: FilePath,
        remote: str,
        *,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Bring a local file up to date with one on the server.

        :param local: its path, or a directory (with a slash at its end, or one that exists).
        :param remote: path of the file on the server.
        :param exists: what to do about an existing file with other content, as in
            ``BasicClient.download``.
        :raises NotFound: there is none.
        :raises TargetExists: the directory has a file of that name with other content.
        :raises SourceChanged: the local file changed meanwhile.

        Otherwise like :meth:`upload`.
        """
        target = as_target_path(local)
        if target is None:
            raise UsageError(f"{local!r} is not a path", hint="download('name', '/folder/name')")
        as_path_text(remote, hint="download('name', '/folder/name')")
        validate_exists(exists)
        with self.api._new_runner(progress, cancel, deadline) as runner:
            calls = self.api._api.with_runner(runner)
            there = runner.run_one(lambda: calls.stat(normalize(remote)))
            if not there.isfile:
                raise UsageError(f"{there.path} is a directory", hint="download_tree() takes a directory")
            inside = is_directory_target(local, target)
            origin: Optional[Origin] = None
            if inside:
                name = safe_path(split(there.path)[1], target)
                target = target / name.name
                if is_renamed(split(there.path)[1], name):
                    origin = download.get_origin(calls), normalize(there.path)
            resync = self._new_delta_sync(runner)
            if not inside and exists is None:
                return resync.download(target, there)
            written = DownloadHistory(target.parent)
            same = runner.run_one(lambda: find_identical_files(calls, [(target, there)]))
            if there.path in same and exists != "skip":
                self._delete_part_file(target, there, None)
                if inside:
                    written.record_origin(target, origin)
                return unchanged_result(there.path, target, there.size or 0, same[there.path])
            guard = _make_guard(calls, exists, written, there, origin=origin)
            return resync.download(target, there, follow_symlink=not inside, guard=guard)

    def upload_tree(
        self,
        local: FilePath,
        remote: str,
        *,
        dry_run: bool = False,
        follow_symlinks: bool = False,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> TransferReport:
        """Bring a directory on the server up to date with a local one; nothing there is removed.

        :param local: path of a directory; what is in it comes to stand below ``remote``.
        :param remote: directory on the server, made if missing.
        :param dry_run: change nothing: say of each file what would be done.
        :return: one result per file.  Of a dry run, ``method`` is ``"delta"`` where one would be tried.
        :raises BatchError: some files failed; ``.results`` tells which.
        """
        tree = trees.TreeUpload(local, normalize(remote), follow_symlinks)
        with self.api._new_runner(progress, cancel, deadline) as runner:
            calls = self.api._api.with_runner(runner)
            there = runner.run_one(lambda: list_remote_files(calls, tree.path))
            results = sync_tree(calls, runner, tree, there, self._new_delta_sync(runner), dry_run)
            if not dry_run:
                log_summary(local, results)
            return raise_for_errors(results, runner)

    def download_tree(
        self,
        local: FilePath,
        remote: str,
        *,
        dry_run: bool = False,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> TransferReport:
        """Bring a local directory up to date with one on the server; nothing here is removed.

        :param local: path of a directory, made if missing; names from the server cannot leave it.
        :param remote: directory on the server.
        :param exists: what to do about existing files with other content, as in :meth:`download`.

        Otherwise like :meth:`upload_tree`.
        """
        directory = as_target_path(local)
        if directory is None:
            raise UsageError(f"{local!r} is not a path", hint="pass the path of a local directory")
        validate_exists(exists)
        full = directory.absolute()  # the working directory may be another one later
        with self.api._new_runner(progress, cancel, deadline) as runner, contextlib.ExitStack() as stack:
            calls = self.api._api.with_runner(runner)
            top = normalize(remote)
            there = runner.run_one(lambda: list_remote_files(calls, top, allow_missing=False))
            given = [path[len(top.rstrip("/")) + 1 :] for path in there]
            root = None if dry_run else stack.enter_context(open_target_directory(directory))
            names = unique_paths_or_errors(given, directory=directory)
            pairs = [
                (directory / name, info)
                for name, info in zip(names, there.values())
                if not isinstance(name, UnsafeName)
            ]
            same = runner.run_one(lambda: find_identical_files(calls, list(pairs)))
            resync = self._new_delta_sync(runner)
            results = []
            taken = {fold_name(str(path)) for path, _ in pairs}
            known: Dict[Path, DownloadHistory] = {}
            for name, own, info in zip(names, given, there.values()):
                if isinstance(name, UnsafeName):
                    results.append(FileResult(info.path, error=name, method="plain"))
                    continue
                path, size = directory / name, info.size or 0
                written = get_download_history(known, full / name.parent)
                origin = (download.get_origin(calls), normalize(info.path)) if is_renamed(own, name) else None
                guard = _make_guard(calls, exists, written, info, taken, origin)
                if info.path in same and exists != "skip":
                    if not dry_run:
                        self._delete_part_file(path, info, root)
                        written.record_origin(path, origin)
                    results.append(unchanged_result(info.path, path, size, same[info.path]))
                elif dry_run:
                    planned = functools.partial(self._planned_download_result, runner, path, info, guard)
                    results.append(result_or_error(planned, info.path))
                else:
                    step = functools.partial(
                        resync.download, path, info, follow_symlink=False, guard=guard, root=root
                    )
                    results.append(result_or_error(step, info.path))
            if not dry_run:
                log_summary(local, results)
            return raise_for_errors(results, runner)

    def __repr__(self) -> str:
        return f"SyncClient({self.api!r})"

    # -- inside -----------------------------------------------------------------------------------------

    def _new_delta_sync(self, runner: TransferRunner) -> DeltaSync:
        deltas = delta.available()
        if not deltas and not self._librsync_message_logged:
            self._librsync_message_logged = True
            log.info("there is no librsync on this machine: whole files are moved")
        return DeltaSync(self.api._api, runner, self.api._max_workers, deltas)

    def _delete_part_file(self, path: Path, info: Info, root: Optional[Directory]) -> None:
        """Remove what a broken run left of a file that needs nothing any more."""
        about = {"service": "smartfile", "api": self.api._api.api_url, "path": info.path}
        FileSink(path, follow=False, root=root).remove_leftovers(about)

    def _planned_download_result(
        self, runner: TransferRunner, path: Path, info: Info, guard: ExistingFilePolicy
    ) -> FileResult:
        kept = runner.run_one(lambda: guard.find_retained_file(path, info.size, {}))
        if kept is not None:
            return skipped_result(info.path, kept)
        return planned_result(info.path, path, info.size or 0, info if path.is_file() else None)


def _make_guard(
    api: SmartFileApi,
    exists: Exists,
    written: DownloadHistory,
    info: Info,
    reserved_paths: Collection[str] = (),
    origin: Optional[Origin] = None,
) -> ExistingFilePolicy:
    """What decides about an existing file."""

    def digest() -> Tuple[str, str]:
        return CHECKSUM_ALGORITHM, api.get_checksums([info.path], CHECKSUM_ALGORITHM)[info.path]

    changed = download.get_modification_window(info)
    return ExistingFilePolicy(
        exists,
        written,
        fetch_digest=digest,
        mtime_range=changed,
        reserved_names=reserved_paths,
        origin=origin,
    )


def _require_file(info: Optional[Info]) -> Optional[Info]:
    if info is not None and not info.isfile:
        raise UsageError(
            f"{info.path} is a directory on the server",
            hint="pass the path of a file, or remove the directory first",
        )
    return info
