"""Resources used by long-lived clients and by large files: F45, F46."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer import FileSenderClient
from tests.support.amounts import amount
from tests.support.filesender_harness import noise, until
from tests.support.service_harness import AT_ONCE

pytestmark = pytest.mark.slow

MIB = 1 << 20
GIB = 1 << 30

#: Prints by how many KiB the peak of the memory grew while 2 GiB went one way.
_MEASURE = """
import re, sys
from pathlib import Path
from smartxfer import FileSenderClient, UserAuth
way, url, username, api_key, threads, what, out = sys.argv[1:]

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

threads = int(threads)
client = FileSenderClient(
    url, auth=UserAuth(username, api_key), concurrent_chunks=threads, max_workers=threads, timeout=120
)
small = client.upload_workflow([("small", b"small")], link=True)
client.download_files(small.token, out)  # whatever is loaded on first use is loaded now
before = peak()
if way == "up":
    print(client.upload_workflow([what], link=True).token)
else:
    client.download_files(what, out)
print(peak() - before)
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Many times what may be held in memory, nearly all of it a hole."""
    path = tmp_path / "large.bin"
    with open(path, "wb") as file:
        file.write(b"start")
        file.truncate(amount(128 * MIB, 2 * GIB))
        file.seek(-3, os.SEEK_END)
        file.write(b"end")
    return path


def _measured(harness: Any, way: str, threads: int, what: Any) -> Any:
    auth, out = harness.auth, harness.directory / "fetched"
    words = [way, harness.url, auth.username, auth.api_key, threads, what, out]
    command = [sys.executable, "-c", _MEASURE, *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout.split()


def _same(one: Path, other: Path) -> bool:
    with open(one, "rb") as left, open(other, "rb") as right:
        while True:
            piece = left.read(8 * MIB)
            if piece != right.read(8 * MIB):
                return False
            if not piece:
                return True


@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("threads", [1, 8])
def test_f45_memory_does_not_grow_with_the_file(make_harness: Any, large: Path, threads: int) -> None:
    chunk = 5 * MIB
    harness = make_harness(upload_chunk_size=chunk)
    limit = (threads * chunk + 32 * MIB) // 1024
    token, grown = _measured(harness, "up", threads, large)
    assert int(grown) <= limit, "KiB while sending"
    [file] = harness.site.transfers()[-1]["files"]
    assert _same(Path(harness.site.stored(file["id"])), large)
    [grown] = _measured(harness, "down", threads, token)
    assert int(grown) <= limit, "KiB while fetching"
    assert _same(harness.directory / "fetched/large.bin", large)
    (harness.directory / "fetched/large.bin").unlink()
    large.unlink()


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
