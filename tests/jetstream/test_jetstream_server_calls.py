"""``api.server`` but for files, requests and tokens: each method of the reference and its result."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import AuthError, Forbidden, NetworkError, UsageError
from smartxfer.jetstream import API, Event, JetStream, Request, ServerInfo
from smartxfer.local import LocalServer
from tests.support.jetstream_servers import BOUND, USERS, JetStreamServers, until


class TestLogin:
    def test_auth_of_another_user(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        api.server.auth(user="bob", password=USERS["bob"])
        assert manifest.manifest_id not in [one.manifest_id for one in api.send.getManifests()]

    @pytest.mark.parametrize(("user", "password"), [("", "x"), ("x", ""), (None, "x"), ("x", 5)])
    def test_nonsense_is_not_sent(self, harness: JetStreamServers, user: Any, password: Any) -> None:
        for call in (harness.anonymous().server.auth, harness.anonymous().server.authAsync):
            with pytest.raises(UsageError):
                call(user, password)
        assert harness.calls == []


class TestRights:
    def test_superuser(self, harness: JetStreamServers) -> None:
        api = harness.api("root")
        assert api.server.getServerInfo().configuration is None
        assert api.server.superuser() is None  # type: ignore[func-returns-value]
        assert sorted(api.server.getServerInfo().configuration["users"]) == sorted(USERS)

    def test_superuser_of_others(self, api: API) -> None:
        with pytest.raises(Forbidden, match="superuser"):
            api.server.superuser()

    def test_wrangler(self, harness: JetStreamServers, api: API, root: API) -> None:
        manifest = harness.manifest(api)
        bob = harness.api("bob")
        with pytest.raises(Forbidden):
            bob.server.wrangler()
        root.server.addWranglerAsync(user="bob").result(BOUND)
        assert bob.server.wrangler() is None
        assert bob.send.getManifest(manifest).owner == "ann"
        root.server.deleteWrangler(user="bob")


class TestServer:
    def test_get_server_info(self, harness: JetStreamServers) -> None:
        info = harness.anonymous().server.getServerInfo()
        assert isinstance(info, ServerInfo)
        assert (info.auth_required, info["authRequired"], info.configuration) == (True, True, None)
        assert (info.api_version, info.api_control_port, info["apiVersion"]) == (44, harness.near.port, 44)
        available = info.api_tokens_available, info.event_log_available, info.extra["sharedTokensAvailable"]
        assert (available, "loopback" in (info.version or "")) == ((True,) * 3, True)

    @pytest.mark.parametrize("text", ["hello", None, "", "Łódź \U0001f600 \x01", "a" * 100_000])
    def test_echo(self, api: API, text: Any) -> None:
        assert api.server.echo(text) == (text or "")

    def test_sleep(self, harness: JetStreamServers, api: API) -> None:
        assert [api.server.sleep(1), api.server.sleep(milliseconds=0)] == [None, None]  # type: ignore[func-returns-value]
        assert harness.calls.count("sleep") == 2

    def test_get_event_log(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        transfer = api.send.createTransfer(harness.destination(api), manifest)
        api.send.waitForTransfer(transfer, timeout=BOUND)
        events = api.server.getEventLog()
        assert all(isinstance(event, Event) for event in events)
        assert events[0].event == events[0]["_event"] == "serverStarted"
        mine = [event["status"] for event in events if event.get("transferId") == transfer.transfer_id]
        assert (mine[0], mine[-1]) == ("pending", "complete")
        moments = [event.timestamp or 0 for event in events]
        assert moments == sorted(moments)

    def test_get_third_party_licenses_and_garbage_collect(self, api: API) -> None:
        assert "Werkzeug" in api.server.getThirdPartyLicenses()
        assert api.server.garbageCollect() is None  # type: ignore[func-returns-value]


class TestAdministration:
    def test_sandbox_mappings(self, harness: JetStreamServers, api: API, root: API) -> None:
        harness.near.write("/homes/ann/a.txt", b"a")
        assert root.server.setSandboxMapping(user="ann", mapping={"home": "/homes/%u"}) is None
        try:
            assert root.server.getSandboxMappings() == {"ann": {"home": "/homes/%u"}}
            assert [entry["path"] for entry in api.ls("/home")] == ["/home/a.txt"]
        finally:
            assert root.server.deleteSandboxMapping(user="ann") is None
        assert root.server.getSandboxMappings() == {}
        assert [entry["path"] for entry in api.ls("/homes")] == ["/homes/ann"]

    def test_wranglers(self, root: API) -> None:
        request = root.server.addWranglerAsync(user="bob")
        assert isinstance(request, Request)
        assert request.result(BOUND) is None
        root.server.addWranglerAsync(group="staff").result(BOUND)
        assert sorted(map(str, root.server.getWranglers())) == ["{'group': 'staff'}", "{'user': 'bob'}"]
        assert root.server.deleteWrangler(user="bob") is None
        assert root.server.deleteWrangler(group="staff") is None
        assert root.server.getWranglers() == []

    def test_update_bandwidth_limits(self, root: API) -> None:
        assert root.server.updateBandwidthLimits(incoming=1_000_000, borrow="none") is None
        limits = root.server.getServerInfo().bandwidth_limits
        assert (limits["incoming"], limits["borrow"]) == (1_000_000, "none")

    def test_set_license_key_async(self, harness: JetStreamServers) -> None:
        far = harness.far_api("root")
        far.server.superuser()
        harness.far.configure(licensed=False)
        assert far.server.getServerInfo().license == {"licensed": False}
        assert far.server.setLicenseKeyAsync(key="K-1").result(BOUND) is None
        assert far.server.getServerInfo().license == {"licensed": True}

    def test_discovery_packets(self, harness: JetStreamServers, api: API) -> None:
        far = harness.far_api()
        waiting = far.server.recvDiscoverPacketAsync()
        assert waiting.status().processing is True
        sent = api.server.sendDiscoverPacketAsync(
            destinationAddress=harness.far.host, destinationPort=harness.far.port
        )
        assert sent.result(BOUND) is None
        packet = waiting.result(BOUND)
        assert (packet["sourceIP"], packet["sourcePort"]) == ("127.0.0.1", harness.near.port)


def test_terminate_ends_the_server() -> None:
    with LocalServer(
        services=["jetstream", "jetstream_peer"], jetstream={"users": {"ann": "pass-of-ann-1"}}
    ) as server:
        site = server.jetstream
        options = {"user": "ann", "password": "pass-of-ann-1", "retry": RetryPolicy(attempts=1)}
        with JetStream().api(site.host, site.port, **options) as api:
            with pytest.raises(Forbidden):
                api.server.terminate()
            api.server.superuser()
            assert api.server.terminate() is None

            def gone() -> bool:
                try:
                    api.server.getServerInfo()
                except NetworkError:
                    return True
                return False

            assert until(gone)


def test_administration_is_for_superusers_alone(api: API) -> None:
    server = api.server
    for call in (
        lambda: server.setSandboxMapping(user="", mapping={}),
        server.getSandboxMappings,
        lambda: server.deleteSandboxMapping(user=""),
        lambda: server.addWranglerAsync(user="bob"),
        lambda: server.deleteWrangler(user="bob"),
        server.getWranglers,
        lambda: server.updateBandwidthLimits(incoming=1),
        lambda: server.setLicenseKeyAsync(key="K-1"),
        server.terminate,
    ):
        with pytest.raises(Forbidden, match="superusers") as raised:
            call()
        assert isinstance(raised.value, AuthError)
        assert raised.value.code == "PermissionDenied"
