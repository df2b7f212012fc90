"""Sites of either release, for encrypted transfers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from tests.support.encrypted_transfers import RELEASES, SMALL, lent, running


@pytest.fixture(scope="module")
def harnesses(pytestconfig: pytest.Config) -> Iterator[Dict[str, Any]]:
    """A site of each release, for all tests of a module."""
    above = Path(__file__).parent.parent / "conftest.py"
    conftest: Any = pytestconfig.pluginmanager.get_plugin(str(above))
    yield from running(conftest.FileSenderServer)


@pytest.fixture(params=sorted(RELEASES))
def site(harnesses: Dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    """A site of either release."""
    yield from lent(harnesses[request.param])


@pytest.fixture
def modern(harnesses: Dict[str, Any]) -> Iterator[Any]:
    """The newer of the two."""
    yield from lent(harnesses["3.8"])


@pytest.fixture
def secure(site_with: Callable[..., Any]) -> Callable[..., Any]:
    """``secure(version="2.67")``: a site of its own, with small chunks and few rounds."""
    return lambda **options: site_with(**{**SMALL, **options})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
