"""Every kind of fault has the described effect, and is counted."""

import email.utils
import http.client
import socket
import threading
import time
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

CHUNK = "PUT /rest.php/file/*/chunk/*"
DOWNLOAD = "GET /download.php"
DATA = bytes(place % 251 for place in range(600_000))
BROKEN = (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)


class Raw:
    """A plain TCP connection."""

    def __init__(self, url: str) -> None:
        host, port = url[len("http://") :].split("/", maxsplit=1)[0].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def get(self, target: str, *headers: str) -> None:
        lines = [f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def until_end(self) -> "tuple[bytes, bool]":
        """Return all bytes until the connection ends, and True if it was reset."""
        got: List[bytes] = []
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return b"".join(got), True
            if not piece:
                return b"".join(got), False
            got.append(piece)


@pytest.fixture
def sent(site: wire.Site) -> Any:
    """Create a transfer of one file, ready for download."""
    return site.send("a.bin", DATA)


def started(site: wire.Site, size: int = len(DATA)) -> Any:
    """Create a transfer of one file; return both."""
    transfer = site.create([("a.bin", size)])
    return transfer, wire.real_files(transfer)[0]


def download(site: wire.Site, sent: Any, *headers: str) -> "tuple[str, bytes, bool]":
    """Return received head and body, and True if the connection was reset."""
    with Raw(site.url) as raw:
        raw.get(wire.download_target(sent), *headers)
        got, reset = raw.until_end()
    head, _, body = got.partition(b"\r\n\r\n")
    return head.decode(), body, reset


def test_status_with_a_body_and_retry_after(server: LocalServer, site: wire.Site) -> None:
    effect = "status 503 retry-after=2 body=json:undergoing_maintenance"
    fault = server.fault("filesender", "GET /rest.php/info", effect)
    reply = site.bare("GET", "/rest.php/info")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
    assert reply.json()["message"] == "undergoing_maintenance"
    assert site.bare("GET", "/rest.php/info").status == 200
    assert (fault.fired, fault.remaining) == (1, 0)
    assert server.unfired() == []


def test_status_bodies_and_dates(server: LocalServer, site: wire.Site) -> None:
    server.fault("filesender", "* /rest.php/info", "status 500")
    server.fault("filesender", "* /rest.php/info", "status 502 body=html retry-after=date+60")
    date = "Fri, 20 Nov 2026 22:19:14 GMT"
    server.fault("filesender", "* /rest.php/info", f"status 429 retry-after='{date}'")
    empty, page, dated = (site.bare("GET", "/rest.php/info") for _ in range(3))
    assert (empty.status, empty.body) == (500, b"")
    assert page.status == 502
    assert page.body.startswith(b"<html>")
    ahead = email.utils.parsedate_to_datetime(page.headers["Retry-After"]).timestamp() - time.time()
    assert 50 < ahead < 65
    assert dated.headers["Retry-After"] == date


def test_a_body_from_a_file(server: LocalServer, site: wire.Site, tmp_path: Path) -> None:
    path = tmp_path / "deep json"
    path.write_bytes(b"[" * 100_000)
    server.fault("filesender", "* /rest.php/info", f"status 200 'body=file:{path}'")
    assert site.bare("GET", "/rest.php/info").body == b"[" * 100_000


@pytest.mark.parametrize(("effect", "stored"), [("status 503", 0), ("replace 504 body=html", len(DATA))])
def test_another_status_before_and_after_the_work(
    server: LocalServer, site: wire.Site, effect: str, stored: int
) -> None:
    server.fault("filesender", CHUNK, effect)
    assert site.chunk(*started(site), 0, DATA).status == int(effect.split()[1])
    assert server.filesender.transfers()[0]["files"][0]["stored"] == stored
    assert server.filesender.request_log[-1].received == len(DATA)


def test_interim_answers(server: LocalServer, site: wire.Site) -> None:
    """Read from the socket, because http.client hides interim responses or takes one for the final."""
    fault = server.fault("filesender", "GET /rest.php/info", "interim 102 3")
    with Raw(site.url) as raw:
        raw.get("/rest.php/info", "Connection: close")
        data, _ = raw.until_end()
    assert data.startswith(b"HTTP/1.1 102 Interim\r\n\r\n" * 3 + b"HTTP/1.1 200 OK\r\n")
    assert fault.wait(5)


def test_redirect(server: LocalServer, site: wire.Site) -> None:
    server.fault("filesender", "GET /rest.php/info", "redirect http://127.0.0.1:1{target} 307")
    reply = site.bare("GET", "/rest.php/info?a=b")
    assert (reply.status, reply.headers["Location"]) == (307, "http://127.0.0.1:1/rest.php/info?a=b")


@pytest.mark.parametrize("effect", ["reset-before", "lose-answer"])
def test_no_answer_but_a_reset(server: LocalServer, site: wire.Site, effect: str) -> None:
    fault = server.fault("filesender", "POST /rest.php/transfer", effect)
    with pytest.raises(BROKEN):
        site.create([("a.bin", 1)])
    assert fault.wait(5)
    # The request is executed in one case, but not in the other.
    assert len(server.filesender.transfers()) == (effect == "lose-answer")


def test_reset_after_some_of_the_request(server: LocalServer, site: wire.Site) -> None:
    fault = server.fault("filesender", CHUNK, "reset-after 256K", times=2)
    transfer, file = started(site)
    for _ in range(2):
        with pytest.raises(BROKEN):
            site.chunk(transfer, file, 0, DATA)
    assert fault.wait(5, times=2)
    assert site.chunk(transfer, file, 0, DATA).status == 200
    broken = [record for record in server.filesender.request_log if record.request.status == 0]
    assert [record.received for record in broken] == [262144, 262144]
    assert site.complete(transfer)


def test_reset_right_at_the_end_of_the_request(server: LocalServer, site: wire.Site) -> None:
    fault = server.fault("filesender", CHUNK, f"reset-after {len(DATA)}")
    with pytest.raises(BROKEN):
        site.chunk(*started(site), 0, DATA)
    assert fault.wait(5)


def test_a_fault_that_cannot_happen_is_not_used_up(server: LocalServer, site: wire.Site) -> None:
    fault = server.fault("filesender", CHUNK, "reset-after 1M")
    small = started(site, 5)
    # It is immediately available for the next request.
    for _ in range(2):
        assert site.chunk(*small, 0, b"12345").status == 200
        assert (fault.fired, fault.remaining, server.unfired()) == (0, 1, [fault])
    with pytest.raises(BROKEN):
        site.chunk(*started(site, 2 << 20), 0, bytes(2 << 20))
    assert server.unfired() == []


@pytest.mark.parametrize(("effect", "count"), [("reset-after-sent 256K", 262144), ("truncate 1000", 1000)])
def test_an_early_end(server: LocalServer, site: wire.Site, sent: Any, effect: str, count: int) -> None:
    fault = server.fault("filesender", DOWNLOAD, effect)
    head, body, reset = download(site, sent)
    assert (reset, body == DATA[:count]) == (effect.startswith("reset"), True)
    assert "Content-Length: 600000" in head
    assert fault.fired == 1


def test_extra_byte(server: LocalServer, site: wire.Site, sent: Any) -> None:
    fault = server.fault("filesender", DOWNLOAD, "extra-byte", times=2)
    reply = site.fetch(sent)
    assert (reply.headers["Content-Length"], reply.body[:-1]) == ("600001", DATA)
    reply = site.fetch(sent, {"Range": "bytes=10-19"})
    assert (reply.headers["Content-Range"], len(reply.body)) == ("bytes 10-19/600000", 11)
    assert fault.fired == 2


def test_flips(server: LocalServer, site: wire.Site) -> None:
    inward = server.fault("filesender", CHUNK, "flip-in 300000")
    transfer = site.send("a.bin", DATA)
    outward = server.fault("filesender", DOWNLOAD, "flip 70001")
    first, second = site.fetch(transfer).body, site.fetch(transfer).body
    assert [place for place in range(len(DATA)) if second[place] != DATA[place]] == [300000]
    assert [place for place in range(len(DATA)) if first[place] != second[place]] == [70001]
    assert (inward.fired, outward.fired) == (1, 1)


def test_drip(server: LocalServer, site: wire.Site) -> None:
    fault = server.fault("filesender", "GET /rest.php/info", "drip 20/0.02")
    start = time.monotonic()
    reply = site.bare("GET", "/rest.php/info")
    assert reply.json()["name"] == "FileSender"
    assert time.monotonic() - start >= 0.02 * (len(reply.body) // 20)
    assert fault.fired == 1


def test_rate_is_shared_and_goes_both_ways(server: LocalServer, site: wire.Site, sent: Any) -> None:
    fault = server.fault("filesender", DOWNLOAD, "rate 2M", times=None)
    start = time.monotonic()
    bodies: List[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(site.fetch(sent).body)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert bodies == [DATA, DATA]
    assert time.monotonic() - start >= 2 * len(DATA) / (2 << 20) * 0.9
    assert fault.fired == 2
    assert fault.remaining is None
    server.fault("filesender", CHUNK, "rate 2M")
    start = time.monotonic()
    site.send("b.bin", DATA)
    assert time.monotonic() - start >= len(DATA) / (2 << 20) * 0.9


@pytest.mark.parametrize("effect", ["stall", "no-answer"])
def test_silence_until_the_client_gives_up(server: LocalServer, site: wire.Site, effect: str) -> None:
    fault = server.fault("filesender", "POST /rest.php/transfer", effect)
    done = threading.Event()

    def ask() -> None:
        with pytest.raises(BROKEN):
            site.create([("a.bin", 1)])
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert fault.wait(5)
    assert not done.wait(0.1)
    server.clear_faults()
    assert done.wait(5)
    thread.join()
    assert len(server.filesender.transfers()) == (effect == "no-answer")


def test_a_stall_ends_when_the_client_hangs_up(server: LocalServer, site: wire.Site) -> None:
    fault = server.fault("filesender", "GET /rest.php/info", "stall")
    with Raw(site.url) as raw:
        raw.get("/rest.php/info")
        assert fault.wait(5)
    deadline = time.monotonic() + 5
    while not server.filesender.count("GET /rest.php/info", status=0):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stall_after_stops_reading(server: LocalServer, site: wire.Site) -> None:
    fault = server.fault("filesender", CHUNK, "stall-after 64K")
    transfer, file = started(site, 5 << 20)
    with Raw(site.url) as raw:
        head = "PUT {} HTTP/1.1\r\nContent-Length: {}\r\nX-Filesender-Chunk-Size: {}\r\n\r\n"
        raw.socket.sendall(head.format(wire.chunk_target(transfer, file, 0), 5 << 20, 5 << 20).encode())
        raw.socket.sendall(bytes(64 << 10))
        assert fault.wait(5)
        raw.socket.settimeout(0.1)
        with pytest.raises(socket.timeout):
            raw.socket.recv(1)
    assert fault.fired == 1


def test_ignored_and_wrong_ranges(server: LocalServer, site: wire.Site, sent: Any) -> None:
    ask = {"Range": "bytes=100-199"}
    ignore = server.fault("filesender", DOWNLOAD, "ignore-range")
    whole = site.fetch(sent, ask)
    assert (whole.status, whole.body) == (200, DATA)
    assert ignore.fired == 1
    server.fault("filesender", DOWNLOAD, "wrong-range")
    server.fault("filesender", DOWNLOAD, "wrong-range total", after=1)
    assert site.fetch(sent, ask).headers["Content-Range"] == "bytes 101-199/600000"
    assert site.fetch(sent, ask).headers["Content-Range"] == "bytes 100-199/600001"
    assert server.unfired() == []


def test_a_range_fault_waits_for_a_range(server: LocalServer, site: wire.Site, sent: Any) -> None:
    kinds = ("ignore-range", "wrong-range")
    faults = [server.fault("filesender", DOWNLOAD, kind) for kind in kinds]
    assert site.fetch(sent).body == DATA
    assert server.unfired() == faults


@pytest.mark.parametrize("mode", ["chunked", "close"])
@pytest.mark.parametrize("cut", ["", " truncate 1000"])
def test_no_length(server: LocalServer, site: wire.Site, sent: Any, mode: str, cut: str) -> None:
    fault = server.fault("filesender", DOWNLOAD, "no-length " + mode + cut)
    head, body, reset = download(site, sent, "Connection: close")
    assert not reset
    assert "Content-Length" not in head
    assert ("Transfer-Encoding: chunked" in head) == (mode == "chunked")
    assert fault.fired == 1
    if mode == "chunked":
        assert body.endswith(b"0\r\n\r\n") != bool(cut)
    else:
        assert body == (DATA[:1000] if cut else DATA)


def test_faults_add_up_and_clear(server: LocalServer, site: wire.Site, sent: Any) -> None:
    server.fault("filesender", DOWNLOAD, "flip 5")
    server.fault("filesender", DOWNLOAD, "truncate 10")
    with pytest.raises(http.client.IncompleteRead) as broken:
        site.fetch(sent)
    assert broken.value.partial == DATA[:5] + bytes((DATA[5] ^ 1,)) + DATA[6:10]
    assert server.unfired() == []
    server.fault("filesender", "* *", "status 500", times=None)
    server.clear_faults()
    assert server.faults == []
    assert site.fetch(sent).body == DATA


def test_after_and_times(server: LocalServer, site: wire.Site) -> None:
    server.fault("filesender", "GET /rest.php/info", "status 500", times=2, after=1)
    seen = [site.bare("GET", "/rest.php/info").status for _ in range(4)]
    assert seen == [200, 500, 500, 200]
    assert server.filesender.count("GET /rest.php/info", status=500) == 2
    assert server.filesender.requests[0] == ("GET", "/rest.php/info", 200)


def test_a_question_mark_matches_the_query(server: LocalServer, site: wire.Site) -> None:
    server.fault("filesender", "GET /?s=download*", "status 500")
    assert site.bare("GET", "/?s=upload").status == 200
    assert site.bare("GET", "/?s=download&token=x").status == 500


@pytest.mark.parametrize(
    "effect",
    [
        "", "explode", "status", "status 99", "status 500 colour=red", "status 503 body=xml",
        "reset-after", "reset-after many", "reset-after 1T", "truncate -1", "drip 5", "drip 0/1",
        "rate 0", "stall now", "redirect", "redirect / 9", "no-length sometimes",
        "no-length chunked truncate", "wrong-range end", "status 503 retry-after=date+soon",
        "status 500 body='", "flip",
    ],
)  # fmt: skip
def test_what_is_not_in_the_language(server: LocalServer, effect: str) -> None:
    with pytest.raises(UsageError, match=r"invalid fault .* \(write "):
        server.fault("filesender", CHUNK, effect)


@pytest.mark.parametrize(
    ("service", "match", "more", "words"),
    [
        *(("filesender", match, {}, "method and a path") for match in ("", "PUT", "/rest.php", "put /x", "GET x")),
        ("filsender", CHUNK, {}, "no service '"), ("filesender", CHUNK, {"times": 0}, "times"),
        ("filesender", CHUNK, {"after": -1}, "after"),
    ],
)  # fmt: skip
def test_other_misuse(server: LocalServer, service: str, match: str, more: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        server.fault(service, match, "stall", **more)
