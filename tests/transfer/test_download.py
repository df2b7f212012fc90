"""The download loop over a server that breaks: digests, ranges, later runs, slow lines, cancel, two at once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from smartxfer import errors
from smartxfer.transfer.ranges import open_range
from smartxfer.transfer.sink import FileSink, MemorySink, StreamSink
from smartxfer.transport import RequestSpec, RetryPolicy
from tests.support.jobs import engine_threads
from tests.support.raw_server import Peer, RawServer, Request, answering, ranged, scripted, status, unfinished
from tests.support.sinks import names, side_of
from tests.support.stopwatch import Stopwatch, within

#: Seconds after which a wait for what must happen fails.
PATIENCE = 10.0
DATA = bytes(range(256)) * 4096  # 1 MiB
STEP = 200_000
MD5 = ("md5", hashlib.md5(DATA).hexdigest())
PLAIN = {"size": len(DATA)}
RANGED = {"size": len(DATA), "range_size": STEP}
WHOLE = answering(ranged(DATA))


@pytest.mark.parametrize("described", [RANGED, PLAIN, {}], ids=["ranged", "plain", "unknown size"])
def test_a_file(calls: Any, described: Any) -> None:
    result = calls.fetch(WHOLE, **described)
    assert (calls.out.read_bytes(), names(calls.out.parent)) == (DATA, ["out"])
    assert (result.path, result.bytes, result.verified, result.digest) == (calls.out, len(DATA), "size", None)
    assert calls.notes == ["done"]


def test_pieces_are_asked_for_once_each(calls: Any) -> None:
    calls.fetch(WHOLE, **RANGED)
    starts = sorted(int(asked[len("bytes=") :].split("-")[0]) for asked in calls.ranges)
    assert starts == [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]


@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1])
def test_sizes(calls: Any, size: int) -> None:
    assert calls.fetch(answering(ranged(DATA[:size])), size=size, range_size=STEP).bytes == size
    assert (calls.out.read_bytes(), names(calls.out.parent)) == (DATA[:size], ["out"])


def endless(data: bytes) -> Any:
    """A reply without a length, which the end of the connection ends."""
    return lambda request, peer: (peer.answer(200, data, length=None), peer.close())


def test_an_unknown_size_is_not_called_verified(calls: Any) -> None:
    assert (calls.fetch(answering(endless(DATA))).verified, calls.out.read_bytes()) == (None, DATA)


# -- digests -------------------------------------------------------------------------------------------


def test_a_digest_is_checked(calls: Any) -> None:
    result = calls.fetch(WHOLE, digest=("md5", MD5[1].upper()), **RANGED)
    assert (result.verified, result.digest) == ("md5", f"md5:{MD5[1]}")


FLIPPED = ranged(b"\xff" + DATA[1:])


def test_a_flipped_bit_costs_one_full_fetch(calls: Any) -> None:
    assert calls.fetch(scripted(FLIPPED, ranged(DATA)), digest=MD5, workers=1, **PLAIN).verified == "md5"
    assert (len(calls.requests), calls.out.read_bytes()) == (2, DATA)


def test_a_bit_that_stays_flipped_is_an_error_and_nothing_is_kept(calls: Any) -> None:
    with pytest.raises(errors.ChecksumMismatch) as caught:
        calls.fetch(answering(FLIPPED), digest=MD5, **PLAIN)
    assert (len(calls.requests), (caught.value.algorithm, caught.value.expected)) == (2, MD5)
    assert caught.value.actual != MD5[1]
    assert names(calls.out.parent) == []


# -- breaks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 150_000, STEP - 1])
def test_a_break_continues_by_range(calls: Any, count: int) -> None:
    assert calls.fetch(scripted(unfinished(DATA, count), ranged(DATA)), workers=1, **RANGED).retries == 1
    assert (calls.out.read_bytes(), calls.ranges[:2]) == (DATA, ["bytes=0-199999", f"bytes={count}-199999"])


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
    with pytest.raises(errors.Truncated) as caught:
        calls.fetch(answering(unfinished(DATA, 1000)), FileSink(bad), **described)
    assert len(calls.requests) <= 7
    assert (caught.value.got, caught.value.expected) == (1000, len(DATA))
    assert not bad.exists()
    assert max(event.done for event in calls.events) <= 1000


def test_a_chunked_body_without_its_end(calls: Any) -> None:
    def cut_short(request: Request, peer: Peer) -> None:
        peer.answer(200, b"4\r\n1234\r\n", "Transfer-Encoding: chunked", length=None)
        peer.close()

    with pytest.raises(errors.NetworkError):
        calls.fetch(answering(cut_short))
    assert len(calls.requests) == 6
    assert not calls.out.exists()


@pytest.mark.parametrize(("reply", "message"), [(status(200, DATA + b"x"), ""), (endless(DATA + b"x"), "more than")])
def test_more_than_the_promised_bytes(calls: Any, reply: Any, message: str) -> None:
    with pytest.raises(errors.SizeMismatch) as caught:
        calls.fetch(answering(reply), **PLAIN)
    assert message in str(caught.value)
    assert not calls.out.exists()


# -- ranges that are not kept --------------------------------------------------------------------------


def test_a_server_that_ignores_ranges(calls: Any) -> None:
    assert calls.fetch(answering(status(200, DATA)), **RANGED).bytes == len(DATA)
    assert (calls.out.read_bytes(), calls.events[-1].done) == (DATA, len(DATA))
    assert all(0 <= event.done <= len(DATA) for event in calls.events)


def test_a_server_that_loses_the_ranges_half_way(calls: Any) -> None:
    wrong = ranged(b"\xff" * len(DATA))  # would show if it were kept
    calls.fetch(scripted(wrong, wrong, status(200, DATA)), workers=1, **RANGED)
    assert calls.out.read_bytes() == DATA
    assert ("retrying", 0) in [(event.state, event.done) for event in calls.events]  # the bar goes back


def test_a_wrong_range_is_refused_before_a_byte_is_written(calls: Any) -> None:
    shifted = status(206, DATA[1 : STEP + 1], f"Content-Range: bytes 1-{STEP}/{len(DATA)}")
    with pytest.raises(errors.RangeMismatch):
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
            raise errors.SourceChanged("another object")

    with pytest.raises(errors.SourceChanged):
        calls.fetch(answering(reply), accept=accept, workers=1, **RANGED)
    assert not calls.out.exists()


GONE = status(404)


# -- resuming ------------------------------------------------------------------------------------------


def test_a_later_run_continues(calls: Any) -> None:
    handler = scripted(ranged(DATA), ranged(DATA), unfinished(DATA, 50_000), GONE)
    assert calls.fetch(handler, check=False, workers=1, **RANGED).error is not None
    assert names(calls.out.parent) == ["out.part", "out.part.json"]
    result = calls.fetch(WHOLE, **RANGED)
    assert (calls.out.read_bytes(), result.resumed) == (DATA, 2 * STEP + 50_000)
    bounds = [list(map(int, asked[len("bytes=") :].split("-"))) for asked in calls.ranges]
    assert sum(last + 1 - first for first, last in bounds) == len(DATA) - result.resumed
    assert (calls.events[0].done, names(calls.out.parent)) == (result.resumed, ["out"])


BROKEN_ONCE = (unfinished(DATA, 5), ranged(DATA))


def test_a_stream_takes_it_in_order(calls: Any) -> None:
    with calls.out.open("w+b") as file:
        file.write(b"head")
        result = calls.fetch(scripted(*BROKEN_ONCE), StreamSink(file), digest=MD5, **RANGED)
    assert (calls.out.read_bytes(), (result.verified, result.path)) == (b"head" + DATA, ("md5", None))


class Pipe:
    """Takes bytes, and neither gives them back nor shows them."""

    taken = b""

    def write(self, data: Any) -> int:
        self.taken += bytes(data)
        return len(data)

    def flush(self) -> None:
        return


def test_a_pipe_is_checked_as_its_bytes_come(calls: Any) -> None:
    pipe: Any = Pipe()
    assert calls.fetch(scripted(*BROKEN_ONCE), StreamSink(pipe), digest=MD5, **RANGED).verified == "md5"
    assert pipe.taken == DATA


def test_wrong_bytes_in_a_pipe_are_reported(calls: Any) -> None:
    pipe: Any = Pipe()
    with pytest.raises(errors.ChecksumMismatch):
        calls.fetch(WHOLE, StreamSink(pipe), digest=("md5", "0" * 32), **RANGED)
    assert pipe.taken == DATA


def test_a_stream_that_cannot_be_rewound_is_an_error(calls: Any) -> None:
    pipe: Any = Pipe()
    with pytest.raises(errors.LocalError, match="cannot be rewound"):
        calls.fetch(scripted(*BROKEN_ONCE), StreamSink(pipe), size=len(DATA))


# -- slow lines, cancel, two at once -------------------------------------------------------------------


@pytest.mark.parametrize(("every", "length"), [(0.2, len(DATA)), (0.002, len(DATA)), (0.1, None)])
def test_a_slow_drip_is_a_stall(engine: Any, tmp_path: Path, every: float, length: Any) -> None:
    def drip(request: Request, peer: Peer) -> None:
        peer.answer(200, b"", length=length)
        while not peer.server.ended.wait(every):
            peer.send(b"x")

    policy = RetryPolicy(attempts=1, stall_speed=1024, stall_window=1.0)
    with RawServer(answering(drip)) as server:
        watch = Stopwatch()
        with pytest.raises(errors.Stalled):
            engine(server.url, policy).download(FileSink(tmp_path / "out"), size=length)
        assert watch.elapsed() >= 1
        assert watch.seconds() < 1 + 1
    assert not (tmp_path / "out").exists()


def test_cancel_keeps_what_is_there(engine: Any, tmp_path: Path) -> None:
    cancel, target = threading.Event(), tmp_path / "out"

    def half(request: Request, peer: Peer) -> None:
        peer.answer(200, DATA[: len(DATA) // 2], length=len(DATA))
        peer.hang()

    operation = {"cancel": cancel, "progress": lambda event: event.done > 0 and cancel.set()}
    with RawServer(answering(half)) as server:
        with within(3), pytest.raises(errors.Cancelled):
            engine(server.url).download(FileSink(target), size=len(DATA), operation=operation)
        assert server.hung_up.wait(PATIENCE)
    assert not target.exists()
    saved = json.loads(side_of(target).read_text())
    assert sum(stop - start for start, stop, _ in saved["runs"]) > 0
    assert engine_threads() == []


def test_two_at_once_on_one_target(engine: Any, tmp_path: Path) -> None:
    arrived, go = threading.Event(), threading.Event()

    def wait(request: Request, peer: Peer) -> None:
        arrived.set()
        go.wait(PATIENCE)
        peer.answer(200, DATA)

    with RawServer(answering(wait)) as server:
        made, results = engine(server.url), []  # type: Any, List[Any]
        first = threading.Thread(
            target=lambda: results.append(made.download(FileSink(tmp_path / "out"), size=len(DATA)))
        )
        first.start()
        assert arrived.wait(PATIENCE)
        with contextlib.ExitStack() as stack:
            stack.callback(first.join, PATIENCE)
            stack.callback(go.set)
            with pytest.raises(errors.AlreadyInProgress, match="out"):
                made.download(FileSink(tmp_path / "out"), size=len(DATA))
    assert results[0].ok
    assert (tmp_path / "out").read_bytes() == DATA
