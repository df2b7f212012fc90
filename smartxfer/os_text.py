"""Text from and for the operating system: file names, environment variables, the home directory.

Python decodes it by the locale.  With ``LC_ALL=POSIX`` that is ASCII, and the bytes of ``é`` become two
surrogates.  Independent of the locale, servers get Unicode, and files get names in UTF-8.
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Any, Optional, Union

from smartxfer.errors import LocalError, LocalNotFound, UsageError

__all__ = [
    "FilePath",
    "decode_os_text",
    "encode_os_path",
    "explain_path_too_long",
    "get_home_directory",
    "get_user_directory",
    "resolve_source_path",
    "resolve_target_path",
]

FilePath = Union[str, "os.PathLike[str]"]
"""Path of a local file or directory, as text or anything with ``__fspath__``."""

_SEPARATORS = os.sep + (os.altsep or "")


def decode_os_text(text: str) -> str:
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


def encode_os_path(text: str) -> str:
    """Return a path that can be encoded in the locale: other characters are replaced by their UTF-8 bytes.

    :raises UsageError: the path contains a null character or half of a surrogate pair.
    """
    if "\0" in text:
        raise UsageError(f"not a path: {text!r} contains a null character", hint="pass a path without \\0")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        try:
            return os.fsdecode(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            raise UsageError(f"not a path: {text!r} is not valid Unicode", hint="rename the file") from None
    return text


def resolve_source_path(path: Any, *, expand: bool = True) -> Path:
    """Return the path of a file or directory to read.

    ``~/name`` is in the home directory, unless that exact name exists in the working directory.  ``~`` alone
    and ``~name`` are never expanded.

    :param path: text, bytes or a path object.
    :param expand: False never expands, because a shell has done so.
    :raises UsageError: it is not a valid path.
    :raises LocalNotFound: it begins with ``~``, and does not exist.
    """
    text = _validated_path_text(path)
    if not text.startswith("~") or os.path.lexists(text):
        return _unexpanded_path(text)
    if expand and _is_below_home(text):
        home = get_home_directory()
        if home is not None:
            return home / text[1:].lstrip(_SEPARATORS)
        hint = "the home directory is unknown: set HOME, or give the path in full"
    else:
        hint = "~ alone and ~user are not expanded: give the path in full, such as Path.home() / 'name'"
    raise LocalNotFound(f"the file or directory {text!r} does not exist", hint=hint)


def resolve_target_path(path: Any, *, expand: bool = True) -> Path:
    """Return the path of a file or directory to write.

    ``~/name`` is expanded as by :func:`resolve_source_path`.  Files with the name ``~`` or ``~name`` are
    never created.

    :param path: text, bytes or a path object.
    :param expand: False never expands, because a shell has done so.
    :raises UsageError: it is not a valid path, is ``~`` or ``~name``, or cannot be expanded.
    """
    text = _validated_path_text(path)
    if not text.startswith("~"):
        return _unexpanded_path(text)
    if text[1:2] and text[1] in _SEPARATORS:
        if os.path.lexists(text):
            return _unexpanded_path(text)
        home = get_home_directory() if expand else None
        if home is not None:
            return home / text[1:].lstrip(_SEPARATORS)
        hint = "set HOME, or give the path in full" if expand else "leave out the quotation marks around ~"
        raise UsageError(f"{text!r} cannot be expanded to a path in the home directory", hint=hint)
    hint = f"give the path in full; {os.path.join(os.curdir, text)!r} is a file of that name"
    raise UsageError(f"{text!r} is ambiguous as a target: ~ alone and ~user are not expanded", hint=hint)


def _validated_path_text(path: Any) -> str:
    text = encode_os_path(os.fsdecode(os.fspath(path)))
    try:
        os.lstat(text)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            hint = "use a shorter name"
            raise LocalError(
                f"cannot use {text}: {explain_path_too_long(text)}", hint=hint, errno=error.errno
            ) from None
    return text


def explain_path_too_long(text: str) -> str:
    """Return a message about the part of a path that is too long: a name, or the whole path."""
    parent = Path()
    for part in Path(text).parts:
        size, limit = len(os.fsencode(part)), _get_path_limit(parent, "PC_NAME_MAX", 255)
        if size > limit:
            return f"the name {part!r:.40} has {size} bytes, and at most {limit} are possible"
        parent /= part
    limit = _get_path_limit(Path(), "PC_PATH_MAX", 4096) - 1
    return f"the path has {len(os.fsencode(text))} bytes, and at most {limit} are possible"


def _get_path_limit(directory: Path, name: str, default: int) -> int:
    try:
        return os.pathconf(str(directory), name)
    except (AttributeError, OSError, ValueError):
        return default


def _is_below_home(text: str) -> bool:
    """Return True for ``~/name``, and False for ``~``, ``~/`` and ``~name``."""
    return text[1:2] in tuple(_SEPARATORS) and os.path.normpath(text) != "~"


def _unexpanded_path(text: str) -> Path:
    """Return a path; if it begins with ``~``, return the absolute path, which is never expanded later."""
    path = Path(text)
    if path.parts[:1] and path.parts[0].startswith("~"):
        with contextlib.suppress(OSError):  # the working directory was removed
            path = Path(os.getcwd(), path)
    return path


def get_home_directory() -> Optional[Path]:
    """Return the user's home directory; None without HOME and without an entry in the password database."""
    home = os.path.expanduser("~")
    return Path(home) if os.path.isabs(home) else None


def get_user_directory(kind: str) -> Optional[Path]:
    """Return the user's directory for files of smartxfer; None if the home directory is unknown.

    :param kind: ``"config"`` or ``"state"``.
    """
    import platformdirs

    find = {"config": platformdirs.user_config_dir, "state": platformdirs.user_state_dir}[kind]
    try:
        directory = find("smartxfer", appauthor=False)
    except RuntimeError:  # newer versions raise it, older ones return "~/..."
        return None
    return None if directory.startswith("~") else Path(directory)
