"""One local repository for many tests: started once, and for each of them as if it were new."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator

from tests.support.nrp_harness import Stage

__all__ = ["again"]


@contextlib.contextmanager
def again(stage: Stage, directory: Path) -> Iterator[Stage]:
    """The running server for one more test, which makes records of its own; in the end as a stage of its own asks.

    :param directory: of the test.
    """
    stage.directory, stage.out = directory, directory / "out"
    stage.forget()
    failed = True
    try:
        yield stage
        failed = False
    finally:
        unfired = stage.server.unfired()
        crashes = [crash for listener in stage.listeners() for crash in listener.crashes]
        while stage._clients:
            stage._clients.pop().close()
        stage.server.clear_faults()
        for listener in stage.listeners():
            listener.crashes.clear()
    if not failed:
        assert not unfired, f"planned, but never seen: {unfired}"
        assert not crashes, f"the server has a bug: {crashes}"
