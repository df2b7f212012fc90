"""Reading a byte range over HTTP, and refusing anything that is not that range."""

import contextlib
import http.client
import re
from typing import Callable, Iterator, Optional

import attrs
import requests

from smartxfer.errors import DecodeError, RangeMismatch, SizeMismatch
from smartxfer.transfer.buffers import (
    AdaptiveBlockSize,
    get_thread_buffer,
    pop_last_block_size,
    set_last_block_size,
)
from smartxfer.transport import Attempt, HTTPTransport, RequestSpec
from smartxfer.transport.response import is_identity_encoding

__all__ = ["RangeResponse", "open_range"]

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)\Z")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,19}\Z")


class RangeResponse:
    """Bytes arriving: from ``start`` on, ``size`` of them if the server said how many.

    ``whole`` is True when the server sends the object from its start, whatever was asked for.
    """

    def __init__(
        self,
        transport: HTTPTransport,
        description: str,
        response: requests.Response,
        start: int,
        size: Optional[int],
        attempt: Attempt,
    ) -> None:
        self.start = start
        self.size = size
        self.end = start + size if size is not None else start
        self.is_full_object = response.status_code == 200
        self._http = transport
        self._description = description
        self._raw = response.raw
        self._block_size = AdaptiveBlockSize(transport.clock)
        self._attempt = attempt

    def read(self) -> memoryview:
        """The next bytes, in the calling thread's buffer: valid until the next call; none at the end."""
        return self._read(get_thread_buffer()[: self._block_size.update()])

    def readinto_full(self, target: memoryview) -> int:
        """Read into a buffer until it is full or the bytes are at their end; how many they were.

        Blocks are larger here than those of :meth:`read`, once the line has shown that it is fast.
        """
        at = 0
        pace = AdaptiveBlockSize(self._http.clock, maximum=len(target), begin=pop_last_block_size())
        while at < len(target):
            count = len(self._read(target[at : at + pace.update()]))
            if not count:
                break
            at += count
        set_last_block_size(pace.update())
        return at

    def _read(self, view: memoryview) -> memoryview:
        now = self._attempt
        now.body_in_flight = True
        count = self._http.translate_errors(self._description, self._readinto_raw, view)
        if now.abort_error is not None:  # a socket that was shut looks like the end of the body
            raise now.abort_error
        now.bytes_moved += count
        now.body_in_flight = count > 0
        return view[:count]

    def _readinto_raw(self, view: memoryview) -> int:
        """Read into ``view``, without a copy where urllib3 wraps a plain http.client response."""
        plain = getattr(self._raw, "_fp", None)
        if isinstance(plain, http.client.HTTPResponse):
            count = plain.readinto(view)
            if not count and not plain.length:  # short of its length, the connection is of no use
                self._raw.release_conn()
            return count
        data = self._raw.read1(len(view), False) or b""
        view[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def open_range(
    transport: HTTPTransport,
    request_spec: RequestSpec,
    start: int,
    stop: Optional[int],
    size: Optional[int],
    validate_response: Callable[[requests.Response], None] = lambda response: None,
    *,
    total: Optional[int] = None,
    always_send_range: bool = False,
) -> Iterator[RangeResponse]:
    """One try at bytes [start, stop) of an object.

    No Range header is sent for the whole object.  A 200 answer to a range is handed on with ``whole`` set:
    the caller starts again.

    :param size: the object's size, if known.
    :param validate_response: the service's own check of the answer; raises when it is no file.
    :param total: the total that ``Content-Range`` must give, where the service does not give ``size``.
    :param always_send_range: send a Range header for the whole object, too.
    :raises RangeMismatch: a 206 answer with another range, or of another object.
    :raises SizeMismatch: the whole object has another size than the one known.
    """
    ranged = always_send_range or start > 0 or (stop is not None and stop != size)
    if ranged:
        last = "" if stop is None else str(stop - 1)
        request_spec = attrs.evolve(
            request_spec, headers={**request_spec.headers, "Range": f"bytes={start}-{last}"}
        )
    with transport.stream(request_spec) as (response, attempt):
        validate_response(response)
        encoding = response.headers.get("Content-Encoding", "")
        if not is_identity_encoding(encoding):
            raise DecodeError(f"{request_spec.description}: unexpected Content-Encoding {encoding!r}")
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if _CONTENT_LENGTH.match(declared) else None
        if response.status_code == 206 and ranged:
            _validate_content_range(
                request_spec.description, response, start, stop, size if total is None else total
            )
            length = None if stop is None else stop - start
            yield RangeResponse(transport, request_spec.description, response, start, length, attempt)
        elif response.status_code == 200:
            if size is not None and length is not None and length != size:
                raise SizeMismatch(
                    f"{request_spec.description}: the server sends {length} bytes where {size} were promised",
                    expected=size,
                    actual=length,
                )
            yield RangeResponse(
                transport, request_spec.description, response, 0, length if size is None else size, attempt
            )
        else:
            raise RangeMismatch(f"{request_spec.description}: unexpected answer {response.status_code}")


def _validate_content_range(
    description: str, response: requests.Response, start: int, stop: Optional[int], total: Optional[int]
) -> None:
    given = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.match(given)
    good = (
        match is not None
        and int(match[1]) == start
        and (stop is None or int(match[2]) == stop - 1)
        and (total is None or match[3] in ("*", str(total)))
    )
    if not good:
        asked = f"{start}-{'' if stop is None else stop - 1}/{'*' if total is None else total}"
        raise RangeMismatch(f"{description}: asked for bytes {asked}, the server sends {given!r}")
