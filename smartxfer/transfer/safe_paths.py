"""Conversion of names from a server to safe local paths.

A name always becomes the same path below the target directory, and cannot lead outside it.  It is changed
only if necessary: characters that Windows forbids are kept on Linux.
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

#: Bytes reserved in a shortened name for the suffix of the part file and the number of a duplicate.
_SUFFIX_RESERVE = 16
#: Control characters and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: Characters that change the display order of a name, or are invisible.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
#: Characters that Windows forbids in names.
_WINDOWS_FORBIDDEN_CHARACTERS = re.compile('[<>:"|?*]')


def safe_path(
    name: str, directory: Optional[Path] = None, rules: Optional[NameRules] = None
) -> PurePosixPath:
    """Return the relative local path for a name from a server, encoded for the locale.

    ``.`` and ``..``, empty components, drives and leading slashes are dropped.  Control characters, invisible
    characters, and those that the file system forbids become ``_``.  Components of more than 255 bytes are
    shortened.

    >>> str(safe_path("../../etc/passwd"))
    'etc/passwd'

    :param directory: target directory, if it is known.
    :param rules: name rules of the file system; by default those of ``directory``.
    :raises UnsafeName: no component is left.
    """
    return _encode_for_locale(_sanitize_path(name, rules or detect_name_rules(directory, [name])))


def is_renamed(name: str, path: PurePosixPath) -> bool:
    """Return True if a path differs from the name on the server."""
    return decode_os_text(str(path)) != name


def _encode_for_locale(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(*map(encode_os_path, path.parts))


def _sanitize_path(name: str, rules: NameRules) -> PurePosixPath:
    """Return the safe path in Unicode, because names are compared before they are encoded for the locale."""
    parts = []
    for part in re.split(r"[/\\]+", str(name)):
        component = _sanitize_component(part, rules)
        if component:
            parts.append(component)
    if not parts:
        raise UnsafeName(f"invalid file name from the server: {name[:80]!r}")
    return PurePosixPath(*parts)


def _sanitize_component(part: str, rules: NameRules) -> str:
    """Return a safe component; empty if the component must be dropped."""
    if part.strip() in ("", ".", ".."):
        return ""
    if re.fullmatch(r"[A-Za-z]:", part):
        return ""  # a drive
    text = _INVISIBLE.sub("_", _CONTROL.sub("_", part))
    if text.startswith("~"):
        text = "_" + text[1:]
    if is_temporary_name(text):
        text = f"_{text}"  # a later run would remove the file as a stale temporary file
    if rules.windows:
        text = _WINDOWS_FORBIDDEN_CHARACTERS.sub("_", text).rstrip(". ") or "_"
        if text.split(".", 1)[0].rstrip().lower() in RESERVED_NAMES:
            text = f"_{text}"
    return _shorten_name(text, rules)


def _shorten_name(text: str, rules: NameRules) -> str:
    """Return ``text``, or its start, a hash and its extension if it is too long for a name."""
    if rules.length(text) <= MAX_NAME_LENGTH:
        return text
    raw = text.encode("utf-8")
    stem, dot, extension = text.rpartition(".")
    tail = dot + extension if stem and len(extension.encode("utf-8")) <= 20 else ""
    digest = "-" + hashlib.sha256(raw).hexdigest()[:8]
    length = MAX_NAME_LENGTH - _SUFFIX_RESERVE - len(digest) - len(tail.encode("utf-8"))
    return raw[:length].decode("utf-8", "ignore") + digest + tail


def unique_paths(
    names: Iterable[str],
    hidden: bool = True,
    directory: Optional[Path] = None,
    rules: Optional[NameRules] = None,
) -> List[PurePosixPath]:
    """Return safe paths for several names, all different on the target file system.

    Names conflict if they are equal, if one is the directory or the part file of another, and on file systems
    that ignore it, if they differ only in case or in the composition of accents.  Names that need no change
    have precedence; the others get `` (2)`` before the extension.

    :param hidden: False replaces the leading dot of every component by ``_``.
    :param directory: target directory, if it is known.  If it contains a user's file with exactly the
        server's name, that name is used unchanged.
    :param rules: name rules of the file system; by default those of ``directory``.

    >>> [str(path) for path in unique_paths(["a.txt", "a.txt", "b", "b/c"])]
    ['a.txt', 'a (2).txt', 'b (2)', 'b/c']

    :raises UnsafeName: a name is not a valid file name.
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
    """Return the paths of :func:`unique_paths`, with an error in place of each invalid name."""
    name_list = list(names)
    rules = rules or detect_name_rules(directory, name_list)
    # The directory in which a user's file may have exactly the server's name.
    user_directory = directory if hidden and not rules.windows else None
    preferred: Dict[int, PurePosixPath] = {}
    chosen: Dict[int, Union[PurePosixPath, UnsafeName]] = {}
    for index, name in enumerate(name_list):
        try:
            preferred[index] = _preferred_path(name, hidden, user_directory, rules)
        except UnsafeName as error:
            chosen[index] = error
    directories = {rules.comparison_key(parent) for path in preferred.values() for parent in path.parents}
    part_files = {name for path in preferred.values() for name in _part_file_keys(path, rules)}
    used: Set[str] = set()

    def is_free(candidate: PurePosixPath, name: str) -> bool:
        key, parts = rules.comparison_key(candidate), _part_file_keys(candidate, rules)
        if key in used:
            return False
        free = key not in part_files and key not in directories
        free = free and used.isdisjoint(parts) and directories.isdisjoint(parts)
        return free or (str(candidate) == name and _is_user_file(user_directory, name))

    # The last number used for a name, so that many files of one name need no quadratic search.
    numbers: Dict[str, int] = {}
    for index in sorted(preferred, key=lambda index: hidden and str(preferred[index]) != name_list[index]):
        path = preferred[index]
        candidate, number = path, numbers.get(rules.comparison_key(path), 1)
        if number > 1:
            candidate = _add_number(path, number)
        while not is_free(candidate, name_list[index]):
            number += 1
            candidate = _add_number(path, number)
        numbers[rules.comparison_key(path)] = number
        used.add(rules.comparison_key(candidate))
        part_files.update(_part_file_keys(candidate, rules))
        chosen[index] = _encode_for_locale(candidate)
    return [chosen[index] for index in range(len(name_list))]


def _preferred_path(
    name: str, hidden: bool, user_directory: Optional[Path], rules: NameRules
) -> PurePosixPath:
    try:
        safe = _sanitize_path(name, rules)
    except UnsafeName:
        if hidden and _is_user_file(user_directory, name):
            return PurePosixPath(name)  # a name of spaces
        raise
    if not hidden:
        return _replace_leading_dots(safe)
    return PurePosixPath(name) if str(safe) != name and _is_user_file(user_directory, name) else safe


def _is_user_file(directory: Optional[Path], name: str) -> bool:
    """Return True if a directory contains a user's file with exactly this name, without links on its path."""
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
    """Return a file name with a number before its extension, shortened if it would be too long.

    >>> add_number("a.tar", 2)
    'a (2).tar'
    """
    path = PurePosixPath(name)
    stem, end = path.stem, f" ({number}){path.suffix}"
    if len(path.suffix) > _SUFFIX_RESERVE:
        stem, end = name, f" ({number})"
    raw = stem.encode("utf-8", "surrogateescape")
    length = MAX_NAME_LENGTH - len(end.encode("utf-8", "surrogateescape"))
    return (stem if len(raw) <= length else raw[:length].decode("utf-8", "ignore")) + end


def _add_number(path: PurePosixPath, number: int) -> PurePosixPath:
    return path.with_name(add_number(path.name, number))


def _replace_leading_dots(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(*("_" + part[1:] if part.startswith(".") else part for part in path.parts))


def _part_file_keys(path: PurePosixPath, rules: NameRules) -> List[str]:
    return [rules.comparison_key(path) + suffix for suffix in (".part", ".part.json", ".part.json.tmp")]
