"""Sources of the key and the address, and the servers that receive the key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer import RetryPolicy
from smartxfer.credentials import get_config_path
from smartxfer.errors import CredentialError
from smartxfer.perseus import ConfigurationException, PerseusClient
from tests.support.raw_server import RawServer, Request, answering, status

DEFAULT = "https://oath.perseus.lettria.net"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*args: Any, **options: Any) -> Dict[str, str]:
    """Return the address and the key of the client."""
    with PerseusClient(*args, **options) as client:
        credentials = client._credentials
        return {name: credentials.get(name) or "" for name in ("base_url", "api_key")}


def sources(*args: Any, **options: Any) -> Dict[str, str]:
    """Return the sources of address and key."""
    with PerseusClient(*args, **options) as client:
        return {name: source for name, _, source in client.explain_credentials()}


def profile(text: str) -> None:
    path = get_config_path()
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def netrc(home: Path, host: str, password: str) -> None:
    path = home / ".netrc"
    path.write_text(f"machine {host} login any password {password}\n", encoding="utf-8")
    path.chmod(0o600)


def test_the_order_of_places(directory: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place in turn is the first that has the key; the later ones have it too."""
    netrc(home, "oath.perseus.lettria.net", "sk-netrc")
    assert found() == {"base_url": DEFAULT, "api_key": "sk-netrc"}
    profile("[perseus]\napi_key = sk-profile\n")
    assert found()["api_key"] == "sk-profile"
    (directory / ".env").write_text("PERSEUS_API_KEY=sk-dotenv\n", encoding="utf-8")
    assert found()["api_key"] == "sk-dotenv"
    monkeypatch.setenv("LETTRIA_API_KEY", "sk-older-name")
    assert found()["api_key"] == "sk-older-name"
    monkeypatch.setenv("PERSEUS_API_KEY", "sk-environment")
    assert found()["api_key"] == "sk-environment"
    assert found(api_key=" sk-argument\n")["api_key"] == "sk-argument"
    assert sources(api_key="sk-argument") == {"base_url": "default", "api_key": f"arguments, for {DEFAULT}"}


def test_the_address(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["base_url"] == DEFAULT
    (directory / ".env").write_text("PERSEUS_API_HOST=http://127.0.0.1:8001\n", encoding="utf-8")
    assert found()["base_url"] == "http://127.0.0.1:8001"
    monkeypatch.setenv("PERSEUS_API_HOST", "http://127.0.0.1:8002")
    assert found()["base_url"] == "http://127.0.0.1:8002"
    assert found("http://127.0.0.1:8003")["base_url"] == "http://127.0.0.1:8003"
    assert found(api_host="http://127.0.0.1:8003")["base_url"] == "http://127.0.0.1:8003"


class TestDotenv:
    def test_its_forms(self, directory: Path) -> None:
        text = "# ours\nexport PERSEUS_API_KEY='sk-quoted # no comment'\nLETTRIA_API_KEY=sk-older\n"
        (directory / ".env").write_text(text, encoding="utf-8")
        assert found()["api_key"] == "sk-quoted # no comment"
        assert sources()["api_key"] == f".env, for {DEFAULT}"

    def test_the_older_name(self, directory: Path) -> None:
        (directory / ".env").write_text("PERSEUS_API_KEY=\nLETTRIA_API_KEY=sk-older\n", encoding="utf-8")
        assert found()["api_key"] == "sk-older"

    def test_a_key_with_a_dollar_is_taken_as_it_is(self, directory: Path) -> None:
        (directory / ".env").write_text("PERSEUS_API_KEY=sk-${HOME}x\n", encoding="utf-8")
        assert found()["api_key"] == "sk-${HOME}x"

    def test_the_environment_stays_as_it_is(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (directory / ".env").write_text("PERSEUS_API_KEY=sk-x\nOTHER=1\n", encoding="utf-8")
        before = dict(os.environ)
        assert found()["api_key"] == "sk-x"
        assert dict(os.environ) == before


def test_a_missing_key_is_reported_with_every_source_before_anything_is_sent() -> None:
    with PerseusClient("http://127.0.0.1:1") as client:
        with pytest.raises(ConfigurationException) as raised:
            client.file.upload_file(("a.txt", b"a"))
    assert issubclass(ConfigurationException, CredentialError)
    for place in ("PERSEUS_API_KEY", "LETTRIA_API_KEY", ".env", "netrc"):
        assert place in str(raised.value)


def test_the_address_of_the_storage_is_used_as_it_is(home: Path) -> None:
    """The key of netrc is for the host of the service alone; see faults/test_perseus_secrets.py."""
    netrc(home, "127.0.0.1", "sk-netrc")

    def answer(request: Request, peer: Any) -> None:
        if request.path.endswith("/find"):
            peer.answer(200, b'{"files": []}', "Content-Type: application/json", "Set-Cookie: s=api; Path=/")
            return
        url = f"{storage.url}/bucket/k%20%2B.txt?X-Amz-Credential=a%2Fb&X-Amz-Signature=c&b=%2F+%20~"
        made = f'{{"file": {{"id": "1", "name": "a", "status": "pending"}}, "uploadUrl": "{url}"}}'
        peer.answer(200, made.encode(), "Content-Type: application/json")

    with RawServer(answering(status(200, b"", 'ETag: "abc"'))) as storage, RawServer(
        answering(answer)
    ) as api:
        with PerseusClient(api.url, retry=RetryPolicy(attempts=1)) as client:
            client.file.upload_file(("a.txt", b"content"))
    assert {request.headers["authorization"] for request in api.requests} == {"Bearer sk-netrc"}
    [put] = storage.requests
    assert put.target == "/bucket/k%20%2B.txt?X-Amz-Credential=a%2Fb&X-Amz-Signature=c&b=%2F+%20~"
    assert (put.method, put.body) == ("PUT", b"content")
    assert {"authorization", "cookie", "transfer-encoding", "content-encoding"}.isdisjoint(put.headers)


def test_nothing_happens_on_import(directory: Path) -> None:
    (directory / ".env").write_text("PERSEUS_API_KEY=sk-x\n", encoding="utf-8")
    code = (
        "import os, sys, threading\n"
        "before = dict(os.environ)\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(args[0]) if event in ('open', 'socket.connect')"
        " and str(args[0]).endswith('.env') else None)\n"
        "import smartxfer.perseus\n"
        "assert dict(os.environ) == before\n"
        "print(opened, threading.active_count(), 'dotenv' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[] 1 False"
