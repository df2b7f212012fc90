"""Files that stand in for those of the demo: in one directory, or changed a little."""

import os
import shutil
from pathlib import Path

from smartxfer.demo.files import DemoFiles
from smartxfer.errors import LocalError

__all__ = ["copy_file", "link_tree", "mutate_file"]

#: A changed hundredth of a file lies in this many stretches.
_CHANGED_RANGES = 4
_INVERT_TABLE = bytes(range(255, -1, -1))


def link_tree(demo_files: DemoFiles, tree: Path) -> None:
    """One directory for all files, wherever they lie: of links, or of copies where there are none."""
    for name, source in demo_files.sources.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.symlink(str(source.absolute()), str(path))
        except OSError:
            copy_file(source, path)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes.

    :raises LocalError: it cannot be read, or not be written.
    """
    try:
        shutil.copyfile(str(source), str(target))
    except OSError as error:
        raise LocalError(
            f"{source} cannot be copied: {error.strerror}",
            hint="check the path and its permissions, or free some space",
        ) from error


def mutate_file(path: Path) -> int:
    """Invert about a hundredth of a file's bytes.

    :return: how many.
    """
    size = path.stat().st_size
    stretches = min(_CHANGED_RANGES, size)
    length = -(-size // (100 * _CHANGED_RANGES))
    with open(path, "r+b") as file:
        for number in range(stretches):
            start = size * number // stretches
            file.seek(start)
            piece = file.read(length)
            file.seek(start)
            file.write(piece.translate(_INVERT_TABLE))
    return stretches * length
