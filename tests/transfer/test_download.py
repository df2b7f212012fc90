"""The download loop over a server that breaks."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.errors import (
    ChecksumMismatch,
    NetworkError,
    RangeMismatch,
    SizeMismatch,
    SourceChanged,
    Truncated,
)
from smartxfer.transfer.sink import FileSink, MemorySink
from smartxfer.transport import RetryPolicy
from tests.support.raw_server import Peer, RawServer, Request, answering, ranged

DATA = bytes(range(256)) * 4096  # 1 MiB
STEP = 200_000
MD5 = ("md5", hashlib.md5(DATA).hexdigest())
RANGED = {"size": len(DATA), "range_size": STEP}


def gone(request: Request, peer: Peer) -> None:
    peer.answer(404)


def faulty(*faults: Any, then: Any = None) -> Callable[[Peer], None]:
    """Serves DATA with ranges; the first requests get the faults."""
    lock, waiting = threading.Lock(), list(faults)

    def reply(request: Request, peer: Peer) -> None:
        with lock:
            fault = waiting.pop(0) if waiting else None
        (fault or then or ranged(DATA))(request, peer)

    return answering(reply)


def cut_after(count: int) -> Callable[[Request, Peer], None]:
    """Promises all, sends ``count`` bytes, and resets or ends the connection."""

    def reply(request: Request, peer: Peer) -> None:
        first, last = request.headers.get("range", f"bytes=0-{len(DATA) - 1}")[len("bytes=") :].split("-")
        piece = DATA[int(first) : int(last) + 1]
        field = f"Content-Range: bytes {first}-{last}/{len(DATA)}"
        peer.answer(206 if "range" in request.headers else 200, piece[:count], field, length=len(piece))
        peer.close()

    return reply


def left_behind(directory: Path) -> List[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(
    "described", [RANGED, {"size": len(DATA)}, {}], ids=["ranged", "plain", "unknown size"]
)
def test_a_file(engine: Any, tmp_path: Path, described: Any) -> None:
    with RawServer(faulty()) as server:
        made = engine(server.url)
        result = made.download(FileSink(tmp_path / "out"), **described)
    assert (tmp_path / "out").read_bytes() == DATA
    assert left_behind(tmp_path) == ["out"]
    assert (result.path, result.bytes, result.verified, result.digest) == (
        tmp_path / "out", len(DATA), "size", None,
    )  # fmt: skip
    assert made.notes == ["done"]


def test_pieces_are_asked_for_once_each(engine: Any) -> None:
    with RawServer(faulty()) as server:
        sink = MemorySink()
        engine(server.url).download(sink, **RANGED)
        asked = sorted(int(request.headers["range"][6:].split("-")[0]) for request in server.requests)
    assert sink.data == DATA
    assert asked == [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]


@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1])
def test_sizes(engine: Any, tmp_path: Path, size: int) -> None:
    with RawServer(answering(ranged(DATA[:size]))) as server:
        result = engine(server.url).download(FileSink(tmp_path / "out"), size=size, range_size=STEP)
    assert (tmp_path / "out").read_bytes() == DATA[:size]
    assert result.bytes == size
    assert left_behind(tmp_path) == ["out"]


def test_an_unknown_size_is_not_called_verified(engine: Any) -> None:
    def reply(request: Request, peer: Peer) -> None:
        peer.answer(200, DATA, length=None)
        peer.close()

    with RawServer(answering(reply)) as server:
        sink = MemorySink()
        assert engine(server.url).download(sink).verified is None
    assert sink.data == DATA


# -- digests -------------------------------------------------------------------------------------------


def test_a_digest_is_checked(engine: Any) -> None:
    with RawServer(faulty()) as server:
        digest = ("md5", MD5[1].upper())
        result = engine(server.url).download(MemorySink(), digest=digest, **RANGED)
    assert (result.verified, result.digest) == ("md5", f"md5:{MD5[1]}")


def flipped(request: Request, peer: Peer) -> None:
    ranged(b"\xff" + DATA[1:])(request, peer)


def test_a_flipped_bit_costs_one_full_fetch(engine: Any, tmp_path: Path) -> None:
    with RawServer(faulty(flipped)) as server:
        result = engine(server.url).download(
            FileSink(tmp_path / "out"), digest=MD5, size=len(DATA), operation={"max_workers": 1}
        )
        assert len(server.requests) == 2
    assert result.verified == "md5"
    assert (tmp_path / "out").read_bytes() == DATA


def test_a_bit_that_stays_flipped_is_an_error_and_nothing_is_kept(engine: Any, tmp_path: Path) -> None:
    with RawServer(answering(flipped)) as server:
        with pytest.raises(ChecksumMismatch) as caught:
            engine(server.url).download(FileSink(tmp_path / "out"), digest=MD5, size=len(DATA))
        assert len(server.requests) == 2
    assert (caught.value.algorithm, caught.value.expected) == MD5
    assert caught.value.actual != MD5[1]
    assert left_behind(tmp_path) == []


# -- breaks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 150_000, STEP - 1])
def test_a_break_goes_on_by_range(engine: Any, count: int) -> None:
    with RawServer(faulty(cut_after(count))) as server:
        sink = MemorySink()
        result = engine(server.url).download(sink, **RANGED, operation={"max_workers": 1})
        assert sink.data == DATA
        assert result.retries == 1
        first, second = (request.headers["range"] for request in server.requests[:2])
        assert first == "bytes=0-199999"
        assert second == f"bytes={count}-199999"


def test_breaks_without_end_are_borne_as_long_as_bytes_come(engine: Any) -> None:
    policy = RetryPolicy(attempts=2, backoff=0)
    with RawServer(answering(cut_after(20_000))) as server:
        sink = MemorySink()
        result = engine(server.url, policy).download(sink, **RANGED, operation={"max_workers": 1})
    assert 5 * 9 + 2 <= result.retries <= 5 * 9 + 2 + 6  # a connection that the server left may cost one more
    assert sink.data == DATA


@pytest.mark.parametrize("described", [{"size": len(DATA)}, {}])
def test_without_ranges_a_truncated_body_comes_again_but_not_for_ever(
    engine: Any, tmp_path: Path, described: Any
) -> None:
    with RawServer(faulty(cut_after(1000))) as server:
        engine(server.url).download(FileSink(tmp_path / "good"), **described)
    assert (tmp_path / "good").read_bytes() == DATA
    events: List[Any] = []
    with RawServer(answering(cut_after(1000))) as server:
        with pytest.raises(Truncated) as caught:
            engine(server.url).download(
                FileSink(tmp_path / "bad"), **described, operation={"progress": events.append}
            )
        assert len(server.requests) <= 7
    assert (caught.value.got, caught.value.expected) == (1000, len(DATA))
    assert not (tmp_path / "bad").exists()
    assert max(event.done for event in events) <= 1000


def test_a_chunked_body_without_its_end(engine: Any, tmp_path: Path) -> None:
    def unfinished(request: Request, peer: Peer) -> None:
        peer.answer(200, b"4\r\n1234\r\n", "Transfer-Encoding: chunked", length=None)
        peer.close()

    with RawServer(answering(unfinished)) as server:
        with pytest.raises(NetworkError):
            engine(server.url).download(FileSink(tmp_path / "out"))
        assert len(server.requests) == 6
    assert not (tmp_path / "out").exists()


def test_more_than_the_promised_bytes(engine: Any, tmp_path: Path) -> None:
    with RawServer(answering(lambda request, peer: peer.answer(200, DATA + b"x"))) as server:
        with pytest.raises(SizeMismatch):
            engine(server.url).download(FileSink(tmp_path / "out"), size=len(DATA))

    def endless(request: Request, peer: Peer) -> None:
        peer.answer(200, DATA + b"x", length=None)
        peer.close()

    with RawServer(answering(endless)) as server:
        with pytest.raises(SizeMismatch, match="more than"):
            engine(server.url).download(FileSink(tmp_path / "out"), size=len(DATA))
    assert not (tmp_path / "out").exists()


# -- ranges that are not kept --------------------------------------------------------------------------


def test_a_server_that_ignores_ranges(engine: Any, tmp_path: Path) -> None:
    events: List[Any] = []
    with RawServer(answering(lambda request, peer: peer.answer(200, DATA))) as server:
        result = engine(server.url).download(
            FileSink(tmp_path / "out"), **RANGED, operation={"progress": events.append}
        )
    assert (tmp_path / "out").read_bytes() == DATA
    assert result.bytes == len(DATA)
    assert events[-1].done == len(DATA)
    assert all(0 <= event.done <= len(DATA) for event in events)


def test_a_server_that_loses_the_ranges_half_way(engine: Any, tmp_path: Path) -> None:
    count = [0]

    def handler(peer: Peer) -> None:
        def reply(request: Request, peer: Peer) -> None:
            count[0] += 1
            if count[0] <= 2:
                ranged(b"\xff" * len(DATA))(request, peer)  # would show if it were kept
            else:
                peer.answer(200, DATA)

        answering(reply)(peer)

    events: List[Any] = []
    with RawServer(handler) as server:
        engine(server.url).download(
            FileSink(tmp_path / "out"), **RANGED, operation={"max_workers": 1, "progress": events.append}
        )
    assert (tmp_path / "out").read_bytes() == DATA
    assert ("retrying", 0) in [(event.state, event.done) for event in events]  # the bar goes back


def test_a_wrong_range_is_refused_before_a_byte_is_written(engine: Any, tmp_path: Path) -> None:
    def shifted(request: Request, peer: Peer) -> None:
        peer.answer(206, DATA[1 : STEP + 1], f"Content-Range: bytes 1-{STEP}/{len(DATA)}")

    with RawServer(answering(shifted)) as server:
        with pytest.raises(RangeMismatch):
            engine(server.url).download(FileSink(tmp_path / "out"), **RANGED)
    assert left_behind(tmp_path) == []


def test_a_range_that_begins_earlier_or_ends_later_is_trimmed(engine: Any) -> None:
    from smartxfer.transfer.ranges import open_range
    from smartxfer.transport import RequestSpec

    with RawServer(faulty()) as server:
        made, sink = engine(server.url), MemorySink()

        def wider(start: int, stop: Any) -> Any:
            first, last = max(0, start - 7), min(len(DATA), stop + 5)
            return open_range(made.wire, RequestSpec("GET", server.url), first, last, len(DATA))

        result = made.download(sink, **RANGED, open_range=wider)
    assert sink.data == DATA
    assert result.bytes == len(DATA)


def test_an_object_that_changes_between_parts(engine: Any, tmp_path: Path) -> None:
    from smartxfer.transfer.ranges import open_range
    from smartxfer.transport import RequestSpec

    tags = iter("AAB" + "B" * 100)

    def reply(request: Request, peer: Peer) -> None:
        first, last = request.headers["range"][len("bytes=") :].split("-")
        fields = [f"Content-Range: bytes {first}-{last}/{len(DATA)}", f"ETag: {next(tags)}"]
        peer.answer(206, DATA[int(first) : int(last) + 1], *fields)

    def accept(response: Any) -> None:
        if response.headers["ETag"] != "A":
            raise SourceChanged("another object")

    with RawServer(answering(reply)) as server:
        made = engine(server.url)
        with pytest.raises(SourceChanged):
            made.download(
                FileSink(tmp_path / "out"),
                **RANGED,
                open_range=lambda start, stop: open_range(
                    made.wire, RequestSpec("GET", server.url), start, stop, len(DATA), accept
                ),
                operation={"max_workers": 1},
            )
    assert not (tmp_path / "out").exists()
