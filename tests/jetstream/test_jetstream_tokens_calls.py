"""Shared tokens and API tokens: created, shown, used, revoked."""

from __future__ import annotations

import datetime as dt

import pytest

from smartxfer.errors import Forbidden, NotFound
from smartxfer.jetstream import API, Token
from tests.support.jetstream_servers import BOUND, JetStreamServers

HOUR = dt.timedelta(hours=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


class TestShared:
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
