"""Reading a byte range over HTTP, and refusing anything that is not that range."""

import contextlib
import http.client
import re
from typing import Callable, Iterator, Optional

import attrs
import requests

from smartxfer.errors import DecodeError, RangeMismatch, SizeMismatch
from smartxfer.transfer.buffers import Pace, buffer, fast_block, remember_block
from smartxfer.transport import Attempt, Call, Wire
from smartxfer.transport.answer import is_plain

__all__ = ["Incoming", "open_range"]

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)\Z")
_LENGTH = re.compile(r"[0-9]{1,19}\Z")


class Incoming:
    """Bytes arriving: from ``start`` on, ``size`` of them if the server said how many.

    ``whole`` is True when the server sends the object from its start, whatever was asked for.
    """

    def __init__(
        self,
        wire: Wire,
        what: str,
        response: requests.Response,
        start: int,
        size: Optional[int],
        attempt: Attempt,
    ) -> None:
        self.start = start
        self.size = size
        self.end = start + size if size is not None else start
        self.whole = response.status_code == 200
        self._wire = wire
        self._what = what
        self._raw = response.raw
        self._pace = Pace(wire.clock)
        self._attempt = attempt

    def read(self) -> memoryview:
        """The next bytes, in the calling thread's buffer: valid until the next call; none at the end."""
        return self._read(buffer()[: self._pace.step()])

    def fill(self, whole: memoryview) -> int:
        """Read into a buffer until it is full or the bytes are at their end; how many they were.

        Blocks are larger here than those of :meth:`read`, once the line has shown that it is fast.
        """
        at = 0
        pace = Pace(self._wire.clock, most=len(whole), begin=fast_block())
        while at < len(whole):
            count = len(self._read(whole[at : at + pace.step()]))
            if not count:
                break
            at += count
        remember_block(pace.step())
        return at

    def _read(self, view: memoryview) -> memoryview:
        now = self._attempt
        now.guarded = True
        count = self._wire.guarded(self._what, self._fill, view)
        if now.verdict is not None:  # a socket that was shut looks like the end of the body
            raise now.verdict
        now.moved += count
        now.guarded = count > 0
        return view[:count]

    def _fill(self, view: memoryview) -> int:
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
    wire: Wire,
    call: Call,
    start: int,
    stop: Optional[int],
    size: Optional[int],
    accept: Callable[[requests.Response], None] = lambda response: None,
    *,
    total: Optional[int] = None,
    always: bool = False,
) -> Iterator[Incoming]:
    """One try at bytes [start, stop) of an object.

    No Range header is sent for the whole object.  A 200 answer to a range is handed on with ``whole`` set:
    the caller starts again.

    :param size: the object's size, if known.
    :param accept: the service's own check of the answer; raises when it is no file.
    :param total: the total that ``Content-Range`` must give, where the service does not give ``size``.
    :param always: send a Range header for the whole object, too.
    :raises RangeMismatch: a 206 answer with another range, or of another object.
    :raises SizeMismatch: the whole object has another size than the one known.
    """
    ranged = always or start > 0 or (stop is not None and stop != size)
    if ranged:
        last = "" if stop is None else str(stop - 1)
        call = attrs.evolve(call, headers={**call.headers, "Range": f"bytes={start}-{last}"})
    with wire.stream(call) as (response, attempt):
        accept(response)
        encoding = response.headers.get("Content-Encoding", "")
        if not is_plain(encoding):
            raise DecodeError(f"{call.what}: unexpected Content-Encoding {encoding!r}")
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if _LENGTH.match(declared) else None
        if response.status_code == 206 and ranged:
            _check_range(call.what, response, start, stop, size if total is None else total)
            length = None if stop is None else stop - start
            yield Incoming(wire, call.what, response, start, length, attempt)
        elif response.status_code == 200:
            if size is not None and length is not None and length != size:
                raise SizeMismatch(
                    f"{call.what}: the server sends {length} bytes where {size} were promised",
                    expected=size,
                    actual=length,
                )
            yield Incoming(wire, call.what, response, 0, length if size is None else size, attempt)
        else:
            raise RangeMismatch(f"{call.what}: unexpected answer {response.status_code}")


def _check_range(
    what: str, response: requests.Response, start: int, stop: Optional[int], total: Optional[int]
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
        raise RangeMismatch(f"{what}: asked for bytes {asked}, the server sends {given!r}")
