"""Several files into one directory: safe names; what an earlier, broken run has completed is left alone."""

import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import attrs

from smartxfer.transfer.disk import local_error
from smartxfer.transfer.download import Download, DownloadLane
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.names import distinct_paths, resolve_inside
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.sink import FileSink

__all__ = ["Wanted", "fetch_into"]


@attrs.frozen
class Wanted:
    """One file of several.

    :param key: what tells it from the others in the journal, and from an earlier state of itself.
    :param name: the server's name for it, relative to the directory.
    :param size: bytes, or None where the service cannot say.
    :param describe: the download of it, given a sink.
    """

    key: str
    name: str
    size: Optional[int]
    describe: Callable[[Sink], Download]


def fetch_into(
    directory: Path,
    files: Sequence[Wanted],
    identity: Dict[str, Any],
    operation: Operation,
    at_once: int,
    width: int,
) -> List[FileResult]:
    """Fetch the files to safe names below ``directory``; the results, failed ones included.

    :param directory: made if missing.
    :param identity: what tells this set of files from any other.
    :param at_once: files at a time.
    :param width: pieces of one file at a time.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise local_error(error, directory) from None
    with Journal({**identity, "into": str(directory.absolute())}, str(directory)) as journal:
        entries: List[Any] = []
        for file, relative in zip(files, distinct_paths([file.name for file in files])):
            path = resolve_inside(directory, relative)
            download = file.describe(FileSink(path, follow=False))
            earlier = _completed(journal, file, download.name, path)
            entries.append(earlier or _lane(file, download, path, journal, operation, width))
        operation.run([entry for entry in entries if isinstance(entry, DownloadLane)], at_once)
        results = [entry.result if isinstance(entry, DownloadLane) else entry for entry in entries]
        if all(result.ok for result in results):
            journal.forget()
        return results


def _lane(
    file: Wanted, download: Download, path: Path, journal: Journal, operation: Operation, width: int
) -> DownloadLane:
    def note() -> None:
        found = path.stat()
        journal.note_soon(**{file.key: [str(path), found.st_size, found.st_mtime_ns]})

    operation.reporter.queue(download.name, file.size)
    return DownloadLane(attrs.evolve(download, note=note), operation, width)


def _completed(journal: Journal, file: Wanted, name: str, path: Path) -> Optional[FileResult]:
    """The result of an earlier run, if the file still stands as that run left it."""
    noted = journal.state.get(file.key)
    with contextlib.suppress(OSError):
        found = os.stat(str(path))
        same = noted == [str(path), found.st_size, found.st_mtime_ns]
        if same and file.size in (None, found.st_size):
            return FileResult(name, path, found.st_size, verified="size", resumed=found.st_size)
    return None
