"""Collection of local files to send: walks directories, skips links, and makes names relative."""

import logging
import os
import stat
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Union

import attrs

from smartxfer._system import SYSTEM_FILESYSTEM
from smartxfer.errors import SourceChanged, UsageError
from smartxfer.local_errors import wrap_os_error
from smartxfer.os_text import decode_os_text
from smartxfer.transfer.file_size import Copies, Copy, CopySource, stat_if_size_correct
from smartxfer.transfer.own_files import OwnFileFilter
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.source import SourceLike, as_source_path, open_source

__all__ = [
    "FileLike",
    "FilesLike",
    "LocalFile",
    "as_iterable",
    "collect_directory_files",
    "collect_files",
    "list_directories",
]

log = logging.getLogger("smartxfer.transfer")

FileLike = Union[SourceLike, Tuple[str, SourceLike]]
"""Types of a file to send: a path, bytes, an open binary file or stream; or a tuple ``(name, source)``."""
FilesLike = Union[FileLike, Iterable[FileLike]]
"""One or several files to send; the path of a directory means the files in it."""


@attrs.frozen
class LocalFile:
    """One file to send: its name in the transfer, its source, size and modification time.

    :param source: path, bytes, or an open file.
    :param path: absolute path, None if the source is not a path.
    :param copy: copy of the bytes of a file whose size from ``stat`` is wrong.
    """

    name: str
    source: Any = attrs.field(repr=False)
    size: int
    path: Optional[Path] = None
    mtime_ns: int = 0
    copy: Optional[Copy] = attrs.field(default=None, repr=False, eq=False)

    @property
    def resumable(self) -> bool:
        """True if a later run can recognize unchanged bytes by size and modification time."""
        return self.path is not None and self.copy is None

    def open(self) -> Source:
        """Open the source for reading."""
        if self.copy is not None:
            return CopySource(self.copy, self.name)
        if self.path is None:
            assert hasattr(self.source, "read_at")
            source: Source = self.source
            return source
        return open_source(self.path, self.name)

    def open_unchanged(self) -> Source:
        """Open the source, and check that the file has not changed.

        :raises SourceChanged: the file has another size or modification time.
        """
        source = self.open()
        if source.size != self.size or getattr(source, "mtime_ns", self.mtime_ns) != self.mtime_ns:
            source.close()
            raise SourceChanged(f"{self.path} changed before it was sent")
        return source


def collect_files(
    sources: Any, follow_symlinks: bool = False, allow_empty: bool = False, selection: Selection = EVERYTHING
) -> List[LocalFile]:
    """Return the files to send for ``sources``.

    A directory means the files in it, with names relative to the directory's parent.  Symbolic links in it
    are skipped with a warning unless ``follow_symlinks`` is True, and files of this package (part files,
    state) are always skipped.  ``(name, source)`` gives a file another name.

    :param allow_empty: whether the result may be empty.
    :param selection: the files of directories to include.
    :raises UsageError: the result is empty, two files have the same name, or a file is a device or pipe.
    :raises FileNotFoundError: a local file does not exist.
    """
    items: List[LocalFile] = []
    copies = Copies()
    for source in as_iterable(sources):
        items.extend(_iter_local_files(source, follow_symlinks, copies, selection))
    if not items and not allow_empty:
        raise UsageError(
            "no files to send",
            hint="pass at least one file, or a directory with files; check include= and exclude=",
        )
    names: Set[str] = set()
    for item in items:
        if item.name in names:
            raise UsageError(f"two files are named {item.name!r}", hint="pass one of them as (name, path)")
        names.add(item.name)
    return items


def collect_directory_files(
    directory: Any, follow_symlinks: bool = False, selection: Selection = EVERYTHING
) -> List[LocalFile]:
    """Return the files in a directory and below it, with names relative to it.

    :raises UsageError: it is not a directory.
    """
    root = as_source_path(directory)
    if root is None or not root.is_dir():
        raise UsageError(f"{directory!r} is not a directory", hint="use upload() to send a single file")
    items = collect_files([("tree", root.absolute())], follow_symlinks, True, selection)
    return [attrs.evolve(item, name=item.name[len("tree/") :]) for item in items]


def as_iterable(sources: Any) -> Iterable[Any]:
    """Return an iterable of sources; a single source becomes a list of one item.

    :raises UsageError: it is neither a source nor iterable.
    """
    if isinstance(sources, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(sources, "read"):
        return [sources]
    if isinstance(sources, Mapping) or not isinstance(sources, Iterable):
        raise UsageError(
            f"files must be a list of paths, not a {type(sources).__name__}",
            hint="pass a list: [path, (name, open_file)]",
        )
    return sources


def list_directories(
    root: Path, follow_symlinks: bool = False, selection: Selection = EVERYTHING
) -> List[str]:
    """Return all directories below ``root`` as relative POSIX paths, each after its parent.

    :param selection: directories that it excludes are left out with their contents.
    """
    directories = []
    own = OwnFileFilter()
    for inner, names, _ in os.walk(str(root), followlinks=follow_symlinks):
        if not follow_symlinks:
            names[:] = [name for name in names if not os.path.islink(os.path.join(inner, name))]
        names[:] = sorted(name for name in names if not own.is_skipped(Path(inner, name)))
        paths = {name: decode_os_text(Path(inner, name).relative_to(root).as_posix()) for name in names}
        names[:] = [name for name in names if not selection.excludes(paths[name])]
        directories += [paths[name] for name in names]
    return sorted(directories, key=lambda name: (name.count("/"), name))


def _iter_local_files(
    source: Any, follow_symlinks: bool, copies: Copies, selection: Selection
) -> Iterator[LocalFile]:
    name: Optional[str] = None
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        name, source = source
    path = as_source_path(source)
    if path is None:
        opened = open_source(_as_source_like(source), name)
        yield LocalFile(opened.name, opened, opened.size)
    elif os.path.isdir(str(path)):
        root = path.resolve() if path.name in ("", "..") else path.absolute()
        for file_path, inner in _DirectoryWalk(root, follow_symlinks, selection).files():
            yield _build_local_file(
                file_path, f"{name if name is not None else decode_os_text(root.name)}/{inner}", copies
            )
    else:
        yield _build_local_file(
            path.absolute(), name if name is not None else decode_os_text(path.name), copies
        )


def _build_local_file(path: Path, name: str, copies: Copies) -> LocalFile:
    try:
        stat_result = os.stat(str(path))
    except OSError as error:  # the file is missing, or its directory is not accessible
        raise wrap_os_error(error, path, "read") from None
    if not stat.S_ISREG(stat_result.st_mode):
        raise UsageError(
            f"{path} is not a regular file", hint="open a pipe or device and pass the open stream"
        )
    try:
        opened = SYSTEM_FILESYSTEM.open(path, os.O_RDONLY)
    except PermissionError:  # reported when the file is opened for sending
        return LocalFile(name, path, stat_result.st_size, path, stat_result.st_mtime_ns)
    with opened:
        state = stat_if_size_correct(opened.number, path)
        if state is None:
            copy = copies.add(opened.number, path)
            return LocalFile(name, path, copy.size, path, copy=copy)
    return LocalFile(name, path, state.st_size, path, state.st_mtime_ns)


class _DirectoryWalk:
    """The selected files below a directory.

    :param follow: whether symbolic links are followed; links to a parent directory are skipped.
    """

    def __init__(self, root: Path, follow: bool, selection: Selection) -> None:
        self._root, self._follow, self._selection = root, follow, selection
        self._own_file_filter = OwnFileFilter()

    def files(self) -> Iterator[Tuple[Path, str]]:
        """Yield each file and its path relative to the directory, sorted by name."""
        yield from self._iter_below(self._root, {_get_device_and_inode(self._root)})

    def _iter_below(self, directory: Path, ancestors: Set[Tuple[int, int]]) -> Iterator[Tuple[Path, str]]:
        try:
            inner = sorted(directory.iterdir())
        except OSError as error:
            raise wrap_os_error(error, directory, "read") from None
        for path in inner:
            name = decode_os_text(path.relative_to(self._root).as_posix())
            if self._selection.excludes(name) or self._is_skipped(path):
                continue
            if not os.path.isdir(str(path)):
                if self._selection.includes(name):
                    yield path, name
            elif _get_device_and_inode(path) in ancestors:
                log.warning("symbolic link %s is skipped: it leads to a parent directory", path)
            else:
                yield from self._iter_below(path, ancestors | {_get_device_and_inode(path)})

    def _is_skipped(self, path: Path) -> bool:
        """Return True for a file of this package and a link that is not followed, and log that."""
        if self._own_file_filter.is_skipped(path):
            return True
        if not os.path.islink(str(path)):
            return False
        if not self._follow:
            log.warning("symbolic link %s is skipped", path)
        elif os.path.exists(str(path)):
            return False
        else:
            log.warning("symbolic link %s is skipped: its target does not exist", path)
        return True


def _get_device_and_inode(path: Path) -> Tuple[int, int]:
    stat_result = os.stat(str(path))
    return stat_result.st_dev, stat_result.st_ino


def _as_source_like(source: Any) -> SourceLike:
    return source  # type: ignore[no-any-return]
