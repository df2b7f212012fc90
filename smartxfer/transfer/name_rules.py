"""Rules of file systems for names, known from the platform or detected with a temporary file."""

import contextlib
import errno
import os
import re
import sys
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Optional, Sequence, Union

import attrs

from smartxfer.transfer.temporary_files import make_temporary_file

__all__ = ["MAX_NAME_LENGTH", "RESERVED_NAMES", "NameRules", "detect_name_rules", "fold_name"]

#: Bytes of a name; UTF-16 units on Windows and macOS.
MAX_NAME_LENGTH = 255
#: Names of devices on Windows, with any extension.
RESERVED_NAMES = frozenset(
    ["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in "123456789\u00b9\u00b2\u00b3"]
)
#: Names that some file systems forbid or change.
_RESERVED_PATTERN = "|".join(map(re.escape, RESERVED_NAMES))
_SYSTEM_DEPENDENT_NAME = re.compile(
    rf'[<>:"|?*]|[. ](?:[/\\]|\Z)|(?:\A|[/\\])(?:{_RESERVED_PATTERN}) *(?:[./\\]|\Z)', re.IGNORECASE
)


@attrs.frozen
class NameRules:
    """Rules of a file system for names.

    :param windows: the rules of Windows apply: some characters and names are forbidden, and dots and spaces
        at the end of a name are dropped.
    :param case_insensitive: names that differ only in case or in the composition of accents are equal.
    :param utf16_length: whether the limit of a name is 255 UTF-16 units instead of 255 bytes.
    """

    windows: bool
    case_insensitive: bool
    utf16_length: bool = False

    @classmethod
    def for_platform(cls) -> "NameRules":
        """Return the usual rules of this platform."""
        windows, mac = sys.platform in ("win32", "cygwin"), sys.platform == "darwin"
        return cls(windows, windows or mac, windows or mac)

    def comparison_key(self, path: Union[str, PurePosixPath]) -> str:
        """Return a path in the form that the file system compares."""
        return fold_name(path) if self.case_insensitive else str(path)

    def length(self, name: str) -> int:
        """Return the length of a name, in the units of :data:`MAX_NAME_LENGTH`."""
        return len(name.encode("utf-16-le")) // 2 if self.utf16_length else len(name.encode("utf-8"))


def fold_name(path: Union[str, PurePosixPath]) -> str:
    """Return a path without differences of case and of the composition of accents."""
    return unicodedata.normalize("NFC", str(path).casefold())


def detect_name_rules(directory: Optional[Path], names: Sequence[str]) -> NameRules:
    """Return the name rules of the file system of a directory, as far as they matter for these names.

    If they cannot be derived from the platform, a temporary file is created in the directory: a memory stick
    may have the rules of Windows on Linux.

    :param directory: None if it is unknown.
    """
    rules = NameRules.for_platform()
    if (
        directory is None
        or rules.windows
        or not _is_system_dependent(names)
        or not os.path.isdir(str(directory))
    ):
        return rules
    try:
        path, opened = make_temporary_file(str(directory), 0o600, ":?")
    except OSError as error:
        return (
            attrs.evolve(rules, windows=True, case_insensitive=True) if error.errno == errno.EINVAL else rules
        )
    try:
        with contextlib.suppress(OSError):
            other = os.path.join(os.path.dirname(path), os.path.basename(path).upper())
            return attrs.evolve(
                rules, case_insensitive=os.path.samestat(os.fstat(opened.number), os.lstat(other))
            )
        return attrs.evolve(rules, case_insensitive=False)
    finally:
        opened.close()
        with contextlib.suppress(OSError):
            os.unlink(path)


def _is_system_dependent(names: Sequence[str]) -> bool:
    """Return True if some file systems would change one of the names, or treat two as equal."""
    return any(map(_SYSTEM_DEPENDENT_NAME.search, names)) or len(set(map(fold_name, names))) < len(set(names))
