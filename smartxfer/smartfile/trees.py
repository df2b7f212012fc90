"""Directories: what is below one, which ones are made, and whole ones on their way up.

Source: SmartFile protocol, section 5.
"""

import logging
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from smartxfer.errors import ClientError, UsageError
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.download import get_origin
from smartxfer.smartfile.errors import SmartFileNotFound
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import join, normalize, quote_path, split, validate_upload_path
from smartxfer.smartfile.upload import skip_existing, upload_files
from smartxfer.transfer.existing_files import UploadExists
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.local_files import LocalFile, collect_directory_files, list_directories
from smartxfer.transfer.renamed_files import RenamedFiles
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.source import as_source_path

__all__ = ["TreeUpload", "list_tree", "make_directories", "walk"]

log = logging.getLogger("smartxfer.smartfile")


def walk(api: SmartFileApi, path: str) -> Iterator[Tuple[str, List[Info], List[Info]]]:
    """(path, directories, files) of a directory and all below it, parents first."""
    waiting = [path]
    while waiting:
        here = waiting.pop()
        files: List[Info] = []
        inner: List[Info] = []
        for child in api.iter_directory(here):
            # An archive can be looked into like a directory; it is a file.
            (files if child.isfile else inner).append(child)
        yield here, inner, files
        waiting += [child.path for child in reversed(inner)]


class TreeUpload:
    """A local directory on its way to one on the server."""

    def __init__(
        self, directory: Any, path: str, follow_symlinks: bool, selection: Selection = EVERYTHING
    ) -> None:
        items = collect_directory_files(directory, follow_symlinks, selection)
        root = as_source_path(directory)
        assert root is not None
        self.local_root = root.absolute()
        self.path = path
        #: (file, its path on the server)
        self.pairs = [(item, join(path, item.name)) for item in items]
        needed = {step for item in items for step in _path_with_ancestors(item.name)}
        self.directories = [
            join(path, name)
            for name in list_directories(self.local_root, follow_symlinks, selection)
            if selection.includes(name) or f"/{name}" in needed
        ]
        #: Files that are not sent: (file, the path that it would have, why).
        self.skipped: List[Tuple[LocalFile, str, str]] = []
        #: Paths of files on the server that have another name here.
        self.renamed: Set[str] = set()
        self._skip_files(lambda item, path: None if _is_valid_path(path, validate_upload_path) else "name")
        self.directories = [path for path in self.directories if _is_valid_path(path, quote_path)]

    def skip_renamed(self, api: SmartFileApi, exists_on_server: Callable[[str], bool]) -> None:
        """Leave out files that a download from there gave another name.

        :param exists_on_server: tells whether a file of a path is on the server.
        """
        inside = join(self.path, "x")[:-1]
        renamed = RenamedFiles(
            get_origin(api), lambda path: path.startswith(inside) and exists_on_server(path)
        )

        def reason_of(item: LocalFile, path: str) -> Optional[str]:
            original = renamed.get_remote_name(item, path)
            if original is None:
                return None
            self.renamed.add(original)
            return "renamed"

        self._skip_files(reason_of)

    def _skip_files(self, get_skip_reason: Callable[[LocalFile, str], Optional[str]]) -> None:
        """Leave out files for a reason, and directories that hold nothing else."""
        kept, left = [], []
        for item, path in self.pairs:
            reason = get_skip_reason(item, path)
            if reason is None:
                kept.append((item, path))
            else:
                left.append((item, path, reason))
        if not left:
            return
        needed = _parent_directories(path for _, path in kept)
        useless = _parent_directories(path for _, path, _ in left) - needed
        self.pairs, self.skipped = kept, [*self.skipped, *left]
        self.directories = [path for path in self.directories if path not in useless]

    def plan(self, api: SmartFileApi, runner: TransferRunner, exists: UploadExists) -> List[FileResult]:
        """Return what :meth:`run` would do, and send nothing."""
        watched = api.with_runner(runner)
        runner.run_one(lambda: self.skip_renamed(api, lambda path: watched.find(path) is not None))
        kept = runner.run_one(lambda: skip_existing(watched, self.pairs, exists))
        planned = [kept.get(path) or FileResult(path, item.path, item.size) for item, path in self.pairs]
        return planned + self._skipped_results()

    def run(
        self,
        api: SmartFileApi,
        runner: TransferRunner,
        account_id: str,
        max_workers: int,
        checksum: Optional[str],
        exists: UploadExists = None,
    ) -> List[FileResult]:
        """Make the directories, send the files; the results, in the order of the files."""
        key = {
            "service": "smartfile",
            "api": api.api_url,
            "account": account_id,
            "path": self.path,
            "tree": str(self.local_root),
        }
        with Journal(key, f"{self.local_root} to {self.path}", clock=api.clock) as journal:
            watched = api.with_runner(runner)
            runner.run_one(lambda: self.skip_renamed(api, lambda path: watched.find(path) is not None))
            sent = runner.run_one(lambda: self._load_earlier_results(watched, journal))
            unsent = [(item, path) for item, path in self.pairs if path not in sent]
            sent.update(runner.run_one(lambda: skip_existing(watched, unsent, exists)))
            runner.run_one(lambda: make_directories(watched, [self.path, *self.directories]))
            missing = [(item, path) for item, path in self.pairs if path not in sent]
            results = upload_files(api, runner, missing, max_workers, checksum, journal)
            by_path = {result.name: result for result in results}
            ordered = [sent.get(path) or by_path[path] for _, path in self.pairs]
            if all(result.ok for result in ordered):
                journal.clear()
            return ordered + self._skipped_results()

    def _skipped_results(self) -> List[FileResult]:
        """Results of the files that are not sent."""
        return [FileResult(path, item.path, item.size, skipped=why) for item, path, why in self.skipped]

    def _load_earlier_results(self, api: SmartFileApi, journal: Journal) -> Dict[str, FileResult]:
        """Results of an earlier run, for files that still are as it left them, here and there."""
        noted = {
            path: item
            for item, path in self.pairs
            if item.resumable and journal.state.get(path) == [item.size, item.mtime_ns]
        }
        if not noted:
            return {}
        there = {info.path: info.size for _, _, files in walk(api, self.path) for info in files}
        return {
            path: FileResult(path, item.path, item.size, verified="size", resumed=item.size)
            for path, item in noted.items()
            if there.get(path) == item.size
        }


def _parent_directories(paths: Iterable[str]) -> Set[str]:
    """The directories that lead to paths."""
    return {step for path in paths for step in _path_with_ancestors(split(path)[0])}


def _is_valid_path(path: str, validate: Callable[[str], str]) -> bool:
    """Tell whether a request can name a path; the log says which cannot."""
    try:
        validate(path)
    except UsageError as error:
        log.warning("%r is skipped: %s", path, error.summary)
        return False
    return True


def make_directories(api: SmartFileApi, paths: List[str]) -> None:
    """Make the directories that are missing, parents first; what is there is left as it is."""
    known = {"/"}
    fresh = set()
    for path in paths:
        for step in _path_with_ancestors(path):
            if step in known:
                continue
            known.add(step)
            parent = split(step)[0]
            if parent in fresh or api.find(step) is None:
                _make_directory(api, step)
                fresh.add(step)


def _path_with_ancestors(path: str) -> List[str]:
    """A path and its parents, from the top.

    >>> _path_with_ancestors("/a/b")
    ['/a', '/a/b']
    """
    names = path.strip("/").split("/")
    return ["/" + "/".join(names[: count + 1]) for count in range(len(names)) if names[count]]


def _make_directory(api: SmartFileApi, path: str) -> None:
    try:
        api.mkdir(path)
    except ClientError:
        found = api.find(path)
        if found is None or not found.isdir:
            raise
        log.debug("%s was made by somebody else", path)


def list_tree(
    api: SmartFileApi, path: str, selection: Selection = EVERYTHING
) -> Tuple[List[Tuple[str, Info]], List[str]]:
    """The files in a directory on the server by their relative names, and the names of its directories."""
    levels = list(walk(api, path))
    files = [(_relative_to(info.path, path), info) for _, _, found in levels for info in found]
    files = [(name, info) for name, info in files if selection.includes(name)]
    needed = _parent_directories(f"/{name}" for name, _ in files)
    folders = [_relative_to(info.path, path) for _, found, _ in levels for info in found]
    meant = [name for name in folders if selection.includes(name) or f"/{name}" in needed]
    return files, meant


def _relative_to(path: str, root: str) -> str:
    """A path relative to a directory above it.

    :raises NotFound: it does not lie below: what the server lists is not what it was asked for.
    """
    full = normalize(path)
    prefix = root.rstrip("/") + "/"
    if not full.startswith(prefix):
        raise SmartFileNotFound(f"{full} does not lie below {root}")
    return full[len(prefix) :]
