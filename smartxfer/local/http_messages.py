"""HTTP messages as services see them: requests, responses and errors."""

import json
from typing import Any, Dict, Generic, Iterable, Iterator, List, Optional, Tuple, TypeVar, Union
from urllib.parse import parse_qsl

import attrs
from werkzeug.datastructures import Authorization
from werkzeug.http import parse_options_header
from werkzeug.sansio.http import parse_cookie

from smartxfer.local.request_body import RequestBody

Headers = List[Tuple[str, str]]


@attrs.frozen
class FileSlice:
    """A range of a file on disk, sent with sendfile() where the system has it.

    :param path: file to read.
    :param start: offset of the first byte.
    :param count: number of bytes; fewer are sent when the file ends before.
    """

    path: str
    start: int
    count: int

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the bytes, piece by piece.

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


Part = Union[bytes, FileSlice]


@attrs.define
class Response:
    """The response to a request.

    :param status: HTTP status.
    :param headers: names and values, in order; ``Content-Length`` and ``Date`` are added when sent.
    :param parts: the body: bytes and slices of files, in order; may be a generator.
    :param length: value of ``Content-Length``. None: computed, then ``parts`` must be a
        sequence. A body of another length ends the connection, as on a real server.
    """

    status: int
    headers: Headers
    parts: Iterable[Part] = (b"",)
    length: Optional[int] = None

    def content_length(self) -> int:
        """Return the value of ``Content-Length``."""
        if self.length is None:
            self.length = sum(len(part) if isinstance(part, bytes) else part.count for part in self.parts)
        return self.length


@attrs.define(eq=False)
class Request:
    """One request.

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
    body: RequestBody
    peer: str = ""
    #: Data that the service attaches while it handles the request.
    context: Dict[str, Any] = attrs.field(factory=dict)

    @property
    def encoded_path(self) -> str:
        """Path as on the request line, still encoded."""
        return self.target.partition("?")[0]

    @property
    def media_type(self) -> str:
        """Media type of the body, lower case, without parameters."""
        return parse_options_header(self.headers.get("content-type"))[0].lower()

    @property
    def arguments(self) -> Dict[str, str]:
        """Arguments of the query string; the last value of each name."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def cookies(self) -> Dict[str, str]:
        """Cookies by name; of two with one name the last."""
        # Not that of werkzeug.http, which raises UnicodeError for bytes that are not UTF-8.
        return dict(parse_cookie(self.headers.get("cookie")).items(multi=True))

    @property
    def authorization(self) -> Optional[Authorization]:
        """Credentials in ``Authorization``; None if missing or malformed."""
        try:
            return Authorization.from_header(self.headers.get("authorization"))
        except ValueError:
            return None  # Base64 that is not ASCII.

    @property
    def bearer_token(self) -> str:
        """Bearer token in ``Authorization``, or an empty string."""
        # Not by werkzeug: its Authorization parses a token with "=" in it as a list of parameters.
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def json(self, limit: int) -> Any:
        """Read the body as JSON; None if it is empty.

        :param limit: largest number of bytes.
        :raises BodyTooLong: the body is longer.
        :raises ValueError: it is not JSON.
        """
        raw = self.body.read(limit)
        try:
            return json.loads(raw.decode("utf-8")) if raw else None
        except RecursionError as error:
            raise ValueError("too deeply nested") from error


class ApiError(Exception):
    """Error response of a service; each service has a subclass.

    :param status: HTTP status.
    :param message: what is wrong.
    :param headers: further headers of the response.
    """

    def __init__(self, status: int, message: Any = "", headers: Iterable[Tuple[str, str]] = ()) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers: Headers = list(headers)


BackendType = TypeVar("BackendType")


@attrs.define(eq=False)
class Call(Generic[BackendType]):
    """A request to an API, the argument of the functions of its routes; each service has a subclass.

    :param backend: state of the service.
    :param request: the request.
    :param segments: decoded segments of the path that the route does not name.
    """

    backend: BackendType
    request: Request
    segments: List[str]

    @property
    def method(self) -> str:
        """HTTP method, upper case; HEAD counts as GET."""
        return "GET" if self.request.method == "HEAD" else self.request.method

    def header(self, name: str, default: str = "") -> str:
        """Value of a request header.

        :param name: its name in lower case.
        """
        return self.request.headers.get(name, default)

    def segment(self, index: int) -> str:
        """Return the segment at an index, or an empty string."""
        return self.segments[index] if index < len(self.segments) else ""


def text_response(status: int, text: str, kind: str = "text/html; charset=UTF-8") -> Response:
    """Return a response with a short text body.

    :param status: HTTP status.
    :param text: the body.
    :param kind: value of ``Content-Type``.
    """
    return Response(status, [("Content-Type", kind)], (text.encode("utf-8"),))


def json_response(value: Any, status: int = 200, kind: str = "application/json", **style: Any) -> Response:
    """Return a response whose body is ``value`` as JSON.

    :param status: HTTP status.
    :param kind: value of ``Content-Type``.
    :param style: arguments of :func:`json.dumps`.
    """
    return text_response(status, json.dumps(value, **style), kind)

