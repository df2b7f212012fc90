"""Secrets and links: data that a link's host receives, and messages about a secret that is not used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, GuestAuth, RetryPolicy, UserAuth
from smartxfer.credentials import get_config_path
from smartxfer.errors import CredentialError, Forbidden
from smartxfer.filesender import Auth
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client
from smartxfer.smartfile import BasicClient
from tests.support.raw_server import Peer, RawServer, Request, answering

TOKEN = "hxvmxx9n-2e5u-br7d-4sf5-ypa3-tq55qw43"
SECRET = "marked-0123456789abcdef"
ONCE = RetryPolicy(attempts=1)


class Console:
    """A JetStream server that wants a login, and counts those that come."""

    def __init__(self) -> None:
        self.calls: List[Any] = []
        self.server: Any = None

    def __call__(self, request: Request, peer: Peer) -> None:
        if request.method == "DELETE":
            peer.answer(204)
            return
        asked = json.loads(request.body)
        method, params = asked["method"], asked.get("params")
        self.calls.append((method, params))
        body: Dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"], "result": None}
        if method.endswith("getServerInfo"):
            body["result"] = {"authRequired": True}
        peer.answer(200, json.dumps(body).encode(), "Content-Type: application/json")

    @property
    def logins(self) -> List[Any]:
        """The calls that log in, with their parameters."""
        return [call for call in self.calls if "auth" in call[0].lower()]


@pytest.fixture
def console() -> Iterator[Any]:
    made = Console()
    with RawServer(answering(made)) as server:
        made.server = server
        yield made


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """User and password of JetStream in the environment, without a host."""
    monkeypatch.setenv("JETSTREAM_API_USER", "ann")
    monkeypatch.setenv("JETSTREAM_API_PASSWORD", SECRET)


def test_a_links_token_is_used_alone(console: Any, account: None) -> None:
    """Fails if the connection logs in with the account before the token."""
    with JetStream.from_uri(f"jetstream://127.0.0.1:{console.server.port}/download?token=A.B.C", password="open"):
        pass
    assert console.logins == [("authToken", {"token": "A.B.C", "password": "open"})]


def test_a_host_of_the_account_gets_only_the_token_too(console: Any, account: None, monkeypatch: Any) -> None:
    monkeypatch.setenv("JETSTREAM_API_HOST", console.server.url)
    JetStream.from_uri(f"jetstream://127.0.0.1:{console.server.port}/download?token=A.B.C").close()
    assert [method for method, _ in console.logins] == ["authToken"]


def test_a_later_session_of_a_links_connection_has_no_account(console: Any, account: None) -> None:
    """Fails if a connection that was ended logs in with the account when it is used again."""
    api = JetStream.from_uri(f"jetstream://127.0.0.1:{console.server.port}/download?token=A.B.C")
    api.disconnect()
    api.connect()
    api.close()
    assert [method for method, _ in console.logins] == ["authToken"]
    with pytest.raises(CredentialError) as caught:
        api._credentials.require("user", "password")
    assert "JETSTREAM_API_PASSWORD is set, but" in str(caught.value)
    assert "comes from a link, whose own token is used alone" in str(caught.value)
    assert "instead of the link" in caught.value.hint
    assert SECRET not in str(caught.value)


def test_a_host_with_another_port_gets_nothing_of_a_profile(console: Any, monkeypatch: Any) -> None:
    """Fails if port= makes the environment's host an address of the program."""
    path = get_config_path()
    path.parent.mkdir(parents=True)
    path.write_text(f"[jetstream]\nuser = ann\npassword = {SECRET}\n", encoding="utf-8")
    path.chmod(0o600)
    monkeypatch.setenv("JETSTREAM_API_HOST", "127.0.0.1")
    with JetStream().api(port=console.server.port):
        pass
    assert console.logins == []
    with JetStream().api("127.0.0.1", console.server.port):
        pass
    assert console.logins == [("auth", {"user": "ann", "password": SECRET})]


# -- FileSender ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "kind"), [(f"s=download&token={TOKEN}", Auth), (f"s=upload&vid={TOKEN}", GuestAuth)]
)
def test_an_account_is_not_used_with_a_link(query: str, kind: type) -> None:
    """Fails if requests to a link's site are signed with a given account."""
    client = FileSenderClient(f"https://fs.example.org/?{query}", auth=UserAuth("ann", SECRET))
    assert type(client.auth) is kind
    with pytest.raises(CredentialError) as caught:
        client._credentials.require("username", "api_key")
    assert "api_key is among the arguments, but" in str(caught.value)
    assert caught.value.hint == "to use an account, give the client https://fs.example.org instead of the link"
    assert SECRET not in str(caught.value) + repr(client)


def test_a_link_without_a_path_is_a_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fails if ``smartxfer fetch`` sends the token of such a link to the site of the environment."""
    from click.testing import CliRunner

    from smartxfer.cli.app import app

    def answer(request: Request, peer: Peer) -> None:
        peer.answer(404)

    with RawServer(answering(answer)) as own, RawServer(answering(answer)) as sender:
        monkeypatch.setenv("FILESENDER_BASE_URL", own.url)
        CliRunner().invoke(app, ["fetch", f"127.0.0.1:{sender.port}?s=download&token={TOKEN}", str(tmp_path)])
        assert own.requests == []
        assert sender.requests


# -- what is shown ---------------------------------------------------------------------------------------


def test_an_error_names_each_secret_that_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTFILE_API_URL", "http://127.0.0.1:18082")
    monkeypatch.setenv("SMARTFILE_API_KEY", "key-" + SECRET)
    monkeypatch.setenv("SMARTFILE_API_PASSWORD", SECRET)
    with BasicClient(url="http://127.0.0.1:18092") as client, pytest.raises(CredentialError) as caught:
        client.get("path/info")
    said = str(caught.value)
    assert "no key and no password for http://127.0.0.1:18092" in said
    for variable in ("SMARTFILE_API_KEY", "SMARTFILE_API_PASSWORD"):
        assert f"{variable} is set, but belongs to http://127.0.0.1:18082 (SMARTFILE_API_URL)" in said
    assert caught.value.hint == (
        "pass key= and password=, or set SMARTFILE_API_URL and SMARTFILE_API_KEY and SMARTFILE_API_PASSWORD"
    )
    assert SECRET not in said


def test_a_refusal_of_a_repository_names_the_token_that_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the hint asks a guest with a token to set the token."""

    def answer(request: Request, peer: Peer) -> None:
        refused = b'{"status": 403, "message": "Permission denied."}'
        peer.answer(403 if "/api/" in request.path else 404, refused, "Content-Type: application/json")

    monkeypatch.setenv("NRP_TOKEN", SECRET)
    with RawServer(answering(answer)) as server:
        with get_client(f"{server.url}/records/abcde-12345", retry=ONCE) as client:
            with pytest.raises(Forbidden) as caught:
                client.get("user/records")
    assert "NRP_TOKEN is set, but no URL is set in the same source" in caught.value.hint
    assert all("authorization" not in request.headers for request in server.requests)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_netrc_and_a_link_without_tls(scheme: str, home: Path) -> None:
    """Fails if the entry of a host is sent in clear because a link says http."""
    netrc = home / ".netrc"
    netrc.write_text(f"machine repo.example.org login any password {SECRET}\n", encoding="utf-8")
    netrc.chmod(0o600)
    with get_client(f"{scheme}://repo.example.org/records/abcde-12345") as client:
        [_, (_, value, source)] = client.explain_credentials()
    if scheme == "https":
        assert (value, source) == ("ma***ef", f"{netrc}, for https://repo.example.org")
    else:
        assert (value, source.partition("; ")[0]) == ("", "not found")
        assert f"{netrc} has an entry for repo.example.org, but" in source
        assert "is not https" in source
