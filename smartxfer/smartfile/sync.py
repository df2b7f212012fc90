"""Synchronisation client: updates files and directories in either direction, by deltas.

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
    """Client that updates files in either direction and transfers only the changed parts.

    Deltas are computed by the system's librsync.  Without it, and for small or new files, complete files are
    transferred.  Finally the SHA-256 of both sides is compared.  Each call updates one side, the other one is
    not changed, and nothing is removed.

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
        """Return a client that uses ``BasicClient.from_environment(...)``, with the same parameters."""
        proxies = wrap_secrets(proxies)
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(BasicClient.from_environment(**options.to_kwargs()))

    def close(self) -> None:
        """Close the underlying client."""
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
        """Update a file on the server with a local one.

        :param local: path of a file.
        :param remote: its path on the server, or an existing directory.
        :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
        :param cancel: any object with ``is_set()``; the computation of a delta is not interrupted.
        :param deadline: seconds after which to stop.
        :return: the result, with the method, the numbers of bytes, and the verification.
        :raises SourceChanged: the local file changed during the call.

        Source: SmartFile protocol, section 7.
        """
        remote = parse_target(remote, local, "upload")
        items = collect_files([local])
        if len(items) != 1 or items[0].path is None or "/" in items[0].name:
            raise UsageError("upload() needs the path of one file", hint="use upload_tree() for a directory")
        [item] = items
        with self.api._new_runner(progress, cancel, deadline) as runner:
            api = self.api._api.with_runner(runner)
            path = runner.run_one(lambda: upload.resolve_target(api, remote, item.name))
            remote_info = runner.run_one(lambda: _require_file(api.find(path)))
            return self._new_delta_sync(runner).upload(item, path, remote_info)

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
        """Update a local file with one on the server.

        :param local: its path, or a directory (with a slash at its end, or an existing one).
        :param remote: path of the file on the server.
        :param exists: what to do about an existing file with other content, as in
            ``BasicClient.download``.
        :raises NotFound: the file does not exist on the server.
        :raises TargetExists: the directory has a file of that name with other content.
        :raises SourceChanged: the local file changed during the call.

        Otherwise like :meth:`upload`.
        """
        target = as_target_path(local)
        if target is None:
            raise UsageError(
                f"local must be a path, not {local!r}", hint="call download('name', '/folder/name')"
            )
        as_path_text(remote, hint="download('name', '/folder/name')")
        validate_exists(exists)
        with self.api._new_runner(progress, cancel, deadline) as runner:
            api = self.api._api.with_runner(runner)
            info = runner.run_one(lambda: api.stat(normalize(remote)))
            if not info.isfile:
                raise UsageError(f"{info.path} is a directory", hint="use download_tree()")
            in_directory = is_directory_target(local, target)
            origin: Optional[Origin] = None
            if in_directory:
                name = safe_path(split(info.path)[1], target)
                target = target / name.name
                if is_renamed(split(info.path)[1], name):
                    origin = download.get_origin(api), normalize(info.path)
            delta_sync = self._new_delta_sync(runner)
            if not in_directory and exists is None:
                return delta_sync.download(target, info)
            history = DownloadHistory(target.parent)
            identical = runner.run_one(lambda: find_identical_files(api, [(target, info)]))
            if info.path in identical and exists != "skip":
                self._delete_part_file(target, info, None)
                if in_directory:
                    history.record_origin(target, origin)
                return unchanged_result(info.path, target, info.size or 0, identical[info.path])
            guard = _make_guard(api, exists, history, info, origin=origin)
            return delta_sync.download(target, info, follow_symlink=not in_directory, guard=guard)

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
        """Update a directory on the server with a local one; nothing on the server is removed.

        :param local: path of a directory; its contents are uploaded to ``remote``.
        :param remote: directory on the server, created if missing.
        :param dry_run: change nothing; return the results of the files that would be transferred.
        :return: one result per file.  In a dry run, ``method`` is ``"delta"`` if a delta would be tried.
        :raises BatchError: some files failed; see ``.results``.
        """
        tree = trees.TreeUpload(local, normalize(remote), follow_symlinks)
        with self.api._new_runner(progress, cancel, deadline) as runner:
            api = self.api._api.with_runner(runner)
            remote_files = runner.run_one(lambda: list_remote_files(api, tree.path))
            results = sync_tree(api, runner, tree, remote_files, self._new_delta_sync(runner), dry_run)
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
        """Update a local directory with one on the server; no local file is removed.

        :param local: path of a directory, created if missing; names from the server cannot leave it.
        :param remote: directory on the server.
        :param exists: what to do about existing files with other content, as in :meth:`download`.

        Otherwise like :meth:`upload_tree`.
        """
        directory = as_target_path(local)
        if directory is None:
            raise UsageError(
                f"local must be a path, not {local!r}", hint="call download_tree('folder', '/folder')"
            )
        validate_exists(exists)
        absolute = directory.absolute()  # in case that the working directory changes during the call
        with self.api._new_runner(progress, cancel, deadline) as runner, contextlib.ExitStack() as stack:
            api = self.api._api.with_runner(runner)
            top = normalize(remote)
            remote_files = runner.run_one(lambda: list_remote_files(api, top, allow_missing=False))
            remote_names = [path[len(top.rstrip("/")) + 1 :] for path in remote_files]
            root = None if dry_run else stack.enter_context(open_target_directory(directory))
            names = unique_paths_or_errors(remote_names, directory=directory)
            pairs = [
                (directory / name, info)
                for name, info in zip(names, remote_files.values())
                if not isinstance(name, UnsafeName)
            ]
            identical = runner.run_one(lambda: find_identical_files(api, list(pairs)))
            delta_sync = self._new_delta_sync(runner)
            results = []
            reserved = {fold_name(str(path)) for path, _ in pairs}
            histories: Dict[Path, DownloadHistory] = {}
            for name, remote_name, info in zip(names, remote_names, remote_files.values()):
                if isinstance(name, UnsafeName):
                    results.append(FileResult(info.path, error=name, method="plain"))
                    continue
                path, size = directory / name, info.size or 0
                history = get_download_history(histories, absolute / name.parent)
                renamed = is_renamed(remote_name, name)
                origin = (download.get_origin(api), normalize(info.path)) if renamed else None
                guard = _make_guard(api, exists, history, info, reserved, origin)
                if info.path in identical and exists != "skip":
                    if not dry_run:
                        self._delete_part_file(path, info, root)
                        history.record_origin(path, origin)
                    results.append(unchanged_result(info.path, path, size, identical[info.path]))
                elif dry_run:
                    plan = functools.partial(self._planned_download_result, runner, path, info, guard)
                    results.append(result_or_error(plan, info.path))
                else:
                    update = functools.partial(
                        delta_sync.download, path, info, follow_symlink=False, guard=guard, root=root
                    )
                    results.append(result_or_error(update, info.path))
            if not dry_run:
                log_summary(local, results)
            return raise_for_errors(results, runner)

    def __repr__(self) -> str:
        return f"SyncClient({self.api!r})"

    # -- helpers ----------------------------------------------------------------------------------------

    def _new_delta_sync(self, runner: TransferRunner) -> DeltaSync:
        available = delta.available()
        if not available and not self._librsync_message_logged:
            self._librsync_message_logged = True
            log.info("librsync is not installed on this machine: complete files are transferred")
        return DeltaSync(self.api._api, runner, self.api._max_workers, available)

    def _delete_part_file(self, path: Path, info: Info, root: Optional[Directory]) -> None:
        """Remove the part file that an interrupted run left of a file that is now up to date."""
        identity = {"service": "smartfile", "api": self.api._api.api_url, "path": info.path}
        FileSink(path, follow=False, root=root).remove_leftovers(identity)

    def _planned_download_result(
        self, runner: TransferRunner, path: Path, info: Info, guard: ExistingFilePolicy
    ) -> FileResult:
        retained = runner.run_one(lambda: guard.find_retained_file(path, info.size, {}))
        if retained is not None:
            return skipped_result(info.path, retained)
        return planned_result(info.path, path, info.size or 0, info if path.is_file() else None)


def _make_guard(
    api: SmartFileApi,
    exists: Exists,
    history: DownloadHistory,
    info: Info,
    reserved_paths: Collection[str] = (),
    origin: Optional[Origin] = None,
) -> ExistingFilePolicy:
    """Return the policy for an existing file."""

    def fetch_digest() -> Tuple[str, str]:
        return CHECKSUM_ALGORITHM, api.get_checksums([info.path], CHECKSUM_ALGORITHM)[info.path]

    return ExistingFilePolicy(
        exists,
        history,
        fetch_digest=fetch_digest,
        mtime_range=download.get_modification_window(info),
        reserved_names=reserved_paths,
        origin=origin,
    )


def _require_file(info: Optional[Info]) -> Optional[Info]:
    if info is not None and not info.isfile:
        raise UsageError(f"{info.path} is a directory on the server", hint="pass another path for the file")
    return info
