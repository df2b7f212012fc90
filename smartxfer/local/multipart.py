"""Streaming parser of multipart forms, with one buffer for parts of any size."""

from typing import Any, Callable, Dict, List, Tuple

from werkzeug.http import parse_options_header

from smartxfer.local.object_store import Readable

# Not by werkzeug: its MultipartDecoder adds a CR to a file when a read ends inside of the last delimiter, and
# has half the speed.

#: Size of the buffer in bytes.
_PIECE = 1 << 20
#: Longest head of a part, and longest value of an ordinary field, bytes.
_HEAD_LIMIT, _VALUE_LIMIT = 16 << 10, 1 << 20

Write = Callable[[memoryview], Any]


class BadMultipart(Exception):
    """A body is not a multipart form, or is truncated."""


class FieldTooLong(Exception):
    """A field that is not a file is too long."""


def read_form(
    body: Readable, content_type: str, open_file: Callable[[str, str], Write]
) -> List[Tuple[str, str]]:
    """Read a form to its end.

    :param content_type: value of ``Content-Type``.
    :param open_file: called with the name of a file's field and the name of the file; returns the function
        that stores its bytes. A file without a name is skipped.
    :return: names and values of the other fields.
    :raises BadMultipart: the form is broken, or ends too early.
    :raises FieldTooLong: a field that is not a file is too long.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not 0 < len(boundary) <= 200:
        raise BadMultipart("Invalid boundary in multipart.")
    reader = _Reader(body, b"\r\n--" + boundary.encode("latin-1", "replace"))
    fields: List[Tuple[str, str]] = []
    reader.copy_part(len)
    while reader.next_part():
        options = _disposition(reader.read_until(b"\r\n\r\n"))
        name, filename = options.get("name", ""), options.get("filename")
        if filename is None:
            value = _ValueBuffer()
            reader.copy_part(value.write)
            fields.append((name, value.content.decode("utf-8", "replace")))
        else:
            reader.copy_part(open_file(name, filename) if filename else len)
    return fields


class _ValueBuffer:
    """The value of an ordinary field."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, piece: memoryview) -> None:
        """Append a piece."""
        if len(self.content) + len(piece) > _VALUE_LIMIT:
            raise FieldTooLong
        self.content += piece


class _Reader:
    """Reads one multipart body from start to end."""

    def __init__(self, body: Readable, delimiter: bytes) -> None:
        self._body, self._delimiter = body, delimiter
        self._buffer = bytearray(_PIECE)
        self._view = memoryview(self._buffer)
        # The first delimiter has no line before it.
        self._buffer[:2] = b"\r\n"
        self._start, self._end = 0, 2

    def next_part(self) -> bool:
        """Read what follows a delimiter; after the last one, read the rest of the body and return False."""
        while self._end - self._start < 2:
            self._fill()
        if self._buffer.startswith(b"--", self._start):
            while self._body.readinto(self._view):
                pass
            return False
        if self.read_until(b"\r\n").strip(b" \t"):
            raise BadMultipart("A delimiter of the multipart is not followed by a line end.")
        # This line end also ends an empty head.
        self._start -= 2
        return True

    def copy_part(self, write: Write) -> None:
        """Copy the body up to the next delimiter, and skip the delimiter."""
        mark = self._delimiter
        while True:
            position = self._buffer.find(mark, self._start, self._end)
            # Bytes that may be the start of a delimiter stay in the buffer.
            stop = position if position >= 0 else self._end - len(mark) + 1
            if stop > self._start:
                write(self._view[self._start : stop])
                self._start = stop
            if position >= 0:
                self._start += len(mark)
                return
            self._fill()

    def read_until(self, mark: bytes) -> bytes:
        """Return the bytes before a mark, and skip the mark."""
        while True:
            position = self._buffer.find(mark, self._start, self._end)
            if position >= 0:
                piece = bytes(self._view[self._start : position])
                self._start = position + len(mark)
                return piece
            if self._end - self._start > _HEAD_LIMIT:
                raise BadMultipart("The head of a part is too long.")
            self._fill()

    def _fill(self) -> None:
        left = self._end - self._start
        self._buffer[:left] = self._buffer[self._start : self._end]
        self._start, self._end = 0, left
        count = self._body.readinto(self._view[left:])
        if not count:
            raise BadMultipart("The multipart ends too early.")
        self._end += count


def _disposition(head: bytes) -> Dict[str, str]:
    """Return the parameters of a part's ``Content-Disposition``."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    for line in text.split("\r\n"):
        label, _, value = line.partition(":")
        if label.strip().lower() == "content-disposition":
            return parse_options_header(value)[1]
    raise BadMultipart("A part of the multipart has no Content-Disposition.")
