"""The head of a request: its first line, its headers, and how they frame the body.

A head that two programs could read in two ways is refused: one of them may stand between the client and here.
"""

import re
from typing import BinaryIO, Dict, NamedTuple, Optional

# By hand: http.server, which werkzeug reads heads with, takes ambiguous ones, and is slower.

#: Most bytes of the first line, and of all headers.
_LIMIT = 64 << 10
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
#: Characters that end a line for some programs and not for others.
_CONTROL = re.compile(r"[\0\r\n]")
#: Headers whose repetition makes the request ambiguous.
_ONCE = frozenset({"authorization", "host", "origin", "transfer-encoding"})


class BadRequest(Exception):
    """What came is not an HTTP request, or can be read in two ways."""


class Head(NamedTuple):
    """The first line and the headers of a request; names of headers in lower case."""

    method: str
    target: str
    version: str
    headers: Dict[str, str]


class Framing(NamedTuple):
    """How long the body is: ``length`` bytes, or in HTTP chunks."""

    length: int
    chunked: bool


def read_head(stream: BinaryIO) -> Optional[Head]:
    """Read the head of the next request.

    :return: the head; None when the client has nothing more to say.
    :raises BadRequest: it is not HTTP, too long or ambiguous.
    """
    line = stream.readline(_LIMIT)
    if line in (b"\r\n", b"\n"):
        line = stream.readline(_LIMIT)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest
    method, target, version = words
    if target.startswith("http://"):
        target = "/" + target[7:].partition("/")[2]
    if not target.startswith("/"):
        raise BadRequest
    return Head(method, target, version, _headers(stream))


def _headers(stream: BinaryIO) -> Dict[str, str]:
    headers: Dict[str, str] = {}
    size = 0
    while True:
        line = stream.readline(_LIMIT)
        size += len(line)
        if line in (b"\r\n", b"\n"):
            return headers
        if not line.endswith(b"\n") or size > _LIMIT:
            raise BadRequest
        text, _, value = line.decode("latin-1").partition(":")
        name, value = text.lower(), value.strip()
        if not _NAME.match(text) or _CONTROL.search(value):  # a folded line has no name either
            raise BadRequest
        if name in headers:
            value = _joined(name, headers[name], value)
        headers[name] = value


def _joined(name: str, first: str, second: str) -> str:
    """Return the value of a header that came twice.

    :raises BadRequest: it may come once only, or the two lengths differ.
    """
    if name in _ONCE or (name == "content-length" and first != second):
        raise BadRequest
    return f"{first}; {second}" if name == "cookie" else second


def framing(head: Head, strict: bool) -> Framing:
    """Return how the body of a request is framed.

    :param strict: refuse a length beside chunks; else the chunks count, as in the servers that are imitated.
    :raises BadRequest: the length is not a number, there are two framings, or one that is not known.
    """
    coding = head.headers.get("transfer-encoding")
    length = head.headers.get("content-length")
    if coding is not None:
        if (strict and length is not None) or coding.lower() != "chunked" or head.version == "HTTP/1.0":
            raise BadRequest
        return Framing(0, chunked=True)
    if length is None:
        return Framing(0, chunked=False)
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        raise BadRequest
    return Framing(int(length), chunked=False)
