"""Sources of the address and the login, and the servers that receive the login."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer.credentials import get_config_path
from smartxfer.errors import CredentialError, SmartxferError
from smartxfer.jetstream import JetStream
from tests.support.jetstream_servers import USERS, JetStreamServers

DEFAULT = "http://localhost:8886"


def found(*args: Any, **options: Any) -> Dict[str, str]:
    """Return the address and the login of the connection."""
    api = JetStream().api(*args, **options)
    return {name: api._credentials.get(name) or "" for name in ("base_url", "user", "password")}


def sources(*args: Any, **options: Any) -> Dict[str, str]:
    """Return the sources of address and login."""
    return {name: source for name, _, source in JetStream().api(*args, **options).explain_credentials()}


def profile(text: str) -> None:
    path = get_config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def netrc(home: Path, host: str, user: str, password: str) -> None:
    path = home / ".netrc"
    path.write_text(f"machine {host} login {user} password {password}\n", encoding="utf-8")
    path.chmod(0o600)


def test_the_order_of_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place in turn is the first that has the login; the later ones have it too."""
    netrc(home, "localhost", "netrc-user", "netrc-pass")
    assert found() == {"base_url": DEFAULT, "user": "netrc-user", "password": "netrc-pass"}
    profile("[jetstream]\nuser = profile-user\npassword = profile-pass\n")
    assert found() == {"base_url": DEFAULT, "user": "profile-user", "password": "profile-pass"}
    monkeypatch.setenv("JETSTREAM_API_USER", "env-user")
    monkeypatch.setenv("JETSTREAM_API_PASSWORD", "env-pass")
    assert found() == {"base_url": DEFAULT, "user": "env-user", "password": "env-pass"}
    given = found(user="arg-user", password="arg-pass")
    assert given == {"base_url": DEFAULT, "user": "arg-user", "password": "arg-pass"}
    arguments = f"arguments, for {DEFAULT}"
    assert sources(user="a", password="b") == {
        "base_url": "default",
        "user": arguments,
        "password": arguments,
    }


class TestAddress:
    def test_its_places(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert found()["base_url"] == DEFAULT
        assert found(port=9000)["base_url"] == "http://localhost:9000"
        profile("[jetstream]\nbase_url = files.example.org:9000\n")
        assert found()["base_url"] == "https://files.example.org:9000"
        monkeypatch.setenv("JETSTREAM_API_HOST", "127.0.0.1")
        assert found()["base_url"] == "http://127.0.0.1:8886"
        monkeypatch.setenv("JETSTREAM_API_PORT", "9001")
        assert found()["base_url"] == "http://127.0.0.1:9001"
        assert found(port=9002)["base_url"] == "http://127.0.0.1:9002"
        assert found("localhost", 9003)["base_url"] == "http://localhost:9003"
        assert found("http://127.0.0.1:9004/bridge")["base_url"] == "http://127.0.0.1:9004/bridge"

    def test_the_host_of_the_environment_may_have_its_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JETSTREAM_API_HOST", "127.0.0.1:9005")
        monkeypatch.setenv("JETSTREAM_API_PORT", "9001")
        assert found()["base_url"] == "http://127.0.0.1:9005"
        monkeypatch.setenv("JETSTREAM_API_HOST", "https://bridge.example.org/jet/")
        assert found()["base_url"] == "https://bridge.example.org/jet"

    @pytest.mark.parametrize("value", ["HOST a b", "PORT 99999", "PORT nine", "PORT -1", "PORT 0x10"])
    def test_an_invalid_environment(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv(f"JETSTREAM_API_{value[:4]}", value[5:])
        with pytest.raises(SmartxferError, match=value[5:]):
            found()


class TestBound:
    """A login is only sent to the server that it belongs to."""

    def test_a_named_profile(self) -> None:
        profile("[jetstream]\nuser = one\npassword = 1111\n[jetstream:work]\nuser = two\npassword = 2222\n")
        assert found(profile="work")["user"] == "two"
        assert found()["user"] == "one"


class TestAgainstAServer:
    def test_the_environment_of_the_local_server(self, harness: JetStreamServers, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in harness.near.env.items():
            monkeypatch.setenv(name, value)
        with JetStream().api() as api:
            assert api.ls() == []
            assert api.base_url == f"http://127.0.0.1:{harness.near.port}"
        assert harness.calls[:2] == ["getServerInfo", "auth"]

    def test_a_profile(self, harness: JetStreamServers) -> None:
        profile(f"[jetstream]\nbase_url = {harness.near.url}\nuser = bob\npassword = {USERS['bob']}\n")
        with JetStream().api() as api:
            assert api.server.createAPIToken().owner == "bob"

    def test_half_of_a_login_is_not_a_login(self, harness: JetStreamServers) -> None:
        api = harness.anonymous(user="ann")
        api.connect()
        with pytest.raises(CredentialError, match="no password"):
            api.ls()


def test_an_option_that_there_is_not() -> None:
    with pytest.raises(TypeError, match="unknown"):
        JetStream().api("localhost", 8886, unknown=1)
