"""Names that come from a server, made safe for the local disk.

A name becomes a path below the target directory, the same one every time; nothing in it can lead out.  It is
changed only where it has to be: what Windows does not take stays as it is on Linux.
"""

import hashlib
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import Dict, Iterable, List, Optional, Set, Union

from smartxfer.errors import UnsafeName, UsageError
from smartxfer.system_text import system_path, unicode_text
from smartxfer.transfer.name_rules import LONGEST, RESERVED, Rules, folded, rules_of
from smartxfer.transfer.own_files import is_own
from smartxfer.transfer.temporary import is_temporary

__all__ = ["distinct_paths", "folded", "is_changed", "numbered", "paths_or_errors", "safe_path"]

#: Room in a name that has to be cut, for suffixes of a partial file and of a second file of the same name.
_ROOM = 16
#: Control characters and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: Characters that change the order in which a name is shown, or are not shown at all.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
#: Characters that Windows does not take.
_FORBIDDEN = re.compile('[<>:"|?*]')


def safe_path(name: str, directory: Optional[Path] = None, rules: Optional[Rules] = None) -> PurePosixPath:
    """The relative path that a name from a server stands for, in the characters that the locale has.

    Components that lead up or nowhere, drives and leading slashes are dropped; control characters and others
    that are not shown become ``_``, and so do those that the file system refuses; components of more than 255
    bytes are cut.

    >>> str(safe_path("../../etc/passwd"))
    'etc/passwd'

    :param directory: where the file goes, if that is known.
    :param rules: of its file system, in place of those of the directory.
    :raises UnsafeName: nothing is left.
    """
    return _of_locale(_safe(name, rules or rules_of(directory, [name])))


def is_changed(name: str, path: PurePosixPath) -> bool:
    """Return True if a path has another name than the server's file."""
    return unicode_text(str(path)) != name


def _of_locale(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(*map(system_path, path.parts))


def _safe(name: str, rules: Rules) -> PurePosixPath:
    """The same in Unicode: names are compared by characters, not by the bytes that a locale makes of them."""
    parts = []
    for part in re.split(r"[/\\]+", str(name)):
        component = _component(part, rules)
        if component:
            parts.append(component)
    if not parts:
        raise UnsafeName(f"the server's name {name[:80]!r} is no file name")
    return PurePosixPath(*parts)


def _component(part: str, rules: Rules) -> str:
    """One component made safe; empty when it stands for no file."""
    if part.strip() in ("", ".", ".."):
        return ""
    if re.fullmatch(r"[A-Za-z]:", part):
        return ""  # a drive
    text = _INVISIBLE.sub("_", _CONTROL.sub("_", part))
    if text.startswith("~"):
        text = "_" + text[1:]
    if is_temporary(text):
        text = f"_{text}"  # a later run would remove the file
    if rules.windows:
        text = _FORBIDDEN.sub("_", text).rstrip(". ") or "_"
        if text.split(".", 1)[0].rstrip().lower() in RESERVED:
            text = f"_{text}"
    return _shortened(text, rules)


def _shortened(text: str, rules: Rules) -> str:
    """``text`` as it is, or cut in the middle and told apart by a hash where it is too long for a name."""
    if rules.length(text) <= LONGEST:
        return text
    raw = text.encode("utf-8")
    stem, dot, extension = text.rpartition(".")
    tail = dot + extension if stem and len(extension.encode("utf-8")) <= 20 else ""
    mark = "-" + hashlib.sha256(raw).hexdigest()[:8]
    room = LONGEST - _ROOM - len(mark) - len(tail.encode("utf-8"))
    return raw[:room].decode("utf-8", "ignore") + mark + tail


def distinct_paths(
    names: Iterable[str],
    hidden: bool = True,
    directory: Optional[Path] = None,
    rules: Optional[Rules] = None,
) -> List[PurePosixPath]:
    """Safe paths for several names, no two the same on the file system where they go.

    Where names meet, those that need no change come first, and the others get `` (2)`` before the extension:
    a file whose name another one uses as a directory, or for its partial file, and on file systems that
    ignore them, names that differ only in case or in the composition of accents.

    :param hidden: False replaces the leading dot of every component by ``_``.
    :param directory: where the files go, if that is known.  A file of the user's that has the server's name
        already, whatever is in that name, keeps it.
    :param rules: of its file system, in place of those of the directory.

    >>> [str(path) for path in distinct_paths(["a.txt", "a.txt", "b", "b/c"])]
    ['a.txt', 'a (2).txt', 'b (2)', 'b/c']

    :raises UnsafeName: one of them stands for no file.
    """
    paths: List[PurePosixPath] = []
    for path in paths_or_errors(names, hidden, directory, rules):
        if isinstance(path, UnsafeName):
            raise path
        paths.append(path)
    return paths


def paths_or_errors(
    names: Iterable[str],
    hidden: bool = True,
    directory: Optional[Path] = None,
    rules: Optional[Rules] = None,
) -> List[Union[PurePosixPath, UnsafeName]]:
    """Return the same as :func:`distinct_paths`, with an error for each name that stands for no file."""
    given = list(names)
    rules = rules or rules_of(directory, given)
    # Where a file may stand under the server's own name.
    there = directory if hidden and not rules.windows else None
    wanted: Dict[int, PurePosixPath] = {}
    chosen: Dict[int, Union[PurePosixPath, UnsafeName]] = {}
    for at, name in enumerate(given):
        try:
            wanted[at] = _wanted(name, hidden, there, rules)
        except UnsafeName as error:
            chosen[at] = error
    directories = {rules.key(parent) for path in wanted.values() for parent in path.parents}
    partial = {name for path in wanted.values() for name in _partial_names(path, rules)}
    taken: Set[str] = set()

    def is_free(candidate: PurePosixPath, name: str) -> bool:
        key, parts = rules.key(candidate), _partial_names(candidate, rules)
        if key in taken:
            return False
        free = key not in partial and key not in directories
        free = free and taken.isdisjoint(parts) and directories.isdisjoint(parts)
        return free or (str(candidate) == name and _stands(there, name))

    # The last number given for a name: many files of one name cost no more than as many others.
    numbers: Dict[str, int] = {}
    for at in sorted(wanted, key=lambda at: hidden and str(wanted[at]) != given[at]):
        path = wanted[at]
        candidate, number = path, numbers.get(rules.key(path), 1)
        if number > 1:
            candidate = _numbered(path, number)
        while not is_free(candidate, given[at]):
            number += 1
            candidate = _numbered(path, number)
        numbers[rules.key(path)] = number
        taken.add(rules.key(candidate))
        partial.update(_partial_names(candidate, rules))
        chosen[at] = _of_locale(candidate)
    return [chosen[at] for at in range(len(given))]


def _wanted(name: str, hidden: bool, there: Optional[Path], rules: Rules) -> PurePosixPath:
    try:
        safe = _safe(name, rules)
    except UnsafeName:
        if hidden and _stands(there, name):
            return PurePosixPath(name)  # a name of blanks
        raise
    if not hidden:
        return _visible(safe)
    return PurePosixPath(name) if str(safe) != name and _stands(there, name) else safe


def _stands(directory: Optional[Path], name: str) -> bool:
    """Tell whether a file of the user's has just this name below a directory, and no link leads to it."""
    parts = name.split("/")
    if directory is None or "\0" in name or not {"", ".", ".."}.isdisjoint(parts):
        return False
    path = directory
    try:
        for part in parts[:-1]:
            path = path / system_path(part)
            if not stat.S_ISDIR(os.lstat(str(path)).st_mode):
                return False
        path = path / system_path(parts[-1])
        return stat.S_ISREG(os.lstat(str(path)).st_mode) and not is_own(path)
    except (OSError, UsageError):
        return False


def numbered(name: str, number: int) -> str:
    """A file name with a number before its extension, cut where it would grow too long.

    >>> numbered("a.tar", 2)
    'a (2).tar'
    """
    path = PurePosixPath(name)
    stem, end = path.stem, f" ({number}){path.suffix}"
    if len(path.suffix) > _ROOM:
        stem, end = name, f" ({number})"
    raw = stem.encode("utf-8", "surrogateescape")
    room = LONGEST - len(end.encode("utf-8", "surrogateescape"))
    return (stem if len(raw) <= room else raw[:room].decode("utf-8", "ignore")) + end


def _numbered(path: PurePosixPath, number: int) -> PurePosixPath:
    return path.with_name(numbered(path.name, number))


def _visible(path: PurePosixPath) -> PurePosixPath:
    """The path with the leading dot of each component replaced."""
    return PurePosixPath(*("_" + part[1:] if part.startswith(".") else part for part in path.parts))


def _partial_names(path: PurePosixPath, rules: Rules) -> List[str]:
    return [rules.key(path) + suffix for suffix in (".part", ".part.json", ".part.json.tmp")]
