"""Readers of files with credentials: netrc, ``.env``, ini and JSON files.

Only regular files of at most 1 MiB are read, without blocking.  Other files raise :class:`UnreadableFile`,
whose text contains the reason and, if possible, the line number, but no contents of the file.
"""

import configparser
import functools
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, TypeVar, cast

import attrs

from smartxfer._system import open_when_lease_released
from smartxfer.errors import LocalError
from smartxfer.transport.shared_files import warn_if_shared

__all__ = [
    "MAX_FILE_BYTES",
    "SecretFile",
    "UnreadableFile",
    "describe_read_error",
    "parse_ini",
    "parse_netrc",
    "read_secret_file",
]

F = TypeVar("F", bound=Callable[..., Any])

#: Maximum bytes of a file.
MAX_FILE_BYTES = 1 << 20

_FILE_TYPES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class UnreadableFile(Exception):
    """A file with credentials cannot be used; the text is the reason, without contents of the file."""


def _hide_frames(read: F) -> F:
    """Decorate a reader so that its errors have no frames, whose variables contain the file."""

    @functools.wraps(read)
    def call(*args: Any, **keywords: Any) -> Any:
        try:
            return read(*args, **keywords)
        except UnreadableFile as error:
            reason = str(error)
        raise UnreadableFile(reason)

    return cast("F", call)


@attrs.frozen
class SecretFile:
    """The text of a file, and its permissions.

    :param stat_result: of the opened file.
    """

    path: Path
    text: str = attrs.field(repr=False)
    stat_result: os.stat_result = attrs.field(repr=False)

    def warn_if_shared(self) -> None:
        """Log a warning if other users can access the file, once per file and process."""
        warn_if_shared(self.path, self.stat_result)


@_hide_frames
def read_secret_file(path: Path, max_bytes: int = MAX_FILE_BYTES) -> SecretFile:
    """Return the text of a regular file in UTF-8, with or without a byte order mark.

    :param max_bytes: maximum size of the file.
    :raises FileNotFoundError: it does not exist.
    :raises UnreadableFile: it cannot be read, is another kind of file, is too large, or is not UTF-8.
    """
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        _require_regular_file(os.stat(path))  # opening a device may have an effect
        with open_when_lease_released(path, path, flags) as descriptor:
            stat_result = os.fstat(descriptor.number)
            _require_regular_file(stat_result)
            data = _read_bounded(descriptor.number, max_bytes)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UnreadableFile(describe_read_error(error)) from None
    return SecretFile(path, _decode_text(data), stat_result)


def _require_regular_file(stat_result: os.stat_result) -> None:
    if not stat.S_ISREG(stat_result.st_mode):
        kind = next((name for test, name in _FILE_TYPES if test(stat_result.st_mode)), "something else")
        raise UnreadableFile(f"it is {kind}, not a regular file")


def _read_bounded(descriptor: int, max_bytes: int) -> bytes:
    data = bytearray()
    while len(data) <= max_bytes:
        piece = os.read(descriptor, max_bytes + 1 - len(data))
        if not piece:
            return bytes(data)
        data += piece
    raise UnreadableFile(f"it is larger than {max_bytes} bytes")


def _decode_text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile("it is in UTF-16: save it as UTF-8")
    if b"\0" in data:
        raise UnreadableFile("it is a binary file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"line {_line_number(data, error.start)}: not UTF-8") from None


def _line_number(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def describe_read_error(error: BaseException) -> str:
    """Return the reason why a source cannot be read, without its text, which may be secret."""
    if isinstance(error, UnreadableFile):
        return str(error)
    if isinstance(error, LocalError):
        return error.summary
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


@_hide_frames
def parse_ini(file: SecretFile) -> configparser.ConfigParser:
    """Return the sections of an ini file.

    :raises UnreadableFile: it is malformed; the text names the line.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        if line is None and getattr(error, "errors", None):
            line = error.errors[0][0]  # type: ignore[attr-defined]
        position = "" if line is None else f"line {line}: "
        raise UnreadableFile(f"{position}{type(error).__name__}") from None
    except (AttributeError, ValueError) as error:  # bugs of configparser for malformed files
        raise UnreadableFile(describe_read_error(error)) from None
    return parser


# -- netrc -----------------------------------------------------------------------------------------------


class _NetrcToken(NamedTuple):
    """A word of a netrc file.

    :param quoted: whether it began with a quotation mark, and therefore cannot begin a comment.
    """

    text: str
    line: int
    quoted: bool


class _NetrcLexer:
    """The words of a netrc file: separated by white space, quoted by ``"``, escaped by a backslash."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line = 1

    def next_token(self) -> Optional[_NetrcToken]:
        """Return the next word; None at the end.

        :raises UnreadableFile: a quotation mark is not closed.
        """
        text = self._text
        while self._position < len(text) and text[self._position] in " \t\r\n":
            self._line += text[self._position] == "\n"
            self._position += 1
        if self._position >= len(text):
            return None
        line, quoted = self._line, text[self._position] == '"'
        self._position += quoted
        ends = '"' if quoted else " \t\r\n"
        characters = []
        while self._position < len(text) and text[self._position] not in ends:
            if text[self._position] == "\\" and self._position + 1 < len(text):
                self._position += 1
            self._line += text[self._position] == "\n"
            characters.append(text[self._position])
            self._position += 1
        if quoted:
            if self._position >= len(text):
                raise UnreadableFile(f"line {line}: a quotation mark is not closed")
            self._position += 1
        return _NetrcToken("".join(characters), line, quoted)

    def skip_line(self) -> str:
        """Skip the rest of the line, and return it."""
        end = self._text.find("\n", self._position)
        end = len(self._text) if end < 0 else end + 1
        skipped = self._text[self._position : end]
        self._line += skipped.count("\n")
        self._position = end
        return skipped

    def skip_macro(self) -> None:
        """Skip a macro, which ends at an empty line."""
        self.skip_line()
        while self._position < len(self._text) and self.skip_line().strip("\r\n"):
            pass

    def next_value(self, key: _NetrcToken) -> str:
        """Return the word after a key.

        :raises UnreadableFile: the file ends before it.
        """
        token = self.next_token()
        if token is None:
            raise UnreadableFile(f"line {key.line}: the last word has no value")
        return token.text


@_hide_frames
def parse_netrc(file: SecretFile) -> Dict[str, Tuple[str, str]]:
    """Return (login, password) by host in lower case; the last of several entries for a host is used.

    The ``default`` entry and macros are ignored.  The account is used as login if the login is missing.

    :raises UnreadableFile: it is malformed; the text names the line.
    """
    words, hosts = _NetrcLexer(file.text), {}
    entry: Dict[str, str] = {}
    host: Optional[str] = None
    started = False
    while True:
        word = words.next_token()
        name = None if word is None else word.text
        if word is None or name in ("machine", "default", "macdef"):
            if host is not None:
                login = entry.get("login") or entry.get("user") or entry.get("account") or ""
                hosts[host] = (login, entry.get("password", ""))
            if word is None:
                return hosts
            host, entry, started = None, {}, name != "macdef"
            if name == "machine":
                host = words.next_value(word).lower()
            elif name == "macdef":
                words.next_value(word)
                words.skip_macro()
        elif word.text.startswith("#") and not word.quoted:
            words.skip_line()
        elif started and name in ("login", "user", "account", "password"):
            entry[word.text] = words.next_value(word)
        else:
            raise UnreadableFile(f"line {word.line}: an unknown word")
