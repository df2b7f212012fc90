"""Download of several files to one directory, with safe names; complete files of an earlier run are kept."""

import contextlib
import logging
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, Tuple, Union

import attrs

from smartxfer.directories import Directory, lstat
from smartxfer.errors import LocalError, UnsafeName
from smartxfer.local_errors import wrap_os_error
from smartxfer.transfer.download import DownloadJob, DownloadSpec
from smartxfer.transfer.download_history import DownloadHistory, Origin, get_download_history
from smartxfer.transfer.existing_files import ExistingFilePolicy, Exists
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.name_rules import NameRules, detect_name_rules
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.safe_paths import fold_name, is_renamed, safe_path, unique_paths_or_errors
from smartxfer.transfer.sink import FileSink

__all__ = [
    "RemoteFile",
    "apply_existing_file_policy",
    "download_to_directory",
    "get_renamed_origin",
    "open_target_directory",
]

log = logging.getLogger("smartxfer.transfer")


@attrs.frozen
class RemoteFile:
    """One of several files to download.

    :param key: identifies the file and its version in the journal.
    :param name: name on the server, relative to the directory.
    :param size: bytes, or None if the service does not publish the size.
    :param make_spec: returns the download for a sink.
    :param mtime_range: when the file changed on the server, as for
        :class:`~smartxfer.transfer.existing_files.ExistingFilePolicy`.
    :param immutable: whether an object with one identity always has the same bytes.
    :param origin: the service and the file's name there; None if the service cannot upload directories.
    """

    key: str
    name: str
    size: Optional[int]
    make_spec: Callable[[Sink], DownloadSpec]
    mtime_range: Optional[Tuple[float, float]] = None
    immutable: bool = False
    origin: Optional[Origin] = None


def apply_existing_file_policy(
    spec: DownloadSpec,
    exists: Exists,
    history: Optional[DownloadHistory] = None,
    *,
    mtime_range: Optional[Tuple[float, float]] = None,
    immutable: bool = False,
    reserved_names: Collection[str] = (),
    origin: Optional[Origin] = None,
) -> DownloadSpec:
    """Add a policy for existing files to a download if a server chose its name, or if ``exists`` is not None.

    :param history: what earlier runs wrote to the directory.
    """
    sink = spec.sink
    if isinstance(sink, FileSink) and (exists is not None or not sink.explicit):
        sink.existing_file_policy = ExistingFilePolicy(
            exists,
            history or DownloadHistory(sink.path.parent),
            digest=spec.digest,
            fetch_digest=spec.fetch_digest,
            mtime_range=mtime_range,
            immutable=immutable,
            reserved_names=reserved_names,
            origin=origin,
        )
    return spec


def get_renamed_origin(sink: Any, origin: Origin) -> Optional[Origin]:
    """Return the origin of a single file that gets another name in a directory; None if it keeps its name.

    A name that the caller chose does not count as another name.
    """
    if not isinstance(sink, FileSink) or sink.explicit:
        return None
    name = origin[1].rpartition("/")[2]
    return origin if is_renamed(name, PurePosixPath(sink.path.name)) else None


def download_to_directory(
    directory: Path,
    files: Sequence[RemoteFile],
    identity: Dict[str, Any],
    runner: TransferRunner,
    max_files: int,
    max_ranges: int,
    *,
    exists: Exists = None,
    hidden: bool = True,
    explicit: bool = False,
    subdirectories: Sequence[str] = (),
) -> List[FileResult]:
    """Download the files to safe names below ``directory``; return all results, including failed ones.

    A subdirectory that cannot be created has a result of its own, unless a file in it failed.

    :param directory: created if it is missing.
    :param identity: identifies this set of files.
    :param max_files: maximum number of concurrent files.
    :param max_ranges: maximum number of concurrent ranges of one file.
    :param exists: what to do about existing files.
    :param hidden: False replaces leading dots of names.
    :param explicit: whether the caller chose the names, so that existing files are replaced.
    :param subdirectories: names on the server of directories that are created even if they are empty.
    """
    full = directory.absolute()  # the working directory may change later
    key = {**identity, "into": str(full)}
    with open_target_directory(directory) as root, Journal(key, str(directory)) as journal:
        paths = unique_paths_or_errors([file.name for file in files], hidden or explicit, directory)
        reserved = {fold_name(str(directory / path)) for path in paths if isinstance(path, PurePosixPath)}
        histories: Dict[Path, DownloadHistory] = {}

        def build_job_or_result(file: RemoteFile, relative: Union[PurePosixPath, UnsafeName]) -> Any:
            if isinstance(relative, UnsafeName):
                raise relative
            path = directory / relative
            renamed = is_renamed(file.name, relative)
            if renamed:
                log.info("%s is saved as %s", file.name, path)
            download = apply_existing_file_policy(
                file.make_spec(FileSink(path, follow=explicit, root=root)),
                exists,
                get_download_history(histories, full / relative.parent),
                mtime_range=file.mtime_range,
                immutable=file.immutable,
                reserved_names=reserved,
                origin=file.origin if renamed else None,
            )
            earlier = _get_completed_result(journal, file, download.name, root, relative)
            return earlier or _build_job(file, download, journal, runner, max_ranges, root, relative.parent)

        entries: List[Any] = []
        for file, relative in zip(files, paths):
            try:
                entries.append(build_job_or_result(file, relative))
            except LocalError as failure:
                entries.append(FileResult(file.name, error=failure))
        runner.run_jobs([entry for entry in entries if isinstance(entry, DownloadJob)], max_files)
        results = [entry.result if isinstance(entry, DownloadJob) else entry for entry in entries]
        failed = [file.name for file, result in zip(files, results) if not result.ok]
        rules = detect_name_rules(directory, subdirectories)
        for name in subdirectories:
            error = _make_subdirectory(root, name, rules)
            if error is not None and not any(failed_name.startswith(f"{name}/") for failed_name in failed):
                results.append(FileResult(name, error=error))
        if all(result.ok for result in results):
            journal.clear()
        return results


def open_target_directory(directory: Path) -> Directory:
    """Open a directory that the caller chose, and create it if it is missing; symbolic links are followed.

    :raises LocalError: it cannot be created or opened.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return Directory(directory)
    except OSError as error:
        raise wrap_os_error(error, directory) from None


def _make_subdirectory(root: Directory, name: str, rules: NameRules) -> Optional[LocalError]:
    """Create a directory, which may stay empty; return the error if that fails.

    A directory whose name must be changed is created only if it has files, because a later upload would send
    it as another directory.
    """
    try:
        relative = safe_path(name, rules=rules)
        if is_renamed(name, relative):
            log.info("the empty directory %s is not created: its name must be changed", name)
        else:
            root.open_descendant(relative, create=True).close()
    except OSError as error:
        return wrap_os_error(error, root.path / name)
    return None


def _build_job(
    file: RemoteFile,
    spec: DownloadSpec,
    journal: Journal,
    runner: TransferRunner,
    max_ranges: int,
    root: Directory,
    folder: PurePosixPath,
) -> DownloadJob:
    def record_completion() -> None:
        sink: Any = spec.sink
        if sink.retained_file is not None and sink.retained_file.skipped != "identical":
            return  # the existing file has other content
        path: Path = sink.path if sink.retained_file is None else sink.retained_file.path
        with root.open_descendant(folder) as inner:
            stat_result = lstat(inner.entry(path.name))
        journal.update_lazily(**{file.key: [str(path), stat_result.st_size, stat_result.st_mtime_ns]})

    runner.reporter.queue(spec.name, file.size)
    return DownloadJob(attrs.evolve(spec, on_complete=record_completion), runner, max_ranges)


def _get_completed_result(
    journal: Journal, file: RemoteFile, name: str, root: Directory, relative: PurePosixPath
) -> Optional[FileResult]:
    """Return the result of an earlier run if the file is unchanged since then, else None."""
    recorded = journal.state.get(file.key)
    if recorded is None:
        return None
    path = root.path / relative
    with contextlib.suppress(OSError), root.open_descendant(relative.parent) as inner:
        stat_result = lstat(inner.entry(relative.name))
        same = recorded == [str(path), stat_result.st_size, stat_result.st_mtime_ns]
        if same and file.size in (None, stat_result.st_size):
            return FileResult(name, path, stat_result.st_size, verified="size", resumed=stat_result.st_size)
    return None
