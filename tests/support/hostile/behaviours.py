"""Behaviours of a hostile server, by name.

A name begins with the kind; the fast suite tries each once per service.
"""

from __future__ import annotations

import gzip
import json
from typing import Dict, NamedTuple

from tests.support.hostile.raw_responses import (
    ALERT,
    CHUNKED,
    COUNTS,
    ESCAPES,
    JSON,
    MIB,
    OK,
    PREFACE,
    SIZES,
    Behave,
    answer_early,
    answer_twice,
    around,
    beyond_body,
    body_drips,
    bomb,
    chain,
    chunked,
    chunks_drip,
    closing,
    drip,
    escaped,
    escaped_page,
    fixed,
    flood,
    half_body,
    json_of,
    many_of,
    nothing_read,
    open_body_drips,
    packed,
    packed_truth,
    problem,
    redirect,
    reset,
    reset_in_body,
    retold,
    say,
    sized,
    small_chunks_drip,
    to_itself,
    true_with,
    xml_error,
)


class Row(NamedTuple):
    """A behaviour.

    :param may_pass: a good client may take the answer for success.
    :param heavy: sends much; its memory is measured by itself.
    """

    behave: Behave
    may_pass: bool = False
    heavy: bool = False


TABLE: Dict[str, Row] = {
    # Nothing comes, or nothing is read.
    "silence": Row(say()),
    "silence: nothing is read": Row(nothing_read),
    "silence: after the head": Row(say(JSON + b"Content-Length: 100\r\n\r\n")),
    "silence: an answer before the request was read": Row(answer_early),
    # Interim answers.
    "interim: flood of 100": Row(flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), heavy=True),
    "interim: flood of 103 with fields": Row(flood(b"", b"HTTP/1.1 103 X\r\nLink: </a>; rel=x\r\n\r\n"), heavy=True),
    "interim: drip of 100": Row(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "interim: drip of 102": Row(drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n")),
    "interim: endless field": Row(flood(b"HTTP/1.1 103 X\r\nLink: ", b"a"), heavy=True),
    "interim: field that drips": Row(drip(b"HTTP/1.1 103 X\r\nLink: ", b"a")),
    "interim: 101": Row(say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + PREFACE)),
    # Drips in every phase.
    "drip: status line": Row(drip(b"HTTP/1.1 200 ", b"O")),
    "drip: first bytes": Row(drip(b"", b"H")),
    "drip: header lines": Row(drip(OK, b"X-A: b\r\n")),
    "drip: header name that never ends": Row(drip(OK, b"a")),
    "drip: header value that never ends": Row(drip(OK + b"X-A: ", b"a")),
    "drip: body": Row(around(body_drips)),
    "drip: body without a length": Row(around(open_body_drips)),
    "drip: chunk data": Row(around(chunks_drip)),
    "drip: chunks of one byte": Row(around(small_chunks_drip), may_pass=True),
    "drip: chunk-size line": Row(drip(CHUNKED, b"0")),
    "drip: chunk extension": Row(drip(CHUNKED + b"5;", b"a")),
    "drip: trailer lines": Row(chunked(drip(b"0\r\n", b"X-A: b\r\n"))),
    "drip: trailer field that never ends": Row(chunked(drip(b"0\r\nX-A: ", b"a"))),
    "drip: error body": Row(drip(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n", b"a")),
    # Floods.
    "flood: status line": Row(flood(b"HTTP/1.1 200 ", b"O"), heavy=True),
    "flood: 100000 headers": Row(flood(OK, b"X-A: b\r\n", b"\r\n", 800_000), heavy=True),
    "flood: one header of 100 MiB": Row(flood(OK + b"X-A: ", b"a", b"\r\n\r\n", 100 * MIB), heavy=True),
    "flood: header continuation lines": Row(flood(OK + b"X-A: b\r\n", b" c\r\n"), heavy=True),
    "flood: cookies": Row(
        true_with(*(f"Set-Cookie: c{number}={'v' * 4000}; Path=/" for number in range(80))), may_pass=True
    ),
    "flood: 100000 cookies": Row(flood(OK, b"Set-Cookie: a=b; Path=/\r\n", b"\r\n", 2_400_000), heavy=True),
    "flood: chunk-size line": Row(flood(CHUNKED, b"0"), heavy=True),
    "flood: chunk extension": Row(flood(CHUNKED + b"1;", b"a"), heavy=True),
    "flood: an extension in each chunk": Row(flood(CHUNKED, b"1;" + b"e" * 1000 + b"\r\n \r\n"), heavy=True),
    "flood: chunks of one byte": Row(flood(CHUNKED, b"1\r\n \r\n", most=MIB), heavy=True),
    "flood: trailer lines": Row(chunked(flood(b"0\r\n", b"X-A: b\r\n")), heavy=True),
    "flood: trailer line": Row(chunked(flood(b"0\r\nX-A: ", b"a")), heavy=True),
    "flood: body without a length": Row(flood(JSON + b"Connection: close\r\n\r\n[", b" "), heavy=True),
    "flood: body in chunks": Row(flood(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"), heavy=True),
    "flood: beyond the true body": Row(around(beyond_body), heavy=True),
    "flood: error body": Row(flood(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n", b"a"), heavy=True),
    "flood: redirect body": Row(flood(b"HTTP/1.1 302 X\r\nLocation: /\r\n\r\n", b"a"), heavy=True),
    # Lengths.
    "length: 10^15": Row(say(JSON + b"Content-Length: 1000000000000000\r\n\r\n{")),
    "length: 10^15, and they come": Row(
        flood(JSON + b"Content-Length: 1000000000000000\r\n\r\n", b" "), heavy=True
    ),
    "length: beyond 2^63": Row(say(JSON + b"Content-Length: 9223372036854775809\r\n\r\n{")),
    "length: 10^30": Row(say(JSON + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n{")),
    "length: 5000 digits": Row(say(JSON + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{")),
    "length: two that differ": Row(
        true_with(length=lambda size: f"Content-Length: {size}\r\nContent-Length: {size + 7}")
    ),
    "length: two in one that differ": Row(true_with(length=lambda size: f"Content-Length: {size}, {size + 7}")),
    "length: the same twice": Row(
        true_with(length=lambda size: f"Content-Length: {size}\r\nContent-Length: {size}"), may_pass=True
    ),
    "length: beside chunks": Row(
        say(JSON + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n")
    ),
    "length: negative": Row(true_with(length=lambda size: f"Content-Length: -{size + 1}")),
    "length: a word": Row(true_with(length=lambda size: "Content-Length: many"), may_pass=True),
    "length: with a sign": Row(true_with(length=lambda size: f"Content-Length: +{size}"), may_pass=True),
    "length: not the ASCII digits": Row(true_with(length=lambda size: "Content-Length: \xb2"), may_pass=True),
    "length: other codings": Row(
        true_with(length=lambda size: f"Transfer-Encoding: gzip, chunked\r\nContent-Length: {size}"), may_pass=True
    ),
    "chunk: size beyond 2^64": Row(say(CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\n{")),
    "chunk: negative size": Row(say(CHUNKED + b"-5\r\n{")),
    "chunk: no size": Row(say(CHUNKED + b"zz\r\n{")),
    "chunk: no end of a chunk": Row(say(CHUNKED + b"2\r\n{}{}{}")),
    # Packed.
    "packed: gzip bomb": Row(packed(200, bomb, "gzip"), heavy=True),
    "packed: gzip bomb for a file": Row(packed(200, bomb, "gzip", "application/octet-stream"), heavy=True),
    "packed: gzip bomb in an error": Row(packed(400, bomb, "gzip"), heavy=True),
    "packed: gzip bomb in 503": Row(packed(503, bomb, "gzip"), heavy=True),
    "packed: packed twice": Row(packed(200, lambda: gzip.compress(bomb()), "gzip, gzip"), heavy=True),
    "packed: nonsense for gzip": Row(packed(200, lambda: b"nonsense" * 9, "gzip")),
    "packed: nonsense for deflate": Row(packed(200, lambda: b"nonsense" * 9, "deflate")),
    "packed: nonsense for br": Row(packed(200, lambda: b"nonsense" * 9, "br")),
    "packed: nonsense for zstd": Row(packed(200, lambda: b"nonsense" * 9, "zstd")),
    "packed: a name with escapes": Row(packed(200, lambda: b"{}", "g\x1bzip\x9b")),
    "packed: gzip that ends early": Row(packed(200, lambda: gzip.compress(b'{"a": 1}' * 99)[:-9], "gzip")),
    "packed: the true answer": Row(around(packed_truth), may_pass=True),
    # JSON.
    "json: lists in lists": Row(json_of(lambda size: b"[" * size), heavy=True),
    "json: objects in objects": Row(json_of(lambda size: b'{"a":' * (size // 5)), heavy=True),
    "json: many empty lists": Row(json_of(many_of("[]")), heavy=True),
    "json: many empty objects": Row(json_of(many_of("{}")), heavy=True),
    "json: many small objects": Row(json_of(many_of('{"a":1}')), heavy=True),
    "json: many numbers": Row(json_of(many_of("1.5")), heavy=True),
    "json: many texts": Row(json_of(many_of('"\\u00e4\\u1234"')), heavy=True),
    "json: an unfinished text of quotes": Row(json_of(lambda size: b'["' + b'\\"' * (size // 2)), heavy=True),
    "json: a number of many digits": Row(json_of(lambda size: b"9" * size), heavy=True),
    "json: a fraction of many digits": Row(json_of(lambda size: b"0." + b"9" * size), heavy=True),
    "json: UTF-16": Row(fixed(200, '{"a": "b"}'.encode("utf-16"), "Content-Type: application/json; charset=utf-16")),
    "json: Latin-1": Row(fixed(200, b'{"message": "\xe4\xf6\xfc"}', "Content-Type: application/json; charset=latin-1")),
    "json: an unknown charset": Row(true_with("Content-Type: application/json; charset=rot13"), may_pass=True),
    # An object without entries or results is an empty list of them.
    "json: half a surrogate": Row(
        fixed(200, b'{"id": "\\ud800", "files": "\\udfff"}', "Content-Type: application/json"), may_pass=True
    ),
    # Not HTTP/1.1.
    "not http: 0.9": Row(closing(b"<html>It works!</html>\n")),
    "not http: preface of HTTP/2": Row(say(PREFACE)),
    "not http: frames of HTTP/2": Row(closing(PREFACE[24:] * 3)),
    "not http: TLS alert": Row(closing(ALERT)),
    "not http: TLS alert, and it hangs": Row(say(ALERT)),
    "not http: SSH": Row(say(b"SSH-2.0-OpenSSH_9.6\r\n")),
    "not http: escapes": Row(closing(ESCAPES.encode() + b"\r\n\r\n")),
    "not http: zeros": Row(closing(bytes(10_000))),
    "not http: version 9.9": Row(closing(b"HTTP/9.9 200 OK\r\n\r\n{}")),
    "not http: status 999": Row(closing(b"HTTP/1.1 999 X\r\n\r\n{}")),
    "not http: status 000": Row(closing(b"HTTP/1.1 000 X\r\n\r\n{}")),
    "not http: status -200": Row(closing(b"HTTP/1.1 -200 X\r\n\r\n{}")),
    "not http: status of a word": Row(closing(b"HTTP/1.1 okay X\r\n\r\n{}")),
    "not http: status 600": Row(fixed(600, b"{}")),
    "not http: header without a colon": Row(say(OK + b"nonsense\r\nX-\x1b[2J: \x9b\r\nContent-Length: 2\r\n\r\n{}"), may_pass=True),
    "not http: ICY": Row(closing(b"ICY 200 OK\r\n\r\n")),
    # Redirects.
    "redirect: 301 without Location": Row(fixed(301)),
    "redirect: 302 without Location": Row(fixed(302)),
    "redirect: 303 without Location": Row(fixed(303)),
    "redirect: 307 without Location": Row(fixed(307)),
    "redirect: 308 without Location": Row(fixed(308)),
    "redirect: 300": Row(fixed(300, b"", "Location: /")),
    "redirect: 304": Row(fixed(304)),
    "redirect: 305 to a proxy": Row(fixed(305, b"", "Location: http://127.0.0.1:9/")),
    "redirect: 302 to itself": Row(to_itself(302)),
    "redirect: 307 to itself": Row(to_itself(307)),
    "redirect: 308 to itself": Row(to_itself(308)),
    "redirect: chain without an end": Row(chain, may_pass=True),
    "redirect: to a file": Row(redirect(302, "file:///etc/passwd")),
    "redirect: 307 to a file": Row(redirect(307, "file:///etc/passwd")),
    "redirect: to ftp": Row(redirect(302, "ftp://127.0.0.1/a")),
    "redirect: to a script": Row(redirect(302, "javascript:alert(1)")),
    "redirect: to a broken address": Row(redirect(302, "http://[::1/")),
    "redirect: to no port": Row(redirect(307, "http://127.0.0.1:99999999/")),
    "redirect: to no host": Row(redirect(302, "http:///a")),
    "redirect: to a closed port": Row(redirect(307, "http://127.0.0.1:1/")),
    "redirect: to a name with escapes": Row(redirect(302, "http://127.0.0.1:1/\x1b[2J\x9b?a=\x07")),
    "redirect: to a host with escapes": Row(redirect(302, "http://a\x1b[2Jb\x9b.invalid/")),
    "redirect: to a host that is not valid": Row(redirect(307, f"http://{'a' * 300}.invalid/")),
    "redirect: of 60 KB": Row(redirect(302, "/" + "a" * 60_000)),
    # Errors.
    "xml: 200": Row(xml_error(200)),
    "xml: 204 with a body": Row(say(b"HTTP/1.1 204 X\r\nContent-Type: application/xml\r\n\r\n<Error/>"), may_pass=True),
    "xml: 400": Row(xml_error(400)),
    "xml: 403": Row(xml_error(403)),
    "xml: 404": Row(xml_error(404)),
    "xml: 500": Row(xml_error(500)),
    "xml: 503": Row(xml_error(503)),
    "later: 0": Row(fixed(503, b"", "Retry-After: 0")),
    "later: 429 and 0": Row(fixed(429, b"", "Retry-After: 0")),
    "later: inf": Row(fixed(503, b"", "Retry-After: inf")),
    "later: nan": Row(fixed(429, b"", "Retry-After: nan")),
    "later: 1e308": Row(fixed(429, b"", "Retry-After: 1e308")),
    "later: 400 digits": Row(fixed(429, b"", f"Retry-After: {'9' * 400}")),
    "later: 10^12": Row(fixed(503, b"", "Retry-After: 1000000000000")),
    "later: negative": Row(fixed(429, b"", "Retry-After: -5")),
    "later: year 9999": Row(fixed(503, b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")),
    "later: with escapes": Row(fixed(429, b"", "Retry-After: \x1b[2J1")),
    "later: 413": Row(fixed(413, b"", "Retry-After: 1000000000000")),
    # Escapes.
    "escapes: 400": Row(problem(400)),
    "escapes: 401": Row(problem(401, 'WWW-Authenticate: Basic realm="\x1b[2J"')),
    "escapes: 403": Row(problem(403)),
    "escapes: 404": Row(problem(404)),
    "escapes: 409": Row(problem(409)),
    "escapes: 500": Row(problem(500)),
    "escapes: reason phrase": Row(say(b"HTTP/1.1 400 \x1b[2Jall verified\x9b\r\nContent-Length: 0\r\n\r\n")),
    "escapes: plain text": Row(fixed(403, ESCAPES.encode(), "Content-Type: text/plain")),
    "escapes: media type": Row(fixed(200, b"nonsense", "Content-Type: a/\x1b[2J\x9bb")),
    "escapes: every text of the true answer": Row(retold(escaped, escaped_page), may_pass=True),
    "escapes: JSON-RPC error": Row(
        fixed(200, json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": ESCAPES}}).encode())
    ),
    # Sizes that no file has.
    "sizes: 10^15": Row(sized(SIZES, 10**15), may_pass=True),
    "sizes: 10^18": Row(sized(SIZES, 10**18), may_pass=True),
    "sizes: 2^63": Row(sized(SIZES, 1 << 63), may_pass=True),
    "sizes: 1": Row(sized(SIZES, 1), may_pass=True),
    "sizes: 0": Row(sized(SIZES, 0), may_pass=True),
    "sizes: -1": Row(sized(SIZES, -1), may_pass=True),
    "counts: 10^9": Row(sized(COUNTS, 10**9), may_pass=True),
    "counts: -1": Row(sized(COUNTS, -1), may_pass=True),
    # Connections that end.
    "end: at once": Row(closing()),
    "end: reset at once": Row(reset()),
    "end: after 1 byte": Row(closing(b"H")),
    "end: in the head": Row(closing(JSON + b"Content-Le")),
    "end: reset in the head": Row(reset(JSON + b"Content-Le")),
    "end: after the head": Row(closing(JSON + b"Content-Length: 100\r\n\r\n")),
    "end: in the body": Row(around(half_body)),
    "end: reset in the body": Row(around(reset_in_body)),
    "end: in a chunk": Row(closing(CHUNKED + b"100\r\n{")),
    "end: before the last chunk": Row(chunked(closing())),
    "end: an answer that was not asked for": Row(around(answer_twice), may_pass=True),
}

BEHAVIOURS: Dict[str, Behave] = {name: row.behave for name, row in TABLE.items()}
