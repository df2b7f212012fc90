"""Pytest fixtures with the local server and a client of each service.

Register the plug-in in the top-level ``conftest.py``: ``pytest_plugins = ["smartxfer.testing.plugin"]``.
"""

import contextlib
import os
from typing import Iterator, NamedTuple

import pytest

from smartxfer import BasicClient, FileSenderClient, JetStream, PerseusClient, RepositoryClient, UserAuth
from smartxfer.jetstream import API
from smartxfer.local import LocalServer

__all__ = [
    "LocalFileSender",
    "LocalJetStream",
    "LocalNRP",
    "LocalPerseus",
    "LocalSmartFile",
    "filesender",
    "jetstream",
    "nrp",
    "perseus",
    "smartfile",
    "smartxfer_server",
]


class LocalFileSender(NamedTuple):
    """A client, and the server that it is connected to."""

    client: FileSenderClient
    server: LocalServer


class LocalSmartFile(NamedTuple):
    """A client, and the server that it is connected to."""

    client: BasicClient
    server: LocalServer


class LocalNRP(NamedTuple):
    """A client, and the server that it is connected to."""

    client: RepositoryClient
    server: LocalServer


class LocalPerseus(NamedTuple):
    """A client, and the server that it is connected to."""

    client: PerseusClient
    server: LocalServer


class LocalJetStream(NamedTuple):
    """A connection that is logged in, and its server, which also runs a second JetStream server."""

    api: API
    server: LocalServer


@pytest.fixture(scope="session")
def smartxfer_server() -> Iterator[LocalServer]:
    """Provide a :class:`~smartxfer.local.LocalServer` for the session; its data are deleted at the end."""
    with LocalServer() as server:
        yield server


@pytest.fixture
def filesender(
    smartxfer_server: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LocalFileSender]:
    """Provide a FileSender client with a user's key, and the server: ``client, server = filesender``.

    During the test FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY are set for the server,
    the state directory is empty, and proxies are not used; this also holds for child processes.  Faults that
    the test has planned are removed at its end; the test fails if one did not take effect.
    """
    _isolate_environment(smartxfer_server, tmp_path_factory, monkeypatch)
    site = smartxfer_server.filesender
    auth = UserAuth(site.username, site.api_key)
    with _require_faults_fired(smartxfer_server), FileSenderClient(site.url, auth=auth) as client:
        yield LocalFileSender(client, smartxfer_server)


@pytest.fixture
def smartfile(
    smartxfer_server: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LocalSmartFile]:
    """Provide a SmartFile client with a key and password, and the server: ``client, server = smartfile``.

    During the test the variables SMARTFILE_* are set for the server; state directory, proxies and faults are
    handled as by ``filesender``.  Files remain for later tests, so use another directory in each test.
    """
    _isolate_environment(smartxfer_server, tmp_path_factory, monkeypatch)
    site = smartxfer_server.smartfile
    with _require_faults_fired(smartxfer_server), BasicClient(
        site.key, site.password, url=site.url
    ) as client:
        yield LocalSmartFile(client, smartxfer_server)


@pytest.fixture
def nrp(
    smartxfer_server: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LocalNRP]:
    """Provide an NRP client with a user's token, and the server: ``client, server = nrp``.

    During the test the variables NRP_* are set for the server; state directory, proxies and faults are
    handled as by ``filesender``.  Records remain for later tests.
    """
    _isolate_environment(smartxfer_server, tmp_path_factory, monkeypatch)
    site = smartxfer_server.nrp
    with _require_faults_fired(smartxfer_server), RepositoryClient(site.url, token=site.token) as client:
        yield LocalNRP(client, smartxfer_server)


@pytest.fixture
def perseus(
    smartxfer_server: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LocalPerseus]:
    """Provide a Perseus client with the key, and the server: ``client, server = perseus``.

    During the test the variables PERSEUS_* are set for the server; state directory, proxies and faults are
    handled as by ``filesender``.  Files remain for later tests, and known content is not sent again, so use
    other content in each test.
    """
    _isolate_environment(smartxfer_server, tmp_path_factory, monkeypatch)
    site = smartxfer_server.perseus
    with _require_faults_fired(smartxfer_server), PerseusClient(site.url, api_key=site.api_key) as client:
        yield LocalPerseus(client, smartxfer_server)


@pytest.fixture
def jetstream(
    smartxfer_server: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LocalJetStream]:
    """Provide a JetStream connection, logged in, and the server: ``api, server = jetstream``.

    During the test the variables JETSTREAM_API_* are set for the server, and JETSTREAM_PEER_HOST for the
    second one, ``server.jetstream_peer``; state directory, proxies and faults are handled as by
    ``filesender``.  Files and transfers remain for later tests, so use another directory in each test.
    """
    _isolate_environment(smartxfer_server, tmp_path_factory, monkeypatch)
    site = smartxfer_server.jetstream
    connection = JetStream().api(site.host, site.port, user=site.user, password=site.password)
    with _require_faults_fired(smartxfer_server), connection as api:
        yield LocalJetStream(api, smartxfer_server)


@contextlib.contextmanager
def _require_faults_fired(server: LocalServer) -> Iterator[None]:
    """Remove the faults that are planned in the block; fail the test if one did not take effect."""
    server.clear_faults()
    yield
    unfired = server.unfired()
    server.clear_faults()
    if unfired:
        pytest.fail(f"planned faults did not take effect: {unfired}", pytrace=False)


def _isolate_environment(
    server: LocalServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    state = tmp_path_factory.mktemp("smartxfer-state")
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(state))
    for name in ("NO_PROXY", "no_proxy"):
        old_value = os.environ.get(name)
        monkeypatch.setenv(name, "127.0.0.1,localhost" + (f",{old_value}" if old_value else ""))
