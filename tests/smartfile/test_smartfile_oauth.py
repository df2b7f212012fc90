"""OAuth 1.0a in three steps, and the signed values."""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from responses import RequestsMock

from smartxfer.errors import CredentialError, DecodeError, Forbidden, UsageError
from smartxfer.smartfile import OAuthClient, OAuthToken
from tests.support.fake_clock import FakeClock
from tests.support.request_bodies import body_of

SITE = "https://files.example.com"
CLIENT = ("c" * 30, "s&cret %" + "s" * 22)


def client(clock: FakeClock, *tokens: str, **options: Any) -> OAuthClient:
    return OAuthClient(*CLIENT, *tokens, url=SITE, clock=clock, **options)


def signed(call: Any) -> dict[str, str]:
    """The parameters of the Authorization header, decoded."""
    header = call.request.headers["Authorization"]
    header = header.decode() if isinstance(header, bytes) else header
    assert header.startswith("OAuth ")
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}


def test_three_steps(web: RequestsMock, clock: FakeClock) -> None:
    web.post(SITE + "/oauth/request_token/", body="oauth_token=req&oauth_token_secret=rs")
    web.post(SITE + "/oauth/access_token/", body="oauth_token=acc&oauth_token_secret=as%26")
    web.get(SITE + "/api/2/ping/", json={"ping": "pong"})
    with client(clock) as api:
        token, secret = api.get_request_token()
        assert (token, secret) == ("req", "rs")
        assert api.get_authorization_url() == SITE + "/oauth/authorize/?oauth_token=req"
        assert api.get_access_token(None, "1234") == OAuthToken("acc", "as&")
        assert api.get("/ping") == {"ping": "pong"}
    first, second, third = [signed(call) for call in web.calls]
    for parameters in (first, second, third):
        assert parameters["oauth_consumer_key"] == CLIENT[0]
        assert parameters["oauth_signature_method"] == "PLAINTEXT"
        assert parameters["oauth_version"] == "1.0"
        assert re.fullmatch("[A-Za-z0-9]{8,64}", parameters["oauth_nonce"])
        assert re.fullmatch("[0-9]+", parameters["oauth_timestamp"])
    own = "s%26cret%20%25" + "s" * 22
    assert first["oauth_signature"] == own + "&"
    assert (second["oauth_token"], second["oauth_verifier"]) == ("req", "1234")
    assert second["oauth_signature"] == own + "&rs"
    assert (third["oauth_token"], third["oauth_signature"]) == ("acc", own + "&as%26")
    assert web.calls[0].request.body is None


def test_a_callback(web: RequestsMock, clock: FakeClock) -> None:
    web.post(SITE + "/oauth/request_token/", body="oauth_token=req&oauth_token_secret=rs")
    with client(clock) as api:
        api.get_request_token("https://me.example.com/back?x=1")
    assert signed(web.calls[0])["oauth_callback"] == "https://me.example.com/back?x=1"


def test_bodies_are_sent_as_they_are(web: RequestsMock, clock: FakeClock) -> None:
    web.post(SITE + "/api/2/path/oper/mkdir/", json={"path": "/ü&"})
    web.post(SITE + "/api/2/path/data/", json=[])
    with client(clock, "a" * 30, "b" * 30) as api:
        api.post("/path/oper/mkdir/", path="/ü&")
        api.post("/path/data/", file=("a", io.BytesIO(b"bytes")))
    form, file = [call.request for call in web.calls]
    assert form.body == b"path=%2F%C3%BC%26"
    assert form.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert b"\r\n\r\nbytes\r\n" in body_of(file)
    assert file.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert int(file.headers["Content-Length"]) == len(file.body)  # type: ignore[arg-type]


def test_each_attempt_has_its_own_nonce(web: RequestsMock, clock: FakeClock) -> None:
    web.get(SITE + "/api/2/whoami/", status=429, headers={"Retry-After": "1"})
    web.get(SITE + "/api/2/whoami/", json={})
    with client(clock, "a" * 30, "b" * 30) as api:
        api.get("/whoami")
    nonces = [signed(call)["oauth_nonce"] for call in web.calls]
    assert len(set(nonces)) == 2


def test_what_is_missing_is_named(clock: FakeClock) -> None:
    with client(clock) as api:
        with pytest.raises(UsageError, match="get_request_token"):
            api.get_authorization_url()
        with pytest.raises(CredentialError, match="SMARTFILE_ACCESS_TOKEN"):
            api.get("/whoami")
        with pytest.raises(UsageError, match="token, secret"):
            api.get_access_token("unknown", "v")
    with OAuthClient(url=SITE, clock=clock) as api, pytest.raises(CredentialError, match="CLIENT_TOKEN"):
        api.get_request_token()


def test_a_refusal(web: RequestsMock, clock: FakeClock) -> None:
    web.post(SITE + "/oauth/request_token/", status=403, body="Could not verify OAuth request.")
    with client(clock) as api, pytest.raises(Forbidden, match="Could not verify"):
        api.get_request_token()


def test_an_answer_without_a_token(web: RequestsMock, clock: FakeClock) -> None:
    web.post(SITE + "/oauth/request_token/", body="<html>hello</html>")
    with client(clock) as api, pytest.raises(DecodeError, match="no token or no secret"):
        api.get_request_token()


@pytest.mark.parametrize("url", ["http://files.example.com", "http://10.0.0.1:8000"])
def test_secrets_do_not_travel_in_the_clear(clock: FakeClock, url: str) -> None:
    with OAuthClient(*CLIENT, url=url, clock=clock) as api, pytest.raises(UsageError, match="unencrypted"):
        api.get_request_token()


def test_an_access_token_in_a_netrc_file(
    clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named file is read; ``~/.netrc`` has the key and password of BasicClient, not an OAuth token."""
    path = tmp_path / ".netrc"
    path.write_text("machine files.example.com login tok1 password sec1\n")
    path.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with client(clock) as api:
        assert api._credentials.get("access_token") is None
    for netrcfile in (path, str(path)):
        with client(clock, netrcfile=netrcfile) as api:
            assert api._credentials.require("access_token", "access_secret") == {
                "access_token": "tok1",
                "access_secret": "sec1",
            }


def test_nothing_shows_a_secret(clock: FakeClock) -> None:
    with client(clock, "a" * 30, "b" * 30) as api:
        assert "ccc" not in repr(api)
        assert "bbb" not in repr(api)
        assert all("*" in value for name, value, _ in api.explain_credentials() if name != "base_url")
        with pytest.raises(TypeError):
            pickle.dumps(api)
    assert "sec" not in repr(OAuthToken("tok", "sec"))
