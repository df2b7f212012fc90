"""Behaviours of a hostile server, by name.

A name begins with the kind; the fast suite tries each once per service.
"""

from __future__ import annotations

import gzip
import json
from typing import Dict, NamedTuple

from tests.support.hostile import raw_responses as raw


class Row(NamedTuple):
    """A behaviour.

    :param may_pass: a good client may take the answer for success.
    :param heavy: sends much; its memory is measured by itself.
    """

    behave: raw.Behave
    may_pass: bool = False
    heavy: bool = False


TABLE: Dict[str, Row] = {
    # Nothing comes, or nothing is read.
    "silence": Row(raw.say()),
    "silence: nothing is read": Row(raw.nothing_read),
    "silence: after the head": Row(raw.say(raw.JSON + b"Content-Length: 100\r\n\r\n")),
    "silence: an answer before the request was read": Row(raw.answer_early),
    # Interim answers.
    "interim: flood of 100": Row(raw.flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), heavy=True),
    "interim: flood of 103 with fields": Row(raw.flood(b"", b"HTTP/1.1 103 X\r\nLink: </a>; rel=x\r\n\r\n"), heavy=True),
    "interim: drip of 100": Row(raw.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "interim: drip of 102": Row(raw.drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n")),
    "interim: endless field": Row(raw.flood(b"HTTP/1.1 103 X\r\nLink: ", b"a"), heavy=True),
    "interim: field that drips": Row(raw.drip(b"HTTP/1.1 103 X\r\nLink: ", b"a")),
    "interim: 101": Row(raw.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + raw.PREFACE)),
    # Drips in every phase.
    "drip: status line": Row(raw.drip(b"HTTP/1.1 200 ", b"O")),
    "drip: first bytes": Row(raw.drip(b"", b"H")),
    "drip: header lines": Row(raw.drip(raw.OK, b"X-A: b\r\n")),
    "drip: header name that never ends": Row(raw.drip(raw.OK, b"a")),
    "drip: header value that never ends": Row(raw.drip(raw.OK + b"X-A: ", b"a")),
    "drip: body": Row(raw.around(raw.body_drips)),
    "drip: body without a length": Row(raw.around(raw.open_body_drips)),
    "drip: chunk data": Row(raw.around(raw.chunks_drip)),
    "drip: chunks of one byte": Row(raw.around(raw.small_chunks_drip), may_pass=True),
    "drip: chunk-size line": Row(raw.drip(raw.CHUNKED, b"0")),
    "drip: chunk extension": Row(raw.drip(raw.CHUNKED + b"5;", b"a")),
    "drip: trailer lines": Row(raw.chunked(raw.drip(b"0\r\n", b"X-A: b\r\n"))),
    "drip: trailer field that never ends": Row(raw.chunked(raw.drip(b"0\r\nX-A: ", b"a"))),
    "drip: error body": Row(raw.drip(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n", b"a")),
    # Floods.
    "flood: status line": Row(raw.flood(b"HTTP/1.1 200 ", b"O"), heavy=True),
    "flood: 100000 headers": Row(raw.flood(raw.OK, b"X-A: b\r\n", b"\r\n", 800_000), heavy=True),
    "flood: one header of 100 MiB": Row(raw.flood(raw.OK + b"X-A: ", b"a", b"\r\n\r\n", 100 * raw.MIB), heavy=True),
    "flood: header continuation lines": Row(raw.flood(raw.OK + b"X-A: b\r\n", b" c\r\n"), heavy=True),
    "flood: cookies": Row(
        raw.true_with(*(f"Set-Cookie: c{number}={'v' * 4000}; Path=/" for number in range(80))), may_pass=True
    ),
    "flood: 100000 cookies": Row(raw.flood(raw.OK, b"Set-Cookie: a=b; Path=/\r\n", b"\r\n", 2_400_000), heavy=True),
    "flood: chunk-size line": Row(raw.flood(raw.CHUNKED, b"0"), heavy=True),
    "flood: chunk extension": Row(raw.flood(raw.CHUNKED + b"1;", b"a"), heavy=True),
    "flood: an extension in each chunk": Row(raw.flood(raw.CHUNKED, b"1;" + b"e" * 1000 + b"\r\n \r\n"), heavy=True),
    "flood: chunks of one byte": Row(raw.flood(raw.CHUNKED, b"1\r\n \r\n", most=raw.MIB), heavy=True),
    "flood: trailer lines": Row(raw.chunked(raw.flood(b"0\r\n", b"X-A: b\r\n")), heavy=True),
    "flood: trailer line": Row(raw.chunked(raw.flood(b"0\r\nX-A: ", b"a")), heavy=True),
    "flood: body without a length": Row(raw.flood(raw.JSON + b"Connection: close\r\n\r\n[", b" "), heavy=True),
    "flood: body in chunks": Row(raw.flood(raw.CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"), heavy=True),
    "flood: beyond the true body": Row(raw.around(raw.beyond_body), heavy=True),
    "flood: error body": Row(raw.flood(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n", b"a"), heavy=True),
    "flood: redirect body": Row(raw.flood(b"HTTP/1.1 302 X\r\nLocation: /\r\n\r\n", b"a"), heavy=True),
    # Lengths.
    "length: 10^15": Row(raw.say(raw.JSON + b"Content-Length: 1000000000000000\r\n\r\n{")),
    "length: 10^15, and they come": Row(
        raw.flood(raw.JSON + b"Content-Length: 1000000000000000\r\n\r\n", b" "), heavy=True
    ),
    "length: beyond 2^63": Row(raw.say(raw.JSON + b"Content-Length: 9223372036854775809\r\n\r\n{")),
    "length: 10^30": Row(raw.say(raw.JSON + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n{")),
    "length: 5000 digits": Row(raw.say(raw.JSON + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{")),
    "length: two that differ": Row(
        raw.true_with(length=lambda size: f"Content-Length: {size}\r\nContent-Length: {size + 7}")
    ),
    "length: two in one that differ": Row(raw.true_with(length=lambda size: f"Content-Length: {size}, {size + 7}")),
    "length: the same twice": Row(
        raw.true_with(length=lambda size: f"Content-Length: {size}\r\nContent-Length: {size}"), may_pass=True
    ),
    "length: beside chunks": Row(
        raw.say(raw.JSON + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n")
    ),
    "length: negative": Row(raw.true_with(length=lambda size: f"Content-Length: -{size + 1}")),
    "length: a word": Row(raw.true_with(length=lambda size: "Content-Length: many"), may_pass=True),
    "length: with a sign": Row(raw.true_with(length=lambda size: f"Content-Length: +{size}"), may_pass=True),
    "length: not the ASCII digits": Row(raw.true_with(length=lambda size: "Content-Length: \xb2"), may_pass=True),
    "length: other codings": Row(
        raw.true_with(length=lambda size: f"Transfer-Encoding: gzip, chunked\r\nContent-Length: {size}"), may_pass=True
    ),
    "chunk: size beyond 2^64": Row(raw.say(raw.CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\n{")),
    "chunk: negative size": Row(raw.say(raw.CHUNKED + b"-5\r\n{")),
    "chunk: no size": Row(raw.say(raw.CHUNKED + b"zz\r\n{")),
    "chunk: no end of a chunk": Row(raw.say(raw.CHUNKED + b"2\r\n{}{}{}")),
    # Packed.
    "packed: gzip bomb": Row(raw.packed(200, raw.bomb, "gzip"), heavy=True),
    "packed: gzip bomb for a file": Row(raw.packed(200, raw.bomb, "gzip", "application/octet-stream"), heavy=True),
    "packed: gzip bomb in an error": Row(raw.packed(400, raw.bomb, "gzip"), heavy=True),
    "packed: gzip bomb in 503": Row(raw.packed(503, raw.bomb, "gzip"), heavy=True),
    "packed: packed twice": Row(raw.packed(200, lambda: gzip.compress(raw.bomb()), "gzip, gzip"), heavy=True),
    "packed: nonsense for gzip": Row(raw.packed(200, lambda: b"nonsense" * 9, "gzip")),
    "packed: nonsense for deflate": Row(raw.packed(200, lambda: b"nonsense" * 9, "deflate")),
    "packed: nonsense for br": Row(raw.packed(200, lambda: b"nonsense" * 9, "br")),
    "packed: nonsense for zstd": Row(raw.packed(200, lambda: b"nonsense" * 9, "zstd")),
    "packed: a name with escapes": Row(raw.packed(200, lambda: b"{}", "g\x1bzip\x9b")),
    "packed: gzip that ends early": Row(raw.packed(200, lambda: gzip.compress(b'{"a": 1}' * 99)[:-9], "gzip")),
    "packed: the true answer": Row(raw.around(raw.packed_truth), may_pass=True),
    # JSON.
    "json: lists in lists": Row(raw.json_of(lambda size: b"[" * size), heavy=True),
    "json: objects in objects": Row(raw.json_of(lambda size: b'{"a":' * (size // 5)), heavy=True),
    "json: many empty lists": Row(raw.json_of(raw.many_of("[]")), heavy=True),
    "json: many empty objects": Row(raw.json_of(raw.many_of("{}")), heavy=True),
    "json: many small objects": Row(raw.json_of(raw.many_of('{"a":1}')), heavy=True),
    "json: many numbers": Row(raw.json_of(raw.many_of("1.5")), heavy=True),
    "json: many texts": Row(raw.json_of(raw.many_of('"\\u00e4\\u1234"')), heavy=True),
    "json: an unfinished text of quotes": Row(raw.json_of(lambda size: b'["' + b'\\"' * (size // 2)), heavy=True),
    "json: a number of many digits": Row(raw.json_of(lambda size: b"9" * size), heavy=True),
    "json: a fraction of many digits": Row(raw.json_of(lambda size: b"0." + b"9" * size), heavy=True),
    "json: UTF-16": Row(raw.fixed(200, '{"a": "b"}'.encode("utf-16"), "Content-Type: application/json; charset=utf-16")),
    "json: Latin-1": Row(raw.fixed(200, b'{"message": "\xe4\xf6\xfc"}', "Content-Type: application/json; charset=latin-1")),
    "json: an unknown charset": Row(raw.true_with("Content-Type: application/json; charset=rot13"), may_pass=True),
    # An object without entries or results is an empty list of them.
    "json: half a surrogate": Row(
        raw.fixed(200, b'{"id": "\\ud800", "files": "\\udfff"}', "Content-Type: application/json"), may_pass=True
    ),
    # Not HTTP/1.1.
    "not http: 0.9": Row(raw.closing(b"<html>It works!</html>\n")),
    "not http: preface of HTTP/2": Row(raw.say(raw.PREFACE)),
    "not http: frames of HTTP/2": Row(raw.closing(raw.PREFACE[24:] * 3)),
    "not http: TLS alert": Row(raw.closing(raw.ALERT)),
    "not http: TLS alert, and it hangs": Row(raw.say(raw.ALERT)),
    "not http: SSH": Row(raw.say(b"SSH-2.0-OpenSSH_9.6\r\n")),
    "not http: escapes": Row(raw.closing(raw.ESCAPES.encode() + b"\r\n\r\n")),
    "not http: zeros": Row(raw.closing(bytes(10_000))),
    "not http: version 9.9": Row(raw.closing(b"HTTP/9.9 200 OK\r\n\r\n{}")),
    "not http: status 999": Row(raw.closing(b"HTTP/1.1 999 X\r\n\r\n{}")),
    "not http: status 000": Row(raw.closing(b"HTTP/1.1 000 X\r\n\r\n{}")),
    "not http: status -200": Row(raw.closing(b"HTTP/1.1 -200 X\r\n\r\n{}")),
    "not http: status of a word": Row(raw.closing(b"HTTP/1.1 okay X\r\n\r\n{}")),
    "not http: status 600": Row(raw.fixed(600, b"{}")),
    "not http: header without a colon": Row(raw.say(raw.OK + b"nonsense\r\nX-\x1b[2J: \x9b\r\nContent-Length: 2\r\n\r\n{}"), may_pass=True),
    "not http: ICY": Row(raw.closing(b"ICY 200 OK\r\n\r\n")),
    # Redirects.
    **{f"redirect: {code} without Location": Row(raw.fixed(code)) for code in (301, 302, 303, 307, 308)},
    "redirect: 300": Row(raw.fixed(300, b"", "Location: /")),
    "redirect: 304": Row(raw.fixed(304)),
    "redirect: 305 to a proxy": Row(raw.fixed(305, b"", "Location: http://127.0.0.1:9/")),
    **{f"redirect: {code} to itself": Row(raw.to_itself(code)) for code in (302, 307, 308)},
    "redirect: chain without an end": Row(raw.chain, may_pass=True),
    "redirect: to a file": Row(raw.redirect(302, "file:///etc/passwd")),
    "redirect: 307 to a file": Row(raw.redirect(307, "file:///etc/passwd")),
    "redirect: to ftp": Row(raw.redirect(302, "ftp://127.0.0.1/a")),
    "redirect: to a script": Row(raw.redirect(302, "javascript:alert(1)")),
    "redirect: to a broken address": Row(raw.redirect(302, "http://[::1/")),
    "redirect: to no port": Row(raw.redirect(307, "http://127.0.0.1:99999999/")),
    "redirect: to no host": Row(raw.redirect(302, "http:///a")),
    "redirect: to a closed port": Row(raw.redirect(307, "http://127.0.0.1:1/")),
    "redirect: to a name with escapes": Row(raw.redirect(302, "http://127.0.0.1:1/\x1b[2J\x9b?a=\x07")),
    "redirect: to a host with escapes": Row(raw.redirect(302, "http://a\x1b[2Jb\x9b.invalid/")),
    "redirect: to a host that is not valid": Row(raw.redirect(307, f"http://{'a' * 300}.invalid/")),
    "redirect: of 60 KB": Row(raw.redirect(302, "/" + "a" * 60_000)),
    # Errors.
    "xml: 200": Row(raw.xml_error(200)),
    "xml: 204 with a body": Row(raw.say(b"HTTP/1.1 204 X\r\nContent-Type: application/xml\r\n\r\n<Error/>"), may_pass=True),
    **{f"xml: {code}": Row(raw.xml_error(code)) for code in (400, 403, 404, 500, 503)},
    "later: 0": Row(raw.fixed(503, b"", "Retry-After: 0")),
    "later: 429 and 0": Row(raw.fixed(429, b"", "Retry-After: 0")),
    "later: inf": Row(raw.fixed(503, b"", "Retry-After: inf")),
    "later: nan": Row(raw.fixed(429, b"", "Retry-After: nan")),
    "later: 1e308": Row(raw.fixed(429, b"", "Retry-After: 1e308")),
    "later: 400 digits": Row(raw.fixed(429, b"", f"Retry-After: {'9' * 400}")),
    "later: 10^12": Row(raw.fixed(503, b"", "Retry-After: 1000000000000")),
    "later: negative": Row(raw.fixed(429, b"", "Retry-After: -5")),
    "later: year 9999": Row(raw.fixed(503, b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")),
    "later: with escapes": Row(raw.fixed(429, b"", "Retry-After: \x1b[2J1")),
    "later: 413": Row(raw.fixed(413, b"", "Retry-After: 1000000000000")),
    # Escapes.
    "escapes: 400": Row(raw.problem(400)),
    "escapes: 401": Row(raw.problem(401, 'WWW-Authenticate: Basic realm="\x1b[2J"')),
    **{f"escapes: {code}": Row(raw.problem(code)) for code in (403, 404, 409, 500)},
    "escapes: reason phrase": Row(raw.say(b"HTTP/1.1 400 \x1b[2Jall verified\x9b\r\nContent-Length: 0\r\n\r\n")),
    "escapes: plain text": Row(raw.fixed(403, raw.ESCAPES.encode(), "Content-Type: text/plain")),
    "escapes: media type": Row(raw.fixed(200, b"nonsense", "Content-Type: a/\x1b[2J\x9bb")),
    "escapes: every text of the true answer": Row(raw.retold(raw.escaped, raw.escaped_page), may_pass=True),
    "escapes: JSON-RPC error": Row(
        raw.fixed(200, json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": raw.ESCAPES}}).encode())
    ),
    # Sizes that no file has.
    **{
        f"sizes: {name}": Row(raw.sized(raw.SIZES, number), may_pass=True)
        for name, number in {"10^15": 10**15, "10^18": 10**18, "2^63": 1 << 63, "1": 1, "0": 0, "-1": -1}.items()
    },
    **{f"counts: {name}": Row(raw.sized(raw.COUNTS, n), may_pass=True) for name, n in {"10^9": 10**9, "-1": -1}.items()},
    # Connections that end.
    "end: at once": Row(raw.closing()),
    "end: reset at once": Row(raw.reset()),
    "end: after 1 byte": Row(raw.closing(b"H")),
    "end: in the head": Row(raw.closing(raw.JSON + b"Content-Le")),
    "end: reset in the head": Row(raw.reset(raw.JSON + b"Content-Le")),
    "end: after the head": Row(raw.closing(raw.JSON + b"Content-Length: 100\r\n\r\n")),
    "end: in the body": Row(raw.around(raw.half_body)),
    "end: reset in the body": Row(raw.around(raw.reset_in_body)),
    "end: in a chunk": Row(raw.closing(raw.CHUNKED + b"100\r\n{")),
    "end: before the last chunk": Row(raw.chunked(raw.closing())),
    "end: an answer that was not asked for": Row(raw.around(raw.answer_twice), may_pass=True),
}

BEHAVIOURS: Dict[str, raw.Behave] = {name: row.behave for name, row in TABLE.items()}
