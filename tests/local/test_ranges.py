"""Ranges: the errors in the table of section 8.3, and a site without them."""

import http.client
from typing import Any, Dict, Iterator, Tuple

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.filesender.ranges import encrypted_spans
from tests.support.local import bare_client as wire

C = 1000
SIZE = 3500
DATA = bytes(place % 251 for place in range(SIZE))


@pytest.fixture(scope="module")
def sites() -> Iterator[Dict[str, Tuple[wire.Site, Any]]]:
    """Create the same transfer on a faulty site, a correct one, and one without ranges."""
    kinds: Dict[str, Any] = {"faulty": {}, "correct": {"strict_ranges": False}, "plain": {"plain_ranges": True}}
    found = {}
    servers = []
    for name, options in kinds.items():
        server = LocalServer(services=["filesender"], filesender={"upload_chunk_size": C, **options}).start()
        servers.append(server)
        site = wire.Site(server.filesender)
        found[name] = (site, site.send("a.bin", DATA, chunk=C))
    yield found
    for server in servers:
        assert server.filesender.listener.crashes == []
        server.stop()


def ask(site: wire.Site, transfer: Any, text: str) -> "tuple[int, str, str, bytes]":
    """Return status, Content-Length, Content-Range and the received bytes."""
    try:
        reply = site.fetch(transfer, {"Range": text})
    except http.client.IncompleteRead as error:
        promised = len(error.partial) + (error.expected or 0)
        return 206, str(promised), "", error.partial
    length, place = reply.headers["Content-Length"], reply.headers.get("Content-Range", "")
    return reply.status, length, place, reply.body


@pytest.mark.parametrize(
    ("text", "promised", "start", "stop"),
    [
        ("bytes=0-999", 1000, 0, 1000),
        ("bytes=1000-1999", 1000, 1000, 2000),
        ("bytes=17-3499", 3483, 17, 3500),
        ("bytes=3498-3499", 2, 3498, 3500),
        # (b-a) a multiple of C: the last byte is missing.
        ("bytes=0-1000", 1001, 0, 1000),
        ("bytes=500-2500", 2001, 500, 2500),
        ("bytes=7-7", 1, 7, 7),
        # An open end is taken as the size.
        ("bytes=3000-", 501, 3000, 3500),
        ("bytes=0-", 3501, 0, 3500),
        # An end beyond is not clamped.
        ("bytes=3400-3600", 201, 3400, 3500),
        # A suffix is taken as a start of 0.
        ("bytes=-10", 11, 0, 11),
    ],
)
def test_the_faults_of_real_servers(sites: Any, text: str, promised: int, start: int, stop: int) -> None:
    status, length, _, body = ask(*sites["faulty"], text)
    assert (status, length) == (206, str(promised))
    assert body == DATA[start:stop]


def test_headers_of_a_faulty_range(sites: Any) -> None:
    site, transfer = sites["faulty"]
    with_head = site.url, "HEAD", wire.download_target(transfer), None
    reply = wire.request(*with_head, {"Range": "bytes=3000-"})
    assert reply.headers["Content-Range"] == "bytes 3000-3500/3500"
    assert reply.headers["Content-Length"] == "501"
    assert wire.request(*with_head).headers["Content-Length"] == "3500"


@pytest.mark.parametrize("text", ["bytes=9-3", "bytes=x-y", "lines=1-2", "bytes=", "bytes=-"])
@pytest.mark.parametrize("kind", ["faulty", "correct"])
def test_not_satisfiable(sites: Any, kind: str, text: str) -> None:
    status, _, place, body = ask(*sites[kind], text)
    assert (status, place, body) == (416, "bytes */3500", b"")


def test_several_ranges_promise_too_little(sites: Any) -> None:
    site, transfer = sites["faulty"]
    reply = site.fetch(transfer, {"Range": "bytes=0-9,20-29"})
    assert reply.status == 206
    assert reply.headers["Content-Type"].startswith("multipart/byteranges")
    assert reply.headers["Content-Length"] == "20"


@pytest.mark.parametrize(
    ("text", "place", "start", "stop"),
    [
        ("bytes=0-1000", "bytes 0-1000/3500", 0, 1001),
        ("bytes=7-7", "bytes 7-7/3500", 7, 8),
        ("bytes=3000-", "bytes 3000-3499/3500", 3000, 3500),
        ("bytes=3400-3600", "bytes 3400-3499/3500", 3400, 3500),
        ("bytes=-10", "bytes 3490-3499/3500", 3490, 3500),
    ],
)
def test_without_the_faults(sites: Any, text: str, place: str, start: int, stop: int) -> None:
    assert ask(*sites["correct"], text) == (206, str(stop - start), place, DATA[start:stop])


def test_without_ranges(sites: Any) -> None:
    assert ask(*sites["plain"], "bytes=0-9") == (200, "3500", "", DATA)


def test_a_whole_encrypted_file_comes_short_by_what_was_measured() -> None:
    chunk, size = 1 << 20, 2097348
    found = encrypted_spans(0, size, size, size, chunk)
    assert sum(count for _, count in found) == 2097284
