"""Pytest fixtures: the local server, and a client of each service that talks to it.

Register it in the top ``conftest.py``: ``pytest_plugins = ["smartxfer.testing.plugin"]``.
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
    """A client, and the server that it talks to."""

    client: FileSenderClient
    server: LocalServer


class LocalSmartFile(NamedTuple):
    """A client, and the server that it talks to."""

    client: BasicClient
    server: LocalServer


class LocalNRP(NamedTuple):
    """A client, and the server that it talks to."""

    client: RepositoryClient
    server: LocalServer


class LocalPerseus(NamedTuple):
    """A client, and the server that it talks to."""

    client: PerseusClient
    server: LocalServer


class LocalJetStream(NamedTuple):
    """A connection that is logged in, and the server at its other end; a second one is there to send to."""

    api: API
    server: LocalServer


@pytest.fixture(scope="session")
def smartxfer_server() -> Iterator[LocalServer]:
    """A :class:`~smartxfer.local.LocalServer` for the whole run; its data is gone afterwards."""
    with LocalServer() as server:
        yield server


@pytest.fixture
def filesender(
    smartxfer_server: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LocalFileSender]:
    """A FileSender client with a user's key, and the server: ``client, server = filesender``.

    For the time of the test FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY name the server
    (child processes included), nothing is resumed from before, and no proxy stands between.  Faults that the
    test planned end with it; one that did not take effect fails the test.
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
    """A SmartFile client with a key and password, and the server: ``client, server = smartfile``.

    For the time of the test the variables SMARTFILE_* name the server (child processes included); nothing is
    resumed from before, and no proxy stands between.  Faults end with the test, as with ``filesender``; files
    stay for the tests that follow: give each test a directory of its own.
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
    """An NRP client with a user's token, and the server: ``client, server = nrp``.

    For the time of the test the variables NRP_* name the server (child processes included); nothing is
    resumed from before, and no proxy stands between.  Faults end with the test, as with ``filesender``;
    records stay for the tests that follow.
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
    """A Perseus client with the key, and the server: ``client, server = perseus``.

    For the time of the test the variables PERSEUS_* name the server (child processes included); nothing is
    resumed from before, and no proxy stands between.  Faults end with the test, as with ``filesender``;
    files stay for the tests that follow, and content that is there is not sent again: give each test its own.
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
    """A JetStream connection, logged in, and the server: ``api, server = jetstream``.

    For the time of the test the variables JETSTREAM_API_* name the server, and JETSTREAM_PEER_HOST the
    second one, ``server.jetstream_peer`` (child processes included); nothing is resumed from before, and no
    proxy stands between.  Faults end with the test, as with ``filesender``; files and transfers stay for the
    tests that follow: give each test a directory of its own.
    """
    _isolate_environment(smartxfer_server, tmp_path_factory, monkeypatch)
    site = smartxfer_server.jetstream
    made = JetStream().api(site.host, site.port, user=site.user, password=site.password)
    with _require_faults_fired(smartxfer_server), made as api:
        yield LocalJetStream(api, smartxfer_server)


@contextlib.contextmanager
def _require_faults_fired(server: LocalServer) -> Iterator[None]:
    """Faults that are planned meanwhile end here; one that did not take effect fails the test."""
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
        before = os.environ.get(name)
        monkeypatch.setenv(name, "127.0.0.1,localhost" + (f",{before}" if before else ""))
