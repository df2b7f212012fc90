"""Makes the bare client and the reader of captures importable, and gives a running server."""

import sys
from pathlib import Path
from typing import Iterator

import pytest

# importlib mode leaves sys.path alone; the names are told apart from those of other directories.
sys.path.insert(0, str(Path(__file__).parent))

import local_wire

from smartxfer.local import LocalServer


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A running server; a bug of it, which shows as a 500, fails the test."""
    with LocalServer() as running:
        yield running
        for service in running.services.values():
            assert service.listener.crashes == []


@pytest.fixture
def site(server: LocalServer) -> local_wire.Site:
    """Calls to its FileSender."""
    return local_wire.Site(server.filesender)
