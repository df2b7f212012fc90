"""Sessions of guests: a token that is renewed, a session that has ended, a voucher that reaches no recipient."""

from __future__ import annotations

import logging
from typing import Any, List

import pytest
import requests

from smartxfer import FileSenderClient, GuestAuth, RetryPolicy
from smartxfer._system import SYSTEM_CLOCK
from smartxfer.errors import AuthError, Maintenance, UploadRejected
from smartxfer.filesender.request_signer import RequestSigner
from smartxfer.transport import Origin
from tests.support.minimal_filesender import DATA, TO_BOB, VID, RawSite
from tests.support.raw_server import Request

QUICK = RetryPolicy(attempts=2, backoff=0)
def guest(site: RawSite, auth: Any = None) -> FileSenderClient:
    return site.client(auth=auth or GuestAuth(VID), retry=QUICK)


def tokens(site: RawSite) -> List[str]:
    """The security tokens of the writing requests, in order, without repetitions."""
    sent = [one.headers.get("x-filesender-security-token", "") for one in site.requests if one.method != "GET"]
    return [token for at, token in enumerate(sent) if at == 0 or sent[at - 1] != token]


def test_a_renewed_security_token_is_used_from_then_on(site: RawSite, caplog: pytest.LogCaptureFixture) -> None:
    """The site renews it while the upload lasts, says so with any accepted call, and ends the old one later."""
    caplog.set_level(logging.DEBUG)
    chunks = 0

    def watch(request: Request) -> None:
        nonlocal chunks
        chunks += "/chunk/" in request.path
        if chunks == 2:
            site.headers = ["X-Filesender-Security-Token: token-2"]
        if chunks == 4:
            site.headers = ["X-Filesender-Security-Token: token-3"]

    site.watch = watch
    with guest(site) as client:
        client.upload_workflow([("a.bin", DATA)], TO_BOB)
        assert tokens(site) == ["token-1", "token-2", "token-3"]
        assert site.requests[-1].headers["x-filesender-security-token"] == "token-3"
        assert isinstance(client.auth, GuestAuth)
        assert client.auth.security_token == "token-3"
        assert "token-2" not in caplog.text + repr(client)
    assert bytes(site.stored[20]) == DATA


@pytest.mark.parametrize(
    ("status", "sent", "kept"),
    [(200, "token-2", "token-2"), (201, " token-2 ", "token-2"), (400, "token-2", "token-1"), (500, "token-2", "token-1")]
    + [(200, "", "token-1"), (200, "to\tken", "token-1"), (200, "x" * 300, "token-1")],
)
def test_which_answers_renew_the_token(status: int, sent: str, kept: str) -> None:
    auth = GuestAuth(VID, "token-1")
    access = RequestSigner(auth, Origin.parse("https://fs.example.org"), SYSTEM_CLOCK, QUICK, None)
    request = access.sign(requests.Request("PUT", "https://fs.example.org/rest.php/transfer/7").prepare())
    response = requests.Response()
    response.status_code = status
    response.headers["X-Filesender-Security-Token"] = sent
    for hook in request.hooks["response"]:
        hook(response, timeout=5)
    assert auth.security_token == kept


@pytest.mark.parametrize("word", ["rest_security_token_did_not_match", "rest_xsrf_token_did_not_match"])
def test_prepare_revives_a_session_that_has_ended(site: RawSite, word: str) -> None:
    with guest(site) as client:
        client.prepare()
        site.refuse("POST", "/rest.php/transfer", 400, word)
        with pytest.raises(AuthError) as caught:
            client.upload_workflow([("a.bin", DATA)], TO_BOB)
        assert "prepare()" in caught.value.hint
        site.security_token = "token-9"
        client.prepare()
        client.upload_workflow([("a.bin", DATA)], TO_BOB)
    assert site.count("GET", "/") == 2
    assert site.requests[-1].headers["x-filesender-security-token"] == "token-9"
    assert site.status == "available"


def test_given_tokens_are_replaced_once_the_site_refuses_them(site: RawSite) -> None:
    auth = GuestAuth(VID, "stale", "stale")
    site.refuse("POST", "/rest.php/transfer", 400, "rest_xsrf_token_did_not_match")
    with guest(site, auth) as client:
        with pytest.raises(AuthError):
            client.upload_workflow([("a.bin", DATA)], TO_BOB)
        assert site.count("GET", "/") == 0
        client.upload_workflow([("a.bin", DATA)], TO_BOB)
    assert (auth.security_token, auth.csrf_token) == ("token-1", None)
    assert site.count("GET", "/") == 1


@pytest.mark.parametrize("call", ["upload_workflow", "create_transfer"])
def test_a_voucher_without_a_link_and_without_recipients_sends_nothing(site: RawSite, call: str) -> None:
    """The create answer shows the options in force; the completion would fail after all bytes were sent."""
    site.recipients = []
    with guest(site) as client, pytest.raises(UploadRejected) as caught:
        if call == "upload_workflow":
            client.upload_workflow([("a.bin", DATA)])
        else:
            client.create_transfer({"files": [{"name": "a.bin", "size": 5}]})
    assert "get_a_link" in caught.value.hint
    assert "recipients" in caught.value.hint
    assert (site.count("PUT", "/rest.php/.*"), site.count("DELETE", "/rest.php/transfer/7")) == (0, 1)


@pytest.mark.parametrize(
    ("options", "recipients"),
    [({"get_a_link": True}, [""]), ({"get_a_link": False}, ["ann@example.org"]), ({}, [])],
    ids=["a link", "only to the inviter", "not shown"],
)
def test_other_vouchers_send(site: RawSite, options: Any, recipients: Any) -> None:
    site.options, site.recipients = options, recipients
    with guest(site) as client:
        client.upload_workflow([("a.bin", DATA)])
    assert site.status == "available"


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("guest", '<div id="page" class="maintenance_page"></div>'),
        ("", "<h1>This application is under maintenance</h1>"),
    ],
)
def test_a_site_under_maintenance_is_not_a_bad_voucher(site: RawSite, kind: str, element: str) -> None:
    site.page = lambda: f'<body data-security-token="x" data-auth-type="{kind}">{element}</body>'
    with guest(site) as client, pytest.raises(Maintenance) as caught:
        client.prepare()
    assert caught.value.retryable
    assert "maintenance" in caught.value.hint
