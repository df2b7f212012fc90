"""Sites of either release, for encrypted transfers."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from tests.support.encrypted_transfers import RELEASES, SMALL
from tests.support.filesender_harness import FileSenderServer


@pytest.fixture(scope="module")
def harnesses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[str, FileSenderServer]]:
    """A site of each release, for all tests of a module."""
    with contextlib.ExitStack() as stack:
        yield {
            release: stack.enter_context(FileSenderServer(tmp_path_factory.mktemp("site"), version=release, **SMALL))
            for release in RELEASES
        }


@pytest.fixture(params=sorted(RELEASES))
def site(harnesses: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FileSenderServer]:
    """A site of either release."""
    with harnesses[request.param].reuse(tmp_path) as harness:
        yield harness


@pytest.fixture
def modern(harnesses: Any, tmp_path: Path) -> Iterator[FileSenderServer]:
    """The newer of the two."""
    with harnesses["3.8"].reuse(tmp_path) as harness:
        yield harness


@pytest.fixture
def secure(site_with: Callable[..., Any]) -> Callable[..., Any]:
    """``secure(version="2.67")``: a site of its own, with small chunks and few rounds."""
    return lambda **options: site_with(**{**SMALL, **options})
