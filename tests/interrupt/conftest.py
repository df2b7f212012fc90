"""A throttled server, and clients in processes of their own that are interrupted or killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.filesender_harness import FileSenderHarness

#: A script as users write it; the exit code of an interrupt is that of the command line.
_SCRIPT = """
import sys
from smartxfer import FileSenderClient, UserAuth

way, url, username, api_key, workers, what, out = sys.argv[1:]
client = FileSenderClient(
    url, auth=UserAuth(username, api_key), concurrent_chunks=int(workers), max_workers=int(workers)
)
try:
    if way == "up":
        transfer = client.upload_workflow([what], link=True)
        print(transfer.token, transfer.results[0].resumed)
    else:
        [result] = client.download_files(what, out)
        print(result.resumed)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[Callable[..., FileSenderHarness]]:
    """``throttled(chunk_size)``: a site on a line that a test makes slow."""
    harnesses: List[FileSenderHarness] = []

    def make(chunk_size: int) -> FileSenderHarness:
        harnesses.append(FileSenderHarness(tmp_path, upload_chunk_size=chunk_size))
        return harnesses[-1]

    yield make
    for harness in harnesses:
        crashes = harness.site.listener.crashes
        harness.close()
        assert not crashes


@pytest.fixture
def process() -> Iterator[Callable[..., Any]]:
    """``process(harness, way, what, workers)``: a client at work; killed at the end if need be."""
    started: List[Any] = []

    def start(harness: FileSenderHarness, way: str, what: Any, workers: int) -> Any:
        auth = harness.auth
        words = [way, harness.url, auth.username, auth.api_key, workers, what, harness.out]
        command = [sys.executable, "-c", _SCRIPT, *map(str, words)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()
