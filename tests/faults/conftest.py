"""What goes wrong between a FileSender client and its server; every planned fault must have fired."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.filesender_harness import FileSenderHarness

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on Python 3.8 cryptography announces that it will leave it
    import trustme  # noqa: F401 - loaded here, before tests that treat warnings as errors


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., FileSenderHarness]]:
    """``make_stage(**site)``: a server with that configuration, and clients of it."""
    harnesses: List[FileSenderHarness] = []

    def make(**site: Any) -> FileSenderHarness:
        directory = tmp_path / f"stage{len(harnesses)}" if harnesses else tmp_path
        directory.mkdir(exist_ok=True)
        harnesses.append(FileSenderHarness(directory, **site))
        return harnesses[-1]

    yield make
    unfired = [fault for harness in harnesses for fault in harness.server.unfired()]
    crashes = [crash for harness in harnesses for crash in harness.site.listener.crashes]
    for harness in harnesses:
        harness.close()
    assert not unfired, f"planned, but never seen: {unfired}"
    assert not crashes, f"the server has a bug: {crashes}"


@pytest.fixture
def harness(make_harness: Callable[..., FileSenderHarness]) -> FileSenderHarness:
    """A stock site, but for small chunks."""
    return make_harness()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, from DEBUG on."""
    caplog.set_level(logging.DEBUG)
    return caplog
