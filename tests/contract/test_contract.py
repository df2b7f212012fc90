"""The same promises, tested with every service."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import threading
import traceback
import unicodedata
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer import RetryPolicy, SmartxferError
from smartxfer.errors import BatchError, Cancelled, DeadlineExceeded, NotFound, UsageError
from smartxfer.transfer import FileSink, MemorySink, ProgressEvent
from tests.support.contract.services import matrix

QUICK = RetryPolicy(backoff=0)


def noise(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


@pytest.fixture
def large(tmp_path: Path, service: Any) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(noise(5 * service.chunk + 1))
    return path


def threads() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


# -- there and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_every_size_comes_back(service: Any, tmp_path: Path, chunks: int, extra: int) -> None:
    size = max(0, chunks * service.chunk + extra)
    path = tmp_path / "file.bin"
    path.write_bytes(noise(size))
    with service.client() as client:
        handle = service.upload(client, [path])
        [sent] = service.results(handle)
        [got] = service.download(client, handle, tmp_path / "got")
    assert (sent.bytes, sent.error, sent.retries, sent.resumed) == (size, None, 0, 0)
    assert (got.bytes, got.error, got.retries, got.resumed) == (size, None, 0, 0)
    assert got.path == tmp_path / "got" / "file.bin"
    assert got.path.read_bytes() == path.read_bytes()
    assert os.listdir(got.path.parent) == ["file.bin"]


def test_what_was_verified_is_said(service: Any, large: Path, tmp_path: Path) -> None:
    with service.client() as client:
        handle = service.upload(client, [large])
        [got] = service.download(client, handle, tmp_path / "got", **service.verified)
    if "server digest" in service.cannot:
        assert (got.verified, got.digest) == ("size", None)
    else:
        algorithm, _, found = got.digest.partition(":")
        assert (algorithm, found) == (got.verified, hashlib.new(algorithm, large.read_bytes()).hexdigest())


def test_a_directory(service: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "deep" / "er").mkdir(parents=True)
    contents = {"a.txt": b"a", "deep/b.txt": b"", "deep/er/c.txt": noise(1000)}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    with service.client() as client:
        handle = service.upload(client, [folder])
        service.download(client, handle, tmp_path / "got")
    for name, data in contents.items():
        assert (tmp_path / "got" / "run" / name).read_bytes() == data


@pytest.mark.parametrize(
    "name", ["plain.txt", "zwei Wörter.txt", "数据.bin", "e\u0301te\u0301.txt", "a[1](2)#%25&.txt"]
)
def test_names(service: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"1")
    with service.client() as client:
        handle = service.upload(client, [path])
        [got] = service.download(client, handle, tmp_path / "got")
    assert got.path.read_bytes() == b"1"
    assert got.path.parent == tmp_path / "got"


def test_decomposed_accents_are_sent_composed(service: Any, tmp_path: Path) -> None:
    path = tmp_path / unicodedata.normalize("NFD", "été.txt")
    path.write_bytes(b"1")
    with service.client() as client:
        service.upload(client, [path])
    composed = "accents composed" not in service.cannot
    assert list(service.stored()) == ["été.txt" if composed else path.name]


# -- sources and sinks ------------------------------------------------------------------------------------


def _open_at_3(data: bytes) -> Any:
    file = io.BytesIO(b"abc" + data)
    file.seek(3)
    return file


class _Pipe(io.RawIOBase):
    """A stream that can only be read, once."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


SOURCES = {
    "bytes": lambda data: data,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "open file": io.BytesIO,
    "open file, not at its start": _open_at_3,
    "stream": _Pipe,
    "generator": lambda data: (data[at : at + 1000] for at in range(0, len(data), 1000)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(service: Any, kind: str) -> None:
    data = noise(2 * service.chunk + 5)
    sink = MemorySink()
    with service.client() as client:
        handle = service.upload(client, [("given.bin", SOURCES[kind](data))])
        service.download_to(client, handle, sink)
    assert sink.data == data


def test_a_path_as_text_with_a_tilde(service: Any, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(large.parent))
    with service.client() as client:
        [sent] = service.results(service.upload(client, ["~/large.bin"]))
    assert sent.path == large


@pytest.mark.parametrize(
    "bad",
    [
        lambda: [7], lambda: [io.StringIO("text")], lambda: [("a", io.StringIO("text"))],
        lambda: [("a", iter(["text"]))], lambda: [("a", b"1"), ("a", b"2")],
    ],
    ids=["a number", "text", "named text", "lines", "twins"],
)
def test_what_cannot_be_sent_is_said_before_anything_is(service: Any, bad: Any) -> None:
    things = bad()
    if len(things) > 1 and "any list of files" in service.cannot:
        pytest.skip(service.cannot["any list of files"])
    with service.client() as client, pytest.raises(UsageError):
        service.upload(client, things)
    assert service.site.count(service.create_request) == 0


def test_sinks(service: Any, large: Path, tmp_path: Path) -> None:
    data = large.read_bytes()
    with service.client() as client:
        handle = service.upload(client, [large])
        with open(tmp_path / "open.bin", "w+b") as file:
            file.write(b"head")
            service.download_to(client, handle, file)
            file.seek(0)
            assert file.read() == b"head" + data
        [result] = [service.download_to(client, handle, FileSink(tmp_path / "named.bin"))]
        assert result.path == tmp_path / "named.bin"
        assert result.path.read_bytes() == data
        with pytest.raises(UsageError):
            service.download_to(client, handle, io.StringIO())


# -- progress and the end of it -----------------------------------------------------------------------------


def test_a_callback_that_raises_cancels(service: Any, large: Path) -> None:
    def refuse(event: ProgressEvent) -> None:
        raise RuntimeError("enough")

    with service.client() as client:
        with pytest.raises(Cancelled) as caught:
            service.upload(client, [large], progress=refuse)
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert threads() == []
        assert service.results(service.upload(client, [large]))[0].ok


def test_a_deadline(service: Any, large: Path) -> None:
    service.server.fault(service.name, service.part_request, "stall", times=None)
    with service.client() as client, pytest.raises(DeadlineExceeded):
        service.upload(client, [large], deadline=0.5)
    service.server.clear_faults()


# -- errors ----------------------------------------------------------------------------------------------------


def test_an_error_is_typed_and_tells(service: Any, large: Path) -> None:
    service.server.fault(service.name, service.part_request, "status 502", times=3)
    with service.client(retry=RetryPolicy(attempts=3, backoff=0), **service.one_by_one) as client:
        with pytest.raises(SmartxferError) as caught:
            service.upload(client, [large])
    error: Any = caught.value
    assert not isinstance(error, OSError)
    assert (error.status, error.method) == (502, service.part_request.partition(" ")[0])
    assert "?" not in error.url
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.status) == (type(error), str(error), 502)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert service.secret not in text


def test_one_of_several_fails_and_the_rest_continue(service: Any, tmp_path: Path) -> None:
    folder = tmp_path / "four"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.bin").write_bytes(noise(1000, number))
    service.server.fault(service.name, service.part_request, "reset-before", times=1, after=1)
    with service.client(retry=RetryPolicy(attempts=1)) as client, pytest.raises(BatchError) as caught:
        service.upload_folder(client, folder)
    results: Dict[str, bool] = {result.name: result.ok for result in caught.value.results}
    assert sorted(results.values()) == [False, True, True, True]
    assert len(caught.value.errors) == 1
    assert pickle.loads(pickle.dumps(caught.value)).results[0].name == service.shown("0.bin")
    with service.client() as client:
        assert all(result.ok for result in service.results(service.upload_folder(client, folder)))


def test_what_is_not_there(service: Any, tmp_path: Path) -> None:
    with service.client() as client:
        with pytest.raises(NotFound):
            service.download(client, "00000000-0000-0000-0000-000000000000", tmp_path / "got")
        with pytest.raises(FileNotFoundError):
            service.upload(client, [tmp_path / "missing"])
    assert not (tmp_path / "got").exists()


def test_a_client_is_not_pickled(service: Any) -> None:
    with service.client() as client, pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(client)


def test_the_matrix() -> None:
    found = matrix()
    print(found)
    assert found == (Path(__file__).parent / "matrix.txt").read_text("utf-8")
