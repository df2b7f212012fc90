"""Listings that claim more than there can be: nothing is fetched, the memory stays, and the call ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import pytest

from smartxfer.errors import DecodeError
from smartxfer.smartfile import BasicClient
from smartxfer.transport import RetryPolicy
from tests.support.client_program import needs_proc
from tests.support.filesender_harness import FileSenderHarness
from tests.support.nrp_harness import NRPHarness
from tests.support.raw_server import Peer, RawServer, Request, answering
from tests.support.smartfile_harness import SmartFileHarness

PETABYTE = 10**15

#: Fetches, and prints the error, the seconds and the growth of memory in MiB.
PROGRAM = """
import resource, sys
sys.path.append({root!r})
from tests.support.stopwatch import Stopwatch
from smartxfer.errors import BatchError, DiskFull
{setup}
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20
before, watch = rss(), Stopwatch()
try:
    fetch(sys.argv[1:])
except (DiskFull, BatchError) as error:
    for one in getattr(error, "errors", [error]):
        print(type(one).__name__, "needs 1000000000000000 more bytes" in str(one))
print(watch.seconds() < 10, rss() - before < 64)
"""
SMARTFILE = """
from smartxfer.smartfile import BasicClient
def fetch(words):
    BasicClient("key", "password", url=words[0]).download("/a.bin", words[1] + "/")
"""
NRP = """
from smartxfer.nrp import get_client
def fetch(words):
    get_client(words[0]).files.download_many(words[2], words[1])
"""
FILESENDER = """
from smartxfer.filesender import FileSenderClient
def fetch(words):
    FileSenderClient(words[0]).download_files(words[2], words[1])
"""


class Lying(RawServer):
    """Hands on what another server answers, with its sizes made huge; counts the requests for content."""

    def __init__(self, target: str, size: int, content: str) -> None:
        super().__init__(answering(self._hand_on))
        self._target, self._size, self._content = target, str(size).encode(), content
        self.contents = 0

    def _hand_on(self, request: Request, peer: Peer) -> None:
        self.contents += re.search(self._content, request.target) is not None
        headers = {name: value for name, value in request.headers.items() if name in ("accept", "authorization")}
        with urllib.request.urlopen(urllib.request.Request(self._target + request.target, headers=headers)) as found:
            body, kind = found.read(), found.headers["Content-Type"]
        body = re.sub(rb'("size" ?: ?|data-size=")%s\b' % self._size, rb"\g<1>%d" % PETABYTE, body)
        peer.answer(200, body.replace(self._target.encode(), self.url.encode()), f"Content-Type: {kind}")


def _run(setup: str, *words: Any) -> str:
    program = PROGRAM.format(setup=setup, root=str(Path(__file__).parent.parent.parent))
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout


def _smartfile(tmp_path: Path) -> Tuple[str, int]:
    with SmartFileHarness(tmp_path) as harness:
        harness.site.write("/a.bin", b"x" * 12345)
        with Lying(harness.url, 12345, "path/data") as server:
            setup = SMARTFILE.replace('"key", "password"', f"{harness.site.key!r}, {harness.site.password!r}")
            return _run(setup, server.url, tmp_path), server.contents


def _nrp(tmp_path: Path) -> Tuple[str, int]:
    with NRPHarness(tmp_path) as harness:
        record = harness.record(b"x" * 12345, published=True)
        with Lying(harness.url, 12345, "/content") as server:
            return _run(NRP, server.url, tmp_path, record), server.contents


def _filesender(tmp_path: Path) -> Tuple[str, int]:
    with FileSenderHarness(tmp_path) as harness:
        transfer = harness.published(b"x" * 12345)
        with Lying(harness.url, 12345, "download.php") as server:
            return _run(FILESENDER, server.url, tmp_path, transfer.recipients[0].token), server.contents


SERVICES: Dict[str, Callable[[Path], Tuple[str, int]]] = {
    "smartfile": _smartfile, "nrp": _nrp, "filesender": _filesender,
}  # fmt: skip


@needs_proc
@pytest.mark.parametrize("service", SERVICES)
def test_a_petabyte_is_refused_before_anything_is_fetched(tmp_path: Path, service: str) -> None:
    """Detect a plan of all pieces: 2.7 GiB, and a process that does not end."""
    said, contents = SERVICES[service](tmp_path)
    assert said.split() == ["DiskFull", "True", "True", "True"]
    assert contents == 0


@pytest.mark.parametrize("call", ["children", "links"])
def test_a_list_of_a_billion_pages_ends(call: str) -> None:
    """Detect a loop over pages that show nothing new."""

    def page(request: Request, peer: Peer) -> None:
        entry = {"path": "/d/a", "name": "a", "size": 1, "isfile": True, "isdir": False}
        shown = {"path": "/d", "isdir": True, "children": [entry], "results": [], "pages": 10**9}
        if call == "links":
            shown["results"] = [] if len(server.requests) > 5 else [{"uid": "u", "href": "h", "path": "/d"}]
        peer.answer(200, json.dumps(shown).encode(), "Content-Type: application/json")

    with RawServer(answering(page)) as server:
        with BasicClient("k", "p", url=server.url, retry=RetryPolicy(attempts=1)) as api:
            if call == "children":
                with pytest.raises(DecodeError, match="always reports further pages"):
                    api.listdir("/d")
            else:
                assert len(api.links()) == 5
        assert len(server.requests) < 20
