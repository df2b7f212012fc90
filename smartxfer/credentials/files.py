"""Read files of credentials: netrc, ``.env``, ini and JSON files.

Only regular files of at most 1 MiB are read, without blocking.  Anything else is :class:`Unreadable`, whose
text says why, with the line where one is known, but never shows what the file contains.
"""

import configparser
import functools
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, TypeVar, cast

import attrs

from smartxfer.errors import LocalError
from smartxfer.seams import open_waiting
from smartxfer.transport.shared_files import warn_if_shared

__all__ = ["LARGEST", "SecretFile", "Unreadable", "parse_ini", "parse_netrc", "read_secret_file", "reason"]

F = TypeVar("F", bound=Callable[..., Any])

#: Bytes of the largest file that is read.
LARGEST = 1 << 20

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class Unreadable(Exception):
    """A file of credentials cannot be used; the text is the reason, without anything that it contains."""


def _without_content(read: F) -> F:
    """Have a reader raise its error without its frames: their variables hold what is in the file."""

    @functools.wraps(read)
    def call(*args: Any, **keywords: Any) -> Any:
        try:
            return read(*args, **keywords)
        except Unreadable as error:
            reason = str(error)
        raise Unreadable(reason)

    return cast("F", call)


@attrs.frozen
class SecretFile:
    """The text of a file, and who else may read it.

    :param state: of the file that was opened.
    """

    path: Path
    text: str = attrs.field(repr=False)
    state: os.stat_result = attrs.field(repr=False)

    def warn_if_shared(self) -> None:
        """Warn of a file with a secret that other users may access, once per file and process."""
        warn_if_shared(self.path, self.state)


@_without_content
def read_secret_file(path: Path, largest: int = LARGEST) -> SecretFile:
    """Return the text of a regular file in UTF-8, with or without a byte order mark.

    :param largest: bytes that it may have.
    :raises FileNotFoundError: it does not exist.
    :raises Unreadable: it cannot be read, is another kind of file, is too large, or is not UTF-8.
    """
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        _check_kind(os.stat(path))  # to open a device may have an effect
        with open_waiting(path, path, flags) as descriptor:
            state = os.fstat(descriptor.number)
            _check_kind(state)
            data = _content(descriptor.number, largest)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise Unreadable(reason(error)) from None
    return SecretFile(path, _decoded(data), state)


def _check_kind(state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        found = next((name for test, name in _KINDS if test(state.st_mode)), "something else")
        raise Unreadable(f"it is {found}, not a regular file")


def _content(descriptor: int, largest: int) -> bytes:
    data = bytearray()
    while len(data) <= largest:
        piece = os.read(descriptor, largest + 1 - len(data))
        if not piece:
            return bytes(data)
        data += piece
    raise Unreadable(f"it is larger than {largest} bytes")


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("it is in UTF-16: save it as UTF-8")
    if b"\0" in data:
        raise Unreadable("it is a binary file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"line {_line(data, error.start)}: not UTF-8") from None


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def reason(error: BaseException) -> str:
    """Return why a source cannot be read, without the text that could not be read: it may be secret."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, LocalError):
        return error.summary
    why = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {why}" if why else type(error).__name__


@_without_content
def parse_ini(file: SecretFile) -> configparser.ConfigParser:
    """Return the sections of an ini file.

    :raises Unreadable: it is malformed; the text names the line.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        if line is None and getattr(error, "errors", None):
            line = error.errors[0][0]  # type: ignore[attr-defined]
        where = "" if line is None else f"line {line}: "
        raise Unreadable(f"{where}{type(error).__name__}") from None
    except (AttributeError, ValueError) as error:  # configparser's own faults with odd files
        raise Unreadable(reason(error)) from None
    return parser


# -- netrc -----------------------------------------------------------------------------------------------


class _Word(NamedTuple):
    """A word of a netrc file.

    :param quoted: whether it began with a quotation mark, so that it is no comment.
    """

    text: str
    line: int
    quoted: bool


class _Words:
    """The words of a netrc file: separated by white space, quoted by ``"``, escaped by a backslash."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def next(self) -> Optional[_Word]:
        """Return the next word; None at the end.

        :raises Unreadable: a quotation mark is not closed.
        """
        text = self._text
        while self._at < len(text) and text[self._at] in " \t\r\n":
            self._line += text[self._at] == "\n"
            self._at += 1
        if self._at >= len(text):
            return None
        line, quoted = self._line, text[self._at] == '"'
        self._at += quoted
        ends = '"' if quoted else " \t\r\n"
        letters = []
        while self._at < len(text) and text[self._at] not in ends:
            if text[self._at] == "\\" and self._at + 1 < len(text):
                self._at += 1
            self._line += text[self._at] == "\n"
            letters.append(text[self._at])
            self._at += 1
        if quoted:
            if self._at >= len(text):
                raise Unreadable(f"line {line}: a quotation mark is not closed")
            self._at += 1
        return _Word("".join(letters), line, quoted)

    def skip_line(self) -> str:
        """Skip the rest of the line, and return it."""
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end + 1
        skipped = self._text[self._at : end]
        self._line += skipped.count("\n")
        self._at = end
        return skipped

    def skip_macro(self) -> None:
        """Skip a macro, which ends at an empty line."""
        self.skip_line()
        while self._at < len(self._text) and self.skip_line().strip("\r\n"):
            pass

    def value(self, key: _Word) -> str:
        """Return the word after a key.

        :raises Unreadable: the file ends before it.
        """
        found = self.next()
        if found is None:
            raise Unreadable(f"line {key.line}: the last word has no value")
        return found.text


@_without_content
def parse_netrc(file: SecretFile) -> Dict[str, Tuple[str, str]]:
    """Return (login, password) by host, in lower case; of several entries for a host the last one counts.

    The ``default`` entry and macros are left out.  The account counts as login where there is no other.

    :raises Unreadable: it is malformed; the text names the line.
    """
    words, hosts = _Words(file.text), {}
    entry: Dict[str, str] = {}
    host: Optional[str] = None
    started = False
    while True:
        word = words.next()
        name = None if word is None else word.text
        if word is None or name in ("machine", "default", "macdef"):
            if host is not None:
                login = entry.get("login") or entry.get("user") or entry.get("account") or ""
                hosts[host] = (login, entry.get("password", ""))
            if word is None:
                return hosts
            host, entry, started = None, {}, name != "macdef"
            if name == "machine":
                host = words.value(word).lower()
            elif name == "macdef":
                words.value(word)
                words.skip_macro()
        elif word.text.startswith("#") and not word.quoted:
            words.skip_line()
        elif started and name in ("login", "user", "account", "password"):
            entry[word.text] = words.value(word)
        else:
            raise Unreadable(f"line {word.line}: an unknown word")
