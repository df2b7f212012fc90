"""Parser of the head of a request: request line, headers and framing of the body.

An ambiguous head is rejected, because a proxy in front of the server might parse it in another way.
"""

import re
from typing import BinaryIO, Dict, NamedTuple, Optional

# Not by werkzeug: its parser, that of http.server, accepts ambiguous heads and is slower.

#: Largest size in bytes of the request line, and of all headers.
_LIMIT = 64 << 10
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
#: Characters that end a line for some programs and not for others.
_CONTROL = re.compile(r"[\0\r\n]")
#: Headers whose repetition makes the request ambiguous.
_SINGLE_HEADERS = frozenset({"authorization", "host", "origin", "transfer-encoding"})


class BadRequest(Exception):
    """The request is not valid HTTP, or is ambiguous."""


class Head(NamedTuple):
    """The first line and the headers of a request; names of headers in lower case."""

    method: str
    target: str
    version: str
    headers: Dict[str, str]


class Framing(NamedTuple):
    """Framing of a body: ``length`` bytes, or HTTP chunks."""

    length: int
    chunked: bool


def read_head(stream: BinaryIO) -> Optional[Head]:
    """Read the head of the next request.

    :return: the head; None if the client has closed the connection.
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
            value = _join_values(name, headers[name], value)
        headers[name] = value


def _join_values(name: str, first: str, second: str) -> str:
    """Return the combined value of a repeated header.

    :raises BadRequest: the header must not be repeated, or the two lengths differ.
    """
    if name in _SINGLE_HEADERS or (name == "content-length" and first != second):
        raise BadRequest
    return f"{first}; {second}" if name == "cookie" else second


def parse_framing(head: Head, strict: bool) -> Framing:
    """Return how the body of a request is framed.

    :param strict: reject a length together with chunks; else chunks win, as in the servers that are imitated.
    :raises BadRequest: invalid length, two framings, or an unknown one.
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
