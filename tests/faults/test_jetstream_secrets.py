"""Passwords, tokens and the session: where they go, and where they are never seen: F31, F44."""

from __future__ import annotations

import json
import re
import stat
from functools import partial
from pathlib import Path
from typing import Any, List, Tuple
from urllib.parse import quote, quote_plus

import pytest

from smartxfer.errors import DecodeError, RedirectRefused, SmartxferError
from smartxfer.jetstream import API, JetStream
from smartxfer.transport import RetryPolicy
from tests.support import jetstream_harness as js
from tests.support import secret_scan as scan
from tests.support.amounts import spread
from tests.support.jetstream_harness import JetStreamHarness, lying_api, on
from tests.support.raw_server import RawServer

PASSWORD = "marked-password of a user & 0123456789"
TOKEN_PASSWORD = "marked-passphrase=of+a%token"
#: What is said of any token that the server makes; the tests add its own text.
SECRETS = [PASSWORD, TOKEN_PASSWORD]
#: Token that no server has made; once it was used, it is masked everywhere.
TOKEN = "MARKED.TOKEN.SENT"
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)
SHARED = partial(JetStreamHarness, files={"/a.bin": js.DATA}, users={"ann": PASSWORD})


def _check(secrets: List[str], *found: Any, **more: Any) -> None:
    """Look for secrets as they are, and as they stand in an address or in JSON."""
    ways: List[Any] = [str, lambda text: quote(text, safe=""), quote_plus, lambda text: json.dumps(text)[1:-1]]
    scan.check_all({way(secret) for secret in secrets for way in ways}, *found, **more)


# -- F31: redirects -------------------------------------------------------------------------------------------

STEPS = ["getServerInfo", "auth", "send.getTransfers", "send.createManifest", "authToken", "send.deleteManifest"]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", STEPS)
def test_f31_no_call_goes_elsewhere(harness: JetStreamHarness, thief: RawServer, method: str, code: int) -> None:
    """Fails if a POST turns into a GET, or if another origin sees a cookie, a password or a token."""
    owner = harness.client()
    token = owner.send.createSharedToken(harness.manifest(owner), password=TOKEN_PASSWORD)
    fault = harness.fault(on(method), f"redirect {thief.url}/jsonrpc {code}")
    api = harness.api()
    with pytest.raises(RedirectRefused, match=re.escape(thief.url)) as caught:
        api.connect()
        api.send.getTransfers()
        api.send.deleteManifest(api.send.createManifest({"/a": "/a.bin"}))
        api.login_token(token, TOKEN_PASSWORD)
    assert (fault.fired, thief.requests) == (1, [])
    _check([*SECRETS, token.token], [caught.value])


def test_f31_leaving_is_not_redirected_either(harness: JetStreamHarness, thief: RawServer) -> None:
    fault = harness.fault("DELETE /jsonrpc", f"redirect {thief.url}/jsonrpc 307")
    harness.client().close()
    assert (fault.fired, thief.requests) == (1, [])


def test_f31_within_the_server(harness: JetStreamHarness) -> None:
    """Not even there: what is called is another address."""
    fault = harness.fault(js.INFO, f"redirect {harness.url}/jsonrpc/ 308")
    with pytest.raises(RedirectRefused):
        harness.client()
    assert fault.fired == 1


def test_f31_two_servers_on_one_host(harness: JetStreamHarness) -> None:
    """A jar tells no ports apart: broken by the session of one that is shown to the other."""
    received: Any = []
    api = harness.client()
    api.send.getTransfers()
    with js.lying({}, received) as other:
        with JetStream().api(other.url, session=api.session) as second:
            second.server.getServerInfo()
        third = JetStream().api(other.url)
        third.connect()
        third.close()
    theirs = {one.headers.get("cookie", "") for one in received}
    mine = {head.get("cookie", "") for head in harness.heads("POST /jsonrpc")} - {""}
    assert (len(mine), theirs & mine) == (1, set())
    assert PASSWORD not in "".join(request.body.decode() for request in other.requests)


def test_f31_nothing_in_headers_or_addresses(harness: JetStreamHarness, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and tokens go in the body, once; netrc's go nowhere by themselves."""
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login bob password of-another-service\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api = harness.client()
    token = api.send.createSharedToken(harness.manifest(api), password=TOKEN_PASSWORD)
    harness.api(user=None, password=None).login_token(token, TOKEN_PASSWORD)
    shown = [harness.heads("* *"), harness.targets("* *")]
    _check([*SECRETS, token.token, "of-another-service"], shown=shown)
    assert "authorization" not in repr(shown).lower()
    assert set(harness.targets("POST *")) == {"/jsonrpc"}


# -- F44: every fault, every logger at DEBUG ------------------------------------------------------------------

ALWAYS = [
    *(f"status {answer}" for answer in ("400 body=json:no", "401", "403 body=html", "407", "429 retry-after=86400")),
    *(f"status {answer}" for answer in ("500", "502", "503 retry-after=0", "200 body=html", "200 body=empty")),
    *("redirect /elsewhere", "redirect http://127.0.0.1:1{target} 307", "redirect http://[bad{target}"),
    *("reset-before", "stall", "lose-answer", "no-answer", "truncate 5", "no-length close truncate 5"),
    *("flip 3", "extra-byte", "reset-after-sent 5", "flip-in 20"),
]
CALLS = ["auth", "authToken", "send.createSharedToken", "createAPIToken", "send.createTransfer"]


def _run(api: API, harness: JetStreamHarness) -> Tuple[List[BaseException], List[str]]:
    """Log in, share, log in by what was shared, send; the errors, and every token that was made."""
    tokens: List[str] = []
    errors = scan.errors_of(
        api.connect,
        lambda: tokens.append(api.share(["/a.bin"], password=TOKEN_PASSWORD, limit=9).token.token),
        lambda: tokens.append(api.server.createAPIToken("of a test", password=TOKEN_PASSWORD).token),
        lambda: api.send_files(["/a.bin"], harness.to, timeout=5),
        lambda: api.send.getSharedTokens(),
        lambda: api.login_token(tokens[0] if tokens else "NO.SUCH.TOKEN", TOKEN_PASSWORD),
        lambda: api.send.getManifests(),
        lambda: api.server.auth("ann", PASSWORD + "!"),
    )
    return errors, tokens


@pytest.mark.slow
@pytest.mark.parametrize(("method", "effect"), spread([(method, effect) for method in CALLS for effect in ALWAYS]))
def test_f44_whatever_goes_wrong(harness: JetStreamHarness, log: Any, home: Path, method: str, effect: str) -> None:
    """Detect a body, an answer or a link that is shown as it is."""
    fault = harness.fault(on(method), effect)
    api = harness.api(retry=POLICY, timeout=0.3, clock=js.Polling())
    errors, tokens = _run(api, harness)
    assert (fault.fired, len(tokens) > 0, errors != []) == (1, True, True)
    assert [error for error in errors if not isinstance(error, SmartxferError)] == []
    shown = [api, api.explain_credentials(), api.session, api.server, api.send, api._session_state, api._rpc]
    _check(SECRETS + tokens, errors, log.records, [home], shown)
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_f44_what_a_prompt_shows(harness: JetStreamHarness, log: Any) -> None:
    """Tokens and links are handed out, not shown in passing."""
    api = harness.client()
    share = api.share(["/a.bin"], password=TOKEN_PASSWORD)
    token = api.server.createAPIToken(password=TOKEN_PASSWORD)
    shown = [share.token, token, api.send.getSharedTokens(), api.server.getAPITokens(), api]
    assert share.link.endswith("token=" + share.token.token)
    with JetStream.from_uri(share.link.replace("?", "?user=1&"), password=TOKEN_PASSWORD) as guest:
        assert guest.send.getManifests()[0].owner == ""
        shown += [guest, guest.explain_credentials()]
    with pytest.raises(SmartxferError) as caught:
        JetStream.from_uri(share.link, password="not-" + TOKEN_PASSWORD)
    _check([*SECRETS, share.token.token, token.token], [caught.value], log.records, shown=shown)


@pytest.mark.parametrize("link", ["jetstream://127.0.0.1/upload?token={}", "http://127.0.0.1/?token={}",
                                  "jetstream:///download?token={}", "jetstream://127.0.0.1:x/download?token={}"])  # fmt: skip
def test_f44_an_invalid_link(link: str) -> None:
    """Fails if a message quotes it whole."""
    token = "MARKED.TOKEN.OFALINK"
    with pytest.raises(SmartxferError) as caught:
        JetStream.from_uri(link.format(token))
    _check([token], [caught.value])
    with pytest.raises(SmartxferError) as caught:
        JetStream().api(link.format(token))
    assert token not in str(caught.value)


# -- F44: servers that repeat what they got -------------------------------------------------------------------


def test_f44_a_server_that_repeats_the_request(log: Any) -> None:
    """Messages, words and structures of errors that quote the call."""

    def repeat(request: Any) -> Any:
        said = json.dumps(request.params)
        token = request.params.get("token", "")  # on its own, not as the member of an object
        data = {"type": PASSWORD, PASSWORD: [said]}
        return js.refusal("AuthenticationFailed", f"no: {token} {said} {PASSWORD}", data=data)(request)

    answers = {"auth": [repeat], "authToken": [repeat], "send.waitForTransfer": js.task("7", PASSWORD, False)}
    with lying_api(answers) as api:
        login, token = lambda: api.server.auth("ann", PASSWORD), lambda: api.server.authToken(TOKEN, TOKEN_PASSWORD)
        errors = scan.errors_of(login, token)
    assert [isinstance(error, SmartxferError) for error in errors] == [True, True]
    _check([*SECRETS, TOKEN], errors, log.records)


@pytest.mark.parametrize("before", range(270, 301, 5))
def test_f44_a_message_that_is_cut(before: int) -> None:
    """Fails if a cut leaves the first half of a password."""
    answers = {"auth": [js.refusal("AuthenticationFailed", "x" * before + PASSWORD)]}
    with lying_api(answers) as api, pytest.raises(SmartxferError) as caught:
        api.server.auth("ann", PASSWORD)
    assert PASSWORD[:8] not in str(caught.value)


def test_f44_a_response_that_is_not_json(log: Any) -> None:
    """Fails if an excerpt of it begins with the token."""
    said = b'{"token": "MARKED.TOKEN.CUT", "result": '
    with lying_api({"send.createSharedToken": [lambda request: said]}) as api:
        with pytest.raises(SmartxferError) as caught:
            api.send.createSharedToken("1")
    _check(["MARKED.TOKEN.CUT"], [caught.value], log.records)


def test_f44_another_token_than_the_one_that_was_asked_for(log: Any) -> None:
    with lying_api({"getAPIToken": {"token": "ANOTHER"}}) as api, pytest.raises(DecodeError, match="another") as caught:
        api.server.getAPIToken("ONE")
    assert "ANOTHER" not in str(caught.value)


def test_f44_a_failure_that_names_the_token(log: Any) -> None:
    """In a structure that says why it failed."""
    manifest = {**js.MANIFEST, "status": "error", "errorMessage": f"{PASSWORD} {TOKEN_PASSWORD}"}
    with lying_api({"send.createManifest": manifest, "send.waitForManifest": manifest}) as api:
        api.server.auth("ann", PASSWORD)
        api.server.authToken("x.y.z", TOKEN_PASSWORD)
        with pytest.raises(SmartxferError) as caught:
            api.share(["/a.bin"])
    _check(SECRETS, records=log.records, shown=[str(caught.value)])


def test_f44_the_marks_would_be_seen(log: Any) -> None:
    """The look-out itself: it finds the forms of a secret that is not masked."""
    for form in (quote(PASSWORD), quote_plus(PASSWORD), json.dumps(TOKEN_PASSWORD)):
        with pytest.raises(AssertionError, match="a secret in an error"):
            _check(SECRETS, [ValueError(form)])
