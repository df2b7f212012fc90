"""Fixtures of the local server's tests: a running server and HTTP origins."""

import functools
import http.server
import threading
from typing import Any, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
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


class Files(http.server.SimpleHTTPRequestHandler):
    """Server from which files are fetched."""

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("origin")
    (root / "blob.bin").write_bytes(bytes(range(256)) * 1171 + bytes(224))
    handler = functools.partial(Files, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()
