"""Resources used by long-lived clients and by large files: F45, F46."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer import FileSenderClient
from tests.support import client_program as programs
from tests.support.amounts import amount
from tests.support.filesender_harness import FileSenderHarness, noise, until
from tests.support.service_harness import AT_ONCE
from tests.support.smartfile_harness import SmartFileHarness

pytestmark = pytest.mark.slow

MIB = 1 << 20
GIB = 1 << 30
CHUNK = 5 * MIB

#: Prints by how many KiB the peak of the memory grew while a file went one way.
PROGRAM = (
    programs.PEAK
    + """
import sys
service, way, what, threads, out = sys.argv[1:]
threads = int(threads)
if service == "filesender":
    from smartxfer import FileSenderClient
    api = FileSenderClient(None, concurrent_chunks=threads, max_workers=threads, timeout=120)
    up = lambda what: api.upload_workflow([what], link=True)
    down = lambda what: api.download_files(what, out)
    down(up(("small", b"small")).token)  # whatever is loaded on first use is loaded now
else:
    from smartxfer.smartfile import BasicClient
    api = BasicClient(max_workers=threads, timeout=120)
    up = lambda what: api.upload(what, "/")
    down = lambda what: api.download(what, out + "/")
    up(("small", b"small"))
    down("/small")
before = peak()
if way == "raw":
    with open(what, "rb") as file:
        api.post("/path/data/", file=("large.bin", file))
else:
    (up if way == "up" else down)(what)
print(peak() - before)
"""
)


def _latest(harness: Any) -> Any:
    """Return the token of the latest transfer or the path, which a download needs, and the place of the file on the server."""
    if harness.name == "smartfile":
        return "/large.bin", harness.site.stored_path("/large.bin")
    transfer = harness.site.transfers()[-1]
    [file] = transfer["files"]
    return harness.client().transfers.get(transfer["id"]).token, harness.site.stored(file["id"])


@pytest.fixture
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A server of the service that a test tries, else a FileSender."""
    service = request.node.callspec.params["service"] if hasattr(request.node, "callspec") else "filesender"
    start = {"filesender": partial(FileSenderHarness, upload_chunk_size=CHUNK), "smartfile": SmartFileHarness}[service]
    with start(tmp_path) as started:
        yield started


@pytest.mark.timeout(600)
@programs.needs_proc
@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("service", ["filesender", "smartfile"])
def test_f45_memory_does_not_grow_with_the_file(
    harness: Any, program: programs.ClientProgram, service: str, threads: int
) -> None:
    """Fails if a file, or a form, is put together in memory: a vendor's own client holds it twice."""
    large = programs.large_file(harness.directory / "large.bin", amount(128 * MIB, 2 * GIB))
    expected = programs.digest_of(large)
    limit = (threads * (CHUNK if service == "filesender" else MIB) + 32 * MIB) // 1024

    def measured(way: str, what: Any) -> int:
        return programs.finish(program(service, way, what, threads, harness.directory / "fetched"), 300)

    for way in ("up", "raw") if (service, threads) == ("smartfile", 1) else ("up",):
        assert measured(way, large) <= limit, "KiB while sending"
        handle, stored = _latest(harness)
        assert programs.digest_of(stored) == expected
    large.unlink()
    assert measured("down", handle) <= limit, "KiB while fetching"
    assert programs.digest_of(harness.directory / "fetched/large.bin") == expected
    (harness.directory / "fetched/large.bin").unlink()


def _held() -> Dict[str, int]:
    return {"threads": threading.active_count(), "files": len(os.listdir("/proc/self/fd"))}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_f46_many_transfers(harness: Any) -> None:
    client = harness.client()
    path = harness.file(noise(2000))
    at_ten: Dict[str, int] = {}
    count = amount(100, 1000)
    for number in range(1, count + 1):
        transfer = client.upload_workflow([path], link=True)
        if number % 4 == 0:
            client.download_files(transfer.token, harness.out)
        if number == 10:
            at_ten = _held()
    assert len(harness.site.transfers()) == count
    until(lambda: all(_held()[name] <= count for name, count in at_ten.items()), "the first ten's measure")
    assert harness.out.joinpath("a.bin").read_bytes() == noise(2000)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_f46_a_hundred_clients(harness: Any) -> None:
    """Broken connections included: what broke is closed too."""
    transfer = harness.published(noise(50_000))
    harness.fault("GET /download.php", "truncate 20000", times=50)
    before: Dict[str, int] = {}
    for number in range(1, 101):
        with FileSenderClient(harness.url, auth=harness.auth, retry=AT_ONCE) as client:
            client.download_files(transfer.token, harness.directory / str(number))
        if number == 10:
            before = _held()
    until(lambda: all(_held()[name] <= count for name, count in before.items()), "the first ten's measure")
