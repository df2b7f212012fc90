"""Directories: what is below one, which ones are made, and whole ones on their way up.

Source: SmartFile protocol, section 5.
"""

import logging
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from smartxfer.errors import ClientError, UsageError
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.downloading import origin_of
from smartxfer.smartfile.errors import SmartFileNotFound
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import encoded, join, normal, split, storable
from smartxfer.smartfile.uploading import kept_files, send_files
from smartxfer.transfer.existing import UploadExists
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.renamed import Renamed
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.source import path_of
from smartxfer.transfer.tree import Item, directories, files_below

__all__ = ["TreeUp", "below", "make_directories", "walk"]

log = logging.getLogger("smartxfer.smartfile")


def walk(calls: Calls, path: str) -> Iterator[Tuple[str, List[Info], List[Info]]]:
    """(path, directories, files) of a directory and all below it, parents first."""
    waiting = [path]
    while waiting:
        here = waiting.pop()
        files: List[Info] = []
        inner: List[Info] = []
        for child in calls.children(here):
            # An archive can be looked into like a directory; it is a file.
            (files if child.isfile else inner).append(child)
        yield here, inner, files
        waiting += [child.path for child in reversed(inner)]


class TreeUp:
    """A local directory on its way to one on the server."""

    def __init__(
        self, directory: Any, path: str, follow_symlinks: bool, selection: Selection = EVERYTHING
    ) -> None:
        items = files_below(directory, follow_symlinks, selection)
        root = path_of(directory)
        assert root is not None
        self.root = root.absolute()
        self.path = path
        #: (file, its path on the server)
        self.pairs = [(item, join(path, item.name)) for item in items]
        needed = {step for item in items for step in _steps(item.name)}
        self.folders = [
            join(path, name)
            for name in directories(self.root, follow_symlinks, selection)
            if selection.takes(name) or f"/{name}" in needed
        ]
        #: Files that are not sent: (file, the path that it would have, why).
        self.skipped: List[Tuple[Item, str, str]] = []
        #: Paths of files on the server that have another name here.
        self.renamed: Set[str] = set()
        self._leave_out(lambda item, path: None if _can_be_sent(path, storable) else "name")
        self.folders = [path for path in self.folders if _can_be_sent(path, encoded)]

    def leave_renamed(self, calls: Calls, stands: Callable[[str], bool]) -> None:
        """Leave out files that a download from there gave another name.

        :param stands: tells whether a file of a path is on the server.
        """
        inside = join(self.path, "x")[:-1]
        renamed = Renamed(origin_of(calls), lambda path: path.startswith(inside) and stands(path))

        def reason_of(item: Item, path: str) -> Optional[str]:
            original = renamed.original(item, path)
            if original is None:
                return None
            self.renamed.add(original)
            return "renamed"

        self._leave_out(reason_of)

    def _leave_out(self, reason_of: Callable[[Item, str], Optional[str]]) -> None:
        """Leave out files for a reason, and directories that hold nothing else."""
        kept, left = [], []
        for item, path in self.pairs:
            reason = reason_of(item, path)
            if reason is None:
                kept.append((item, path))
            else:
                left.append((item, path, reason))
        if not left:
            return
        needed = _above(path for _, path in kept)
        useless = _above(path for _, path, _ in left) - needed
        self.pairs, self.skipped = kept, [*self.skipped, *left]
        self.folders = [path for path in self.folders if path not in useless]

    def plan(self, calls: Calls, operation: Operation, exists: UploadExists) -> List[FileResult]:
        """Return what :meth:`run` would do, and send nothing."""
        watched = calls.watched(operation)
        operation.call(lambda: self.leave_renamed(calls, lambda path: watched.find(path) is not None))
        kept = operation.call(lambda: kept_files(watched, self.pairs, exists))
        planned = [kept.get(path) or FileResult(path, item.path, item.size) for item, path in self.pairs]
        return planned + self._left()

    def run(
        self,
        calls: Calls,
        operation: Operation,
        account: str,
        at_once: int,
        checksum: Optional[str],
        exists: UploadExists = None,
    ) -> List[FileResult]:
        """Make the directories, send the files; the results, in the order of the files."""
        key = {
            "service": "smartfile",
            "api": calls.api,
            "account": account,
            "path": self.path,
            "tree": str(self.root),
        }
        with Journal(key, f"{self.root} to {self.path}", clock=calls.clock) as journal:
            watched = calls.watched(operation)
            operation.call(lambda: self.leave_renamed(calls, lambda path: watched.find(path) is not None))
            sent = operation.call(lambda: self._sent(watched, journal))
            unsent = [(item, path) for item, path in self.pairs if path not in sent]
            sent.update(operation.call(lambda: kept_files(watched, unsent, exists)))
            operation.call(lambda: make_directories(watched, [self.path, *self.folders]))
            missing = [(item, path) for item, path in self.pairs if path not in sent]
            results = send_files(calls, operation, missing, at_once, checksum, journal)
            by_path = {result.name: result for result in results}
            ordered = [sent.get(path) or by_path[path] for _, path in self.pairs]
            if all(result.ok for result in ordered):
                journal.forget()
            return ordered + self._left()

    def _left(self) -> List[FileResult]:
        """Results of the files that are not sent."""
        return [FileResult(path, item.path, item.size, skipped=why) for item, path, why in self.skipped]

    def _sent(self, calls: Calls, journal: Journal) -> Dict[str, FileResult]:
        """Results of an earlier run, for files that still are as it left them, here and there."""
        noted = {
            path: item
            for item, path in self.pairs
            if item.resumable and journal.state.get(path) == [item.size, item.mtime_ns]
        }
        if not noted:
            return {}
        there = {info.path: info.size for _, _, files in walk(calls, self.path) for info in files}
        return {
            path: FileResult(path, item.path, item.size, verified="size", resumed=item.size)
            for path, item in noted.items()
            if there.get(path) == item.size
        }


def _above(paths: Iterable[str]) -> Set[str]:
    """The directories that lead to paths."""
    return {step for path in paths for step in _steps(split(path)[0])}


def _can_be_sent(path: str, check: Callable[[str], str]) -> bool:
    """Tell whether a request can name a path; the log says which cannot."""
    try:
        check(path)
    except UsageError as error:
        log.warning("%r is skipped: %s", path, error.summary)
        return False
    return True


def make_directories(calls: Calls, paths: List[str]) -> None:
    """Make the directories that are missing, parents first; what is there is left as it is."""
    known = {"/"}
    fresh = set()
    for path in paths:
        for step in _steps(path):
            if step in known:
                continue
            known.add(step)
            parent = split(step)[0]
            if parent in fresh or calls.find(step) is None:
                _make(calls, step)
                fresh.add(step)


def _steps(path: str) -> List[str]:
    """A path and its parents, from the top.

    >>> _steps("/a/b")
    ['/a', '/a/b']
    """
    names = path.strip("/").split("/")
    return ["/" + "/".join(names[: count + 1]) for count in range(len(names)) if names[count]]


def _make(calls: Calls, path: str) -> None:
    try:
        calls.mkdir(path)
    except ClientError:
        found = calls.find(path)
        if found is None or not found.isdir:
            raise
        log.debug("%s was made by somebody else", path)


def below(
    calls: Calls, path: str, selection: Selection = EVERYTHING
) -> Tuple[List[Tuple[str, Info]], List[str]]:
    """The files in a directory on the server by their relative names, and the names of its directories."""
    levels = list(walk(calls, path))
    files = [(_below(info.path, path), info) for _, _, found in levels for info in found]
    files = [(name, info) for name, info in files if selection.takes(name)]
    needed = _above(f"/{name}" for name, _ in files)
    folders = [_below(info.path, path) for _, found, _ in levels for info in found]
    meant = [name for name in folders if selection.takes(name) or f"/{name}" in needed]
    return files, meant


def _below(path: str, root: str) -> str:
    """A path relative to a directory above it.

    :raises NotFound: it does not lie below: what the server lists is not what it was asked for.
    """
    full = normal(path)
    prefix = root.rstrip("/") + "/"
    if not full.startswith(prefix):
        raise SmartFileNotFound(f"{full} does not lie below {root}")
    return full[len(prefix) :]
