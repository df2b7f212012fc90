"""The upload loop over a server that breaks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.transfer.file_parts import split_into_parts
from smartxfer.transfer.source import BytesSource
from smartxfer.transfer.upload import UploadJob, UploadSpec
from smartxfer.transport import RetryPolicy
from tests.support.jobs import engine_threads, operation
from tests.support.raw_server import PATIENCE, Peer, RawServer, answering, reset, status
from tests.support.stopwatch import within

DATA = bytes(range(256)) * 4096  # 1 MiB
CHUNK = 200_000


BUSY = status(503)


def test_every_part_once(calls: Any) -> None:
    result = calls.send(DATA, chunk=CHUNK)
    assert (calls.store.content, sorted(calls.notes)) == (DATA, [0, 1, 2, 3, 4, 5])
    assert (result.bytes, result.verified, result.resumed, result.retries) == (len(DATA), "size", 0, 0)
    assert result.seconds > 0


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_sizes(calls: Any, size: int) -> None:
    assert (calls.send(DATA[:size], chunk=CHUNK).bytes, calls.store.content) == (size, DATA[:size])
    assert len(calls.store.parts) == -(-size // CHUNK)


@pytest.mark.parametrize(("start", "faults"), [(200_000, [reset]), (0, [BUSY]), (0, [BUSY] * 5)])
def test_a_fault_costs_one_part(calls: Any, start: int, faults: Any) -> None:
    calls.store.faults[start] = list(faults)
    assert calls.send(DATA, chunk=CHUNK).retries == len(faults)
    assert (len(calls.requests), calls.store.content) == (6 + len(faults), DATA)


def test_a_reset_in_the_middle_of_a_part(calls: Any) -> None:
    broken = threading.Event()

    def handler(peer: Peer) -> None:
        if broken.is_set():
            calls.store.handler(peer)
            return
        broken.set()
        peer.head()
        peer.file.read(CHUNK // 2)
        peer.reset()

    calls.send(DATA, handler, chunk=CHUNK, workers=1)
    assert calls.store.content == DATA
    assert max(event.done for event in calls.events) == len(DATA) == calls.events[-1].done
    assert (calls.events[-1].state, [event.state for event in calls.events].count("retrying")) == ("done", 1)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [(reset, errors.NetworkError, r"PUT http://127.0.0.1:\d+/file/200000"), (BUSY, errors.ServerError, "503")],
)
def test_a_fault_for_good(calls: Any, fault: Any, error: Any, message: str) -> None:
    calls.store.faults[200_000] = [fault] * 100
    finished: List[int] = []
    with pytest.raises(error, match=message):
        calls.send(DATA, chunk=CHUNK, finish=lambda: finished.append(1))
    assert [request.path for request in calls.requests].count("/file/200000") == 6
    assert finished == []  # what was not acknowledged is never called complete


@pytest.mark.parametrize("attempts", [1, 6])
def test_a_part_that_was_not_written_whole_is_sent_again(calls: Any, attempts: int) -> None:
    calls.store.faults[0] = [status(200, b"", "X-Written: 7")]
    if attempts == 1:
        with pytest.raises(errors.Truncated):
            calls.send(DATA, policy=RetryPolicy(attempts=1), chunk=CHUNK)
        return
    assert (calls.send(DATA, chunk=CHUNK).retries, calls.store.content) == (1, DATA)


def test_a_refusal_stops_the_file_and_takes_its_progress_back(calls: Any) -> None:
    calls.store.faults[0] = [status(400)]
    with pytest.raises(errors.BadRequest):
        calls.send(DATA, chunk=CHUNK, workers=1)
    assert len(calls.requests) <= 4
    assert (calls.events[-1].state, calls.events[-1].done) == ("failed", len(calls.store.content))


def test_acknowledged_parts_are_not_sent_again(calls: Any) -> None:
    result = calls.send(DATA, chunk=CHUNK, acknowledged={0, 2, 5}, workers=1)
    assert (len(calls.requests), sorted(calls.store.parts)) == (3, [200_000, 600_000, 800_000])
    assert (result.resumed, calls.events[-1].done) == (2 * CHUNK + len(DATA) % CHUNK, len(DATA))


def test_a_file_that_changes_is_no_success(calls: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    calls.store.faults[0] = [lambda request, peer: (path.write_bytes(b"x"), peer.answer(200))]
    finished: List[int] = []
    with pytest.raises(errors.SourceChanged):
        calls.send(path, chunk=len(DATA), finish=lambda: finished.append(1))
    assert finished == []


def test_of_several_files_the_others_continue(engine: Any, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(20)]
    for path in paths[:-1]:
        path.write_bytes(path.name.encode())
    with RawServer(answering(status(200))) as server:
        made = engine(server.url)
        with made.operation() as doing:
            jobs = [made.upload_job(path, doing, chunk=10, name=path.name) for path in paths]
            doing.run_jobs(jobs, 3)
    results = [job.result for job in jobs]
    assert [result.ok for result in results] == [True] * 19 + [False]
    assert isinstance(results[-1].error, FileNotFoundError)


def test_text_is_a_usage_error(calls: Any, tmp_path: Path) -> None:
    with (tmp_path / "t").open("w+") as file, pytest.raises(errors.UsageError, match="text"):
        calls.send(file)
    assert calls.requests == []


# -- slow lines ----------------------------------------------------------------------------------------

SLOW = RetryPolicy(attempts=1, stall_speed=1024, stall_window=1.0)


def test_a_server_that_stops_reading_is_a_stall(engine: Any) -> None:
    with RawServer(lambda peer: (peer.head(), peer.server.ended.wait(PATIENCE))) as server:
        with within(1 + 1), pytest.raises(errors.Stalled, match="less than 1024 bytes/s"):
            engine(server.url, SLOW).upload(bytes(32 * 1024 * 1024), chunk=32 * 1024 * 1024)


def test_a_server_that_thinks_is_no_stall(calls: Any) -> None:
    calls.send(b"12", answering(lambda request, peer: (time.sleep(1.5), peer.answer(200))), policy=SLOW, chunk=2)


def test_cancel_in_the_middle_leaves_no_thread_and_the_source_closed(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    cancel = threading.Event()
    with RawServer(lambda peer: (peer.head(), cancel.set(), peer.hang())) as server:
        made = engine(server.url)
        with within(2), pytest.raises(errors.Cancelled), made.operation(cancel=cancel) as doing:
            job = made.upload_job(path, doing, chunk=1000)
            doing.run_jobs([job], 1)
    assert (job._source._descriptor.number, engine_threads()) == (-1, [])


@pytest.mark.parametrize("refusal", [None, errors.Forbidden("no", status=403)])
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
