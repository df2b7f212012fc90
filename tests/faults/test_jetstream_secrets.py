"""Passwords, tokens and the session: where they go, and where they are never seen: F31, F44."""

from __future__ import annotations

import json
import logging
import re
import stat
from functools import partial
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import RedirectRefused, SmartxferError
from smartxfer.jetstream import API, JetStream
from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.jetstream_harness import DATA, INFO, JetStreamHarness, Polling, lying, on, task
from tests.support.raw_server import Peer, RawServer, Request, answering
from tests.support.secret_scan import error_text as _error_text
from tests.support.secret_scan import kept as _kept
from tests.support.secret_scan import logged as _logged

PASSWORD = "marked-password of a user & 0123456789"
TOKEN_PASSWORD = "marked-passphrase=of+a%token"
#: What is said of any token that the server makes; the tests add its own text.
SECRETS = [PASSWORD, TOKEN_PASSWORD]
#: Token that no server has made.
TOKEN = "MARKED.TOKEN.SENT"
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)


SHARED = partial(JetStreamHarness, files={"/a.bin": DATA}, users={"ann": PASSWORD})


def _check(where: str, text: str, secrets: List[str]) -> None:
    """None of them, nor as they stand in an address or in JSON."""
    from urllib.parse import quote, quote_plus

    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}:
            at = text.find(form)
            assert at < 0, f"a secret in {where}: ...{text[max(0, at - 200) : at + len(form) + 20]}..."


# -- F31: redirects -------------------------------------------------------------------------------------------


@pytest.fixture
def thief() -> Iterator[RawServer]:
    """Another origin, which would answer everything."""

    def reply(request: Request, peer: Peer) -> None:
        peer.answer(200, b'{"jsonrpc": "2.0", "id": 1, "result": null}', "Content-Type: application/json")

    with RawServer(answering(reply)) as server:
        yield server


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
    _check("the error", _error_text(caught.value), [*SECRETS, token.token])


def test_f31_leaving_is_not_redirected_either(harness: JetStreamHarness, thief: RawServer) -> None:
    fault = harness.fault("DELETE /jsonrpc", f"redirect {thief.url}/jsonrpc 307")
    harness.client().close()
    assert (fault.fired, thief.requests) == (1, [])


def test_f31_within_the_server(harness: JetStreamHarness) -> None:
    """Not even there: what is called is another address."""
    fault = harness.fault(INFO, f"redirect {harness.url}/jsonrpc/ 308")
    with pytest.raises(RedirectRefused):
        harness.client()
    assert fault.fired == 1


def test_f31_two_servers_on_one_host(harness: JetStreamHarness) -> None:
    """A jar tells no ports apart: broken by the session of one that is shown to the other."""
    received: Any = []
    api = harness.client()
    api.send.getTransfers()
    with lying({}, received) as other:
        with JetStream().api(other.url, session=api.session) as second:
            second.server.getServerInfo()
        third = JetStream().api(other.url)
        third.connect()
        third.close()
    cookies = [one.headers.get("cookie", "") for one in received]
    mine = [head.get("cookie", "") for head in harness.heads("POST /jsonrpc")]
    assert len({cookie for cookie in mine if cookie}) == 1
    assert not set(cookies) & {cookie for cookie in mine if cookie}
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
    shown = repr(harness.heads("* *")) + repr(harness.targets("* *"))
    _check("a header", shown, [*SECRETS, token.token, "of-another-service"])
    assert "authorization" not in shown.lower()
    assert set(harness.targets("POST *")) == {"/jsonrpc"}


# -- F44: every fault, every logger at DEBUG ------------------------------------------------------------------

ALWAYS = [
    "status 400 body=json:no",
    "status 401",
    "status 403 body=html",
    "status 407",
    "status 429 retry-after=86400",
    "status 500",
    "status 502",
    "status 503 retry-after=0",
    "status 200 body=html",
    "status 200 body=empty",
    "redirect /elsewhere",
    "redirect http://127.0.0.1:1{target} 307",
    "redirect http://[bad{target}",
    "reset-before",
    "stall",
    "lose-answer",
    "no-answer",
    "truncate 5",
    "no-length close truncate 5",
    "flip 3",
    "extra-byte",
    "reset-after-sent 5",
    "flip-in 20",
]
CALLS = ["auth", "authToken", "send.createSharedToken", "createAPIToken", "send.createTransfer"]


def _run(api: API, harness: JetStreamHarness, tokens: List[str]) -> List[BaseException]:
    """Log in, share, log in by what was shared, send; the errors.

    :param tokens: gets every token that was made.
    """

    def share() -> None:
        tokens.append(api.share(["/a.bin"], password=TOKEN_PASSWORD, limit=9).token.token)

    def token() -> None:
        tokens.append(api.server.createAPIToken("of a test", password=TOKEN_PASSWORD).token)

    steps: List[Any] = [
        api.connect,
        share,
        token,
        lambda: api.send_files(["/a.bin"], harness.to, timeout=5),
        lambda: api.send.getSharedTokens(),
        lambda: api.login_token(tokens[0] if tokens else "NO.SUCH.TOKEN", TOKEN_PASSWORD),
        lambda: api.send.getManifests(),
        lambda: api.server.auth("ann", PASSWORD + "!"),
    ]
    errors: List[BaseException] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is
            errors.append(error)
    return errors


@pytest.mark.slow
@pytest.mark.parametrize(("method", "effect"), spread([(method, effect) for method in CALLS for effect in ALWAYS]))
def test_f44_whatever_goes_wrong(harness: JetStreamHarness, log: Any, home: Path, method: str, effect: str) -> None:
    """Detect a body, an answer or a link that is shown as it is."""
    fault = harness.fault(on(method), effect)
    api = harness.api(retry=POLICY, timeout=0.3, clock=Polling())
    tokens: List[str] = []
    errors = _run(api, harness, tokens)
    secrets = SECRETS + tokens
    assert (fault.fired, len(tokens) > 0, errors != []) == (1, True, True)
    assert [error for error in errors if not isinstance(error, SmartxferError)] == []
    _check("an error", "\n".join(map(_error_text, errors)), secrets)
    _check("the log", _logged(log.records), secrets)
    _check("a file", _kept(home), secrets)
    shown = [api, api.explain_credentials(), api.session, api.server, api.send, api._session_state, api._rpc]
    _check("a repr", repr(shown), secrets)
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_f44_what_a_prompt_shows(harness: JetStreamHarness, log: Any) -> None:
    """Tokens and links are handed out, not shown in passing."""
    api = harness.client()
    share = api.share(["/a.bin"], password=TOKEN_PASSWORD)
    token = api.server.createAPIToken(password=TOKEN_PASSWORD)
    secrets = [*SECRETS, share.token.token, token.token]
    _check("a repr", repr([share.token, token, api.send.getSharedTokens(), api.server.getAPITokens(), api]), secrets)
    assert share.link.endswith("token=" + share.token.token)
    with JetStream.from_uri(share.link.replace("?", "?user=1&"), password=TOKEN_PASSWORD) as guest:
        assert guest.send.getManifests()[0].owner == ""
        _check("a repr", repr([guest, guest.explain_credentials()]), secrets)
    with pytest.raises(SmartxferError) as caught:
        JetStream.from_uri(share.link, password="not-" + TOKEN_PASSWORD)
    _check("an error", _error_text(caught.value), secrets)
    _check("the log", _logged(log.records), secrets)


@pytest.mark.parametrize("link", ["jetstream://127.0.0.1/upload?token={}", "http://127.0.0.1/?token={}",
                                  "jetstream:///download?token={}", "jetstream://127.0.0.1:x/download?token={}"])  # fmt: skip
def test_f44_an_invalid_link(link: str) -> None:
    """Fails if a message quotes it whole."""
    token = "MARKED.TOKEN.OFALINK"
    with pytest.raises(SmartxferError) as caught:
        JetStream.from_uri(link.format(token))
    _check("an error", _error_text(caught.value).replace(f"JetStream.from_uri({link!r}", ""), [token])
    with pytest.raises(SmartxferError) as caught:
        JetStream().api(link.format(token))
    _check("an error", str(caught.value), [token])


def test_f44_a_server_that_repeats_the_request(log: Any) -> None:
    """Messages, words and structures of errors that quote the call."""

    def repeat(request: Any) -> Any:
        said = json.dumps(request.params)
        token = request.params.get("token", "")  # on its own, not as the member of an object
        error = {"code": -32002, "message": f"no: {token} {said} {PASSWORD}", "data": {"type": PASSWORD, PASSWORD: [said]}}
        return {"jsonrpc": "2.0", "id": request.id, "error": error}

    answers = {"auth": [repeat], "authToken": [repeat], "send.waitForTransfer": task("7", PASSWORD, False)}
    errors: List[BaseException] = []
    with lying(answers) as server, JetStream().api(server.url) as api:
        for step in (
            lambda: api.server.auth("ann", PASSWORD),
            lambda: api.server.authToken(TOKEN, TOKEN_PASSWORD),
        ):
            with pytest.raises(SmartxferError) as caught:
                step()
            errors.append(caught.value)
    secrets = [*SECRETS, TOKEN]
    _check("an error", "\n".join(map(_error_text, errors)), secrets)
    _check("the log", _logged(log.records), secrets)


@pytest.mark.parametrize("before", range(270, 301, 5))
def test_f44_a_message_that_is_cut(before: int) -> None:
    """Fails if a cut leaves the first half of a password."""
    error = {"code": -32002, "message": "x" * before + PASSWORD}
    with lying({"auth": [lambda request: {"jsonrpc": "2.0", "id": request.id, "error": error}]}) as server:
        with JetStream().api(server.url) as api, pytest.raises(SmartxferError) as caught:
            api.server.auth("ann", PASSWORD)
    _check("an error", str(caught.value), [PASSWORD[:8]])


def test_f44_a_response_that_is_not_json(log: Any) -> None:
    """Fails if an excerpt of it begins with the token."""
    said = b'{"token": "MARKED.TOKEN.CUT", "result": '
    with lying({"send.createSharedToken": [lambda request: said]}) as server, JetStream().api(server.url) as api:
        with pytest.raises(SmartxferError) as caught:
            api.send.createSharedToken("1")
    _check("an error", _error_text(caught.value), ["MARKED.TOKEN.CUT"])
    _check("the log", _logged(log.records), ["MARKED.TOKEN.CUT"])


def test_f44_a_failure_that_names_the_token(log: Any) -> None:
    """In a structure that says why it failed."""
    text = f"{PASSWORD} {TOKEN_PASSWORD}"
    manifest = {"manifestId": "1", "status": "error", "processing": False, "errorMessage": text}
    with lying({"send.createManifest": manifest, "send.waitForManifest": manifest}) as server:
        with JetStream().api(server.url) as api:
            api.server.auth("ann", PASSWORD)
            api.server.authToken("x.y.z", TOKEN_PASSWORD)
            with pytest.raises(SmartxferError) as caught:
                api.share(["/a.bin"])
    _check("a message", f"{caught.value} {_logged(log.records)}", SECRETS)


def test_f44_the_marks_would_be_seen(log: Any) -> None:
    """The look-out itself: what is not masked, it finds."""
    unmasked = "unmasked" + PASSWORD[::-1]
    logging.getLogger("another.library").debug("password %s", unmasked)
    with pytest.raises(AssertionError, match="a secret in the log"):
        _check("the log", _logged(log.records), [unmasked])
    with pytest.raises(AssertionError, match="a secret in an error"):
        _check("an error", _error_text(ValueError(PASSWORD)), SECRETS)
