"""Which files a list of paths means: directories walked, links skipped, names made relative."""

import logging
import os
import stat
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Union

import attrs

from smartxfer.errors import SourceChanged, UsageError
from smartxfer.local_errors import local_error
from smartxfer.seams import SYSTEM_FILES
from smartxfer.system_text import unicode_text
from smartxfer.transfer.own_files import OwnFiles
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.source import SourceLike, open_source, path_of
from smartxfer.transfer.true_size import Copies, Copy, CopySource, true_state

__all__ = ["FileLike", "FilesLike", "Item", "collect", "directories", "files_below", "listed"]

log = logging.getLogger("smartxfer.transfer")

FileLike = Union[SourceLike, Tuple[str, SourceLike]]
"""What a caller may give to be sent: a path, bytes, an open binary file or stream; or ``(name, thing)``."""
FilesLike = Union[FileLike, Iterable[FileLike]]
"""One or several of these; the path of a directory stands for the files in it."""


@attrs.frozen
class Item:
    """One file to send: its name in the transfer, where it comes from, and what it is now.

    :param thing: path, or bytes, or an open file.
    :param path: absolute path, None for anything but a path.
    :param copy: the bytes of a file whose size is not to be trusted, as they were read once.
    """

    name: str
    thing: Any = attrs.field(repr=False)
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
            assert hasattr(self.thing, "read_at")
            source: Source = self.thing
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


def collect(
    things: Any, follow_symlinks: bool = False, none: bool = False, selection: Selection = EVERYTHING
) -> List[Item]:
    """The files that ``things`` stand for.

    A directory stands for the files in it, named relative to the directory's parent; symbolic links in it are
    skipped with a warning unless ``follow_symlinks``, and so are our own files (partial files, state).
    ``(name, thing)`` gives a file another name.

    :param none: whether there may be nothing to send.
    :param selection: which files of directories are meant.
    :raises UsageError: nothing to send, two files of one name, a device or pipe in a directory.
    :raises FileNotFoundError: no such local file.
    """
    items: List[Item] = []
    copies = Copies()
    for thing in listed(things):
        items.extend(_items(thing, follow_symlinks, copies, selection))
    if not items and not none:
        raise UsageError("there are no files to send")
    names: Set[str] = set()
    for item in items:
        if item.name in names:
            raise UsageError(
                f"two files are named {item.name!r}", hint="give one of them as (name, path)"
            )
        names.add(item.name)
    return items


def files_below(
    directory: Any, follow_symlinks: bool = False, selection: Selection = EVERYTHING
) -> List[Item]:
    """The files in a directory and below it, named relative to it.

    :raises UsageError: it is not a directory.
    """
    root = path_of(directory)
    if root is None or not root.is_dir():
        raise UsageError(f"{directory!r} is not a directory", hint="upload() sends a single file")
    items = collect([("tree", root.absolute())], follow_symlinks, True, selection)
    return [attrs.evolve(item, name=item.name[len("tree/") :]) for item in items]


def listed(things: Any) -> Iterable[Any]:
    """Return what a caller gave as a list, of one thing where it is no list.

    :raises UsageError: it is neither.
    """
    if isinstance(things, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(things, "read"):
        return [things]
    if isinstance(things, Mapping) or not isinstance(things, Iterable):
        raise UsageError(
            f"files are a list of paths, not a {type(things).__name__}", hint="[path, (name, open_file)]"
        )
    return things


def directories(
    root: Path, follow_symlinks: bool = False, selection: Selection = EVERYTHING
) -> List[str]:
    """The directories below ``root``, empty ones too, as relative POSIX paths, each after its parent.

    :param selection: leaves out those that it excludes, with all in them.
    """
    found = []
    own = OwnFiles()
    for inner, names, _ in os.walk(str(root), followlinks=follow_symlinks):
        if not follow_symlinks:
            names[:] = [name for name in names if not os.path.islink(os.path.join(inner, name))]
        names[:] = sorted(name for name in names if not own.skipped(Path(inner, name)))
        paths = {name: unicode_text(Path(inner, name).relative_to(root).as_posix()) for name in names}
        names[:] = [name for name in names if not selection.leaves_out(paths[name])]
        found += [paths[name] for name in names]
    return sorted(found, key=lambda name: (name.count("/"), name))


def _items(
    thing: Any, follow_symlinks: bool, copies: Copies, selection: Selection
) -> Iterator[Item]:
    name: Optional[str] = None
    if isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[0], str):
        name, thing = thing
    path = path_of(thing)
    if path is None:
        source = open_source(_bytes_like(thing), name)
        yield Item(source.name, source, source.size)
    elif os.path.isdir(str(path)):
        root = path.resolve() if path.name in ("", "..") else path.absolute()
        for found, inner in _Walk(root, follow_symlinks, selection).files():
            yield _item(found, f"{name if name is not None else unicode_text(root.name)}/{inner}", copies)
    else:
        yield _item(path.absolute(), name if name is not None else unicode_text(path.name), copies)


def _item(path: Path, name: str, copies: Copies) -> Item:
    try:
        found = os.stat(str(path))
    except PermissionError as error:  # its directory cannot be searched
        raise local_error(error, path, "read") from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(
            f"{path} is not a regular file", hint="open a pipe or device and pass the open stream"
        )
    try:
        opened = SYSTEM_FILES.open(path, os.O_RDONLY)
    except PermissionError:  # reported when its turn to be sent comes
        return Item(name, path, found.st_size, path, found.st_mtime_ns)
    with opened:
        state = true_state(opened.number, path)
        if state is None:
            copy = copies.add(opened.number, path)
            return Item(name, path, copy.size, path, copy=copy)
    return Item(name, path, state.st_size, path, state.st_mtime_ns)


class _Walk:
    """The files below a directory that are meant.

    :param follow: whether symbolic links are followed; those that lead back up are left out.
    """

    def __init__(self, root: Path, follow: bool, selection: Selection) -> None:
        self._root, self._follow, self._selection = root, follow, selection
        self._own = OwnFiles()

    def files(self) -> Iterator[Tuple[Path, str]]:
        """Each file and its path relative to the directory, in the order of their names."""
        yield from self._below(self._root, {_key(self._root)})

    def _below(self, directory: Path, above: Set[Tuple[int, int]]) -> Iterator[Tuple[Path, str]]:
        try:
            inner = sorted(directory.iterdir())
        except OSError as error:
            raise local_error(error, directory, "read") from None
        for path in inner:
            name = unicode_text(path.relative_to(self._root).as_posix())
            if self._selection.leaves_out(name) or self._is_skipped(path):
                continue
            if not os.path.isdir(str(path)):
                if self._selection.takes(name):
                    yield path, name
            elif _key(path) in above:
                log.warning("symbolic link %s leads back up and is skipped", path)
            else:
                yield from self._below(path, above | {_key(path)})

    def _is_skipped(self, path: Path) -> bool:
        """Return True for a file of ours, and for a link that is not followed; the log tells."""
        if self._own.skipped(path):
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


def _key(path: Path) -> Tuple[int, int]:
    found = os.stat(str(path))
    return found.st_dev, found.st_ino


def _bytes_like(thing: Any) -> SourceLike:
    return thing  # type: ignore[no-any-return]
