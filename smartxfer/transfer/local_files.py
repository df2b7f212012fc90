"""Which files a list of paths means: directories walked, links skipped, names made relative."""

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
"""What a caller may give to be sent: a path, bytes, an open binary file or stream; or ``(name, thing)``."""
FilesLike = Union[FileLike, Iterable[FileLike]]
"""One or several of these; the path of a directory stands for the files in it."""


@attrs.frozen
class LocalFile:
    """One file to send: its name in the transfer, where it comes from, and what it is now.

    :param thing: path, or bytes, or an open file.
    :param path: absolute path, None for anything but a path.
    :param copy: the bytes of a file whose size is not to be trusted, as they were read once.
    """

    name: str
    source: Any = attrs.field(repr=False)
    size: int
    path: Optional[Path] = None
    mtime_ns: int = 0
    copy: Optional[Copy] = attrs.field(default=None, repr=False, eq=False)

    @property
    def resumable(self) -> bool:
        """Whether a later run can tell by size and modification time that these are the same bytes."""
        return self.path is not None and self.copy is None

    def open(self) -> Source:
        """Open the bytes for reading."""
        if self.copy is not None:
            return CopySource(self.copy, self.name)
        if self.path is None:
            assert hasattr(self.source, "read_at")
            source: Source = self.source
            return source
        return open_source(self.path, self.name)

    def open_unchanged(self) -> Source:
        """Open the bytes, if they are still those that were found.

        :raises SourceChanged: the file has another size or modification time by now.
        """
        source = self.open()
        if source.size != self.size or getattr(source, "mtime_ns", self.mtime_ns) != self.mtime_ns:
            source.close()
            raise SourceChanged(f"{self.path} changed before it was sent")
        return source


def collect_files(
    sources: Any, follow_symlinks: bool = False, allow_empty: bool = False, selection: Selection = EVERYTHING
) -> List[LocalFile]:
    """The files that ``sources`` stand for.

    A directory stands for the files in it, named relative to the directory's parent; symbolic links in it are
    skipped with a warning unless ``follow_symlinks``, and so are our own files (partial files, state).
    ``(name, thing)`` gives a file another name.

    :param allow_empty: whether there may be nothing to send.
    :param selection: which files of directories are meant.
    :raises UsageError: nothing to send, two files of one name, a device or pipe in a directory.
    :raises FileNotFoundError: no such local file.
    """
    items: List[LocalFile] = []
    copies = Copies()
    for thing in as_iterable(sources):
        items.extend(_iter_local_files(thing, follow_symlinks, copies, selection))
    if not items and not allow_empty:
        raise UsageError(
            "there are no files to send",
            hint="pass at least one file, or a directory with files; check include= and exclude=",
        )
    names: Set[str] = set()
    for item in items:
        if item.name in names:
            raise UsageError(f"two files are named {item.name!r}", hint="give one of them as (name, path)")
        names.add(item.name)
    return items


def collect_directory_files(
    directory: Any, follow_symlinks: bool = False, selection: Selection = EVERYTHING
) -> List[LocalFile]:
    """The files in a directory and below it, named relative to it.

    :raises UsageError: it is not a directory.
    """
    root = as_source_path(directory)
    if root is None or not root.is_dir():
        raise UsageError(f"{directory!r} is not a directory", hint="upload() sends a single file")
    items = collect_files([("tree", root.absolute())], follow_symlinks, True, selection)
    return [attrs.evolve(item, name=item.name[len("tree/") :]) for item in items]


def as_iterable(sources: Any) -> Iterable[Any]:
    """Return what a caller gave as a list, of one thing where it is no list.

    :raises UsageError: it is neither.
    """
    if isinstance(sources, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(sources, "read"):
        return [sources]
    if isinstance(sources, Mapping) or not isinstance(sources, Iterable):
        raise UsageError(
            f"files are a list of paths, not a {type(sources).__name__}", hint="[path, (name, open_file)]"
        )
    return sources


def list_directories(
    root: Path, follow_symlinks: bool = False, selection: Selection = EVERYTHING
) -> List[str]:
    """The directories below ``root``, empty ones too, as relative POSIX paths, each after its parent.

    :param selection: leaves out those that it excludes, with all in them.
    """
    found = []
    own = OwnFileFilter()
    for inner, names, _ in os.walk(str(root), followlinks=follow_symlinks):
        if not follow_symlinks:
            names[:] = [name for name in names if not os.path.islink(os.path.join(inner, name))]
        names[:] = sorted(name for name in names if not own.is_skipped(Path(inner, name)))
        paths = {name: decode_os_text(Path(inner, name).relative_to(root).as_posix()) for name in names}
        names[:] = [name for name in names if not selection.excludes(paths[name])]
        found += [paths[name] for name in names]
    return sorted(found, key=lambda name: (name.count("/"), name))


def _iter_local_files(
    thing: Any, follow_symlinks: bool, copies: Copies, selection: Selection
) -> Iterator[LocalFile]:
    name: Optional[str] = None
    if isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[0], str):
        name, thing = thing
    path = as_source_path(thing)
    if path is None:
        source = open_source(_as_source_like(thing), name)
        yield LocalFile(source.name, source, source.size)
    elif os.path.isdir(str(path)):
        root = path.resolve() if path.name in ("", "..") else path.absolute()
        for found, inner in _DirectoryWalk(root, follow_symlinks, selection).files():
            yield _build_local_file(
                found, f"{name if name is not None else decode_os_text(root.name)}/{inner}", copies
            )
    else:
        yield _build_local_file(
            path.absolute(), name if name is not None else decode_os_text(path.name), copies
        )


def _build_local_file(path: Path, name: str, copies: Copies) -> LocalFile:
    try:
        found = os.stat(str(path))
    except OSError as error:  # missing, or its directory cannot be searched
        raise wrap_os_error(error, path, "read") from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(
            f"{path} is not a regular file", hint="open a pipe or device and pass the open stream"
        )
    try:
        opened = SYSTEM_FILESYSTEM.open(path, os.O_RDONLY)
    except PermissionError:  # reported when its turn to be sent comes
        return LocalFile(name, path, found.st_size, path, found.st_mtime_ns)
    with opened:
        state = stat_if_size_correct(opened.number, path)
        if state is None:
            copy = copies.add(opened.number, path)
            return LocalFile(name, path, copy.size, path, copy=copy)
    return LocalFile(name, path, state.st_size, path, state.st_mtime_ns)


class _DirectoryWalk:
    """The files below a directory that are meant.

    :param follow: whether symbolic links are followed; those that lead back up are left out.
    """

    def __init__(self, root: Path, follow: bool, selection: Selection) -> None:
        self._root, self._follow, self._selection = root, follow, selection
        self._own_file_filter = OwnFileFilter()

    def files(self) -> Iterator[Tuple[Path, str]]:
        """Each file and its path relative to the directory, in the order of their names."""
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
                log.warning("symbolic link %s leads back up and is skipped", path)
            else:
                yield from self._iter_below(path, ancestors | {_get_device_and_inode(path)})

    def _is_skipped(self, path: Path) -> bool:
        """Return True for a file of ours, and for a link that is not followed; the log tells."""
        if self._own_file_filter.is_skipped(path):
            return True
        if not os.path.islink(str(path)):
            return False
        if not self._follow:
            log.warning("symbolic link %s is skipped", path)
        elif os.path.exists(str(path)):
            return False
        else:
            log.warning("symbolic link %s leads nowhere and is skipped", path)
        return True


def _get_device_and_inode(path: Path) -> Tuple[int, int]:
    found = os.stat(str(path))
    return found.st_dev, found.st_ino


def _as_source_like(thing: Any) -> SourceLike:
    return thing  # type: ignore[no-any-return]
