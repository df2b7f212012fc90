"""The ways in which a hostile server answers; each in bytes, from RFC 9110, RFC 9112 and the protocol pages."""

from __future__ import annotations

import functools
import gzip
import json
import re
import zlib
from typing import Any, Callable, Optional, Sequence

from tests.support.hostile.gate import Visit, answer

Behave = Callable[[Visit], Any]

MIB = 1 << 20
#: Seconds between two pieces of a drip: 20 bytes a second.
BETWEEN = 0.05
#: Most bytes of a flood; more than any memory limit that is tested.
FLOOD = 160 * MIB
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
#: Terminal sequences, line ends, C1 controls and bidirectional overrides.
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\nX-Owned: yes\r\n\x9b31m\u202e\u2066all 7 files verified\u200f\x00\x08"


# -- ways to send ----------------------------------------------------------------------------------------------


def say(*pieces: bytes, hang: bool = True) -> Behave:
    """Read the request, send the pieces, then hang or close."""

    def behave(visit: Visit) -> None:
        visit.body  # noqa: B018 - it is read
        for piece in pieces:
            visit.send(piece)
        if hang:
            visit.hang()

    return behave


def closing(*pieces: bytes) -> Behave:
    return say(*pieces, hang=False)


def reset(*pieces: bytes) -> Behave:
    def behave(visit: Visit) -> None:
        say(*pieces, hang=False)(visit)
        visit.peer.reset()

    return behave


def drip(begin: bytes, unit: bytes, every: float = BETWEEN) -> Behave:
    """Send the beginning, then one unit after the other for ever."""

    def behave(visit: Visit) -> None:
        visit.body  # noqa: B018
        visit.send(begin)
        while True:
            visit.send(unit)
            visit.pause(every)

    return behave


def flood(begin: bytes, unit: bytes, end: bytes = b"", most: int = FLOOD) -> Behave:
    """Send the beginning, then units as fast as they go."""
    block = unit * max(1, 65536 // len(unit))

    def behave(visit: Visit) -> None:
        visit.body  # noqa: B018
        visit.send(begin)
        for _ in range(most // len(block)):
            visit.send(block)
        visit.send(end)

    return behave


def fixed(status: int, body: bytes = b"", *headers: str) -> Behave:
    """A whole answer."""

    def behave(visit: Visit) -> bool:
        visit.body  # noqa: B018
        visit.send(answer(status, [], body, *headers))
        return True

    return behave


def around(change: Callable[[Visit, bytes, bytes], Any]) -> Behave:
    """Hand the request on, and have ``change(visit, head, body)`` send the answer; the head has no length yet."""

    def behave(visit: Visit) -> Any:
        status, headers, body = visit.good()
        lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers)]
        return change(visit, "\r\n".join([*lines, ""]).encode("latin-1"), body)

    return behave


def retold(change: Callable[[Any], Any], page: Callable[[str], str] = lambda text: text) -> Behave:
    """Hand the request on, and change the values of the JSON that comes back, or the page."""

    def behave(visit: Visit) -> bool:
        status, headers, body = visit.good()
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        if "json" in kind and body:
            body = json.dumps(_mapped(json.loads(body), change, "")).encode()
        elif "html" in kind:
            body = page(body.decode("utf-8", "replace")).encode()
        visit.send(answer(status, headers, body))
        return True

    return behave


def _mapped(value: Any, change: Callable[[Any], Any], key: str) -> Any:
    if isinstance(value, dict):
        return {name: _mapped(inner, change, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change, key) for inner in value]
    return change((key, value))


# -- the body as it drips or lies ------------------------------------------------------------------------------


def _drips(visit: Visit, body: bytes) -> None:
    for at in range(len(body)):
        visit.send(body[at : at + 1])
        visit.pause(BETWEEN)


def _length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body)


def body_drips(visit: Visit, head: bytes, body: bytes) -> None:
    visit.send(head + _length(body + b"x" * 1000))
    _drips(visit, body)
    visit.hang()


def open_body_drips(visit: Visit, head: bytes, body: bytes) -> None:
    visit.send(head + b"Connection: close\r\n\r\n")
    _drips(visit, body)
    drip(b"", b" ")(visit)


def chunks_drip(visit: Visit, head: bytes, body: bytes) -> None:
    visit.send(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (len(body) + 1000))
    _drips(visit, body)
    visit.hang()


def small_chunks_drip(visit: Visit, head: bytes, body: bytes) -> None:
    visit.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
    for at in range(len(body)):
        visit.send(b"1\r\n" + body[at : at + 1] + b"\r\n")
        visit.pause(BETWEEN)
    visit.hang()


def chunked(after: Behave) -> Behave:
    """The true answer in one chunk, without its end; then what is given."""

    def change(visit: Visit, head: bytes, body: bytes) -> None:
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        visit.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        after(visit)

    return around(change)


def true_with(*lines: str, length: Optional[Callable[[int], str]] = None) -> Behave:
    """The true answer with further header lines, and another length."""

    def change(visit: Visit, head: bytes, body: bytes) -> bool:
        announced = _length(body) if length is None else length(len(body)).encode() + b"\r\n\r\n"
        visit.send(head + "".join(f"{line}\r\n" for line in lines).encode("latin-1") + announced + body)
        return True

    return around(change)


def beyond_body(visit: Visit, head: bytes, body: bytes) -> None:
    """The true body, and no end of it: without a length, the connection's end would be its end."""
    visit.send(head + b"Connection: close\r\n\r\n" + body)
    flood(b"", b"\0" * 4096)(visit)


def answer_twice(visit: Visit, head: bytes, body: bytes) -> None:
    whole = head + _length(body) + body
    visit.send(whole + b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"owned"')
    visit.hang()


def answer_early(visit: Visit) -> None:
    """Answer before the body was read, and read none of it."""
    visit.send(JSON + b"Content-Length: 1000\r\n\r\n{")
    visit.hang()


def nothing_read(visit: Visit) -> None:
    """Neither read nor answer."""
    visit.hang()


def half_body(visit: Visit, head: bytes, body: bytes) -> None:
    visit.send(head + _length(body + b"x") + body[: len(body) // 2])


def reset_in_body(visit: Visit, head: bytes, body: bytes) -> None:
    half_body(visit, head, body)
    visit.peer.reset()


# -- packed ----------------------------------------------------------------------------------------------------


@functools.lru_cache(None)
def bomb(size: int = 160 * MIB) -> bytes:
    engine, block = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16), bytes(MIB)
    return b"".join([engine.compress(block) for _ in range(size // MIB)] + [engine.flush()])


def packed(status: int, data: Callable[[], bytes], coding: str, kind: str = "application/json") -> Behave:
    """A whole answer with a coding; the data is made when it is needed."""
    return lambda visit: fixed(status, data(), f"Content-Encoding: {coding}", f"Content-Type: {kind}")(visit)


def packed_truth(visit: Visit, head: bytes, body: bytes) -> bool:
    visit.send(head + b"Content-Encoding: gzip\r\n" + _length(gzip.compress(body)) + gzip.compress(body))
    return True


# -- sizes and texts -------------------------------------------------------------------------------------------

SIZES = ("size", "length", "bytes", "written")
COUNTS = ("count", "total", "pages", "page", "parts", "quota", "progress")


def sized(words: Sequence[str], number: Any) -> Behave:
    def change(pair: Any) -> Any:
        key, value = pair
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number if plain and any(word in key.lower() for word in words) else value

    return retold(change, lambda text: re.sub(r'(data-[a-z-]*size\s*=\s*)"[0-9]+"', rf'\1"{number}"', text))


def escaped(pair: Any) -> Any:
    """Text with terminal sequences behind it, but for addresses, which must still lead here."""
    _, value = pair
    return value + ESCAPES if isinstance(value, str) and not value.startswith("http") else value


def escaped_page(text: str) -> str:
    return re.sub(r'(data-name=")', lambda found: found[1] + "\x1b[2J\u202e&#27;[31m&#13;", text)


def problem(status: int, *headers: str) -> Behave:
    """An error whose every text has escapes: the shapes of all five services at once."""
    answer = {
        "message": ESCAPES, "detail": ESCAPES, "error": {"message": ESCAPES, "code": ESCAPES}, "uid": ESCAPES,
        "errors": [{"field": ESCAPES, "messages": [ESCAPES]}], "status": status, "details": ESCAPES,
    }  # fmt: skip
    return fixed(status, json.dumps(answer).encode(), "Content-Type: application/json", *headers)


def xml_error(status: int) -> Behave:
    body = (
        '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>' + "try later \x1b[2J"
        "</Message><RequestId>1</RequestId></Error>"
    )
    return fixed(status, body.encode(), "Content-Type: application/xml")


def chain(visit: Visit) -> Any:
    """A redirect to an address that was not seen before, of this server."""
    number = visit.gate.fired
    path = visit.line.split(" ")[1].partition("?")[0]
    return fixed(302, b"", f"Location: {visit.gate.url}{path}?s=download&hop={number}")(visit)


def to_itself(status: int) -> Behave:
    return lambda visit: fixed(status, b"", f"Location: {visit.line.split(' ')[1]}")(visit)


def redirect(status: int, location: str) -> Behave:
    return fixed(status, b"", f"Location: {location}")


def many_of(text: str) -> Callable[[int], bytes]:
    return lambda size: ("[" + ",".join([text] * (size // (len(text) + 1))) + "]").encode()


def json_of(make: Callable[[int], bytes]) -> Behave:
    """JSON of so many bytes, nearly the most that is read; less where memory is not measured."""

    def behave(visit: Visit) -> Any:
        size = 7_900_000 // visit.gate.scale
        return fixed(200, make(size), "Content-Type: application/json")(visit)

    return behave


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
ALERT = bytes.fromhex("15030300020228")

