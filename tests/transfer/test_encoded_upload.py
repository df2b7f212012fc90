"""Parts that are encoded before they are sent, and progress in bytes of the file."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any, Callable, ContextManager, Dict, Iterator, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import LocalError, NetworkError, SourceChanged
from smartxfer.transfer.body import PartBody, ScaledProgress
from smartxfer.transfer.buffers import BLOCK_SIZE, BufferPool
from smartxfer.transfer.file_parts import Part, split_into_parts
from smartxfer.transfer.source import open_source
from smartxfer.transfer.upload import UploadJob, UploadSpec
from smartxfer.transport import RequestSpec
from smartxfer.transport.s3_response import STORED_EXPECTATION
from tests.support.raw_server import Peer, RawServer, Request, answering

# -- all bytes of a part -----------------------------------------------------------------------------------------


def whole(source: Any, part: Part) -> bytes:
    return b"".join(bytes(block) for block in PartBody(source, part, lambda count: None))


class Sparing:
    """A source that gives few bytes at a time."""

    name, size = "tape", 100

    def __init__(self, data: bytes, most: int) -> None:
        self.data, self.most = data, most

    def read_at(self, buffer: memoryview, offset: int) -> int:
        piece = self.data[offset : offset + min(self.most, len(buffer))]
        buffer[: len(piece)] = piece
        return len(piece)


@given(
    data=st.binary(max_size=60), most=st.integers(1, 20), start=st.integers(0, 60), size=st.integers(0, 60)
)
def test_all_bytes_of_a_part_and_no_others(data: bytes, most: int, start: int, size: int) -> None:
    source: Any = Sparing(data, most)
    if start + size <= len(data):
        assert whole(source, Part(0, start, start + size)) == data[start : start + size]
    elif size:
        with pytest.raises(SourceChanged, match="tape"):
            whole(source, Part(0, start, start + size))


def test_parts_longer_than_a_block() -> None:
    data = os.urandom(2 * BLOCK_SIZE + 12)
    assert whole(open_source(data), Part(0, 5, len(data) - 2)) == data[5:-2]


def test_a_source_that_cannot_be_read() -> None:
    class Broken(Sparing):
        def read_at(self, buffer: memoryview, offset: int) -> int:
            raise OSError(5, "Input/output error")

    broken: Any = Broken(b"", 1)
    with pytest.raises(LocalError, match="cannot read tape: Input/output error"):
        whole(broken, Part(0, 0, 1))


# -- progress in another measure ---------------------------------------------------------------------------------


@given(
    size=st.integers(1, 5000), meant=st.integers(0, 5000), steps=st.lists(st.integers(1, 700), max_size=30)
)
def test_scaled_progress_adds_up(size: int, meant: int, steps: List[int]) -> None:
    reported: List[int] = []
    scaled, at = ScaledProgress(size, meant, reported.append), 0
    for step in steps:
        step = min(step, size - at)
        scaled(step)
        at += step
        assert sum(reported) == meant * at // size
        assert 0 <= sum(reported) <= meant
    scaled(-at)
    assert sum(reported) == 0
    scaled(size)
    assert sum(reported) == meant


# -- uploads -----------------------------------------------------------------------------------------------------


class Store:
    """Takes parts; the first tries of those in ``broken`` are read and lost."""

    def __init__(self, *broken: int, times: int = 1) -> None:
        self.bodies: Dict[int, List[bytes]] = {}
        self.left = dict.fromkeys(broken, times)
        self.lock = threading.Lock()

    def reply(self, request: Request, peer: Peer) -> None:
        start = int(request.path.rsplit("/", 1)[1])
        with self.lock:
            self.bodies.setdefault(start, []).append(request.body)
            lost = self.left.get(start, 0) > 0
            if lost:
                self.left[start] -= 1
        if lost:
            peer.reset()
        else:
            peer.answer(200)


ROOMS = BufferPool()


@contextlib.contextmanager
def unlike_any(part: Part, pieces: Any) -> Iterator[memoryview]:
    """Yield an encoding of the part that differs each time, in a buffer that is lent."""
    data = os.urandom(16) + b"".join(bytes(piece) for piece in pieces)[::-1] + b"#%d" % part.number
    with ROOMS.borrow(len(data)) as view:
        view[:] = data
        yield view


def send(engine: Any, url: str, data: Any, chunk: int, **described: Any) -> Any:
    def send_part(part: Part, body: Any) -> None:
        made.wire.request_once(RequestSpec("PUT", f"{url}/{part.start}", body=body, success=STORED_EXPECTATION))

    made = engine(url)
    progress = described.pop("progress", None)
    upload = UploadSpec(
        name="file",
        open_source=lambda: open_source(data, "file"),
        make_parts=lambda size: split_into_parts(size, chunk),
        send_part=send_part,
        complete=lambda: ("size", None),
        **described,
    )
    with made.operation(progress=progress) as doing:
        job = UploadJob(upload, doing, 4)
        doing.run_jobs([job], 1)
    return job.result


def test_each_part_is_encoded_once_for_all_attempts(engine: Callable[..., Any]) -> None:
    data, store, encoded = os.urandom(1050), Store(0, 300, times=2), []

    def encode(part: Part, pieces: Any) -> ContextManager[memoryview]:
        plain = b"".join(bytes(piece) for piece in pieces)
        assert plain == data[part.start : part.stop]
        encoded.append(part.number)
        return unlike_any(part, [plain])

    events: List[Any] = []
    with RawServer(answering(store.reply)) as server:
        result = send(engine, server.url, data, 100, encode_part=encode, progress=events.append)
    assert result.error is None
    assert (result.bytes, result.retries) == (1050, 4)
    assert sorted(encoded) == list(range(11))
    assert {start: len(bodies) for start, bodies in store.bodies.items() if len(bodies) > 1} == {0: 3, 300: 3}
    for start, bodies in store.bodies.items():
        assert len(set(bodies)) == 1
        assert bodies[0][16:] == data[start : start + 100][::-1] + b"#%d" % (start // 100)
    # Progress counts bytes of the file, whatever the length of the encoded parts.
    assert {event.total for event in events} == {1050}
    assert all(0 <= event.done <= 1050 for event in events)
    assert (events[-1].state, events[-1].done) == ("done", 1050)


@pytest.mark.parametrize("length", [1, 99, 100_000])
def test_a_part_may_become_shorter_or_longer(engine: Callable[..., Any], length: int) -> None:
    store, events = Store(), []  # type: Store, List[Any]
    with RawServer(answering(store.reply)) as server:
        send(
            engine,
            server.url,
            bytes(1000),
            1000,
            encode_part=lambda part, pieces: contextlib.nullcontext(memoryview(bytes(length))),
            progress=lambda event: events.append(event),
        )
    assert store.bodies == {0: [bytes(length)]}
    assert events[-1].done == 1000


def test_a_part_that_is_never_taken_counts_for_nothing(engine: Callable[..., Any]) -> None:
    events: List[Any] = []
    store = Store(0, times=100)
    with RawServer(answering(store.reply)) as server:
        result = send(engine, server.url, bytes(1000), 1000, encode_part=unlike_any, progress=events.append)
    assert isinstance(result.error, NetworkError)
    assert (events[-1].state, events[-1].done) == ("failed", 0)
    assert len(set(store.bodies[0])) == 1


def test_acknowledged_parts_are_not_encoded(engine: Callable[..., Any]) -> None:
    encoded: List[int] = []

    def encode(part: Part, pieces: Any) -> ContextManager[memoryview]:
        encoded.append(part.number)
        return unlike_any(part, pieces)

    store = Store()
    with RawServer(answering(store.reply)) as server:
        result = send(engine, server.url, bytes(400), 100, encode_part=encode, completed_parts={0, 2})
    assert (sorted(encoded), sorted(store.bodies)) == ([1, 3], [100, 300])
    assert result.resumed == 200


def test_an_empty_file_has_no_part_to_encode(engine: Callable[..., Any]) -> None:
    store = Store()
    with RawServer(answering(store.reply)) as server:
        result = send(engine, server.url, b"", 100, encode_part=lambda part, pieces: pytest.fail("encoded"))
    assert (result.error, result.bytes, store.bodies) == (None, 0, {})


def test_an_error_while_encoding_ends_the_upload(engine: Callable[..., Any]) -> None:
    def encode(part: Part, data: memoryview) -> bytearray:
        raise LocalError("no more randomness")

    store = Store()
    with RawServer(answering(store.reply)) as server:
        result = send(engine, server.url, bytes(1000), 100, encode_part=encode)
    assert isinstance(result.error, LocalError)
    assert store.bodies == {}
