"""The upload loop over a server that breaks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.errors import (
    BadRequest,
    Cancelled,
    Forbidden,
    NetworkError,
    ServerError,
    SourceChanged,
    Stalled,
    Truncated,
    UsageError,
)
from smartxfer.transfer.file_parts import split_into_parts
from smartxfer.transfer.source import BytesSource
from smartxfer.transfer.upload import UploadJob, UploadSpec
from smartxfer.transport import RetryPolicy
from tests.support.jobs import operation
from tests.support.raw_server import PATIENCE, Peer, RawServer, Request, answering
from tests.support.stopwatch import Stopwatch

DATA = bytes(range(256)) * 4096  # 1 MiB
CHUNK = 200_000


class Store:
    """Takes parts; ``faults[start]`` is what happens, in order, to those that begin there."""

    def __init__(self, **faults: Any) -> None:
        self.parts: Dict[int, bytes] = {}
        self.faults: Dict[str, List[Any]] = {key: list(value) for key, value in faults.items()}
        self.lock = threading.Lock()

    def handler(self, peer: Peer) -> None:
        answering(self.reply)(peer)

    def reply(self, request: Request, peer: Peer) -> None:
        start = request.path.rsplit("/", 1)[1]
        with self.lock:
            waiting = self.faults.get(f"at_{start}")
            fault = waiting.pop(0) if waiting else None
        if fault is not None:
            fault(request, peer)
            return
        with self.lock:
            assert int(start) not in self.parts, "a part came twice"
            self.parts[int(start)] = request.body
        peer.answer(200)

    @property
    def bytes(self) -> bytes:
        return b"".join(self.parts[start] for start in sorted(self.parts))


def reset(request: Request, peer: Peer) -> None:
    peer.reset()


def busy(request: Request, peer: Peer) -> None:
    peer.answer(503)


def test_every_part_once(engine: Any) -> None:
    store = Store()
    with RawServer(store.handler) as server:
        made = engine(server.url)
        result = made.upload(DATA, chunk=CHUNK)
    assert store.bytes == DATA
    assert sorted(made.notes) == [0, 1, 2, 3, 4, 5]
    assert (result.bytes, result.verified, result.resumed, result.retries) == (len(DATA), "size", 0, 0)
    assert result.seconds > 0


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_sizes(engine: Any, size: int) -> None:
    store = Store()
    with RawServer(store.handler) as server:
        assert engine(server.url).upload(DATA[:size], chunk=CHUNK).bytes == size
    assert store.bytes == DATA[:size]
    assert len(store.parts) == -(-size // CHUNK)


def test_a_reset_costs_one_part(engine: Any) -> None:
    store = Store(at_200000=[reset])
    with RawServer(store.handler) as server:
        result = engine(server.url).upload(DATA, chunk=CHUNK)
        assert len(server.requests) == 6 + 1
    assert store.bytes == DATA
    assert result.retries == 1


def test_a_reset_in_the_middle_of_a_part(engine: Any) -> None:
    store = Store()
    broken = threading.Event()

    def handler(peer: Peer) -> None:
        if not broken.is_set():
            broken.set()
            peer.head()
            peer.file.read(CHUNK // 2)
            peer.reset()
            return
        store.handler(peer)

    events: List[Any] = []
    with RawServer(handler) as server:
        engine(server.url).upload(DATA, chunk=CHUNK, progress=events.append, max_workers=1)
    assert store.bytes == DATA
    assert max(event.done for event in events) == len(DATA) == events[-1].done
    assert events[-1].state == "done"
    assert [event.state for event in events].count("retrying") == 1


def test_reset_for_good(engine: Any) -> None:
    store = Store(at_200000=[reset] * 100)
    finished: List[int] = []
    with RawServer(store.handler) as server:
        with pytest.raises(NetworkError, match=rf"PUT {server.url}/file/200000"):
            engine(server.url).upload(DATA, chunk=CHUNK, finish=lambda: finished.append(1))
        assert [request.path for request in server.requests].count("/file/200000") == 6
    assert finished == []  # what was not acknowledged is never called complete


@pytest.mark.parametrize("times", [1, 5])
def test_a_busy_server(engine: Any, times: int) -> None:
    store = Store(at_0=[busy] * times)
    with RawServer(store.handler) as server:
        assert engine(server.url).upload(DATA, chunk=CHUNK).retries == times
    assert store.bytes == DATA


def test_too_busy_a_server(engine: Any) -> None:
    with RawServer(Store(at_0=[busy] * 6).handler) as server:
        with pytest.raises(ServerError, match="503"):
            engine(server.url).upload(DATA, chunk=CHUNK)


def test_a_part_that_was_not_written_whole_is_sent_again(engine: Any) -> None:
    store = Store(at_0=[lambda request, peer: peer.answer(200, b"", "X-Written: 7")])
    with RawServer(store.handler) as server:
        with pytest.raises(Truncated):
            engine(server.url, RetryPolicy(attempts=1)).upload(DATA, chunk=CHUNK)
    store = Store(at_0=[lambda request, peer: peer.answer(200, b"", "X-Written: 7")])
    with RawServer(store.handler) as server:
        assert engine(server.url).upload(DATA, chunk=CHUNK).retries == 1
    assert store.bytes == DATA


def test_a_refusal_stops_the_file_and_takes_its_progress_back(engine: Any) -> None:
    store = Store(at_0=[lambda request, peer: peer.answer(400)])
    events: List[Any] = []
    with RawServer(store.handler) as server:
        with pytest.raises(BadRequest):
            engine(server.url).upload(DATA, chunk=CHUNK, progress=events.append, max_workers=1)
        assert len(server.requests) <= 4
    assert events[-1].state == "failed"
    assert events[-1].done == sum(map(len, store.parts.values()))


def test_acknowledged_parts_are_not_sent_again(engine: Any) -> None:
    store = Store()
    events: List[Any] = []
    with RawServer(store.handler) as server:
        result = engine(server.url).upload(
            DATA, chunk=CHUNK, acknowledged={0, 2, 5}, progress=events.append, max_workers=1
        )
        assert len(server.requests) == 3
    assert sorted(store.parts) == [200_000, 600_000, 800_000]
    assert result.resumed == 2 * CHUNK + len(DATA) % CHUNK
    assert events[-1].done == len(DATA)


def test_a_file_that_changes_is_no_success(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    store = Store(
        at_0=[lambda request, peer: (path.open("ab").close(), path.write_bytes(b"x"), peer.answer(200))]
    )
    finished: List[int] = []
    with RawServer(store.handler) as server:
        with pytest.raises(SourceChanged):
            engine(server.url).upload(path, chunk=len(DATA), finish=lambda: finished.append(1))
    assert finished == []


def test_of_several_files_the_others_continue(engine: Any, tmp_path: Path) -> None:
    from smartxfer.transfer.source import open_source
    from smartxfer.transport import RequestSpec
    from smartxfer.transport.s3_response import STORED_EXPECTATION

    paths = [tmp_path / str(number) for number in range(20)]
    for path in paths[:-1]:
        path.write_bytes(path.name.encode())
    with RawServer(answering(lambda request, peer: peer.answer(200))) as server:
        made = engine(server.url)
        with made.operation() as doing:
            jobs = [
                UploadJob(
                    UploadSpec(
                        name=path.name,
                        open_source=lambda path=path: open_source(path),
                        make_parts=lambda size: split_into_parts(size, 10),
                        send_part=lambda part, body: made.wire.request_once(
                            RequestSpec("PUT", f"{server.url}/0", body=body, success=STORED_EXPECTATION)
                        ),
                        complete=lambda: ("size", None),
                    ),
                    doing,
                    2,
                )
                for path in paths
            ]
            doing.run_jobs(jobs, 3)
    results = [job.result for job in jobs]
    assert [result.ok for result in results] == [True] * 19 + [False]
    assert isinstance(results[-1].error, FileNotFoundError)


def test_text_is_a_usage_error(engine: Any, tmp_path: Path) -> None:
    with RawServer(lambda peer: None) as server, (tmp_path / "t").open("w+") as file:
        with pytest.raises(UsageError, match="text"):
            engine(server.url).upload(file)
        assert server.connections == 0


# -- slow lines ----------------------------------------------------------------------------------------

SLOW = RetryPolicy(attempts=1, stall_speed=1024, stall_window=1.0)


def test_a_server_that_stops_reading_is_a_stall(engine: Any) -> None:
    def deaf(peer: Peer) -> None:
        peer.head()
        server.ended.wait(PATIENCE)

    with RawServer(deaf) as server:
        watch = Stopwatch()
        with pytest.raises(Stalled, match="less than 1024 bytes/s"):
            engine(server.url, SLOW).upload(bytes(32 * 1024 * 1024), chunk=32 * 1024 * 1024)
        assert watch.seconds() < 1 + 1


def test_a_server_that_thinks_is_no_stall(engine: Any) -> None:
    def slow(request: Request, peer: Peer) -> None:
        time.sleep(1.5)
        peer.answer(200)

    with RawServer(answering(slow)) as server:
        engine(server.url, SLOW).upload(b"12", chunk=2)


def test_cancel_in_the_middle_leaves_no_thread_and_the_source_closed(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    cancel = threading.Event()

    def silent(peer: Peer) -> None:
        peer.head()
        cancel.set()
        peer.hang()

    with RawServer(silent) as server:
        made = engine(server.url)
        opened: List[Any] = []
        with made.operation(cancel=cancel) as doing:
            real = doing.run_jobs

            def run(jobs: Any, max_jobs: int) -> None:
                opened.extend(jobs)
                real(jobs, max_jobs)

            doing.run_jobs = run  # type: ignore[method-assign]
            watch = Stopwatch()
            with pytest.raises(Cancelled):
                made.upload(path, chunk=1000, operation=doing)
            assert watch.seconds() < 2
    assert opened[0]._source._descriptor.number == -1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


@pytest.mark.parametrize("refusal", [None, Forbidden("no", status=403)])
def test_what_is_prepared_comes_between_the_source_and_the_plan(refusal: Any) -> None:
    """If the preparation fails, no parts are planned, and the source is closed."""
    done: List[str] = []

    class Noting(BytesSource):
        def close(self) -> None:
            done.append("close")

    def prepare(source: Any) -> None:
        done.append(f"prepare {source.size}")
        if refusal is not None:
            raise refusal

    upload = UploadSpec(
        name="x",
        open_source=lambda: Noting(b"abc"),
        prepare=prepare,
        make_parts=lambda size: (done.append(f"plan {size}"), split_into_parts(size, 2))[1],
        send_part=lambda part, body: done.append(f"send {part.start}"),
        complete=lambda: (done.append("finish"), ("size", None))[1],
    )
    with operation() as doing:
        job = UploadJob(upload, doing, 1)
        doing.run_jobs([job], 1)
    rest = [] if refusal else ["plan 3", "send 0", "send 2", "finish"]
    assert done == ["prepare 3", *rest, "close"]
    assert job.result.error is refusal
