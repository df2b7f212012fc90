"""One local repository for many tests: started once, and for each of them as if it were new."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator

from tests.support.nrp_harness import NRPHarness

__all__ = ["again"]


@contextlib.contextmanager
def again(harness: NRPHarness, directory: Path) -> Iterator[NRPHarness]:
    """The running server for one more test, which makes records of its own; in the end as a harness of its own asks.

    :param directory: of the test.
    """
    harness.directory, harness.out = directory, directory / "out"
    harness.forget()
    failed = True
    try:
        yield harness
        failed = False
    finally:
        unfired = harness.server.unfired()
        crashes = [crash for listener in harness.listeners() for crash in listener.crashes]
        while harness._clients:
            harness._clients.pop().close()
        harness.server.clear_faults()
        for listener in harness.listeners():
            listener.crashes.clear()
    if not failed:
        assert not unfired, f"planned, but never seen: {unfired}"
        assert not crashes, f"the server has a bug: {crashes}"
