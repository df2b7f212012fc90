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
from smartxfer.os_text import decode_os_text, encode_os_path
from smartxfer.transfer.name_rules import (
    MAX_NAME_LENGTH,
    RESERVED_NAMES,
    NameRules,
    detect_name_rules,
    fold_name,
)
from smartxfer.transfer.own_files import is_own_file
from smartxfer.transfer.temporary_files import is_temporary_name

__all__ = ["add_number", "fold_name", "is_renamed", "safe_path", "unique_paths", "unique_paths_or_errors"]

#: Room in a name that has to be cut, for suffixes of a partial file and of a second file of the same name.
_SUFFIX_RESERVE = 16
#: Control characters and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: Characters that change the order in which a name is shown, or are not shown at all.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
#: Characters that Windows does not take.
_WINDOWS_FORBIDDEN_CHARACTERS = re.compile('[<>:"|?*]')


def safe_path(
    name: str, directory: Optional[Path] = None, rules: Optional[NameRules] = None
) -> PurePosixPath:
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
    return _encode_for_locale(_sanitize_path(name, rules or detect_name_rules(directory, [name])))


def is_renamed(name: str, path: PurePosixPath) -> bool:
    """Return True if a path has another name than the server's file."""
    return decode_os_text(str(path)) != name


def _encode_for_locale(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(*map(encode_os_path, path.parts))


def _sanitize_path(name: str, rules: NameRules) -> PurePosixPath:
    """The same in Unicode: names are compared by characters, not by the bytes that a locale makes of them."""
    parts = []
    for part in re.split(r"[/\\]+", str(name)):
        component = _sanitize_component(part, rules)
        if component:
            parts.append(component)
    if not parts:
        raise UnsafeName(f"the server's name {name[:80]!r} is no file name")
    return PurePosixPath(*parts)


def _sanitize_component(part: str, rules: NameRules) -> str:
    """One component made safe; empty when it stands for no file."""
    if part.strip() in ("", ".", ".."):
        return ""
    if re.fullmatch(r"[A-Za-z]:", part):
        return ""  # a drive
    text = _INVISIBLE.sub("_", _CONTROL.sub("_", part))
    if text.startswith("~"):
        text = "_" + text[1:]
    if is_temporary_name(text):
        text = f"_{text}"  # a later run would remove the file
    if rules.windows:
        text = _WINDOWS_FORBIDDEN_CHARACTERS.sub("_", text).rstrip(". ") or "_"
        if text.split(".", 1)[0].rstrip().lower() in RESERVED_NAMES:
            text = f"_{text}"
    return _shorten_name(text, rules)


def _shorten_name(text: str, rules: NameRules) -> str:
    """``text`` as it is, or cut in the middle and told apart by a hash where it is too long for a name."""
    if rules.length(text) <= MAX_NAME_LENGTH:
        return text
    raw = text.encode("utf-8")
    stem, dot, extension = text.rpartition(".")
    tail = dot + extension if stem and len(extension.encode("utf-8")) <= 20 else ""
    mark = "-" + hashlib.sha256(raw).hexdigest()[:8]
    room = MAX_NAME_LENGTH - _SUFFIX_RESERVE - len(mark) - len(tail.encode("utf-8"))
    return raw[:room].decode("utf-8", "ignore") + mark + tail


def unique_paths(
    names: Iterable[str],
    hidden: bool = True,
    directory: Optional[Path] = None,
    rules: Optional[NameRules] = None,
) -> List[PurePosixPath]:
    """Safe paths for several names, no two the same on the file system where they go.

    Where names meet, those that need no change come first, and the others get `` (2)`` before the extension:
    a file whose name another one uses as a directory, or for its partial file, and on file systems that
    ignore them, names that differ only in case or in the composition of accents.

    :param hidden: False replaces the leading dot of every component by ``_``.
    :param directory: where the files go, if that is known.  A file of the user's that has the server's name
        already, whatever is in that name, keeps it.
    :param rules: of its file system, in place of those of the directory.

    >>> [str(path) for path in unique_paths(["a.txt", "a.txt", "b", "b/c"])]
    ['a.txt', 'a (2).txt', 'b (2)', 'b/c']

    :raises UnsafeName: one of them stands for no file.
    """
    paths: List[PurePosixPath] = []
    for path in unique_paths_or_errors(names, hidden, directory, rules):
        if isinstance(path, UnsafeName):
            raise path
        paths.append(path)
    return paths


def unique_paths_or_errors(
    names: Iterable[str],
    hidden: bool = True,
    directory: Optional[Path] = None,
    rules: Optional[NameRules] = None,
) -> List[Union[PurePosixPath, UnsafeName]]:
    """Return the same as :func:`unique_paths`, with an error for each name that stands for no file."""
    given = list(names)
    rules = rules or detect_name_rules(directory, given)
    # Where a file may stand under the server's own name.
    there = directory if hidden and not rules.windows else None
    wanted: Dict[int, PurePosixPath] = {}
    chosen: Dict[int, Union[PurePosixPath, UnsafeName]] = {}
    for at, name in enumerate(given):
        try:
            wanted[at] = _preferred_path(name, hidden, there, rules)
        except UnsafeName as error:
            chosen[at] = error
    directories = {rules.comparison_key(parent) for path in wanted.values() for parent in path.parents}
    partial = {name for path in wanted.values() for name in _part_file_keys(path, rules)}
    taken: Set[str] = set()

    def is_free(candidate: PurePosixPath, name: str) -> bool:
        key, parts = rules.comparison_key(candidate), _part_file_keys(candidate, rules)
        if key in taken:
            return False
        free = key not in partial and key not in directories
        free = free and taken.isdisjoint(parts) and directories.isdisjoint(parts)
        return free or (str(candidate) == name and _is_user_file(there, name))

    # The last number given for a name: many files of one name cost no more than as many others.
    numbers: Dict[str, int] = {}
    for at in sorted(wanted, key=lambda at: hidden and str(wanted[at]) != given[at]):
        path = wanted[at]
        candidate, number = path, numbers.get(rules.comparison_key(path), 1)
        if number > 1:
            candidate = _add_number(path, number)
        while not is_free(candidate, given[at]):
            number += 1
            candidate = _add_number(path, number)
        numbers[rules.comparison_key(path)] = number
        taken.add(rules.comparison_key(candidate))
        partial.update(_part_file_keys(candidate, rules))
        chosen[at] = _encode_for_locale(candidate)
    return [chosen[at] for at in range(len(given))]


def _preferred_path(name: str, hidden: bool, there: Optional[Path], rules: NameRules) -> PurePosixPath:
    try:
        safe = _sanitize_path(name, rules)
    except UnsafeName:
        if hidden and _is_user_file(there, name):
            return PurePosixPath(name)  # a name of blanks
        raise
    if not hidden:
        return _replace_leading_dots(safe)
    return PurePosixPath(name) if str(safe) != name and _is_user_file(there, name) else safe


def _is_user_file(directory: Optional[Path], name: str) -> bool:
    """Tell whether a file of the user's has just this name below a directory, and no link leads to it."""
    parts = name.split("/")
    if directory is None or "\0" in name or not {"", ".", ".."}.isdisjoint(parts):
        return False
    path = directory
    try:
        for part in parts[:-1]:
            path = path / encode_os_path(part)
            if not stat.S_ISDIR(os.lstat(str(path)).st_mode):
                return False
        path = path / encode_os_path(parts[-1])
        return stat.S_ISREG(os.lstat(str(path)).st_mode) and not is_own_file(path)
    except (OSError, UsageError):
        return False


def add_number(name: str, number: int) -> str:
    """A file name with a number before its extension, cut where it would grow too long.

    >>> add_number("a.tar", 2)
    'a (2).tar'
    """
    path = PurePosixPath(name)
    stem, end = path.stem, f" ({number}){path.suffix}"
    if len(path.suffix) > _SUFFIX_RESERVE:
        stem, end = name, f" ({number})"
    raw = stem.encode("utf-8", "surrogateescape")
    room = MAX_NAME_LENGTH - len(end.encode("utf-8", "surrogateescape"))
    return (stem if len(raw) <= room else raw[:room].decode("utf-8", "ignore")) + end


def _add_number(path: PurePosixPath, number: int) -> PurePosixPath:
    return path.with_name(add_number(path.name, number))


def _replace_leading_dots(path: PurePosixPath) -> PurePosixPath:
    """The path with the leading dot of each component replaced."""
    return PurePosixPath(*("_" + part[1:] if part.startswith(".") else part for part in path.parts))


def _part_file_keys(path: PurePosixPath, rules: NameRules) -> List[str]:
    return [rules.comparison_key(path) + suffix for suffix in (".part", ".part.json", ".part.json.tmp")]
