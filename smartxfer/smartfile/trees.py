"""Directories on the server: listing, creation, and uploads of local directories.

Source: SmartFile protocol, section 5.
"""

import logging
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from smartxfer.error_hints import PROTOCOL_HINT
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
    """Yield (path, directories, files) of a directory and its subdirectories, parents first."""
    pending = [path]
    while pending:
        directory = pending.pop()
        files: List[Info] = []
        subdirectories: List[Info] = []
        for child in api.iter_directory(directory):
            # An archive can be listed like a directory, but it is a file.
            (files if child.isfile else subdirectories).append(child)
        yield directory, subdirectories, files
        pending += [child.path for child in reversed(subdirectories)]


class TreeUpload:
    """Upload of a local directory."""

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
        needed = {path for item in items for path in _path_with_ancestors(item.name)}
        self.directories = [
            join(path, name)
            for name in list_directories(self.local_root, follow_symlinks, selection)
            if selection.includes(name) or f"/{name}" in needed
        ]
        #: Files that are not sent: (file, its path on the server, reason).
        self.skipped: List[Tuple[LocalFile, str, str]] = []
        #: Paths on the server of files that were renamed by a download.
        self.renamed: Set[str] = set()
        self._skip_files(lambda item, path: None if _is_valid_path(path, validate_upload_path) else "name")
        self.directories = [path for path in self.directories if _is_valid_path(path, quote_path)]

    def skip_renamed(self, api: SmartFileApi, exists_on_server: Callable[[str], bool]) -> None:
        """Skip files that a download from this server saved under another name.

        :param exists_on_server: returns True if the server has a file with this path.
        """
        prefix = join(self.path, "x")[:-1]
        renamed = RenamedFiles(
            get_origin(api), lambda path: path.startswith(prefix) and exists_on_server(path)
        )

        def get_skip_reason(item: LocalFile, path: str) -> Optional[str]:
            original = renamed.get_remote_name(item, path)
            if original is None:
                return None
            self.renamed.add(original)
            return "renamed"

        self._skip_files(get_skip_reason)

    def _skip_files(self, get_skip_reason: Callable[[LocalFile, str], Optional[str]]) -> None:
        """Skip the files with a reason, and the directories that contain no other files."""
        remaining, skipped = [], []
        for item, path in self.pairs:
            reason = get_skip_reason(item, path)
            if reason is None:
                remaining.append((item, path))
            else:
                skipped.append((item, path, reason))
        if not skipped:
            return
        needed = _parent_directories(path for _, path in remaining)
        unneeded = _parent_directories(path for _, path, _ in skipped) - needed
        self.pairs, self.skipped = remaining, [*self.skipped, *skipped]
        self.directories = [path for path in self.directories if path not in unneeded]

    def plan(self, api: SmartFileApi, runner: TransferRunner, exists: UploadExists) -> List[FileResult]:
        """Return the results that :meth:`run` would have, without uploading."""
        api_with_retries = api.with_runner(runner)
        runner.run_one(lambda: self.skip_renamed(api, lambda path: api_with_retries.find(path) is not None))
        existing = runner.run_one(lambda: skip_existing(api_with_retries, self.pairs, exists))
        planned = [existing.get(path) or FileResult(path, item.path, item.size) for item, path in self.pairs]
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
        """Create the directories and upload the files; return the results in the order of the files."""
        key = {
            "service": "smartfile",
            "api": api.api_url,
            "account": account_id,
            "path": self.path,
            "tree": str(self.local_root),
        }
        with Journal(key, f"{self.local_root} to {self.path}", clock=api.clock) as journal:
            api_with_retries = api.with_runner(runner)
            runner.run_one(
                lambda: self.skip_renamed(api, lambda path: api_with_retries.find(path) is not None)
            )
            results = runner.run_one(lambda: self._load_earlier_results(api_with_retries, journal))
            unsent = [(item, path) for item, path in self.pairs if path not in results]
            results.update(runner.run_one(lambda: skip_existing(api_with_retries, unsent, exists)))
            runner.run_one(lambda: make_directories(api_with_retries, [self.path, *self.directories]))
            missing = [(item, path) for item, path in self.pairs if path not in results]
            for result in upload_files(api, runner, missing, max_workers, checksum, journal):
                results[result.name] = result
            ordered = [results[path] for _, path in self.pairs]
            if all(result.ok for result in ordered):
                journal.clear()
            return ordered + self._skipped_results()

    def _skipped_results(self) -> List[FileResult]:
        return [FileResult(path, item.path, item.size, skipped=why) for item, path, why in self.skipped]

    def _load_earlier_results(self, api: SmartFileApi, journal: Journal) -> Dict[str, FileResult]:
        """Return results of an earlier run, for files that have not changed since on either side."""
        recorded = {
            path: item
            for item, path in self.pairs
            if item.resumable and journal.state.get(path) == [item.size, item.mtime_ns]
        }
        if not recorded:
            return {}
        remote_sizes = {info.path: info.size for _, _, files in walk(api, self.path) for info in files}
        return {
            path: FileResult(path, item.path, item.size, verified="size", resumed=item.size)
            for path, item in recorded.items()
            if remote_sizes.get(path) == item.size
        }


def _parent_directories(paths: Iterable[str]) -> Set[str]:
    """Return the directories above the paths."""
    return {directory for path in paths for directory in _path_with_ancestors(split(path)[0])}


def _is_valid_path(path: str, validate: Callable[[str], str]) -> bool:
    """Return True if a path can be used in a request; log the others."""
    try:
        validate(path)
    except UsageError as error:
        log.warning("%r is skipped: %s", path, error.summary)
        return False
    return True


def make_directories(api: SmartFileApi, paths: List[str]) -> None:
    """Create the directories that are missing, parents first."""
    checked = {"/"}
    created = set()
    for path in paths:
        for directory in _path_with_ancestors(path):
            if directory in checked:
                continue
            checked.add(directory)
            parent = split(directory)[0]
            if parent in created or api.find(directory) is None:
                _make_directory(api, directory)
                created.add(directory)


def _path_with_ancestors(path: str) -> List[str]:
    """Return a path and its parents, from the top.

    >>> _path_with_ancestors("/a/b")
    ['/a', '/a/b']
    """
    names = path.strip("/").split("/")
    return ["/" + "/".join(names[: count + 1]) for count in range(len(names)) if names[count]]


def _make_directory(api: SmartFileApi, path: str) -> None:
    try:
        api.mkdir(path)
    except ClientError:
        info = api.find(path)
        if info is None or not info.isdir:
            raise
        log.debug("%s was created by another client", path)


def list_tree(
    api: SmartFileApi, path: str, selection: Selection = EVERYTHING
) -> Tuple[List[Tuple[str, Info]], List[str]]:
    """Return the selected files below a directory by relative path, and the relative paths of directories."""
    levels = list(walk(api, path))
    files = [(_relative_to(info.path, path), info) for _, _, infos in levels for info in infos]
    files = [(name, info) for name, info in files if selection.includes(name)]
    needed = _parent_directories(f"/{name}" for name, _ in files)
    folders = [_relative_to(info.path, path) for _, infos, _ in levels for info in infos]
    selected = [name for name in folders if selection.includes(name) or f"/{name}" in needed]
    return files, selected


def _relative_to(path: str, root: str) -> str:
    """Return a path relative to a directory above it.

    :raises NotFound: the path is not below the directory: the server lists something else.
    """
    absolute = normalize(path)
    prefix = root.rstrip("/") + "/"
    if not absolute.startswith(prefix):
        raise SmartFileNotFound(f"the server lists {absolute}, which is not below {root}", hint=PROTOCOL_HINT)
    return absolute[len(prefix) :]
