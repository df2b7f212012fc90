"""One running local FileSender of a release, and its options changed for a while."""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, Tuple

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

#: Both releases whose manners the local server has.
RELEASES = ("3.8", "2.67")
#: Bytes of a chunk, small for small files, a multiple of a cipher block.
C = 1024
USERS = {"ann@example.org": None, "eve@example.org": "e" * 64, "root@example.org": "f" * 64}
EVE: Dict[str, Any] = {"user": "eve@example.org", "key": "e" * 64}
ROOT: Dict[str, Any] = {"user": "root@example.org", "key": "f" * 64}


@contextmanager
def running(version: str, **options: Any) -> Iterator[LocalServer]:
    """A server of a release; a bug of it fails the test."""
    given = {"version": version, "upload_chunk_size": C, "users": USERS, "admins": ["root@example.org"]}
    with LocalServer(services=["filesender"], filesender={**given, **options}) as server:
        yield server
        assert server.filesender.listener.crashes == []


@contextmanager
def configured(server: LocalServer, **options: Any) -> Iterator[None]:
    """Options changed within the block."""
    site = server.filesender.backend.site
    before = {name: getattr(site, name) for name in options}
    server.filesender.configure(**options)
    try:
        yield
    finally:
        server.filesender.configure(**before)


def message(reply: wire.Reply) -> Tuple[int, str]:
    """Status and machine id of a refusal."""
    return reply.status, reply.json()["message"]


def each_release(**options: Any) -> Any:
    """Return a fixture that runs a server of each release for the tests of a module."""

    @pytest.fixture(scope="module", params=RELEASES)
    def server(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
        with running(request.param, **options) as started:
            yield started

    return server


def is_2x(server: LocalServer) -> bool:
    """Return whether it is the older release."""
    return bool(server.filesender.backend.site.is_2x)
