"""Several files into one directory: safe names; what an earlier, broken run has completed is left alone."""

import contextlib
import logging
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, Tuple, Union

import attrs

from smartxfer.directories import Directory, lstat
from smartxfer.errors import LocalError, UnsafeName
from smartxfer.local_errors import local_error
from smartxfer.transfer.download import Download, DownloadJob
from smartxfer.transfer.existing import Exists, Guard
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.name_rules import Rules, rules_of
from smartxfer.transfer.names import folded, is_changed, paths_or_errors, safe_path
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.sink import FileSink
from smartxfer.transfer.written import Origin, Written, written_in

__all__ = ["Wanted", "fetch_into", "guard", "open_target", "renamed_from"]

log = logging.getLogger("smartxfer.transfer")


@attrs.frozen
class Wanted:
    """One file of several.

    :param key: what tells it from the others in the journal, and from an earlier state of itself.
    :param name: the server's name for it, relative to the directory.
    :param size: bytes, or None where the service cannot say.
    :param describe: the download of it, given a sink.
    :param changed: when it changed on the server, as :class:`~smartxfer.transfer.existing.Guard` takes it.
    :param immutable: whether an object of one identity has the same bytes for ever.
    :param origin: the service and the file's name there; None where directories are not sent back.
    """

    key: str
    name: str
    size: Optional[int]
    describe: Callable[[Sink], Download]
    changed: Optional[Tuple[float, float]] = None
    immutable: bool = False
    origin: Optional[Origin] = None


def guard(
    download: Download,
    exists: Exists,
    written: Optional[Written] = None,
    *,
    changed: Optional[Tuple[float, float]] = None,
    immutable: bool = False,
    taken: Collection[str] = (),
    origin: Optional[Origin] = None,
) -> Download:
    """Have a download look at existing files, where a server chose its name or ``exists`` is given.

    :param written: what earlier runs wrote into the directory.
    """
    sink = download.sink
    if isinstance(sink, FileSink) and (exists is not None or not sink.explicit):
        sink.guard = Guard(
            exists,
            written or Written(sink.path.parent),
            digest=download.digest,
            doubt=download.doubt,
            changed=changed,
            immutable=immutable,
            taken=taken,
            origin=origin,
        )
    return download


def renamed_from(sink: Any, origin: Origin) -> Optional[Origin]:
    """Return where a single file comes from, if it gets another name in a directory; None if it does not.

    A name that the caller gives is no other name: the file is meant to be called so.
    """
    if not isinstance(sink, FileSink) or sink.explicit:
        return None
    name = origin[1].rpartition("/")[2]
    return origin if is_changed(name, PurePosixPath(sink.path.name)) else None


def fetch_into(
    directory: Path,
    files: Sequence[Wanted],
    identity: Dict[str, Any],
    operation: Operation,
    at_once: int,
    width: int,
    *,
    exists: Exists = None,
    hidden: bool = True,
    explicit: bool = False,
    folders: Sequence[str] = (),
) -> List[FileResult]:
    """Fetch the files to safe names below ``directory``; the results, failed ones included.

    A directory that cannot be made has a result of its own, unless a file in it has one.

    :param directory: made if missing.
    :param identity: what tells this set of files from any other.
    :param at_once: files at a time.
    :param width: pieces of one file at a time.
    :param exists: what to do about existing files.
    :param hidden: False replaces leading dots of names.
    :param explicit: whether the caller chose the names, so that existing files are replaced.
    :param folders: the server's names of directories that are made, whether there are files in them or not.
    """
    full = directory.absolute()  # the working directory may be another one later
    key = {**identity, "into": str(full)}
    with open_target(directory) as root, Journal(key, str(directory)) as journal:
        paths = paths_or_errors([file.name for file in files], hidden or explicit, directory)
        taken = {folded(str(directory / path)) for path in paths if isinstance(path, PurePosixPath)}
        written: Dict[Path, Written] = {}

        def entry_of(file: Wanted, relative: Union[PurePosixPath, UnsafeName]) -> Any:
            if isinstance(relative, UnsafeName):
                raise relative
            path = directory / relative
            changed = is_changed(file.name, relative)
            if changed:
                log.info("%s is saved as %s", file.name, path)
            download = guard(
                file.describe(FileSink(path, follow=explicit, root=root)),
                exists,
                written_in(written, full / relative.parent),
                changed=file.changed,
                immutable=file.immutable,
                taken=taken,
                origin=file.origin if changed else None,
            )
            earlier = _completed(journal, file, download.name, root, relative)
            return earlier or _job(file, download, journal, operation, width, root, relative.parent)

        entries: List[Any] = []
        for file, relative in zip(files, paths):
            try:
                entries.append(entry_of(file, relative))
            except LocalError as failure:
                entries.append(FileResult(file.name, error=failure))
        operation.run([entry for entry in entries if isinstance(entry, DownloadJob)], at_once)
        results = [entry.result if isinstance(entry, DownloadJob) else entry for entry in entries]
        failed = [file.name for file, result in zip(files, results) if not result.ok]
        rules = rules_of(directory, folders)
        for name in folders:
            error = _make_folder(root, name, rules)
            if error is not None and not any(one.startswith(f"{name}/") for one in failed):
                results.append(FileResult(name, error=error))
        if all(result.ok for result in results):
            journal.forget()
        return results


def open_target(directory: Path) -> Directory:
    """Open a directory that the caller named, and make it if it is missing; symbolic links are followed.

    :raises LocalError: it cannot be made or opened.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return Directory(directory)
    except OSError as error:
        raise local_error(error, directory) from None


def _make_folder(root: Directory, name: str, rules: Rules) -> Optional[LocalError]:
    """Make a directory, an empty one too; what prevented that.

    One whose name has to be changed is made for its files alone: sent back, it would be another directory.
    """
    try:
        relative = safe_path(name, rules=rules)
        if is_changed(name, relative):
            log.info("the directory %s is not made: its name cannot be kept", name)
        else:
            root.below(relative, make=True).close()
    except OSError as error:
        return local_error(error, root.path / name)
    return None


def _job(
    file: Wanted,
    download: Download,
    journal: Journal,
    operation: Operation,
    width: int,
    root: Directory,
    folder: PurePosixPath,
) -> DownloadJob:
    def note() -> None:
        sink: Any = download.sink
        if sink.kept is not None and sink.kept.skipped != "identical":
            return  # the name has other content
        path: Path = sink.path if sink.kept is None else sink.kept.path
        with root.below(folder) as inner:
            found = lstat(inner.at(path.name))
        journal.note_soon(**{file.key: [str(path), found.st_size, found.st_mtime_ns]})

    operation.reporter.queue(download.name, file.size)
    return DownloadJob(attrs.evolve(download, note=note), operation, width)


def _completed(
    journal: Journal, file: Wanted, name: str, root: Directory, relative: PurePosixPath
) -> Optional[FileResult]:
    """The result of an earlier run, if the file still stands as that run left it."""
    noted = journal.state.get(file.key)
    if noted is None:
        return None
    path = root.path / relative
    with contextlib.suppress(OSError), root.below(relative.parent) as inner:
        found = lstat(inner.at(relative.name))
        same = noted == [str(path), found.st_size, found.st_mtime_ns]
        if same and file.size in (None, found.st_size):
            return FileResult(name, path, found.st_size, verified="size", resumed=found.st_size)
    return None
