"""The download loop over a server that breaks."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from smartxfer.errors import (
    ChecksumMismatch,
    NetworkError,
    RangeMismatch,
    SizeMismatch,
    SourceChanged,
    Truncated,
)
from smartxfer.transfer.ranges import open_range
from smartxfer.transfer.sink import FileSink, MemorySink
from smartxfer.transport import RequestSpec, RetryPolicy
from tests.support.raw_server import Peer, RawServer, Request, answering, ranged, scripted, status, unfinished
from tests.support.sinks import names

DATA = bytes(range(256)) * 4096  # 1 MiB
STEP = 200_000
MD5 = ("md5", hashlib.md5(DATA).hexdigest())
PLAIN = {"size": len(DATA)}
RANGED = {"size": len(DATA), "range_size": STEP}
WHOLE = answering(ranged(DATA))


@pytest.mark.parametrize("described", [RANGED, PLAIN, {}], ids=["ranged", "plain", "unknown size"])
def test_a_file(fetch: Any, described: Any) -> None:
    result = fetch(WHOLE, **described)
    assert fetch.out.read_bytes() == DATA
    assert names(fetch.out.parent) == ["out"]
    assert (result.path, result.bytes, result.verified, result.digest) == (fetch.out, len(DATA), "size", None)
    assert fetch.notes == ["done"]


def test_pieces_are_asked_for_once_each(fetch: Any) -> None:
    fetch(WHOLE, **RANGED)
    starts = sorted(int(asked[len("bytes=") :].split("-")[0]) for asked in fetch.ranges)
    assert starts == [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]


@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1])
def test_sizes(fetch: Any, size: int) -> None:
    assert fetch(answering(ranged(DATA[:size])), size=size, range_size=STEP).bytes == size
    assert fetch.out.read_bytes() == DATA[:size]
    assert names(fetch.out.parent) == ["out"]


def endless(data: bytes) -> Any:
    """A reply without a length, which the end of the connection ends."""
    return lambda request, peer: (peer.answer(200, data, length=None), peer.close())


def test_an_unknown_size_is_not_called_verified(fetch: Any) -> None:
    assert fetch(answering(endless(DATA))).verified is None
    assert fetch.out.read_bytes() == DATA


# -- digests -------------------------------------------------------------------------------------------


def test_a_digest_is_checked(fetch: Any) -> None:
    result = fetch(WHOLE, digest=("md5", MD5[1].upper()), **RANGED)
    assert (result.verified, result.digest) == ("md5", f"md5:{MD5[1]}")


FLIPPED = ranged(b"\xff" + DATA[1:])


def test_a_flipped_bit_costs_one_full_fetch(fetch: Any) -> None:
    assert fetch(scripted(FLIPPED, ranged(DATA)), digest=MD5, workers=1, **PLAIN).verified == "md5"
    assert len(fetch.requests) == 2
    assert fetch.out.read_bytes() == DATA


def test_a_bit_that_stays_flipped_is_an_error_and_nothing_is_kept(fetch: Any) -> None:
    with pytest.raises(ChecksumMismatch) as caught:
        fetch(answering(FLIPPED), digest=MD5, **PLAIN)
    assert len(fetch.requests) == 2
    assert (caught.value.algorithm, caught.value.expected) == MD5
    assert caught.value.actual != MD5[1]
    assert names(fetch.out.parent) == []


# -- breaks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 150_000, STEP - 1])
def test_a_break_continues_by_range(fetch: Any, count: int) -> None:
    assert fetch(scripted(unfinished(DATA, count), ranged(DATA)), workers=1, **RANGED).retries == 1
    assert fetch.out.read_bytes() == DATA
    assert fetch.ranges[:2] == ["bytes=0-199999", f"bytes={count}-199999"]


def test_breaks_without_end_are_borne_as_long_as_bytes_come(fetch: Any) -> None:
    policy = RetryPolicy(attempts=2, backoff=0)
    result = fetch(answering(unfinished(DATA, 20_000)), policy=policy, workers=1, **RANGED)
    assert 5 * 9 + 2 <= result.retries <= 5 * 9 + 2 + 6  # a connection that the server left may cost one more
    assert fetch.out.read_bytes() == DATA


@pytest.mark.parametrize("described", [PLAIN, {}])
def test_without_ranges_a_truncated_body_comes_again_but_not_for_ever(fetch: Any, described: Any) -> None:
    fetch(scripted(unfinished(DATA, 1000), ranged(DATA)), **described)
    assert fetch.out.read_bytes() == DATA
    bad = fetch.out.with_name("bad")
    with pytest.raises(Truncated) as caught:
        fetch(answering(unfinished(DATA, 1000)), FileSink(bad), **described)
    assert len(fetch.requests) <= 7
    assert (caught.value.got, caught.value.expected) == (1000, len(DATA))
    assert not bad.exists()
    assert max(event.done for event in fetch.events) <= 1000


def test_a_chunked_body_without_its_end(fetch: Any) -> None:
    def cut_short(request: Request, peer: Peer) -> None:
        peer.answer(200, b"4\r\n1234\r\n", "Transfer-Encoding: chunked", length=None)
        peer.close()

    with pytest.raises(NetworkError):
        fetch(answering(cut_short))
    assert len(fetch.requests) == 6
    assert not fetch.out.exists()


@pytest.mark.parametrize(("reply", "message"), [(status(200, DATA + b"x"), ""), (endless(DATA + b"x"), "more than")])
def test_more_than_the_promised_bytes(fetch: Any, reply: Any, message: str) -> None:
    with pytest.raises(SizeMismatch) as caught:
        fetch(answering(reply), **PLAIN)
    assert message in str(caught.value)
    assert not fetch.out.exists()


# -- ranges that are not kept --------------------------------------------------------------------------


def test_a_server_that_ignores_ranges(fetch: Any) -> None:
    assert fetch(answering(status(200, DATA)), **RANGED).bytes == len(DATA)
    assert fetch.out.read_bytes() == DATA
    assert fetch.events[-1].done == len(DATA)
    assert all(0 <= event.done <= len(DATA) for event in fetch.events)


def test_a_server_that_loses_the_ranges_half_way(fetch: Any) -> None:
    wrong = ranged(b"\xff" * len(DATA))  # would show if it were kept
    fetch(scripted(wrong, wrong, status(200, DATA)), workers=1, **RANGED)
    assert fetch.out.read_bytes() == DATA
    assert ("retrying", 0) in [(event.state, event.done) for event in fetch.events]  # the bar goes back


def test_a_wrong_range_is_refused_before_a_byte_is_written(fetch: Any) -> None:
    shifted = status(206, DATA[1 : STEP + 1], f"Content-Range: bytes 1-{STEP}/{len(DATA)}")
    with pytest.raises(RangeMismatch):
        fetch(answering(shifted), **RANGED)
    assert names(fetch.out.parent) == []


def test_a_range_that_begins_earlier_or_ends_later_is_trimmed(engine: Any) -> None:
    with RawServer(WHOLE) as server:
        made, sink = engine(server.url), MemorySink()

        def wider(start: int, stop: Any) -> Any:
            first, last = max(0, start - 7), min(len(DATA), stop + 5)
            return open_range(made.wire, RequestSpec("GET", server.url), first, last, len(DATA))

        assert made.download(sink, **RANGED, open_range=wider).bytes == len(DATA)
    assert sink.data == DATA


def test_an_object_that_changes_between_parts(fetch: Any) -> None:
    tags = iter("AAB" + "B" * 100)

    def reply(request: Request, peer: Peer) -> None:
        first, last = request.headers["range"][len("bytes=") :].split("-")
        fields = [f"Content-Range: bytes {first}-{last}/{len(DATA)}", f"ETag: {next(tags)}"]
        peer.answer(206, DATA[int(first) : int(last) + 1], *fields)

    def accept(response: Any) -> None:
        if response.headers["ETag"] != "A":
            raise SourceChanged("another object")

    with pytest.raises(SourceChanged):
        fetch(answering(reply), accept=accept, workers=1, **RANGED)
    assert not fetch.out.exists()
