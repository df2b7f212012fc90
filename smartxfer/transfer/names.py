"""Names that come from a server, made safe for the local disk.

A name becomes a path below the target directory, the same one every time; nothing in it can lead out.
"""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Dict, Iterable, List, Set, Union

from smartxfer.errors import UnsafeName
from smartxfer.system_text import system_path

__all__ = ["distinct_paths", "folded", "numbered", "safe_path"]

_LONGEST = 255
#: Room for the suffixes of a partial file and of a second file of the same name.
_ROOM = 16
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in "123456789\u00b9\u00b2\u00b3"]
)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*]')
#: Characters that change the order in which a name is shown, or are not shown at all.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


def safe_path(name: str) -> PurePosixPath:
    """The relative path that a name from a server stands for, in the characters that the locale has.

    Components that lead up or nowhere, drives and leading slashes are dropped; characters that some system
    forbids or that are not shown become ``_``; accents are composed; long components are cut.

    >>> str(safe_path("../../etc/passwd"))
    'etc/passwd'

    :raises UnsafeName: nothing is left.
    """
    return _of_locale(_safe(name))


def _of_locale(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(*map(system_path, path.parts))


def _safe(name: str) -> PurePosixPath:
    """The same in Unicode: names are compared by characters, not by the bytes that a locale makes of them."""
    parts = []
    for part in re.split(r"[/\\]+", str(name)):
        component = _component(part)
        if component:
            parts.append(component)
    if not parts:
        raise UnsafeName(f"the server's name {name[:80]!r} is no file name")
    return PurePosixPath(*parts)


def _component(part: str) -> str:
    """One component made safe; empty when it stands for no file."""
    if part.strip() in ("", ".", ".."):
        return ""
    if re.fullmatch(r"[A-Za-z]:", part):
        return ""  # a drive
    text = part.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    text = unicodedata.normalize("NFC", text)
    text = _INVISIBLE.sub("_", _FORBIDDEN.sub("_", text))
    text = text.rstrip(". ") or "_"
    if text.startswith("~"):
        text = "_" + text[1:]
    if text.split(".", 1)[0].rstrip().lower() in _RESERVED:
        text = f"_{text}"
    return _shortened(text)


def _shortened(text: str) -> str:
    """``text`` in at most 255 bytes less some room: cut in the middle, told apart by a hash."""
    raw = text.encode("utf-8")
    limit = _LONGEST - _ROOM
    if len(raw) <= limit:
        return text
    stem, dot, extension = text.rpartition(".")
    tail = dot + extension if stem and len(extension.encode("utf-8")) <= 20 else ""
    mark = "-" + hashlib.sha256(raw).hexdigest()[:8]
    room = limit - len(mark) - len(tail.encode("utf-8"))
    return raw[:room].decode("utf-8", "ignore") + mark + tail


def distinct_paths(names: Iterable[str], hidden: bool = True) -> List[PurePosixPath]:
    """Safe paths for several names, no two the same on any file system.

    Names that differ only in case or in the composition of accents get `` (2)`` before the extension, and so
    does a file whose name another one uses as a directory, or for its partial file.

    :param hidden: False replaces the leading dot of every component by ``_``.

    >>> [str(path) for path in distinct_paths(["a.txt", "A.txt", "b", "b/c"])]
    ['a.txt', 'A (2).txt', 'b (2)', 'b/c']
    """
    wanted = [_safe(name) if hidden else _visible(_safe(name)) for name in names]
    directories = {folded(parent) for path in wanted for parent in path.parents}
    partial = {name for path in wanted for name in _partial_names(path)}
    taken: Set[str] = set()
    # The last number given for a name: many files of one name cost no more than as many others.
    numbers: Dict[str, int] = {}
    chosen: List[PurePosixPath] = []
    for path in wanted:
        candidate, number = path, numbers.get(folded(path), 1)
        if number > 1:
            candidate = _numbered(path, number)
        while (
            folded(candidate) in partial
            or not taken.isdisjoint([folded(candidate), *_partial_names(candidate)])
            or not directories.isdisjoint([folded(candidate), *_partial_names(candidate)])
        ):
            number += 1
            candidate = _numbered(path, number)
        numbers[folded(path)] = number
        taken.add(folded(candidate))
        partial.update(_partial_names(candidate))
        chosen.append(candidate)
    return [_of_locale(path) for path in chosen]


def numbered(name: str, number: int) -> str:
    """A file name with a number before its extension.

    >>> numbered("a.tar", 2)
    'a (2).tar'
    """
    path = PurePosixPath(name)
    return f"{path.stem} ({number}){path.suffix}"


def _numbered(path: PurePosixPath, number: int) -> PurePosixPath:
    return path.with_name(numbered(path.name, number))


def _visible(path: PurePosixPath) -> PurePosixPath:
    """The path with the leading dot of each component replaced."""
    return PurePosixPath(*("_" + part[1:] if part.startswith(".") else part for part in path.parts))


def _partial_names(path: PurePosixPath) -> List[str]:
    return [folded(path) + suffix for suffix in (".part", ".part.json", ".part.json.tmp")]


def folded(path: Union[str, PurePosixPath]) -> str:
    """A path as file systems compare it that ignore case and the composition of accents."""
    return unicodedata.normalize("NFC", str(path).casefold())
