"""Text that comes from the operating system or goes to it: file names, variables, the home directory.

Python decodes them by the locale.  Under ``LC_ALL=POSIX`` that is ASCII, and the bytes of ``é`` become two
surrogates.  Servers get Unicode, and files get names in UTF-8, whatever the locale is.
"""

import os
from pathlib import Path
from typing import Any, Optional

from smartxfer.errors import UsageError

__all__ = ["expanded", "home_directory", "system_path", "unicode_text", "user_directory"]


def unicode_text(text: str) -> str:
    """Return text from the system (a file name, a variable, an argument) as Unicode.

    Text whose bytes are not UTF-8 is returned as it is, surrogates included.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        try:
            return os.fsencode(text).decode("utf-8")
        except UnicodeError:
            pass
    return text


def system_path(text: str) -> str:
    """Return a path in the characters that the locale has: a name that it cannot encode gets its UTF-8 bytes.

    :raises UsageError: the path contains a null character or half of a surrogate pair.
    """
    if "\0" in text:
        raise UsageError(f"not a path: {text!r} contains a null character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        try:
            return os.fsdecode(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            raise UsageError(
                f"not a path: {text!r} is not valid Unicode", hint="give the path another name"
            ) from None
    return text


def expanded(path: Any) -> Path:
    """Return a path with a leading ``~`` expanded where the home directory is known.

    :param path: text, bytes or a path object.
    :raises UsageError: it cannot be a path.
    """
    return Path(os.path.expanduser(system_path(os.fsdecode(os.fspath(path)))))


def home_directory() -> Optional[Path]:
    """Return the user's home directory; None without HOME and without an entry in the password database."""
    found = os.path.expanduser("~")
    return Path(found) if os.path.isabs(found) else None


def user_directory(kind: str) -> Optional[Path]:
    """Return the user's directory for smartxfer's files of a kind; None where the home directory is unknown.

    :param kind: ``"config"`` or ``"state"``.
    """
    import platformdirs

    find = {"config": platformdirs.user_config_dir, "state": platformdirs.user_state_dir}[kind]
    try:
        found = find("smartxfer", appauthor=False)
    except RuntimeError:  # newer versions raise it, older ones return "~/..." as it is
        return None
    return None if found.startswith("~") else Path(found)
