"""Fixtures of the local server's tests: a running server and HTTP origins."""

import threading
from typing import Any, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.file_origin import Origin
from tests.support.local.nrp_calls import Api
from tests.support.local.nrp_file_calls import Draft


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """Start a server; an unhandled exception in it fails the test."""
    with LocalServer() as running:
        yield running
        for service in running.services.values():
            assert service.listener.crashes == []


@pytest.fixture
def site(server: LocalServer) -> bare_client.Site:
    """Return a bare client of its FileSender."""
    return bare_client.Site(server.filesender)


@pytest.fixture
def service(running: LocalServer) -> Iterator[Any]:
    """Return the local repository of a module; restore its configuration after the test."""
    before = running.nrp.backend.site
    yield running.nrp
    running.nrp.backend.site = before
    running.clear_faults()


@pytest.fixture
def api(service: Any) -> Api:
    """Return calls of the repository's first user."""
    return Api(service)


@pytest.fixture
def guest(service: Any) -> Api:
    return Api(service, "")


@pytest.fixture
def draft(service: Any) -> Draft:
    """Return the files of a new draft."""
    return Draft(service)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.go.set()
        server.shutdown()
        thread.join(10)
