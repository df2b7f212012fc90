"""Rules of file systems for names: known by the platform, and in doubt found out by a trial."""

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
#: What some file system does not take as it is.
_RESERVED_PATTERN = "|".join(map(re.escape, RESERVED_NAMES))
_SYSTEM_DEPENDENT_NAME = re.compile(
    rf'[<>:"|?*]|[. ](?:[/\\]|\Z)|(?:\A|[/\\])(?:{_RESERVED_PATTERN}) *(?:[./\\]|\Z)', re.IGNORECASE
)


@attrs.frozen
class NameRules:
    """Rules of a file system for names.

    :param windows: it refuses the characters and names that Windows refuses, and drops dots and blanks at
        the end of a name.
    :param folds: it takes names for the same that differ only in case or in the composition of accents.
    :param units: whether the limit of a name is 255 UTF-16 units, in place of 255 bytes.
    """

    windows: bool
    case_insensitive: bool
    utf16_length: bool = False

    @classmethod
    def for_platform(cls) -> "NameRules":
        """Return the rules of the file systems that are usual on this platform."""
        windows, mac = sys.platform in ("win32", "cygwin"), sys.platform == "darwin"
        return cls(windows, windows or mac, windows or mac)

    def comparison_key(self, path: Union[str, PurePosixPath]) -> str:
        """Return a path in the form in which the file system compares it."""
        return fold_name(path) if self.case_insensitive else str(path)

    def length(self, name: str) -> int:
        """Return the length of a name, in the units of :data:`LONGEST`."""
        return len(name.encode("utf-16-le")) // 2 if self.utf16_length else len(name.encode("utf-8"))


def fold_name(path: Union[str, PurePosixPath]) -> str:
    """Return a path as file systems compare it that ignore case and the composition of accents."""
    return unicodedata.normalize("NFC", str(path).casefold())


def detect_name_rules(directory: Optional[Path], names: Sequence[str]) -> NameRules:
    """Return the rules of the file system that a directory is on, as far as they matter for these names.

    Where the platform is not enough to know them, a temporary file is made there: a memory stick has the
    rules of Windows on Linux, too.

    :param directory: None for an unknown one.
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
    """Tell whether some file system would change one of these names, or take two for the same."""
    return any(map(_SYSTEM_DEPENDENT_NAME.search, names)) or len(set(map(fold_name, names))) < len(set(names))
