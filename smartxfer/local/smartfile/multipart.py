"""Multipart bodies, taken apart as they come: one buffer, whatever the size of a part.

Source: SmartFile protocol, section 5 (upload by form).
"""

import re
from typing import Callable, Dict, Iterator, Optional
from urllib.parse import unquote

import attrs

from smartxfer.local.body import Body

__all__ = ["BadMultipart", "Multipart", "PartHead"]

#: Bytes of the body held at a time.
_PIECE = 1 << 20
#: Longest head of a part, bytes.
_HEAD_LIMIT = 16 << 10

_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*("(?:\\.|[^"\\])*"|[^;"\s]*)')

Sink = Callable[[memoryview], object]


class BadMultipart(Exception):
    """A body is no multipart form, or ends too early."""


@attrs.frozen
class PartHead:
    """What stands before the bytes of a part.

    :param name: name of the form field.
    :param filename: name of the file; None for an ordinary field.
    """

    name: str
    filename: Optional[str]


class Multipart:
    """Reads one multipart body from start to end.

    :param body: the body of the request.
    :param content_type: value of ``Content-Type``.
    :raises BadMultipart: it names no boundary.
    """

    def __init__(self, body: Body, content_type: str) -> None:
        boundary = parameters(content_type).get("boundary", "")
        if not 0 < len(boundary) <= 200:
            raise BadMultipart("Invalid boundary in multipart.")
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        self._body = body
        self._buffer = bytearray(_PIECE)
        self._view = memoryview(self._buffer)
        # The first delimiter has no line before it.
        self._buffer[:2] = b"\r\n"
        self._start, self._end = 0, 2
        self._inside = False

    def parts(self) -> Iterator[PartHead]:
        """The heads of the parts in turn; bytes that were not asked for are passed over.

        :raises BadMultipart: the form is broken.
        """
        self._pour(None)
        while True:
            if self._read(2) == b"--":
                self._drain()
                return
            self._start -= 2
            if self._read_until(b"\r\n").strip(b" \t"):
                raise BadMultipart("A delimiter of the multipart is not followed by a line end.")
            # The line end just read also ends a head that is empty.
            self._start -= 2
            head = self._read_until(b"\r\n\r\n")
            self._inside = True
            yield _part_head(head)
            if self._inside:
                self.pour(None)

    def pour(self, sink: Optional[Sink]) -> None:
        """Hand the bytes of the present part on, piece by piece.

        :param sink: takes each piece, which is gone afterwards; None passes over them.
        :raises BadMultipart: the body ends before the part does.
        """
        self._inside = False
        self._pour(sink)

    def _pour(self, sink: Optional[Sink]) -> None:
        """Read up to the next delimiter and over it."""
        mark = self._delimiter
        while True:
            at = self._buffer.find(mark, self._start, self._end)
            # What may be the beginning of a delimiter waits for more.
            stop = at if at >= 0 else self._end - len(mark) + 1
            if stop > self._start:
                if sink is not None:
                    sink(self._view[self._start : stop])
                self._start = stop
            if at >= 0:
                self._start += len(mark)
                return
            self._fill()

    def _read(self, count: int) -> bytes:
        while self._end - self._start < count:
            self._fill()
        self._start += count
        return bytes(self._view[self._start - count : self._start])

    def _read_until(self, mark: bytes) -> bytes:
        """What stands before a mark, which is read too."""
        while True:
            at = self._buffer.find(mark, self._start, self._end)
            if at >= 0:
                found = bytes(self._view[self._start : at])
                self._start = at + len(mark)
                return found
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

    def _drain(self) -> None:
        while self._body.readinto(self._view):
            pass


def parameters(value: str) -> Dict[str, str]:
    """The parameters of a header value, names in lower case, quotes and backslashes undone."""
    found = {}
    for name, text in _PARAMETER.findall(";" + value.partition(";")[2]):
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        found[name.lower()] = text
    return found


def _part_head(raw: bytes) -> PartHead:
    """Name and file name of a part.

    Assumption: ``%22`` in a name is a quote, as HTML forms write it; ``filename*`` comes first.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    for line in text.split("\r\n"):
        label, _, value = line.partition(":")
        if label.strip().lower() == "content-disposition":
            given = parameters(value)
            filename: Optional[str] = given.get("filename")
            if filename is not None:
                filename = filename.replace("%22", '"')
            if "filename*" in given:
                charset, _, encoded = given["filename*"].partition("'")
                if charset.lower() == "utf-8":
                    filename = unquote(encoded.partition("'")[2], errors="replace")
            return PartHead(given.get("name", "").replace("%22", '"'), filename)
    raise BadMultipart("A part of the multipart has no Content-Disposition.")
