"""What goes wrong between a FileSender client and its server; every planned fault must have fired."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.filesender_harness import Stage

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on Python 3.8 cryptography announces that it will leave it
    import trustme  # noqa: F401 - loaded here, before tests that treat warnings as errors


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """``make_stage(**site)``: a server with that configuration, and clients of it."""
    stages: List[Stage] = []

    def make(**site: Any) -> Stage:
        directory = tmp_path / f"stage{len(stages)}" if stages else tmp_path
        directory.mkdir(exist_ok=True)
        stages.append(Stage(directory, **site))
        return stages[-1]

    yield make
    unfired = [fault for stage in stages for fault in stage.server.unfired()]
    crashes = [crash for stage in stages for crash in stage.site.listener.crashes]
    for stage in stages:
        stage.close()
    assert not unfired, f"planned, but never seen: {unfired}"
    assert not crashes, f"the server has a bug: {crashes}"


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    """A stock site, but for small chunks."""
    return make_stage()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, from DEBUG on."""
    caplog.set_level(logging.DEBUG)
    return caplog
