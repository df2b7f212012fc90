"""The verbs that all clients share, as methods: ``download``, ``download_many``, ``download_tree``.

Source: SmartFile protocol, section 5.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from smartxfer.errors import UsageError
from smartxfer.system_text import FilePath

if TYPE_CHECKING:
    from smartxfer.smartfile.account import Account
    from smartxfer.smartfile.models import Remote
    from smartxfer.transfer.existing import Exists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns
    from smartxfer.transfer.sink import SinkLike

__all__ = ["download", "download_many", "download_tree"]


def download(
    self: "Account",
    source: "Remote",
    target: "SinkLike" = ".",
    *,
    exists: "Exists" = None,
    checksum: Optional[str] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Fetch a file; a broken run is continued.

    :param source: path on the server, or the Info of it.
    :param target: a directory, a file name, an open binary file, or a sink.
    :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"``,
        ``"rename"`` (save under another name) or ``"newer"`` (replace if the server's file is newer; its time
        has no zone, so that differences of less than a day are unknown).  None replaces the file of a path
        that you give; in a directory it is an error, unless an earlier run wrote its content.
    :param checksum: ``"md5"``, ``"sha256"``, ...: has the server reckon it first, and compares; without, the
        size is compared.
    :return: what became of the file; of a kept one ``.skipped`` says why.
    :raises NotFound: there is no such file.
    :raises TargetExists: the directory has a file of that name with other content.

    Otherwise like :meth:`upload`.  Source: SmartFile protocol, section 5.
    """
    from smartxfer.smartfile import downloading
    from smartxfer.smartfile.paths import normal, path_text, split
    from smartxfer.transfer.download import DownloadJob
    from smartxfer.transfer.into import guard, renamed_from
    from smartxfer.transfer.names import safe_path
    from smartxfer.transfer.result import settle
    from smartxfer.transfer.sink import check_sink, directory_of, open_sink

    _check(checksum, exists)
    path_text(source, hint="download('/folder/name', 'name')")
    check_sink(target)
    with self._operation(progress, cancel, deadline) as operation:
        calls = self._calls.watched(operation)
        info = operation.call(functools.partial(calls.stat, normal(source)))
        if info.isdir and not info.isfile:
            raise UsageError(f"{info.path} is a directory", hint="download_tree() fetches it")
        digest = operation.call(lambda: downloading.digest_of(calls, info.path, checksum))
        sink = open_sink(target, safe_path(split(info.path)[1], directory_of(target)).name)
        operation.reporter.queue(info.path, info.size)
        wanted = downloading.describe(calls, info, sink, digest)
        origin = renamed_from(sink, (downloading.origin_of(calls), normal(info.path)))
        guarded = guard(wanted, exists, changed=downloading.changed(info), origin=origin)
        job = DownloadJob(guarded, operation, self._max_workers)
        operation.run([job], 1)
        return settle(downloading.with_items([job.result], [info]), operation)[0]


def download_many(
    self: "Account",
    sources: "Union[Remote, Sequence[Remote]]",
    target: FilePath = ".",
    *,
    exists: "Exists" = None,
    checksum: Optional[str] = None,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Fetch several files into a directory, several at a time.

    :param sources: one path on the server or several, or their Infos.  For an empty list nothing is asked.
    :param target: local directory, made if missing.
    :param max_workers: files at a time; None: as many as the client is set to.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; ``.results`` tells which.

    Otherwise like :meth:`download`.
    """
    from smartxfer.smartfile import downloading
    from smartxfer.smartfile.paths import all_paths, split
    from smartxfer.transfer.result import TransferReport, settle

    _check(checksum, exists)
    paths, directory = all_paths(sources), _local(target)
    with self._operation(progress, cancel, deadline, max_workers) as operation:
        if not paths:
            return TransferReport()
        calls = self._calls.watched(operation)
        infos = operation.call(lambda: [calls.stat(path) for path in paths])
        for info in infos:
            if info.isdir and not info.isfile:
                raise UsageError(f"{info.path} is a directory", hint="download_tree() fetches it")
        files = [(split(info.path)[1], info) for info in infos]
        at_once = max_workers or self._max_workers
        got = downloading.fetch_files(
            self._calls, operation, files, directory, at_once, checksum, exists, paths
        )
        return settle(got, operation)


def download_tree(
    self: "Account",
    source: "Remote",
    target: FilePath = ".",
    *,
    exists: "Exists" = None,
    checksum: Optional[str] = None,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Fetch what is in a directory, several files at a time; a broken run is continued.

    :param source: directory on the server; what is in it, empty directories too, comes below ``target``.
    :param target: local directory, made if missing; names from the server cannot leave it.
    :param exists: what to do about existing files with other content, as for :meth:`download`.
    :param include: glob patterns of the files that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are left out.
    :param dry_run: fetch nothing; the results tell what would be fetched.  Existing files are not looked at.

    Otherwise like :meth:`download_many`.
    """
    from smartxfer.smartfile import downloading, trees
    from smartxfer.smartfile.paths import normal
    from smartxfer.transfer.result import settle
    from smartxfer.transfer.selection import Selection

    _check(checksum, exists)
    path, directory, selection = normal(source), _local(target), Selection(include, exclude)
    with self._operation(progress, cancel, deadline, max_workers) as operation:
        calls = self._calls.watched(operation)
        files, folders = operation.call(lambda: trees.below(calls, path, selection))
        if dry_run:
            return settle(downloading.plan_of(directory, files), operation)
        at_once = max_workers or self._max_workers
        got = downloading.fetch_files(
            self._calls, operation, files, directory, at_once, checksum, exists, path, folders
        )
        return settle(got, operation)


def _check(checksum: Optional[str], exists: "Exists") -> None:
    from smartxfer.transfer.digest import new_hash
    from smartxfer.transfer.existing import check_exists

    if checksum is not None:
        new_hash(checksum)
    check_exists(exists)


def _local(target: Any) -> Path:
    from smartxfer.transfer.source import target_path_of

    path = target_path_of(target)
    if path is None:
        raise UsageError(f"{target!r} is not a path")
    return path
