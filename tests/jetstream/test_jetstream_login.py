"""Session and login: opened, lost, reopened, closed."""

from __future__ import annotations

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from smartxfer import RetryPolicy
from smartxfer.errors import AuthError, CredentialError
from smartxfer.jetstream import API, JetStream
from smartxfer.local import LocalServer
from tests.support.jetstream_servers import BOUND, USERS, JetStreamServers


class TestConnect:
    def test_it_opens_a_session_and_logs_in(self, harness: JetStreamServers) -> None:
        api = harness.api()
        api.connect()
        api.connect()
        assert harness.calls == ["getServerInfo", "auth"]
        assert api.ls() == []
        assert harness.calls[2:] == ["lsAsync", "getRequestResult"]

    def test_a_with_block_also_after_connect(self, harness: JetStreamServers) -> None:
        api = harness.api()
        api.connect()
        with api:
            assert api.ls() == []
        assert harness.calls[-1] == "DELETE"
        assert harness.calls.count("getServerInfo") == 1
        with harness.api() as inside:
            assert isinstance(inside, API)
        assert harness.calls[-3:] == ["getServerInfo", "auth", "DELETE"]

    def test_without_it_the_first_call_logs_in(self, harness: JetStreamServers) -> None:
        api = harness.api()
        assert api.send.getManifests() is not None
        assert harness.calls == ["auth", "send.getManifests"]

    def test_a_login_that_is_refused(self, harness: JetStreamServers) -> None:
        api = harness.anonymous(user="ann", password="wrong-password")
        with pytest.raises(AuthError) as raised:
            api.connect()
        assert raised.value.code == "AuthenticationFailed"
        assert "wrong-password" not in str(raised.value)
        with pytest.raises(AuthError):
            api.mkdir("/made")
        assert os.listdir(harness.near.root) == []

    def test_no_login_is_sent_to_a_server_without_authentication(self, harness: JetStreamServers) -> None:
        harness.near.configure(auth_required=False)
        api = harness.api()
        api.connect()
        assert harness.calls == ["getServerInfo"]

    def test_missing_credentials_are_reported_with_every_source(self, harness: JetStreamServers) -> None:
        api = harness.anonymous()
        api.connect()
        with pytest.raises(CredentialError) as raised:
            api.send.getManifests()
        for place in ("arguments", "JETSTREAM_API_USER", "JETSTREAM_API_PASSWORD", "config.ini", ".netrc"):
            assert place in str(raised.value)
        assert pickle.loads(pickle.dumps(raised.value)).hint == raised.value.hint


class TestDisconnect:
    def test_it_ends_the_session(self, harness: JetStreamServers) -> None:
        api = harness.api()
        api.connect()
        sessions = len(harness.near.sessions.all())
        api.disconnect()
        assert len(harness.near.sessions.all()) == sessions - 1
        api.disconnect()
        assert harness.calls.count("DELETE") == 1
        assert api.ls() == []  # a later call opens another
        assert harness.calls.count("auth") == 2

    def test_one_that_was_never_open(self, harness: JetStreamServers) -> None:
        api = harness.api()
        api.disconnect()
        api.close()
        assert harness.calls == []

    def test_a_server_that_has_gone(self) -> None:
        with LocalServer(
            services=["jetstream", "jetstream_peer"], jetstream={"auth_required": False}
        ) as server:
            api = JetStream().api(
                "127.0.0.1", server.jetstream.port, retry=RetryPolicy(attempts=1, backoff=0)
            )
            api.connect()
        api.disconnect()
        api.close()

    def test_a_given_session_is_not_closed_and_keeps_no_cookie(self, harness: JetStreamServers) -> None:
        with requests.Session() as session:
            with harness.api(session=session) as api:
                assert api.ls() == []
            assert [cookie.name for cookie in session.cookies] == []
            url = f"http://127.0.0.1:{harness.near.port}/jsonrpc"
            assert session.post(url, json={}, timeout=5).status_code == 200


def lose_every_session(harness: JetStreamServers) -> None:
    harness.near.sessions.clear()


class TestLostSession:
    def test_of_both_rights(self, harness: JetStreamServers, root: API) -> None:
        root.server.wrangler()
        root.server.superuser()
        lose_every_session(harness)
        before = len(harness.calls)
        root.server.getWranglers()
        assert harness.calls[before:] == ["getWranglers", "auth", "superuser", "wrangler", "getWranglers"]

    def test_a_login_by_hand_is_made_again(self, harness: JetStreamServers) -> None:
        api = harness.anonymous()
        api.server.auth("bob", USERS["bob"])
        lose_every_session(harness)
        before = len(harness.calls)
        made = api.server.createAPIToken()
        assert made.owner == "bob"
        assert harness.calls[before:] == ["createAPIToken", "auth", "createAPIToken"]

    def test_an_asynchronous_one_too(self, harness: JetStreamServers) -> None:
        api = harness.anonymous()
        api.connect()
        api.server.authAsync("bob", USERS["bob"]).result(BOUND)
        lose_every_session(harness)
        assert api.server.createAPIToken().owner == "bob"

    def test_a_token_too(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        token = api.send.createSharedToken(manifest, password="open-sesame")
        guest = harness.anonymous()
        guest.login_token(token, "open-sesame")
        lose_every_session(harness)
        before = len(harness.calls)
        assert [one.manifest_id for one in guest.send.getManifests()] == [manifest.manifest_id]
        assert harness.calls[before:] == ["send.getManifests", "authToken", "send.getManifests"]

    def test_a_token_that_was_deleted_during_the_session_is_reported(self, harness: JetStreamServers, api: API) -> None:
        token = api.send.createSharedToken(harness.manifest(api))
        guest = harness.anonymous()
        guest.login_token(token)
        api.send.deleteSharedToken(token)
        with pytest.raises(AuthError) as raised:
            guest.send.getManifests()
        assert raised.value.code == "AuthenticationFailed"

    def test_where_no_login_is_known_nor_wanted(self, harness: JetStreamServers) -> None:
        harness.near.configure(auth_required=False)
        api = harness.anonymous()
        api.connect()
        lose_every_session(harness)
        before = len(harness.calls)
        assert api.send.getTransfers() is not None
        assert harness.calls[before:] == ["send.getTransfers", "getServerInfo", "send.getTransfers"]

    def test_where_no_login_is_known_but_wanted(self, harness: JetStreamServers) -> None:
        harness.near.configure(auth_required=False)
        api = harness.anonymous()
        api.connect()
        harness.near.configure(auth_required=True)
        lose_every_session(harness)
        with pytest.raises(CredentialError):
            api.send.getTransfers()

    def test_many_threads_log_in_once(self, harness: JetStreamServers, api: API) -> None:
        lose_every_session(harness)
        before = len(harness.calls)
        together = threading.Barrier(6)

        def look(number: int) -> Any:
            together.wait(BOUND)
            return api.send.getDestinations() is not None

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(look, range(6))) == [True] * 6
        assert harness.calls[before:].count("auth") == 1
