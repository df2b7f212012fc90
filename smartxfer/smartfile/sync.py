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
from smartxfer.client_options import CertFiles, ClientOptions, Timeout, Verify
from smartxfer.directories import Directory
from smartxfer.errors import UnsafeName, UsageError
from smartxfer.seams import Clock
from smartxfer.secret_text import hidden
from smartxfer.smartfile import downloading, trees, uploading
from smartxfer.smartfile.basic import BasicClient
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.client import SmartFileClient
from smartxfer.smartfile.directory_sync import (
    files_on_server,
    log_summary,
    planned,
    send_tree,
    tried,
    unchanged,
)
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import normal, path_text, split, target_text
from smartxfer.smartfile.resync import ALGORITHM, Resync, kept_result
from smartxfer.smartfile.same_content import same_content
from smartxfer.system_text import FilePath
from smartxfer.transfer.existing import Exists, Guard, check_exists
from smartxfer.transfer.into import open_target
from smartxfer.transfer.names import folded, is_changed, paths_or_errors, safe_path
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, TransferReport, settle
from smartxfer.transfer.sink import FileSink, names_directory
from smartxfer.transfer.source import target_path_of
from smartxfer.transfer.tree import collect
from smartxfer.transfer.written import Origin, Written, written_in
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
        self._told = False

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
        proxies = hidden(proxies)
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(BasicClient.from_environment(**options.keywords()))

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
        remote = target_text(remote, local, "upload")
        items = collect([local])
        if len(items) != 1 or items[0].path is None or "/" in items[0].name:
            raise UsageError("upload() takes the path of one file", hint="upload_tree() takes a directory")
        [item] = items
        with self.api._operation(progress, cancel, deadline) as operation:
            calls = self.api._calls.watched(operation)
            path = operation.call(lambda: uploading.target(calls, remote, item.name))
            there = operation.call(lambda: _file(calls.find(path)))
            return self._resync(operation).up(item, path, there)

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
        target = target_path_of(local)
        if target is None:
            raise UsageError(f"{local!r} is not a path", hint="download('name', '/folder/name')")
        path_text(remote, hint="download('name', '/folder/name')")
        check_exists(exists)
        with self.api._operation(progress, cancel, deadline) as operation:
            calls = self.api._calls.watched(operation)
            there = operation.call(lambda: calls.stat(normal(remote)))
            if not there.isfile:
                raise UsageError(f"{there.path} is a directory", hint="download_tree() takes a directory")
            inside = names_directory(local, target)
            origin: Optional[Origin] = None
            if inside:
                name = safe_path(split(there.path)[1], target)
                target = target / name.name
                if is_changed(split(there.path)[1], name):
                    origin = downloading.origin_of(calls), normal(there.path)
            resync = self._resync(operation)
            if not inside and exists is None:
                return resync.down(target, there)
            written = Written(target.parent)
            same = operation.call(lambda: same_content(calls, [(target, there)]))
            if there.path in same and exists != "skip":
                self._clear(target, there, None)
                if inside:
                    written.note_origin(target, origin)
                return unchanged(there.path, target, there.size or 0, same[there.path])
            guard = _guard(calls, exists, written, there, origin=origin)
            return resync.down(target, there, follow=not inside, guard=guard)

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
        tree = trees.TreeUp(local, normal(remote), follow_symlinks)
        with self.api._operation(progress, cancel, deadline) as operation:
            calls = self.api._calls.watched(operation)
            there = operation.call(lambda: files_on_server(calls, tree.path))
            results = send_tree(calls, operation, tree, there, self._resync(operation), dry_run)
            if not dry_run:
                log_summary(local, results)
            return settle(results, operation)

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
        directory = target_path_of(local)
        if directory is None:
            raise UsageError(f"{local!r} is not a path")
        check_exists(exists)
        full = directory.absolute()  # the working directory may be another one later
        with self.api._operation(progress, cancel, deadline) as operation, contextlib.ExitStack() as stack:
            calls = self.api._calls.watched(operation)
            top = normal(remote)
            there = operation.call(lambda: files_on_server(calls, top, missing=False))
            given = [path[len(top.rstrip("/")) + 1 :] for path in there]
            root = None if dry_run else stack.enter_context(open_target(directory))
            names = paths_or_errors(given, directory=directory)
            pairs = [
                (directory / name, info)
                for name, info in zip(names, there.values())
                if not isinstance(name, UnsafeName)
            ]
            same = operation.call(lambda: same_content(calls, list(pairs)))
            resync = self._resync(operation)
            results = []
            taken = {folded(str(path)) for path, _ in pairs}
            known: Dict[Path, Written] = {}
            for name, own, info in zip(names, given, there.values()):
                if isinstance(name, UnsafeName):
                    results.append(FileResult(info.path, error=name, method="plain"))
                    continue
                path, size = directory / name, info.size or 0
                written = written_in(known, full / name.parent)
                origin = (downloading.origin_of(calls), normal(info.path)) if is_changed(own, name) else None
                guard = _guard(calls, exists, written, info, taken, origin)
                if info.path in same and exists != "skip":
                    if not dry_run:
                        self._clear(path, info, root)
                        written.note_origin(path, origin)
                    results.append(unchanged(info.path, path, size, same[info.path]))
                elif dry_run:
                    planned = functools.partial(self._planned_down, operation, path, info, guard)
                    results.append(tried(planned, info.path))
                else:
                    step = functools.partial(resync.down, path, info, follow=False, guard=guard, root=root)
                    results.append(tried(step, info.path))
            if not dry_run:
                log_summary(local, results)
            return settle(results, operation)

    def __repr__(self) -> str:
        return f"SyncClient({self.api!r})"

    # -- inside -----------------------------------------------------------------------------------------

    def _resync(self, operation: Operation) -> Resync:
        deltas = delta.available()
        if not deltas and not self._told:
            self._told = True
            log.info("there is no librsync on this machine: whole files are moved")
        return Resync(self.api._calls, operation, self.api._max_workers, deltas)

    def _clear(self, path: Path, info: Info, root: Optional[Directory]) -> None:
        """Remove what a broken run left of a file that needs nothing any more."""
        about = {"service": "smartfile", "api": self.api._calls.api, "path": info.path}
        FileSink(path, follow=False, root=root).clear(about)

    def _planned_down(self, operation: Operation, path: Path, info: Info, guard: Guard) -> FileResult:
        kept = operation.call(lambda: guard.before(path, info.size, {}))
        if kept is not None:
            return kept_result(info.path, kept)
        return planned(info.path, path, info.size or 0, info if path.is_file() else None)


def _guard(
    calls: Calls,
    exists: Exists,
    written: Written,
    info: Info,
    taken: Collection[str] = (),
    origin: Optional[Origin] = None,
) -> Guard:
    """What decides about an existing file."""

    def digest() -> Tuple[str, str]:
        return ALGORITHM, calls.checksums([info.path], ALGORITHM)[info.path]

    changed = downloading.changed(info)
    return Guard(exists, written, doubt=digest, changed=changed, taken=taken, origin=origin)


def _file(info: Optional[Info]) -> Optional[Info]:
    if info is not None and not info.isfile:
        raise UsageError(f"{info.path} is a directory on the server")
    return info
