"""HTTP range requests, and the validation of their responses."""

import contextlib
import http.client
import re
from typing import Callable, Iterator, Optional

import attrs
import requests

from smartxfer.error_hints import PROXY_ENCODING_HINT
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
    """A response with the bytes from ``start``, and their number ``size`` if it is known.

    ``is_full_object`` is True if the server sends the object from its start instead of the requested range.
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
        """Return the next bytes, empty at the end; the buffer is reused by the next call in this thread."""
        return self._read(get_thread_buffer()[: self._block_size.update()])

    def readinto_full(self, target: memoryview) -> int:
        """Read into a buffer until it is full or the body ends; return the number of bytes.

        The blocks are larger than those of :meth:`read` if the connection is fast.
        """
        position = 0
        block_size = AdaptiveBlockSize(self._http.clock, maximum=len(target), begin=pop_last_block_size())
        while position < len(target):
            count = len(self._read(target[position : position + block_size.update()]))
            if not count:
                break
            position += count
        set_last_block_size(block_size.update())
        return position

    def _read(self, view: memoryview) -> memoryview:
        attempt = self._attempt
        attempt.body_in_flight = True
        count = self._http.translate_errors(self._description, self._readinto_raw, view)
        if attempt.abort_error is not None:  # a socket that was shut down looks like the end of the body
            raise attempt.abort_error
        attempt.bytes_moved += count
        attempt.body_in_flight = count > 0
        return view[:count]

    def _readinto_raw(self, view: memoryview) -> int:
        """Read into ``view``, without a copy if urllib3 wraps a plain http.client response."""
        plain = getattr(self._raw, "_fp", None)
        if isinstance(plain, http.client.HTTPResponse):
            count = plain.readinto(view)
            if not count and not plain.length:  # a connection with a truncated body cannot be reused
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
    """Make one attempt to open bytes [start, stop) of an object.

    No Range header is sent for the whole object.  If the server responds to a range with 200,
    ``is_full_object`` of the response is True, and the caller must start at the beginning.

    :param size: the object's size, if known.
    :param validate_response: check of the service; raises if the response is not a file.
    :param total: the total that ``Content-Range`` must contain, if the service does not publish ``size``.
    :param always_send_range: send a Range header for the whole object, too.
    :raises RangeMismatch: a 206 response has another range, or is of another object.
    :raises SizeMismatch: the whole object has another size than ``size``.
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
            raise DecodeError(
                f"{request_spec.description}: unexpected Content-Encoding {encoding!r}",
                hint=PROXY_ENCODING_HINT,
            )
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
                    f"{request_spec.description}: the server sends {length} bytes, expected {size}",
                    expected=size,
                    actual=length,
                )
            yield RangeResponse(
                transport, request_spec.description, response, 0, length if size is None else size, attempt
            )
        else:
            raise RangeMismatch(f"{request_spec.description}: unexpected status {response.status_code}")


def _validate_content_range(
    description: str, response: requests.Response, start: int, stop: Optional[int], total: Optional[int]
) -> None:
    content_range = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.match(content_range)
    matches = (
        match is not None
        and int(match[1]) == start
        and (stop is None or int(match[2]) == stop - 1)
        and (total is None or match[3] in ("*", str(total)))
    )
    if not matches:
        requested = f"{start}-{'' if stop is None else stop - 1}/{'*' if total is None else total}"
        raise RangeMismatch(f"{description}: requested bytes {requested}, the server sends {content_range!r}")
