"""Which files a list of paths means: directories walked, links skipped, names made relative."""

import logging
import os
import stat
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Union

import attrs

from smartxfer.errors import SourceChanged, UsageError
from smartxfer.seams import SYSTEM_FILES
from smartxfer.system_text import unicode_text
from smartxfer.transfer.disk import local_error
from smartxfer.transfer.own_files import OwnFiles
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.source import SourceLike, open_source, path_of
from smartxfer.transfer.true_size import Copies, Copy, CopySource, true_state

__all__ = ["FileLike", "FilesLike", "Item", "collect", "directories", "listed"]

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


def collect(things: Any, follow_symlinks: bool = False, none: bool = False) -> List[Item]:
    """The files that ``things`` stand for.

    A directory stands for the files in it, named relative to the directory's parent; symbolic links in it are
    skipped with a warning unless ``follow_symlinks``, and so are our own files (partial files, state).
    ``(name, thing)`` gives a file another name.

    :param none: whether there may be nothing to send.
    :raises UsageError: nothing to send, two files of one name, a device or pipe in a directory.
    :raises FileNotFoundError: no such local file.
    """
    items: List[Item] = []
    copies = Copies()
    for thing in listed(things):
        items.extend(_items(thing, follow_symlinks, copies))
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


def directories(root: Path, follow_symlinks: bool = False) -> List[str]:
    """The directories below ``root``, empty ones too, as relative POSIX paths, each after its parent."""
    found = []
    own = OwnFiles()
    for inner, names, _ in os.walk(str(root), followlinks=follow_symlinks):
        if not follow_symlinks:
            names[:] = [name for name in names if not os.path.islink(os.path.join(inner, name))]
        names[:] = sorted(name for name in names if not own.skipped(Path(inner, name)))
        found += [unicode_text(Path(inner, name).relative_to(root).as_posix()) for name in names]
    return sorted(found, key=lambda name: (name.count("/"), name))


def _items(thing: Any, follow_symlinks: bool, copies: Copies) -> Iterator[Item]:
    name: Optional[str] = None
    if isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[0], str):
        name, thing = thing
    path = path_of(thing)
    if path is None:
        source = open_source(_bytes_like(thing), name)
        yield Item(source.name, source, source.size)
    elif os.path.isdir(str(path)):
        root = path.resolve() if path.name in ("", "..") else path.absolute()
        for found in _walk(root, follow_symlinks, {_key(root)}, OwnFiles()):
            inner = unicode_text(found.relative_to(root).as_posix())
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


def _walk(
    directory: Path, follow: bool, above: Set[Tuple[int, int]], own: OwnFiles
) -> Iterator[Path]:
    """Files below ``directory``, in the order of their names; links that lead back up are left out."""
    try:
        inner = sorted(directory.iterdir())
    except OSError as error:
        raise local_error(error, directory, "read") from None
    for path in inner:
        if own.skipped(path):
            continue
        if os.path.islink(str(path)):
            if not follow:
                log.warning("symbolic link %s is skipped", path)
                continue
            if not os.path.exists(str(path)):
                log.warning("symbolic link %s leads nowhere and is skipped", path)
                continue
        if os.path.isdir(str(path)):
            key = _key(path)
            if key in above:
                log.warning("symbolic link %s leads back up and is skipped", path)
            else:
                yield from _walk(path, follow, above | {key}, own)
        else:
            yield path


def _key(path: Path) -> Tuple[int, int]:
    found = os.stat(str(path))
    return found.st_dev, found.st_ino


def _bytes_like(thing: Any) -> SourceLike:
    return thing  # type: ignore[no-any-return]
