"""Downloads that resume, stall, are cancelled, or meet another download of the same target."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.errors import AlreadyInProgress, Cancelled, ChecksumMismatch, LocalError, Stalled
from smartxfer.transfer.sink import FileSink, StreamSink
from smartxfer.transport import RetryPolicy
from tests.support.raw_server import PATIENCE, Peer, RawServer, Request, answering, ranged
from tests.support.stopwatch import Stopwatch

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


# -- resuming ------------------------------------------------------------------------------------------


def test_a_later_run_goes_on(engine: Any, tmp_path: Path) -> None:
    with RawServer(faulty(ranged(DATA), ranged(DATA), cut_after(50_000), then=gone)) as server:
        failed = engine(server.url).download(
            FileSink(tmp_path / "out"), check=False, **RANGED, operation={"max_workers": 1}
        )
    assert failed.error is not None
    assert left_behind(tmp_path) == ["out.part", "out.part.json"]
    events: List[Any] = []
    with RawServer(faulty()) as server:
        result = engine(server.url).download(
            FileSink(tmp_path / "out"), **RANGED, operation={"progress": events.append}
        )
        moved = sum(
            int(request.headers["range"].split("-")[1]) + 1 - int(request.headers["range"][6:].split("-")[0])
            for request in server.requests
        )
    assert (tmp_path / "out").read_bytes() == DATA
    assert result.resumed == 2 * STEP + 50_000
    assert moved == len(DATA) - result.resumed
    assert next(event.done for event in events) == result.resumed
    assert left_behind(tmp_path) == ["out"]


def test_another_object_is_never_resumed(engine: Any, tmp_path: Path) -> None:
    with RawServer(faulty(ranged(bytes(len(DATA))), then=gone)) as server:
        engine(server.url).download(
            FileSink(tmp_path / "out"), check=False, **RANGED, operation={"max_workers": 1}
        )
    with RawServer(faulty()) as server:
        result = engine(server.url).download(
            FileSink(tmp_path / "out"), **RANGED, identity={"object": "other"}
        )
    assert result.resumed == 0
    assert (tmp_path / "out").read_bytes() == DATA


def test_a_damaged_byte_is_fetched_again(
    engine: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RawServer(faulty(ranged(DATA), ranged(DATA), then=gone)) as server:
        engine(server.url).download(
            FileSink(tmp_path / "out"), check=False, **RANGED, operation={"max_workers": 1}
        )
    with (tmp_path / "out.part").open("r+b") as part:
        part.seek(300_000)
        part.write(b"\xff\xfe\xfd")
    with RawServer(faulty()) as server:
        result = engine(server.url).download(FileSink(tmp_path / "out"), **RANGED)
    assert (tmp_path / "out").read_bytes() == DATA
    assert "damaged" in caplog.text
    assert result.resumed in (0, STEP)  # the damaged run is given up, whether it is one piece or two


def test_a_stream_takes_it_in_order(engine: Any, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as file, RawServer(faulty(cut_after(5))) as server:
        file.write(b"head")
        result = engine(server.url).download(StreamSink(file), digest=MD5, **RANGED)
    assert (tmp_path / "out").read_bytes() == b"head" + DATA
    assert result.verified == "md5"
    assert result.path is None


class Pipe:
    """Takes bytes, and neither gives them back nor shows them."""

    taken = b""

    def write(self, data: Any) -> int:
        self.taken += bytes(data)
        return len(data)

    def flush(self) -> None:
        return


def test_a_pipe_is_checked_as_its_bytes_come(engine: Any) -> None:
    pipe = Pipe()
    with RawServer(faulty(cut_after(5))) as server:
        result = engine(server.url).download(StreamSink(pipe), digest=MD5, **RANGED)  # type: ignore[arg-type]
    assert pipe.taken == DATA
    assert result.verified == "md5"


def test_wrong_bytes_in_a_pipe_are_reported(engine: Any) -> None:
    pipe = Pipe()
    with RawServer(faulty()) as server, pytest.raises(ChecksumMismatch):
        engine(server.url).download(
            StreamSink(pipe),  # type: ignore[arg-type]
            digest=("md5", "0" * 32),
            **RANGED,
        )
    assert pipe.taken == DATA


def test_a_stream_that_cannot_go_back_says_so(engine: Any) -> None:
    with RawServer(faulty(cut_after(5))) as server:
        with pytest.raises(LocalError, match="cannot be rewound"):
            engine(server.url).download(StreamSink(Pipe()), size=len(DATA))  # type: ignore[arg-type]


# -- slow lines, cancel, two at once -------------------------------------------------------------------


@pytest.mark.parametrize(("every", "length"), [(0.2, len(DATA)), (0.002, len(DATA)), (0.1, None)])
def test_a_slow_drip_is_a_stall(engine: Any, tmp_path: Path, every: float, length: Any) -> None:
    def drip(request: Request, peer: Peer) -> None:
        peer.answer(200, b"", length=length)
        while not peer.server.ended.wait(every):
            peer.send(b"x")

    with RawServer(answering(drip)) as server:
        policy = RetryPolicy(attempts=1, stall_speed=1024, stall_window=1.0)
        watch = Stopwatch()
        with pytest.raises(Stalled):
            engine(server.url, policy).download(FileSink(tmp_path / "out"), size=length)
        assert watch.elapsed() >= 1
        assert watch.seconds() < 1 + 1
    assert not (tmp_path / "out").exists()


def test_cancel_keeps_what_is_there(engine: Any, tmp_path: Path) -> None:
    cancel = threading.Event()

    def half(request: Request, peer: Peer) -> None:
        peer.answer(200, DATA[: len(DATA) // 2], length=len(DATA))
        peer.hang()

    def callback(event: Any) -> None:
        if event.done > 0:
            cancel.set()

    with RawServer(answering(half)) as server:
        watch = Stopwatch()
        with pytest.raises(Cancelled):
            engine(server.url).download(
                FileSink(tmp_path / "out"), size=len(DATA), operation={"cancel": cancel, "progress": callback}
            )
        assert watch.seconds() < 3
        assert server.hung_up.wait(PATIENCE)
    assert not (tmp_path / "out").exists()
    saved = json.loads((tmp_path / "out.part.json").read_text())
    assert sum(stop - start for start, stop, _ in saved["runs"]) > 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


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
