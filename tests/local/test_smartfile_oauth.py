"""The OAuth 1.0a provider: the three steps, signed calls, and rejected requests."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Tuple
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
from requests_oauthlib import OAuth1Session

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

_NONCES = itertools.count(1)
Pair = Tuple[str, str]
NONE = ("", "")
FORM = "application/x-www-form-urlencoded"


class Application:
    """An application's calls to the provider: the three steps, and calls with its tokens.

    :param service: the local SmartFile.
    :param client: token and secret of the application; None: the registered one.
    """

    def __init__(self, service: Any, client: Any = None) -> None:
        self.service, self.url = service, service.url
        self.client: Pair = client or (service.client_token, service.client_secret)

    def signed(self, token: Pair = NONE, **more: str) -> Dict[str, str]:
        """Return the OAuth parameters of a request; an empty value in ``more`` removes one."""
        signature = quote(self.client[1], safe="~") + "&" + quote(token[1], safe="~")
        found = {
            "oauth_consumer_key": self.client[0], "oauth_token": token[0], "oauth_signature_method": "PLAINTEXT",
            "oauth_signature": signature, "oauth_timestamp": "1700000000", "oauth_nonce": f"nonce{next(_NONCES)}",
            "oauth_version": "1.0", **more,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}

    def post(self, step: str, token: Pair = NONE, **more: str) -> wire.Reply:
        return wire.request(self.url, "POST", f"/oauth/{step}/", b"", header(self.signed(token, **more)))

    def whoami(self, token: Pair = NONE, **more: str) -> int:
        """Return the status of a signed call."""
        return wire.request(self.url, "GET", "/api/2/whoami/", None, header(self.signed(token, **more))).status

    def authorize(self, token: str) -> wire.Reply:
        return wire.request(self.url, "GET", "/oauth/authorize/?" + urlencode({"oauth_token": token}))

    def approve(self, token: Pair) -> str:
        """Return the verifier on the page."""
        reply = self.authorize(token[0])
        assert reply.status == 200, reply.body
        [verifier] = re.findall(r"<code>(\w+)</code>", reply.body.decode())
        return str(verifier)

    def request(self, **more: str) -> Pair:
        """Return a request token."""
        return pair(self.post("request_token", **more))

    def exchange(self, request: Pair, verifier: str) -> Pair:
        """Return an access token."""
        return pair(self.post("access_token", request, oauth_verifier=verifier))

    def access(self) -> Pair:
        """Return an access token by the three steps."""
        request = self.request()
        return self.exchange(request, self.approve(request))


def header(given: Dict[str, str]) -> Dict[str, str]:
    pairs = ", ".join('{}="{}"'.format(name, quote(value, safe="~")) for name, value in given.items())
    return {"Authorization": "OAuth " + pairs}


def pair(reply: wire.Reply) -> Pair:
    assert (reply.status, reply.headers["Content-Type"]) == (200, FORM), reply.body
    found = dict(parse_qsl(reply.body.decode("ascii"), strict_parsing=True))
    assert set(found) == {"oauth_token", "oauth_token_secret"}
    assert min(map(len, found.values())) >= 30
    return found["oauth_token"], found["oauth_token_secret"]


def refused(reply: wire.Reply, why: str) -> None:
    text = reply.body.decode()
    assert (reply.status, reply.headers["Content-Type"].partition(";")[0]) == (403, "text/plain"), text
    assert "could not be verified" in text
    assert why in text
    assert len(text) < 200


@pytest.fixture
def app(server: LocalServer) -> Application:
    return Application(server.smartfile)


@pytest.fixture
def access(app: Application) -> Pair:
    return app.access()


# The three steps


def test_an_established_library_takes_the_three_steps(app: Application) -> None:
    with OAuth1Session(app.client[0], client_secret=app.client[1], signature_method="PLAINTEXT") as session:
        session.fetch_request_token(app.url + "/oauth/request_token/")
        page = session.get(session.authorization_url(app.url + "/oauth/authorize/"), auth=lambda bare: bare)
        [verifier] = re.findall(r"<code>(\w+)</code>", page.text)
        token = session.fetch_access_token(app.url + "/oauth/access_token/", verifier=verifier)
        assert set(token) == {"oauth_token", "oauth_token_secret"}
        for _ in range(2):
            shown = session.get(app.url + "/api/2/whoami/")
            assert (shown.status_code, shown.json()["user"]["username"]) == (200, app.service.username)
        made = session.post(app.url + "/api/2/path/oper/mkdir/", data={"path": "/Ünder & more"})
        assert made.status_code == 200, made.text
        assert session.get(app.url + "/api/2/path/info/%C3%9Cnder%20%26%20more/").json()["isdir"] is True


@pytest.mark.parametrize("place", ["QUERY", "BODY"])
def test_an_established_library_signs_in_query_and_body(app: Application, access: Pair, place: str) -> None:
    with OAuth1Session(*app.client, *access, signature_method="PLAINTEXT", signature_type=place) as session:
        made = session.post(app.url + "/api/2/path/oper/mkdir/", data={"path": "/signed"})
        assert made.status_code == 200, made.text


def test_callbacks(app: Application) -> None:
    request = app.request(oauth_callback="http://127.0.0.1:1/back?keep=a%26b")
    reply = app.authorize(request[0])
    place = urlsplit(reply.headers["Location"])
    assert (reply.status, place._replace(query="").geturl()) == (302, "http://127.0.0.1:1/back")
    query = parse_qs(place.query, strict_parsing=True)
    assert (query["keep"], query["oauth_token"]) == (["a&b"], [request[0]])
    [verifier] = query["oauth_verifier"]
    app.exchange(request, verifier)
    # Without a callback the verifier is on the page.
    for word in ("oob", ""):
        given = header({**app.signed(), "oauth_callback": word})
        assert app.approve(pair(wire.request(app.url, "POST", "/oauth/request_token/", b"", given)))
    for word in ("back", "/back", "javascript:alert(1)"):
        refused(app.post("request_token", oauth_callback=word), "callback")


def test_the_verifier_can_be_fixed() -> None:
    with LocalServer(services=["smartfile"], smartfile={"verifier": "say-friend"}) as server:
        app = Application(server.smartfile)
        for _ in range(2):
            request = app.request()
            app.authorize(request[0])
            app.exchange(request, "say-friend")


@pytest.mark.parametrize("place", ["query", "form", "header"])
def test_parameters_in_header_query_or_form(app: Application, place: str) -> None:
    def ask(application: Application, **more: str) -> wire.Reply:
        given = application.signed(**more)
        if place == "query":
            return wire.request(app.url, "GET", "/oauth/request_token?" + urlencode(given))
        if place == "form":
            kind = {"Content-Type": FORM + "; charset=utf-8"}
            return wire.request(app.url, "POST", "/oauth/request_token", urlencode(given).encode(), kind)
        return wire.request(app.url, "GET", "/oauth/request_token/", None, header(given))

    pair(ask(app))
    pair(ask(app, oauth_version=""))
    refused(ask(Application(app.service, (app.client[0], "wrong"))), "signature")


def test_an_access_token_outlives_the_server(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        access = Application(server.smartfile).access()
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert Application(server.smartfile).whoami(access) == 200


# Refusals

WRONG = [
    ({"oauth_consumer_key": "unknown"}, "application"), ({"oauth_consumer_key": ""}, "application"),
    ({"oauth_signature": "wrong&"}, "signature"), ({"oauth_signature": ""}, "signature"),
    ({"oauth_signature_method": "HMAC-SHA1"}, "PLAINTEXT"), ({"oauth_signature_method": ""}, "PLAINTEXT"),
    ({"oauth_version": "2.0"}, "version"), ({"oauth_timestamp": "soon"}, "timestamp"),
    ({"oauth_timestamp": "1700000000.5"}, "timestamp"), ({"oauth_timestamp": "\u0661"}, "timestamp"),
    ({"oauth_timestamp": ""}, "timestamp"), ({"oauth_nonce": "a" * 65}, "nonce"),
    ({"oauth_nonce": "with-dash"}, "nonce"), ({"oauth_nonce": "line\n"}, "nonce"),
    ({"oauth_nonce": ""}, "nonce"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "why"), WRONG)
def test_wrong_parameters(app: Application, access: Pair, change: Dict[str, str], why: str) -> None:
    refused(app.post("request_token", **change), why)
    assert app.whoami(access, **change) == 401


def test_the_secrets_are_encoded_before_they_are_joined() -> None:
    token, secret = "c" * 30, "a&b%2F+~'" + "x" * 30
    options = {"client_token": token, "client_secret": secret}
    with LocalServer(services=["smartfile"], smartfile=options) as server:
        app = Application(server.smartfile)
        app.request()
        refused(app.post("request_token", oauth_signature=secret + "&"), "signature")


def test_a_nonce_is_good_once_for_a_token_and_a_timestamp(app: Application, access: Pair) -> None:
    app.request(oauth_nonce="aZ09" * 16)
    assert [app.whoami(access, oauth_nonce="once") for _ in range(2)] == [200, 401]
    assert app.whoami(access, oauth_nonce="once", oauth_timestamp="1700000001") == 200
    app.request(oauth_nonce="once")
    refused(app.post("request_token", oauth_nonce="once"), "nonce")
    # A wrong signature spends no nonce.
    refused(app.post("request_token", oauth_nonce="spare", oauth_signature="wrong"), "signature")
    app.request(oauth_nonce="spare")


def test_a_repeated_parameter(app: Application) -> None:
    given = app.signed()
    target = "/oauth/request_token/?" + urlencode({"oauth_nonce": given["oauth_nonce"]})
    refused(wire.request(app.url, "POST", target, b"", header(given)), "twice")


@pytest.mark.parametrize("text", ["OAuth", "OAuth oauth_nonce", 'OAuth oauth_nonce="a', 'OAuth ="a"'])
def test_a_malformed_header(app: Application, text: str) -> None:
    refused(wire.request(app.url, "POST", "/oauth/request_token/", b"", {"Authorization": text}), "verified")
    assert wire.request(app.url, "GET", "/api/2/whoami/", None, {"Authorization": text}).status == 401


def test_a_request_token_needs_the_users_approval(app: Application) -> None:
    request = app.request()
    refused(app.post("access_token", request), "approved")
    verifier = app.approve(request)
    refused(app.post("access_token", request), "verifier")
    refused(app.post("access_token", request, oauth_verifier=verifier + "x"), "verifier")
    app.exchange(request, verifier)


def test_request_token_and_verifier_are_good_once(app: Application) -> None:
    request = app.request()
    verifier = app.approve(request)
    assert app.approve(request) == verifier

    def exchange(_: int) -> int:
        return app.post("access_token", request, oauth_verifier=verifier).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(exchange, range(4))) == [200, 403, 403, 403]
    refused(app.authorize(request[0]), "spent")


def test_tokens_are_not_taken_for_each_other(app: Application, access: Pair) -> None:
    request = app.request()
    refused(app.post("access_token", access, oauth_verifier="x"), "unknown or spent")
    refused(app.post("request_token", access), "without a token")
    assert [app.whoami(token) for token in (request, NONE, (access[0], request[1]))] == [401] * 3


def test_a_token_belongs_to_its_application(app: Application) -> None:
    other = Application(app.service, ("2" * 30, app.client[1]))
    app.service.backend.oauth.clients.update([other.client])
    request = app.request()
    verifier = app.approve(request)
    refused(other.post("access_token", request, oauth_verifier=verifier), "unknown or spent")
    access = app.exchange(request, verifier)
    assert [one.whoami(access) for one in (other, app)] == [401, 200]


def test_other_pages_and_methods(app: Application) -> None:
    assert wire.request(app.url, "GET", "/oauth/nothing/").status == 404
    assert wire.request(app.url, "PUT", "/oauth/request_token/").status == 405
    refused(wire.request(app.url, "GET", "/oauth/authorize/"), "spent")
