"""Downloads that resume, stall, are cancelled, or meet another download of the same target."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import AlreadyInProgress, Cancelled, ChecksumMismatch, LocalError, Stalled
from smartxfer.transfer.sink import FileSink, StreamSink
from smartxfer.transport import RetryPolicy
from tests.support.jobs import engine_threads
from tests.support.raw_server import (
    PATIENCE,
    Peer,
    RawServer,
    Request,
    answering,
    ranged,
    scripted,
    status,
    unfinished,
)
from tests.support.sinks import names, side_of
from tests.support.stopwatch import Stopwatch

DATA = bytes(range(256)) * 4096  # 1 MiB
STEP = 200_000
MD5 = ("md5", hashlib.md5(DATA).hexdigest())
RANGED = {"size": len(DATA), "range_size": STEP}
WHOLE = answering(ranged(DATA))
GONE = status(404)


# -- resuming ------------------------------------------------------------------------------------------


def test_a_later_run_continues(calls: Any) -> None:
    handler = scripted(ranged(DATA), ranged(DATA), unfinished(DATA, 50_000), GONE)
    assert calls.fetch(handler, check=False, workers=1, **RANGED).error is not None
    assert names(calls.out.parent) == ["out.part", "out.part.json"]
    result = calls.fetch(WHOLE, **RANGED)
    assert calls.out.read_bytes() == DATA
    assert result.resumed == 2 * STEP + 50_000
    bounds = [list(map(int, asked[len("bytes=") :].split("-"))) for asked in calls.ranges]
    assert sum(last + 1 - first for first, last in bounds) == len(DATA) - result.resumed
    assert calls.events[0].done == result.resumed
    assert names(calls.out.parent) == ["out"]


BROKEN_ONCE = (unfinished(DATA, 5), ranged(DATA))


def test_a_stream_takes_it_in_order(calls: Any) -> None:
    with calls.out.open("w+b") as file:
        file.write(b"head")
        result = calls.fetch(scripted(*BROKEN_ONCE), StreamSink(file), digest=MD5, **RANGED)
    assert calls.out.read_bytes() == b"head" + DATA
    assert (result.verified, result.path) == ("md5", None)


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
    with pytest.raises(ChecksumMismatch):
        calls.fetch(WHOLE, StreamSink(pipe), digest=("md5", "0" * 32), **RANGED)
    assert pipe.taken == DATA


def test_a_stream_that_cannot_be_rewound_is_an_error(calls: Any) -> None:
    pipe: Any = Pipe()
    with pytest.raises(LocalError, match="cannot be rewound"):
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
        with pytest.raises(Stalled):
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
        watch = Stopwatch()
        with pytest.raises(Cancelled):
            engine(server.url).download(FileSink(target), size=len(DATA), operation=operation)
        assert watch.seconds() < 3
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
            with pytest.raises(AlreadyInProgress, match="out"):
                made.download(FileSink(tmp_path / "out"), size=len(DATA))
    assert results[0].ok
    assert (tmp_path / "out").read_bytes() == DATA
