"""Downloads that break, and bodies that are too short, too long, or of another range: F04 to F08, F15, F16, F39, F41."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import errors
from smartxfer.errors import SizeMismatch, Truncated
from tests.support import named_downloads
from tests.support.filesender_harness import noise
from tests.support.named_downloads import DOWNLOADS, NamedDownloads
from tests.support.service_harness import MIB
from tests.support.uploads import client_threads

SMALL = noise(1000)
DATA = noise(3 * MIB)
#: Ends of a body that has no length.
each_mode = pytest.mark.parametrize("mode", ["chunked", "close"])


#: Ways of downloading, by service and storage.
WAYS: Dict[str, Any] = {
    "filesender": DOWNLOADS["filesender"],
    "smartfile": DOWNLOADS["smartfile-single"],
    "nrp-local": named_downloads.NRPLocalDownloads,
    "nrp-proxy": named_downloads.NRPProxyDownloads,
    "nrp-s3": named_downloads.NRPStorageDownloads,
}


@pytest.fixture(params=WAYS)
def downloads(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NamedDownloads]:
    """Downloads by each service; a test plants the files."""
    kind = WAYS[request.param]
    with kind.start(tmp_path) as harness:
        yield kind(harness)


ranged = pytest.mark.parametrize("downloads", [way for way, kind in WAYS.items() if kind.ranges], indirect=True)


def _planted(downloads: Any, data: bytes, *effects: str, times: Any = 1) -> Any:
    """Have the server hold ``a.bin``, and answer one request for it after the other with these effects."""
    downloads.plant({"a.bin": data})
    for effect in effects:
        fault = downloads.harness.fault(downloads.content, effect, times=times)
    return fault


def _fetched(downloads: Any, **options: Any) -> Any:
    """Fetch it; its result and what is there now."""
    [result] = downloads.results(**options)
    return result, (downloads.harness.out / "a.bin").read_bytes()


@pytest.mark.parametrize("place", [1, 256 * 1024, len(DATA) - 1], ids=["first", "middle", "last"])
def test_f04_reset_in_mid_download(downloads: Any, place: int) -> None:
    """Fails if a second try does not begin where the first one ended."""
    fault = _planted(downloads, DATA, f"reset-after-sent {place}")
    result, data = _fetched(downloads)
    assert data == DATA
    assert (fault.fired, result.retries) == (1, 1)
    downloads.harness.server.stop()  # its account is complete now
    if downloads.ranges:
        assert downloads.harness.count(downloads.content) == 2
        assert sum(downloads.harness.sent(downloads.content)) - len(DATA) <= MIB, "no more than one block came twice"
    assert downloads.harness.left() == ["a.bin"]


@ranged
def test_f04_what_came_is_not_fetched_again(downloads: Any) -> None:
    _planted(downloads, DATA, "truncate 2M")
    assert _fetched(downloads)[1] == DATA
    assert downloads.harness.count(downloads.content, 206) == 1
    downloads.harness.server.stop()
    assert sum(downloads.harness.sent(downloads.content)) <= len(DATA) + 1, "a range may begin one byte early"


@ranged
def test_f05_truncated_for_good(downloads: Any) -> None:
    """Fails if a short body is taken for the file."""
    _planted(downloads, SMALL, "truncate 400")
    rest = downloads.harness.fault(downloads.content, "truncate 0", times=None, after=1)
    with pytest.raises(Truncated) as caught:
        downloads.results()
    assert (caught.value.got, caught.value.expected) == (400, 1000)
    assert rest.fired == 5, "six tries without progress; the one that brought bytes began the count"
    assert downloads.harness.left() == ["a.bin.part", "a.bin.part.json"]
    downloads.harness.server.clear_faults()
    result, data = _fetched(downloads)
    assert (result.resumed, data) == (400, SMALL)


@pytest.mark.parametrize("effect", ["truncate 400", "no-length chunked truncate 400", "no-length close truncate 400"])
def test_f06_an_early_close_once(downloads: Any, effect: str) -> None:
    _planted(downloads, SMALL, effect)
    result, data = _fetched(downloads)
    assert (data, result.verified, result.retries) == (SMALL, downloads.verified, 1)


@each_mode
def test_f06_no_length_and_an_early_close_for_good(downloads: Any, mode: str) -> None:
    fault = _planted(downloads, SMALL, f"no-length {mode} truncate 0", times=None)
    with pytest.raises(Truncated):
        downloads.results()
    assert (fault.fired, downloads.harness.left()) == (6, [])


@each_mode
def test_f06_no_length_but_whole(downloads: Any, mode: str) -> None:
    _planted(downloads, SMALL, f"no-length {mode}")
    result, data = _fetched(downloads)
    assert (data, result.verified, result.retries) == (SMALL, downloads.verified, 0)


@pytest.mark.parametrize("length", [[], ["no-length chunked"], ["no-length close"]], ids=str)
def test_f07_a_byte_too_many(downloads: Any, length: List[str]) -> None:
    """Detect bytes past the promised size, at the target name or anywhere."""
    downloads.harness.out.mkdir(exist_ok=True)
    (downloads.harness.out / "a.bin").write_bytes(b"mine")
    _planted(downloads, SMALL, "extra-byte", *length)
    with pytest.raises(SizeMismatch) as caught:
        downloads.results(exists="replace")
    assert caught.value.expected == 1000
    assert (downloads.harness.out / "a.bin").read_bytes() == b"mine"
    assert downloads.harness.count(downloads.content) == 1, "another try would bring the same"


@pytest.mark.parametrize("said", [999, 1001])
def test_f07_another_size_than_the_caller_knows(harness: Any, said: int) -> None:
    transfer = harness.published(SMALL)
    client = harness.client()
    [file] = client.list_files(transfer.token)
    with pytest.raises(SizeMismatch):
        client.download_file(transfer.token, file.id, harness.out, file_size=said)
    assert harness.left() == []


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 503", "reset-before"])
def test_f08_five_times(downloads: Any, effect: str) -> None:
    fault = _planted(downloads, DATA, effect, times=5)
    result, data = _fetched(downloads)
    assert (data, result.retries, fault.fired) == (DATA, 5, 5)


def test_f08_six_times(downloads: Any) -> None:
    _planted(downloads, DATA, "status 502 body=html", times=6)
    with pytest.raises(errors.ServerError, match="502"):
        downloads.results()
    assert downloads.harness.left() == []


@ranged
def test_f15_the_server_ignores_a_range(downloads: Any) -> None:
    """Fails if a whole file is written behind its own beginning."""
    _planted(downloads, DATA, "truncate 256K", "ignore-range")
    seen: List[Any] = []
    result, data = _fetched(downloads, progress=seen.append)
    assert (data, result.bytes) == (DATA, len(DATA))
    steps = [event.done for event in seen]
    back = [(before, after) for before, after in zip(steps, steps[1:]) if after < before]
    assert back == [(256 * 1024, 0)], "progress goes back to the start, once"
    assert max(steps) == steps[-1] == len(DATA)


@pytest.mark.parametrize("downloads", ["filesender", "smartfile"], indirect=True)
def test_f15_the_server_knows_no_ranges(downloads: Any) -> None:
    downloads.harness.site.configure(**downloads.unranged)
    _planted(downloads, DATA, "truncate 256K", times=3)
    result, data = _fetched(downloads)
    assert (data, result.bytes) == (DATA, len(DATA))


@ranged
@pytest.mark.parametrize("wrong", ["start", "total"])
def test_f16_a_wrong_content_range(downloads: Any, wrong: str) -> None:
    _planted(downloads, DATA, "truncate 256K", f"wrong-range {wrong}")
    with pytest.raises(errors.RangeMismatch, match="requested bytes 262144-3145727/3145728"):
        downloads.results()
    part = downloads.harness.out / "a.bin.part"
    assert part.read_bytes() == DATA[: 256 * 1024], "not a byte of the other range was written"
    assert not (downloads.harness.out / "a.bin").exists()
    result, data = _fetched(downloads)
    assert (result.resumed, data) == (256 * 1024, DATA)
    assert not part.exists()


def test_f39_one_of_a_hundred(downloads: Any) -> None:
    """Detect one file that takes the others along, or a re-run that fetches all of them again."""
    files = {f"{number:02}.txt": b"%d" % number for number in range(100)}
    downloads.plant(files)
    downloads = DOWNLOADS["smartfile"](downloads.harness) if downloads.flat else downloads
    blocked = downloads.harness.out / "50.txt"
    blocked.mkdir(parents=True)
    with pytest.raises(errors.BatchError) as caught:
        downloads.results()
    assert [type(error) for error in caught.value.errors] == [errors.LocalError]
    assert len([name for name in downloads.harness.left() if name in files]) == 99
    blocked.rmdir()
    downloads.harness.forget()
    downloads.results()
    assert downloads.harness.count(downloads.content) == 1, "only what was missing"
    assert blocked.read_bytes() == b"50"


class Enough(Exception):
    """Raised by the caller's own callback."""


def test_f41_the_callback_raises(downloads: Any) -> None:
    """Fails if the transfer continues or if threads remain."""
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise Enough

    # On a line on which the first blocks are not all of it.
    _planted(downloads, DATA, "rate 4M")
    threads = threading.active_count()
    with pytest.raises(errors.Cancelled, match="progress callback") as caught:
        downloads.results(progress=progress)
    assert isinstance(caught.value.__cause__, Enough)
    assert len(calls) == 1, "called once, not again for every thread"
    assert client_threads() == [], "no thread of ours is left"
    assert threading.active_count() <= threads + 4, "those of the server end with their connections"
    assert "a.bin" not in downloads.harness.left()
    assert _fetched(downloads)[1] == DATA
