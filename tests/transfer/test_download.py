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
def test_a_file(calls: Any, described: Any) -> None:
    result = calls.fetch(WHOLE, **described)
    assert calls.out.read_bytes() == DATA
    assert names(calls.out.parent) == ["out"]
    assert (result.path, result.bytes, result.verified, result.digest) == (calls.out, len(DATA), "size", None)
    assert calls.notes == ["done"]


def test_pieces_are_asked_for_once_each(calls: Any) -> None:
    calls.fetch(WHOLE, **RANGED)
    starts = sorted(int(asked[len("bytes=") :].split("-")[0]) for asked in calls.ranges)
    assert starts == [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]


@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1])
def test_sizes(calls: Any, size: int) -> None:
    assert calls.fetch(answering(ranged(DATA[:size])), size=size, range_size=STEP).bytes == size
    assert calls.out.read_bytes() == DATA[:size]
    assert names(calls.out.parent) == ["out"]


def endless(data: bytes) -> Any:
    """A reply without a length, which the end of the connection ends."""
    return lambda request, peer: (peer.answer(200, data, length=None), peer.close())


def test_an_unknown_size_is_not_called_verified(calls: Any) -> None:
    assert calls.fetch(answering(endless(DATA))).verified is None
    assert calls.out.read_bytes() == DATA


# -- digests -------------------------------------------------------------------------------------------


def test_a_digest_is_checked(calls: Any) -> None:
    result = calls.fetch(WHOLE, digest=("md5", MD5[1].upper()), **RANGED)
    assert (result.verified, result.digest) == ("md5", f"md5:{MD5[1]}")


FLIPPED = ranged(b"\xff" + DATA[1:])


def test_a_flipped_bit_costs_one_full_fetch(calls: Any) -> None:
    assert calls.fetch(scripted(FLIPPED, ranged(DATA)), digest=MD5, workers=1, **PLAIN).verified == "md5"
    assert len(calls.requests) == 2
    assert calls.out.read_bytes() == DATA


def test_a_bit_that_stays_flipped_is_an_error_and_nothing_is_kept(calls: Any) -> None:
    with pytest.raises(ChecksumMismatch) as caught:
        calls.fetch(answering(FLIPPED), digest=MD5, **PLAIN)
    assert len(calls.requests) == 2
    assert (caught.value.algorithm, caught.value.expected) == MD5
    assert caught.value.actual != MD5[1]
    assert names(calls.out.parent) == []


# -- breaks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 150_000, STEP - 1])
def test_a_break_continues_by_range(calls: Any, count: int) -> None:
    assert calls.fetch(scripted(unfinished(DATA, count), ranged(DATA)), workers=1, **RANGED).retries == 1
    assert calls.out.read_bytes() == DATA
    assert calls.ranges[:2] == ["bytes=0-199999", f"bytes={count}-199999"]


def test_breaks_without_end_are_borne_as_long_as_bytes_come(calls: Any) -> None:
    policy = RetryPolicy(attempts=2, backoff=0)
    result = calls.fetch(answering(unfinished(DATA, 20_000)), policy=policy, workers=1, **RANGED)
    assert 5 * 9 + 2 <= result.retries <= 5 * 9 + 2 + 6  # a connection that the server left may cost one more
    assert calls.out.read_bytes() == DATA


@pytest.mark.parametrize("described", [PLAIN, {}])
def test_without_ranges_a_truncated_body_comes_again_but_not_for_ever(calls: Any, described: Any) -> None:
    calls.fetch(scripted(unfinished(DATA, 1000), ranged(DATA)), **described)
    assert calls.out.read_bytes() == DATA
    bad = calls.out.with_name("bad")
    with pytest.raises(Truncated) as caught:
        calls.fetch(answering(unfinished(DATA, 1000)), FileSink(bad), **described)
    assert len(calls.requests) <= 7
    assert (caught.value.got, caught.value.expected) == (1000, len(DATA))
    assert not bad.exists()
    assert max(event.done for event in calls.events) <= 1000


def test_a_chunked_body_without_its_end(calls: Any) -> None:
    def cut_short(request: Request, peer: Peer) -> None:
        peer.answer(200, b"4\r\n1234\r\n", "Transfer-Encoding: chunked", length=None)
        peer.close()

    with pytest.raises(NetworkError):
        calls.fetch(answering(cut_short))
    assert len(calls.requests) == 6
    assert not calls.out.exists()


@pytest.mark.parametrize(("reply", "message"), [(status(200, DATA + b"x"), ""), (endless(DATA + b"x"), "more than")])
def test_more_than_the_promised_bytes(calls: Any, reply: Any, message: str) -> None:
    with pytest.raises(SizeMismatch) as caught:
        calls.fetch(answering(reply), **PLAIN)
    assert message in str(caught.value)
    assert not calls.out.exists()


# -- ranges that are not kept --------------------------------------------------------------------------


def test_a_server_that_ignores_ranges(calls: Any) -> None:
    assert calls.fetch(answering(status(200, DATA)), **RANGED).bytes == len(DATA)
    assert calls.out.read_bytes() == DATA
    assert calls.events[-1].done == len(DATA)
    assert all(0 <= event.done <= len(DATA) for event in calls.events)


def test_a_server_that_loses_the_ranges_half_way(calls: Any) -> None:
    wrong = ranged(b"\xff" * len(DATA))  # would show if it were kept
    calls.fetch(scripted(wrong, wrong, status(200, DATA)), workers=1, **RANGED)
    assert calls.out.read_bytes() == DATA
    assert ("retrying", 0) in [(event.state, event.done) for event in calls.events]  # the bar goes back


def test_a_wrong_range_is_refused_before_a_byte_is_written(calls: Any) -> None:
    shifted = status(206, DATA[1 : STEP + 1], f"Content-Range: bytes 1-{STEP}/{len(DATA)}")
    with pytest.raises(RangeMismatch):
        calls.fetch(answering(shifted), **RANGED)
    assert names(calls.out.parent) == []


def test_a_range_that_begins_earlier_or_ends_later_is_trimmed(engine: Any) -> None:
    with RawServer(WHOLE) as server:
        made, sink = engine(server.url), MemorySink()

        def wider(start: int, stop: Any) -> Any:
            first, last = max(0, start - 7), min(len(DATA), stop + 5)
            return open_range(made.wire, RequestSpec("GET", server.url), first, last, len(DATA))

        assert made.download(sink, **RANGED, open_range=wider).bytes == len(DATA)
    assert sink.data == DATA


def test_an_object_that_changes_between_parts(calls: Any) -> None:
    tags = iter("AAB" + "B" * 100)

    def reply(request: Request, peer: Peer) -> None:
        first, last = request.headers["range"][len("bytes=") :].split("-")
        fields = [f"Content-Range: bytes {first}-{last}/{len(DATA)}", f"ETag: {next(tags)}"]
        peer.answer(206, DATA[int(first) : int(last) + 1], *fields)

    def accept(response: Any) -> None:
        if response.headers["ETag"] != "A":
            raise SourceChanged("another object")

    with pytest.raises(SourceChanged):
        calls.fetch(answering(reply), accept=accept, workers=1, **RANGED)
    assert not calls.out.exists()
