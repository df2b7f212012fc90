"""One request and its answer, as services see them."""

from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

import attrs

from smartxfer.local.body import Body

__all__ = ["Answer", "Exchange", "Part", "Span", "text_answer"]


@attrs.frozen
class Span:
    """A stretch of a file on disk, sent without passing through this process where the OS can.

    :param path: file to read.
    :param start: offset of the first byte.
    :param count: number of bytes; fewer are sent when the file ends before.
    """

    path: str
    start: int
    count: int

    def pieces(self, size: int) -> Iterator[bytes]:
        """Its bytes, read piece by piece.

        :param size: most bytes of a piece.
        """
        left = self.count
        if not left:
            return
        with open(self.path, "rb") as stream:
            stream.seek(self.start)
            while left:
                piece = stream.read(min(size, left))
                if not piece:
                    return
                left -= len(piece)
                yield piece


Part = Union[bytes, Span]


@attrs.define
class Answer:
    """What a service says to a request.

    :param status: HTTP status.
    :param headers: names and values, in order; ``Content-Length`` and ``Date`` are added when sent.
    :param parts: the body: bytes and stretches of files, in order; may be a generator.
    :param length: bytes that ``Content-Length`` promises. None: counted, then ``parts`` must be a
        sequence. A body that does not keep the promise ends the connection, as on a real server.
    """

    status: int
    headers: List[Tuple[str, str]]
    parts: Iterable[Part] = ()
    length: Optional[int] = None

    def promised(self) -> int:
        """Bytes that the answer promises to send."""
        if self.length is None:
            self.length = sum(len(part) if isinstance(part, bytes) else part.count for part in self.parts)
        return self.length

    def header(self, name: str) -> Optional[str]:
        """Value of the header ``name`` (any case), None where there is none."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None


@attrs.define(eq=False)
class Exchange:
    """One request being answered.

    :param method: HTTP method as sent, upper case.
    :param path: decoded path without the base path of the listener; starts with ``/``.
    :param script: decoded path as sent, base path included.
    :param target: path and query string as on the request line.
    :param query: query string as sent, still encoded, without ``?``.
    :param headers: header values by lower-case name.
    :param body: the body, read at most once.
    :param peer: address of the client.
    """

    method: str
    path: str
    script: str
    target: str
    query: str
    headers: Dict[str, str]
    body: Body
    peer: str = ""
    #: A place for what a service finds out about the request on its way.
    notes: Dict[str, Any] = attrs.field(factory=dict)


def text_answer(status: int, text: str, kind: str = "text/html; charset=UTF-8") -> Answer:
    """An answer with a short text body.

    :param status: HTTP status.
    :param text: the body.
    :param kind: value of ``Content-Type``.
    """
    return Answer(status, [("Content-Type", kind)], (text.encode("utf-8"),))
