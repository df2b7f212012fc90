"""Copies of the demo's files: a directory of links to them, and a file with small changes."""

import os
import shutil
from pathlib import Path

from smartxfer.demo.files import DemoFiles
from smartxfer.errors import LocalError

__all__ = ["copy_file", "link_tree", "mutate_file"]

#: Number of ranges over which the changes of a file are distributed.
_CHANGED_RANGES = 4
_INVERT_TABLE = bytes(range(255, -1, -1))


def link_tree(demo_files: DemoFiles, tree: Path) -> None:
    """Create a directory with symbolic links to all files, or with copies if links are not supported."""
    for name, source in demo_files.sources.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.symlink(str(source.absolute()), str(path))
        except OSError:
            copy_file(source, path)


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of a file.

    :raises LocalError: the source cannot be read, or the target cannot be written.
    """
    try:
        shutil.copyfile(str(source), str(target))
    except OSError as error:
        raise LocalError(
            f"cannot copy {source}: {error.strerror}",
            hint="check the path and its permissions, or free some space",
        ) from error


def mutate_file(path: Path) -> int:
    """Invert about 1 % of a file's bytes.

    :return: number of inverted bytes.
    """
    size = path.stat().st_size
    range_count = min(_CHANGED_RANGES, size)
    length = -(-size // (100 * _CHANGED_RANGES))
    with open(path, "r+b") as file:
        for index in range(range_count):
            start = size * index // range_count
            file.seek(start)
            data = file.read(length)
            file.seek(start)
            file.write(data.translate(_INVERT_TABLE))
    return range_count * length
