"""Shared tokens and API tokens: created, shown, used, revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from smartxfer.errors import AuthError, Forbidden, NotFound
from smartxfer.jetstream import API, Status, Token
from tests.support.jetstream_servers import BOUND, JetStreamServers

HOUR = dt.timedelta(hours=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


class TestShared:
    def test_create_shared_token(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        token = api.send.createSharedToken(manifest)
        assert isinstance(token, Token)
        assert (token["description"], token["downloadCount"], token["downloadLimit"]) == ("", 0, None)
        assert (token["expiryTime"], token["owner"], token["passwordRequired"]) == (None, "ann", False)
        assert token["manifestId"] == manifest["manifestId"]
        assert len(token.token.split(".")) == 3
        assert abs((token.created_at or now()) - now()) < HOUR

    def test_create_shared_token_with_limits(self, harness: JetStreamServers, api: API) -> None:
        token = api.send.createSharedToken(
            manifestId=harness.manifest(api).manifest_id,
            description="for Bob",
            downloadLimit=2,
            expiryTime=HOUR,
            password="open-sesame",
        )
        assert (token.description, token.download_limit, token.password_required) == ("for Bob", 2, True)
        assert token.expires_at is not None
        assert HOUR * 0.9 < token.expires_at - now() <= HOUR

    def test_get_shared_token_and_get_shared_tokens(self, harness: JetStreamServers, api: API) -> None:
        made = api.send.createSharedToken(harness.manifest(api), "one")
        for form in (made, made.token, dict(made)):
            assert api.send.getSharedToken(form) == made
        assert made.token in [one.token for one in api.send.getSharedTokens()]

    def test_delete_shared_token(self, harness: JetStreamServers, api: API) -> None:
        made = api.send.createSharedToken(harness.manifest(api))
        deleted: Any = api.send.deleteSharedToken(made)
        assert deleted is None
        with pytest.raises(NotFound):
            api.send.getSharedToken(made)
        with pytest.raises(AuthError):
            harness.anonymous().server.authToken(made)

    def test_auth_token(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        token = api.send.createSharedToken(manifest)
        guest = harness.anonymous()
        assert guest.server.authToken(token.token) is None
        [shown] = guest.send.getManifests()
        assert (shown["manifestId"], shown["owner"], shown["totalSize"]) == (manifest["manifestId"], "", 1000)
        transfer = guest.send.createTransfer(harness.destination(guest), shown)
        assert guest.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
        assert api.send.getSharedToken(token).download_count == 1
        assert harness.far.files() == {"/in/a.txt": 1000}

    def test_auth_token_with_a_password(self, harness: JetStreamServers, api: API) -> None:
        token = api.send.createSharedToken(harness.manifest(api), password="open-sesame")
        guest = harness.anonymous()
        for wrong in (None, "open-barley"):
            with pytest.raises(AuthError) as raised:
                guest.server.authToken(token, wrong)
            assert raised.value.code == "AuthenticationFailed"
            assert token.token not in str(raised.value)
        assert guest.server.authToken(token, password="open-sesame") is None
        assert len(guest.send.getManifests()) == 1

    def test_it_permits_nothing_else(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        guest = harness.anonymous()
        guest.login_token(api.send.createSharedToken(manifest))
        for call in (
            guest.ls,
            lambda: guest.mkdir("/x"),
            lambda: guest.send.createManifest({"/a": "/out/a.txt"}),
            lambda: guest.send.createSharedToken(manifest),
            lambda: guest.send.deleteManifest(manifest),
            guest.server.superuser,
            guest.server.getAPITokens,
        ):
            with pytest.raises(Forbidden):
                call()


class TestAPITokens:
    def test_create_api_token(self, harness: JetStreamServers, api: API) -> None:
        made = api.server.createAPIToken(
            description="robot",
            expiryTime=HOUR,
            password="open-sesame",
            permissions=["download"],
            path="/docs",
        )
        assert isinstance(made, Token)
        assert (made.description, made.permissions, made.path) == ("robot", ["download"], "/docs")
        assert (made.password_required, made.owner, made.manifest_id) == (True, "ann", None)
        assert made.expires_at is not None

    def test_get_api_token_and_get_api_tokens(self, api: API) -> None:
        made = api.server.createAPIToken()
        assert api.server.getAPIToken(made) == api.server.getAPIToken(made.token) == made
        assert made.token in [one.token for one in api.server.getAPITokens()]

    def test_delete_api_token(self, api: API) -> None:
        made = api.server.createAPIToken("x")
        deleted: Any = api.server.deleteAPIToken(made)
        assert deleted is None
        with pytest.raises(NotFound):
            api.server.getAPIToken(made)

    def test_a_login_as_its_creator_within_limits(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/docs/a.txt", b"aaa")
        harness.near.write("/private/b.txt", b"b")
        made = api.server.createAPIToken(permissions=["download"], path="/docs")
        robot = harness.anonymous()
        assert robot.server.authToken(made) is None
        assert [entry["path"] for entry in robot.ls("/docs")] == ["/docs/a.txt"]
        with pytest.raises(NotFound):
            robot.ls("/private")
        with pytest.raises(Forbidden):
            robot.mkdir("/docs/new")
        sent = robot.send_files(
            [("/docs/a.txt", "/in/a.txt")], (harness.far.host, harness.far.port), timeout=BOUND
        )
        assert (sent.owner, harness.far.read("/in/a.txt")) == ("ann", b"aaa")

    def test_without_limits_it_is_as_good_as_the_login(self, harness: JetStreamServers, api: API) -> None:
        robot = harness.anonymous()
        robot.login_token(api.server.createAPIToken())
        robot.mkdir("/made")
        assert [entry["name"] for entry in api.ls()] == ["made"]
        manifest = harness.manifest(api)
        assert robot.send.getManifest(manifest).owner == "ann"


def test_nothing_shows_a_token_or_its_password(
    harness: JetStreamServers, api: API, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token = api.send.createSharedToken(harness.manifest(api), password="open-sesame-7")
    guest = harness.anonymous()
    guest.login_token(token, "open-sesame-7")
    guest.send.getManifests()
    shown = caplog.text + repr(guest) + repr(token) + repr(guest.explain_credentials())
    assert token.token not in shown
    assert "open-sesame-7" not in shown
