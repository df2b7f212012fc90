"""Methods that all clients share: ``download``, ``download_many``, ``download_tree``.

Source: SmartFile protocol, section 5.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath

if TYPE_CHECKING:
    from smartxfer.smartfile.client_protocol import ClientProtocol
    from smartxfer.smartfile.models import Remote
    from smartxfer.transfer.existing_files import Exists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns
    from smartxfer.transfer.sink import SinkLike

__all__ = ["download", "download_many", "download_tree"]


def download(
    self: "ClientProtocol",
    source: "Remote",
    target: "SinkLike" = ".",
    *,
    exists: "Exists" = None,
    checksum: Optional[str] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Download a file; an interrupted download is resumed.

    :param source: path on the server, or its Info.
    :param target: a directory, a file name, an open binary file, or a sink.
    :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"``,
        ``"rename"`` (save under another name) or ``"newer"`` (replace if the server's file is newer; its time
        has no zone, so differences of less than a day are ambiguous).  With None, a file whose path is given
        is replaced; in a directory it is an error, unless an earlier run wrote its content.
    :param checksum: ``"md5"``, ``"sha256"``, ...: the server computes it first, and it is compared; without
        it, the size is compared.
    :return: the result; ``.skipped`` is the reason why an existing file was kept.
    :raises NotFound: the file does not exist.
    :raises TargetExists: the directory has a file of that name with other content.

    Otherwise like :meth:`upload`.  Source: SmartFile protocol, section 5.
    """
    from smartxfer.smartfile import download
    from smartxfer.smartfile.paths import as_path_text, normalize, split
    from smartxfer.transfer.directory_download import apply_existing_file_policy, get_renamed_origin
    from smartxfer.transfer.download import DownloadJob
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.safe_paths import safe_path
    from smartxfer.transfer.sink import get_target_directory, open_sink, validate_sink

    _validate_options(checksum, exists)
    as_path_text(source, hint="download('/folder/name', 'name')")
    validate_sink(target)
    with self._new_runner(progress, cancel, deadline) as runner:
        api = self._api.with_runner(runner)
        info = runner.run_one(functools.partial(api.stat, normalize(source)))
        if info.isdir and not info.isfile:
            raise UsageError(f"{info.path} is a directory", hint="use download_tree()")
        digest = runner.run_one(lambda: download.get_server_digest(api, info.path, checksum))
        sink = open_sink(target, safe_path(split(info.path)[1], get_target_directory(target)).name)
        runner.reporter.queue(info.path, info.size)
        spec = download.make_spec(api, info, sink, digest)
        origin = get_renamed_origin(sink, (download.get_origin(api), normalize(info.path)))
        spec = apply_existing_file_policy(
            spec, exists, mtime_range=download.get_modification_window(info), origin=origin
        )
        job = DownloadJob(spec, runner, self._max_workers)
        runner.run_jobs([job], 1)
        return raise_for_errors(download.attach_infos([job.result], [info]), runner)[0]


def download_many(
    self: "ClientProtocol",
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
    """Download several files into a directory concurrently.

    :param sources: one path on the server or several, or their Infos.  For an empty list, no request is sent.
    :param target: local directory, created if missing.
    :param max_workers: maximum number of concurrent files; None: the client's setting.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`download`.
    """
    from smartxfer.smartfile import download
    from smartxfer.smartfile.paths import normalize_all, split
    from smartxfer.transfer.result import TransferReport, raise_for_errors

    _validate_options(checksum, exists)
    paths, directory = normalize_all(sources), _local_path(target)
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        if not paths:
            return TransferReport()
        api = self._api.with_runner(runner)
        infos = runner.run_one(lambda: [api.stat(path) for path in paths])
        for info in infos:
            if info.isdir and not info.isfile:
                raise UsageError(f"{info.path} is a directory", hint="use download_tree()")
        files = [(split(info.path)[1], info) for info in infos]
        workers = max_workers or self._max_workers
        results = download.download_files(
            self._api, runner, files, directory, workers, checksum, exists, paths
        )
        return raise_for_errors(results, runner)


def download_tree(
    self: "ClientProtocol",
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
    """Download the contents of a directory, several files concurrently; an interrupted run is resumed.

    :param source: directory on the server; its contents, with empty directories, are saved in ``target``.
    :param target: local directory, created if missing; names from the server cannot leave it.
    :param exists: what to do about existing files with other content, as for :meth:`download`.
    :param include: glob patterns of the files to download, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are skipped.
    :param dry_run: download nothing; return the results of the files that would be downloaded.  Existing
        files are not considered.

    Otherwise like :meth:`download_many`.
    """
    from smartxfer.smartfile import download, trees
    from smartxfer.smartfile.paths import normalize
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.selection import Selection

    _validate_options(checksum, exists)
    path, directory, selection = normalize(source), _local_path(target), Selection(include, exclude)
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        api = self._api.with_runner(runner)
        files, folders = runner.run_one(lambda: trees.list_tree(api, path, selection))
        if dry_run:
            return raise_for_errors(download.plan_download(directory, files), runner)
        workers = max_workers or self._max_workers
        results = download.download_files(
            self._api, runner, files, directory, workers, checksum, exists, path, folders
        )
        return raise_for_errors(results, runner)


def _validate_options(checksum: Optional[str], exists: "Exists") -> None:
    from smartxfer.transfer.digest import new_hash
    from smartxfer.transfer.existing_files import validate_exists

    if checksum is not None:
        new_hash(checksum)
    validate_exists(exists)


def _local_path(target: Any) -> Path:
    from smartxfer.transfer.source import as_target_path

    path = as_target_path(target)
    if path is None:
        raise UsageError(f"target must be a path, not {target!r}", hint="pass the path of a local directory")
    return path
