"""A server that asks to come back later: F09, F10, and never an empty file in place of the one sent."""

from __future__ import annotations

import io
import json
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import NetworkError, RateLimited, ServerError, Throttled
from smartxfer.smartfile import BasicClient
from smartxfer.smartfile.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.raw_server import RawServer, scripted, status
from tests.support.smartfile_harness import DOWNLOAD, MIB, SHAPES, UPLOAD, Polling, SmartFileHarness, shaped

DATA = noise(8 * MIB)
STYLES = ["503", "429"]


FRESH = SmartFileHarness


# -- 8 MiB, turned away twice -------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_f09_a_throttled_upload(harness: SmartFileHarness, shape: str, style: str) -> None:
    """Fails if a body is not rewound: the third try would store nothing, and be taken for a success."""
    harness.throttle(2, 7, style, UPLOAD)
    clock = Polling()
    with shaped(harness, shape, DATA) as thing:
        result = harness.client(clock=clock, retry=RetryPolicy()).upload(("a.bin", thing), checksum="sha256")
    assert harness.stored() == {"/a.bin": DATA}
    assert clock.waits[:2] == [7.0, 7.0]
    assert (result.retries, result.bytes, result.verified) == (2, len(DATA), "sha256")
    assert (harness.count(UPLOAD), harness.count(UPLOAD, int(style))) == (3, 2)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "generator"])
def test_f09_a_throttled_raw_upload(harness: SmartFileHarness, shape: str, style: str) -> None:
    """Broken likewise; the raw call has no size to compare with, so that only the bytes there tell."""
    harness.throttle(2, 7, style, UPLOAD)
    clock = Polling()
    with shaped(harness, shape, DATA) as thing:
        answer = harness.client(clock=clock, retry=RetryPolicy()).post("/path/data/", file=("a.bin", thing))
    assert harness.stored() == {"/a.bin": DATA}
    assert ([info["size"] for info in answer], clock.waits, harness.count(UPLOAD)) == ([len(DATA)], [7.0, 7.0], 3)


def test_f09_several_files_in_one_throttled_form(harness: SmartFileHarness) -> None:
    """Detect a form of which only the first file is rewound."""
    harness.throttle(2, 0.1, match=UPLOAD)
    files = {f"file{number}": io.BytesIO(noise(MIB + number, number)) for number in range(3)}
    harness.client(clock=Polling()).post("/path/data/", **files)
    assert harness.stored() == {f"/file{number}": noise(MIB + number, number) for number in range(3)}


@pytest.mark.parametrize("style", STYLES)
def test_f09_throttled_at_every_step(harness: SmartFileHarness, style: str) -> None:
    """Fails if a call of a workflow gives up where another repeats."""
    api = harness.client(clock=Polling(), retry=RetryPolicy())
    steps: List[Callable[[], Any]] = [
        lambda: api.mkdir("/d"),
        lambda: api.upload(("a", b"data"), "/d/"),
        lambda: api.listdir("/d"),
        lambda: api.checksum("/d/a"),
        lambda: api.rename("/d/a", "/d/b"),
        lambda: api.copy("/d/b", "/"),
        lambda: api.create_link("/b"),
        api.links,
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
    harness.client(clock=Polling(), retry=RetryPolicy(attempts=10)).upload_tree(harness.directory / "tree", "/t")
    assert harness.stored() == {f"/t/{name}": data for name, data in files.items()}


def test_f09_a_throttled_download(harness: SmartFileHarness) -> None:
    harness.site.write("/a.bin", DATA)
    harness.throttle(2, 5, match=DOWNLOAD)
    clock = Polling()
    result = harness.client(clock=clock, retry=RetryPolicy()).download("/a.bin", f"{harness.out}/")
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert (clock.waits, result.retries) == ([5.0, 5.0], 2)


# -- how long is waited -------------------------------------------------------------------------------------


#: What is called, and the request that is turned away.
WAYS: Dict[str, Any] = {
    "helper": (UPLOAD, lambda api: api.upload(("a.bin", DATA[:1000]))),
    "raw": (UPLOAD, lambda api: api.post("/path/data/", file=("a.bin", DATA[:1000]))),
    "get": (DOWNLOAD, lambda api: api.get("/path/data/there")),
}
#: How often a call is turned away, for how many seconds, the options of the client, and what it waits.
REFUSALS: Dict[str, Any] = {
    "a day": (1, 86400, {"retry": RetryPolicy()}, []),
    "again and again": (6, 2, {"retry": RetryPolicy()}, [2.0] * 5),
    "beyond the budget of 600 s": (7, 90, {"retry": RetryPolicy(attempts=50)}, [90.0] * 6),
    "waits are disabled": (1, 0.5, {"throttle_wait": False}, []),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("way", WAYS)
def test_f10_turned_away_for_good(harness: SmartFileHarness, way: str, style: str, case: str) -> None:
    """Detect a wait without a cap, tries without a limit, or an empty file as the last of them."""
    (match, call), (times, seconds, options, waits) = WAYS[way], REFUSALS[case]
    harness.site.write("/there", b"1")
    harness.throttle(times, seconds, style, match)
    clock = Polling()
    with pytest.raises(Throttled, match="86400 s" if case == "a day" else str(style)) as caught:
        call(harness.client(clock=clock, **options))
    assert isinstance(caught.value, (RateLimited, NetworkError))
    assert (caught.value.retry_after, caught.value.status_code, clock.waits) == (seconds, int(style), waits)
    assert harness.stored() == {"/there": b"1"}


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
    clock = Polling()
    with RawServer(scripted(turned_away, turned_away, stored)) as server:
        with BasicClient("key", "password", url=server.url, clock=clock) as api:
            assert api.post("/path/data/", file=("a", b"data"))[0]["size"] == 4
    assert clock.waits == ([wait, wait] if wait > 0.5 else [0.5, 1.0])
    assert [b"data" in request.body for request in server.requests] == [True] * 3
    assert len({request.headers["content-length"] for request in server.requests}) == 1


@pytest.mark.parametrize("number", ["9" * 30, "1" + "0" * 400])
def test_f10_a_number_beyond_all_measure(number: str) -> None:
    reply = status(503, b"", f"X-Throttle: throttled; next={number} sec")
    clock = Polling()
    with RawServer(scripted(reply)) as server:
        with BasicClient("key", "password", url=server.url, clock=clock) as api, pytest.raises(Throttled):
            api.post("/path/data/", file=("a", b"data"))
    assert (clock.waits, len(server.requests)) == ([], 1)


def test_f09_a_503_that_is_not_a_throttle(harness: SmartFileHarness) -> None:
    """Without the header it is a server error: the client uses its own backoff and reports a server error."""
    harness.fault(UPLOAD, "status 503", times=6)
    clock = Polling()
    with pytest.raises(ServerError) as caught:
        harness.client(clock=clock, retry=RetryPolicy()).upload(("a", b"1"))
    assert type(caught.value) is ERRORS.class_for(ServerError)
    assert clock.waits == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert harness.stored() == {}
