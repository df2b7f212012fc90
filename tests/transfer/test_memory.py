"""Memory that the engine uses while it transfers a large file."""

from __future__ import annotations

from typing import Any, Callable

from tests.support.raw_server import Peer, RawServer

MIB = 1 << 20
SIZE = 64 * MIB
#: The buffers of the two sides and of their sockets.
MOST = 8 * MIB


class Counting:
    """A sink that only counts."""

    sequential = False

    def __init__(self) -> None:
        self.size = 0

    def begin(self, size: Any, identity: Any) -> Any:
        return []

    def write_at(self, data: Any, offset: int) -> None:
        assert offset == self.size
        self.size += len(data)

    def restart(self) -> None:
        self.size = 0

    def commit(self) -> None: ...

    def suspend(self) -> None: ...


def test_a_download_in_one_piece(engine: Any, memory: Callable[[], int]) -> None:
    def handler(peer: Peer) -> None:
        if peer.head() is not None:
            peer.answer(200, length=SIZE)
            for _ in range(SIZE // MIB):
                peer.send(bytes(MIB))

    sink = Counting()
    with RawServer(handler) as server:
        engine(server.url).download(sink, size=SIZE)
    assert sink.size == SIZE
    assert memory() < MOST


def test_an_upload_in_one_part(engine: Any, memory: Callable[[], int], tmp_path: Any) -> None:
    received = []

    def handler(peer: Peer) -> None:
        while peer.head() is not None:
            received.append(sum(len(peer.file.read(MIB)) for _ in range(SIZE // MIB)))
            peer.answer(200)

    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(SIZE)
    with RawServer(handler) as server:
        engine(server.url).upload(path, chunk=SIZE)
    assert received == [SIZE]
    assert memory() < MOST
