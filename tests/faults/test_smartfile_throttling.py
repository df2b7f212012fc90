"""A server that asks to come back later: F09, F10, F40, and never an empty file in place of the one sent."""

from __future__ import annotations

import io
import json
import os
import time
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import NetworkError, RateLimited, ServerError, Throttled
from smartxfer.smartfile import BasicClient
from smartxfer.smartfile.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.fake_clock import FakeClock
from tests.support.filesender_harness import noise
from tests.support.raw_server import RawServer, scripted, status
from tests.support.smartfile_harness import DOWNLOAD, INFO, MIB, UPLOAD, SmartFileHarness, pieces, piped

DATA = noise(8 * MIB)
STYLES = ["503", "429"]


FRESH = SmartFileHarness


def _clock() -> FakeClock:
    return FakeClock(wall=time.time(), chance=0.0)


def _opened(harness: SmartFileHarness) -> Any:
    return open(harness.file(DATA), "rb")


def _wide_open(harness: SmartFileHarness) -> Any:
    """An open file that does not stand at its start."""
    file = io.BytesIO(b"head" + DATA)
    file.seek(4)
    return file


#: What is sent, in every shape in which it may be given.
SHAPES: Dict[str, Callable[[SmartFileHarness], Any]] = {
    "path": lambda harness: harness.file(DATA),
    "bytes": lambda harness: DATA,
    "open file": _opened,
    "open file in the middle": _wide_open,
    "pipe": lambda harness: piped(DATA),
}


def _close(thing: Any) -> None:
    if hasattr(thing, "close"):
        thing.close()


# -- 8 MiB, turned away twice -------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", [*SHAPES, "generator"])
def test_f09_a_throttled_upload(harness: SmartFileHarness, shape: str, style: str) -> None:
    """Fails if a body is not rewound: the third try would store nothing, and be taken for a success."""
    harness.throttle(2, 7, style, UPLOAD)
    clock = _clock()
    thing = pieces(DATA) if shape == "generator" else SHAPES[shape](harness)
    result = harness.client(clock=clock, retry=RetryPolicy()).upload(("a.bin", thing), checksum="sha256")
    _close(thing)
    assert harness.stored() == {"/a.bin": DATA}
    assert clock.waits[:2] == [7.0, 7.0]
    assert (result.retries, result.bytes, result.verified) == (2, len(DATA), "sha256")
    assert (harness.count(UPLOAD), harness.count(UPLOAD, int(style))) == (3, 2)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_f09_a_throttled_raw_upload(harness: SmartFileHarness, shape: str, style: str) -> None:
    """Broken likewise; the raw call has no size to compare with, so that only the bytes there tell."""
    harness.throttle(2, 7, style, UPLOAD)
    clock = _clock()
    thing = SHAPES[shape](harness)
    api = harness.client(clock=clock, retry=RetryPolicy())
    answer = api.post("/path/data/", file=("a.bin", thing))
    _close(thing)
    assert harness.stored() == {"/a.bin": DATA}
    assert [info["size"] for info in answer] == [len(DATA)]
    assert clock.waits == [7.0, 7.0]
    assert harness.count(UPLOAD) == 3


def test_f09_several_files_in_one_throttled_form(harness: SmartFileHarness) -> None:
    """Detect a form of which only the first file is rewound."""
    harness.throttle(2, 0.1, match=UPLOAD)
    files = {f"file{number}": io.BytesIO(noise(MIB + number, number)) for number in range(3)}
    harness.client(clock=_clock()).post("/path/data/", **files)
    assert harness.stored() == {f"/file{number}": noise(MIB + number, number) for number in range(3)}


@pytest.mark.parametrize("style", STYLES)
def test_f09_throttled_at_every_step(harness: SmartFileHarness, style: str) -> None:
    """Fails if a call of a workflow gives up where another repeats."""
    api = harness.client(clock=_clock(), retry=RetryPolicy())
    steps: List[Callable[[], Any]] = [
        lambda: api.mkdir("/d"),
        lambda: api.upload(("a", b"data"), "/d/"),
        lambda: api.listdir("/d"),
        lambda: api.checksum("/d/a"),
        lambda: api.rename("/d/a", "/d/b"),
        lambda: api.copy("/d/b", "/"),
        lambda: api.create_link("/b"),
        lambda: api.links(),
        lambda: api.download("/b", f"{harness.out}/"),
        lambda: api.get("/path/data/b").close(),
        lambda: api.remove("/d"),
        lambda: api.get("/ping"),
    ]
    for step in steps:
        harness.throttle(2, 3, style)
        step()
    assert harness.stored() == {"/b": b"data"}
    assert len(harness.site.links()) == 1, "what was turned away did nothing"
    assert (harness.out / "b").read_bytes() == b"data"
    assert harness.count("* *", int(style)) == 2 * len(steps)


def test_f09_a_throttled_tree(harness: SmartFileHarness) -> None:
    """Fails if one file of many is stored empty."""
    files = {f"{number}.bin": noise(100_000 + number, number) for number in range(12)}
    for name, data in files.items():
        harness.file(data, f"tree/{name}")
    harness.throttle(8, 1, match=UPLOAD)
    harness.client(clock=_clock(), retry=RetryPolicy(attempts=10)).upload_tree(harness.directory / "tree", "/t")
    assert harness.stored() == {f"/t/{name}": data for name, data in files.items()}


def test_f09_a_throttled_download(harness: SmartFileHarness) -> None:
    harness.site.write("/a.bin", DATA)
    harness.throttle(2, 5, match=DOWNLOAD)
    clock = _clock()
    result = harness.client(clock=clock, retry=RetryPolicy()).download("/a.bin", f"{harness.out}/")
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert (clock.waits, result.retries) == ([5.0, 5.0], 2)


# -- how long is waited -------------------------------------------------------------------------------------


def _ways(api: BasicClient) -> Dict[str, Callable[[], Any]]:
    return {
        "helper": lambda: api.upload(("a.bin", DATA[:1000])),
        "raw": lambda: api.post("/path/data/", file=("a.bin", DATA[:1000])),
        "get": lambda: api.get("/path/data/there"),
    }


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("way", ["helper", "raw", "get"])
def test_f10_a_day(harness: SmartFileHarness, way: str, style: str) -> None:
    """Detect a wait without a cap: the clock would have slept a day."""
    harness.site.write("/there", b"1")
    harness.throttle(1, 86400, style, DOWNLOAD if way == "get" else UPLOAD)
    clock = _clock()
    with pytest.raises(Throttled, match="86400 s") as caught:
        _ways(harness.client(clock=clock, retry=RetryPolicy()))[way]()
    assert isinstance(caught.value, (RateLimited, NetworkError))
    assert (caught.value.retry_after, caught.value.status_code) == (86400, int(style))
    assert clock.waits == []
    assert harness.stored() == {"/there": b"1"}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("way", ["helper", "raw", "get"])
def test_f10_again_and_again(harness: SmartFileHarness, way: str, style: str) -> None:
    """Detect tries without a limit, or an empty file as the last of them."""
    harness.site.write("/there", b"1")
    harness.throttle(6, 2, style, DOWNLOAD if way == "get" else UPLOAD)
    clock = _clock()
    with pytest.raises(Throttled):
        _ways(harness.client(clock=clock, retry=RetryPolicy()))[way]()
    assert clock.waits == [2.0] * 5
    assert harness.stored() == {"/there": b"1"}


def test_f10_the_sum_of_the_waits_is_bounded(harness: SmartFileHarness) -> None:
    harness.throttle(7, 90, match=UPLOAD)
    clock = _clock()
    with pytest.raises(Throttled):
        harness.client(clock=clock, retry=RetryPolicy(attempts=50)).upload(("a", b"1"))
    assert clock.waits == [90.0] * 6, "600 s is the budget"


@pytest.mark.parametrize("way", ["helper", "raw", "get"])
def test_f09_no_wait_if_disabled(harness: SmartFileHarness, way: str) -> None:
    harness.site.write("/there", b"1")
    harness.throttle(1, 0.5, match=DOWNLOAD if way == "get" else UPLOAD)
    clock = _clock()
    with pytest.raises(Throttled) as caught:
        _ways(harness.client(clock=clock, throttle_wait=False))[way]()
    assert (caught.value.retry_after, clock.waits) == (0.5, [])


HEADERS = {
    "X-Throttle: throttled; next=0.01 sec": (503, 0.5),
    "X-Throttle: throttled; next=12 sec": (503, 12.0),
    "X-Throttle: throttled; next=1.5 sec; more": (503, 1.5),
    "X-Throttle: throttled": (503, 1.0),
    "X-Throttle: throttled; next=soon sec": (503, 1.0),
    "X-Throttle: throttled; next=-3 sec": (503, 1.0),
    "X-Throttle: ": (503, 1.0),
    "Retry-After: 0.1": (429, 0.5),
    "Retry-After: soon": (429, 1.0),
    "X-Throttle-Wait-Seconds: 4": (429, 4.0),
    "X-Other: 1": (429, 1.0),
}


@pytest.mark.parametrize("header", HEADERS)
def test_f10_every_way_of_saying_so(header: str) -> None:
    """Detect a header that is not read, or garbage in it."""
    code, wait = HEADERS[header]
    turned_away = status(code, b'{"detail": "Request was throttled."}', "Content-Type: application/json", header)
    stored = status(200, json.dumps([{"path": "/a", "size": 4}]).encode(), "Content-Type: application/json")
    clock = _clock()
    with RawServer(scripted(turned_away, turned_away, stored)) as server:
        with BasicClient("key", "password", url=server.url, clock=clock) as api:
            assert api.post("/path/data/", file=("a", b"data"))[0]["size"] == 4
    assert clock.waits == ([wait, wait] if wait > 0.5 else [0.5, 1.0])
    assert [b"data" in request.body for request in server.requests] == [True] * 3
    assert len({request.headers["content-length"] for request in server.requests}) == 1


@pytest.mark.parametrize("number", ["9" * 30, "1" + "0" * 400])
def test_f10_a_number_beyond_all_measure(number: str) -> None:
    reply = status(503, b"", f"X-Throttle: throttled; next={number} sec")
    clock = _clock()
    with RawServer(scripted(reply)) as server:
        with BasicClient("key", "password", url=server.url, clock=clock) as api, pytest.raises(Throttled):
            api.post("/path/data/", file=("a", b"data"))
    assert (clock.waits, len(server.requests)) == ([], 1)


def test_f09_a_503_that_is_not_a_throttle(harness: SmartFileHarness) -> None:
    """Without the header it is a server error: the client uses its own backoff and reports a server error."""
    harness.fault(UPLOAD, "status 503", times=6)
    clock = _clock()
    with pytest.raises(ServerError) as caught:
        harness.client(clock=clock, retry=RetryPolicy()).upload(("a", b"1"))
    assert type(caught.value) is ERRORS.class_for(ServerError)
    assert clock.waits == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert harness.stored() == {}


@pytest.mark.parametrize("size", [0, 1, 65536, MIB + 1])
def test_f40_every_size_from_a_stream(harness: SmartFileHarness, size: int) -> None:
    """Throttled, then reset: what a pipe gave once is sent three times."""
    data = os.urandom(size)
    harness.throttle(1, 0.1, match=UPLOAD)
    harness.fault(UPLOAD, "reset-before", after=1)
    with piped(data) as pipe:
        harness.client(clock=_clock()).upload(("a.bin", pipe))
    assert harness.stored() == {"/a.bin": data}
    assert harness.count(UPLOAD) == 3
    assert harness.count(INFO) >= 1
