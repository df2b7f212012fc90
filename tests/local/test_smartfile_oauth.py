"""The OAuth 1.0a provider: the three steps, signed calls, and rejected requests."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Dict, Tuple
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
from requests_oauthlib import OAuth1Session

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

_NONCES = itertools.count(1)
Pair = Tuple[str, str]
Signed = Dict[str, str]


def parameters(client: Pair, token: Pair = ("", ""), **more: str) -> Signed:
    """Return the OAuth parameters of a request; an empty value in ``more`` removes one."""
    found = {
        "oauth_consumer_key": client[0],
        "oauth_token": token[0],
        "oauth_signature_method": "PLAINTEXT",
        "oauth_signature": quote(client[1], safe="~") + "&" + quote(token[1], safe="~"),
        "oauth_timestamp": "1700000000",
        "oauth_nonce": f"nonce{next(_NONCES)}",
        "oauth_version": "1.0",
        **more,
    }
    return {name: value for name, value in found.items() if value}


def header(given: Signed) -> Dict[str, str]:
    pairs = ", ".join('{}="{}"'.format(name, quote(value, safe="~")) for name, value in given.items())
    return {"Authorization": "OAuth " + pairs}


def pair_of(server: LocalServer) -> Pair:
    """Return token and secret of the registered application."""
    return server.smartfile.client_token, server.smartfile.client_secret


@pytest.fixture
def url(server: LocalServer) -> str:
    return server.smartfile.url


@pytest.fixture
def client(server: LocalServer) -> Pair:
    return pair_of(server)


def post(url: str, step: str, given: Signed) -> wire.Reply:
    return wire.request(url, "POST", f"/oauth/{step}/", b"", header(given))


def pair(reply: wire.Reply) -> Pair:
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/x-www-form-urlencoded"
    found = dict(parse_qsl(reply.body.decode("ascii"), strict_parsing=True))
    assert set(found) == {"oauth_token", "oauth_token_secret"}
    assert min(map(len, found.values())) >= 30
    return found["oauth_token"], found["oauth_token_secret"]


def refused(reply: wire.Reply, why: str) -> None:
    assert reply.status == 403, reply.body
    assert reply.headers["Content-Type"].startswith("text/plain")
    text = reply.body.decode()
    assert "could not be verified" in text
    assert why in text
    assert len(text) < 200


def approve(url: str, token: str) -> str:
    """Return the verifier on the page."""
    reply = wire.request(url, "GET", "/oauth/authorize/?" + urlencode({"oauth_token": token}))
    assert reply.status == 200, reply.body
    match = re.search(r"<code>(\w+)</code>", reply.body.decode())
    assert match is not None
    return match.group(1)


@pytest.fixture
def access(url: str, client: Pair) -> Pair:
    """Return an access token by the three steps."""
    request = pair(post(url, "request_token", parameters(client)))
    verifier = approve(url, request[0])
    return pair(post(url, "access_token", parameters(client, request, oauth_verifier=verifier)))


def whoami(url: str, given: Signed, method: str = "GET") -> wire.Reply:
    return wire.request(url, method, "/api/2/whoami/", None, header(given))


def test_the_three_steps_give_a_token_that_signs_calls(
    server: LocalServer, url: str, client: Pair, access: Pair
) -> None:
    reply = whoami(url, parameters(client, access))
    assert reply.status == 200, reply.body
    assert reply.json()["user"]["username"] == server.smartfile.username


def test_an_established_library_takes_the_three_steps(url: str, client: Pair) -> None:
    with OAuth1Session(client[0], client_secret=client[1], signature_method="PLAINTEXT") as session:
        session.fetch_request_token(url + "/oauth/request_token/")
        page = session.get(session.authorization_url(url + "/oauth/authorize/"), auth=lambda bare: bare)
        match = re.search(r"<code>(\w+)</code>", page.text)
        assert match is not None
        token = session.fetch_access_token(url + "/oauth/access_token/", verifier=match.group(1))
        assert set(token) == {"oauth_token", "oauth_token_secret"}
        for _ in range(2):
            assert session.get(url + "/api/2/whoami/").status_code == 200
        made = session.post(url + "/api/2/path/oper/mkdir/", data={"path": "/Ünder & more"})
        assert made.status_code == 200, made.text
        assert session.get(url + "/api/2/path/info/%C3%9Cnder%20%26%20more/").json()["isdir"] is True


@pytest.mark.parametrize("place", ["QUERY", "BODY"])
def test_an_established_library_signs_in_query_and_body(
    url: str, client: Pair, access: Pair, place: str
) -> None:
    with OAuth1Session(
        client[0], client[1], *access, signature_method="PLAINTEXT", signature_type=place
    ) as session:
        made = session.post(url + "/api/2/path/oper/mkdir/", data={"path": "/signed"})
        assert made.status_code == 200, made.text


def test_a_callback_gets_the_verifier(url: str, client: Pair) -> None:
    back = "http://127.0.0.1:1/back?keep=a%26b"
    request = pair(post(url, "request_token", parameters(client, oauth_callback=back)))
    reply = wire.request(url, "GET", "/oauth/authorize/?" + urlencode({"oauth_token": request[0]}))
    assert reply.status == 302
    place = urlsplit(reply.headers["Location"])
    assert place._replace(query="").geturl() == "http://127.0.0.1:1/back"
    query = parse_qs(place.query, strict_parsing=True)
    assert query["keep"] == ["a&b"]
    assert query["oauth_token"] == [request[0]]
    (verifier,) = query["oauth_verifier"]
    pair(post(url, "access_token", parameters(client, request, oauth_verifier=verifier)))


def test_out_of_band_is_no_callback(url: str, client: Pair) -> None:
    for word in ("oob", ""):
        reply = post(url, "request_token", {**parameters(client), "oauth_callback": word})
        assert approve(url, pair(reply)[0])


def test_a_callback_that_is_no_address(url: str, client: Pair) -> None:
    for word in ("back", "/back", "javascript:alert(1)"):
        refused(post(url, "request_token", parameters(client, oauth_callback=word)), "callback")


def test_the_verifier_can_be_fixed() -> None:
    with LocalServer(services=["smartfile"], smartfile={"verifier": "say-friend"}) as server:
        service = server.smartfile
        client = pair_of(server)
        for _ in range(2):
            request = pair(post(service.url, "request_token", parameters(client)))
            wire.request(service.url, "GET", "/oauth/authorize/?oauth_token=" + request[0])
            signed = parameters(client, request, oauth_verifier="say-friend")
            pair(post(service.url, "access_token", signed))


def by_query(url: str, given: Signed) -> wire.Reply:
    return wire.request(url, "GET", "/oauth/request_token?" + urlencode(given))


def by_form(url: str, given: Signed) -> wire.Reply:
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return wire.request(url, "POST", "/oauth/request_token", urlencode(given).encode(), kind)


def by_header_and_get(url: str, given: Signed) -> wire.Reply:
    return wire.request(url, "GET", "/oauth/request_token/", None, header(given))


@pytest.mark.parametrize("ask", [by_query, by_form, by_header_and_get])
def test_parameters_travel_in_header_query_or_form(
    url: str, client: Pair, ask: Callable[[str, Signed], wire.Reply]
) -> None:
    pair(ask(url, parameters(client)))
    pair(ask(url, parameters(client, oauth_version="")))
    refused(ask(url, parameters((client[0], "wrong"))), "signature")


WRONG = [
    ({"oauth_consumer_key": "unknown"}, "application"),
    ({"oauth_consumer_key": ""}, "application"),
    ({"oauth_signature": "wrong&"}, "signature"),
    ({"oauth_signature": ""}, "signature"),
    ({"oauth_signature_method": "HMAC-SHA1"}, "PLAINTEXT"),
    ({"oauth_signature_method": ""}, "PLAINTEXT"),
    ({"oauth_version": "2.0"}, "version"),
    ({"oauth_timestamp": "soon"}, "timestamp"),
    ({"oauth_timestamp": "1700000000.5"}, "timestamp"),
    ({"oauth_timestamp": "\u0661"}, "timestamp"),
    ({"oauth_timestamp": ""}, "timestamp"),
    ({"oauth_nonce": "a" * 65}, "nonce"),
    ({"oauth_nonce": "with-dash"}, "nonce"),
    ({"oauth_nonce": "line\n"}, "nonce"),
    ({"oauth_nonce": ""}, "nonce"),
]


@pytest.mark.parametrize(("change", "why"), WRONG)
def test_what_is_refused(url: str, client: Pair, access: Pair, change: Dict[str, str], why: str) -> None:
    refused(post(url, "request_token", parameters(client, **change)), why)
    assert whoami(url, parameters(client, access, **change)).status == 401


def test_a_nonce_of_64_letters_and_digits_is_good(url: str, client: Pair) -> None:
    pair(post(url, "request_token", parameters(client, oauth_nonce="aZ09" * 16)))


def test_the_secrets_are_encoded_before_they_are_joined() -> None:
    client = ("c" * 30, "a&b%2F+~'" + "x" * 30)
    options = {"client_token": client[0], "client_secret": client[1]}
    with LocalServer(services=["smartfile"], smartfile=options) as server:
        pair(post(server.smartfile.url, "request_token", parameters(client)))
        bare = parameters(client, oauth_signature=client[1] + "&")
        refused(post(server.smartfile.url, "request_token", bare), "signature")


def test_a_nonce_is_good_once_for_a_token_and_a_timestamp(url: str, client: Pair, access: Pair) -> None:
    given = parameters(client, access, oauth_nonce="once")
    assert whoami(url, given).status == 200
    assert whoami(url, given).status == 401
    assert whoami(url, {**given, "oauth_timestamp": "1700000001"}).status == 200
    pair(post(url, "request_token", parameters(client, oauth_nonce="once")))
    refused(post(url, "request_token", parameters(client, oauth_nonce="once")), "nonce")


def test_a_wrong_signature_spends_no_nonce(url: str, client: Pair) -> None:
    wrong = parameters(client, oauth_nonce="spare", oauth_signature="wrong")
    refused(post(url, "request_token", wrong), "signature")
    pair(post(url, "request_token", parameters(client, oauth_nonce="spare")))


def test_a_parameter_that_comes_twice(url: str, client: Pair) -> None:
    given = parameters(client)
    target = "/oauth/request_token/?" + urlencode({"oauth_nonce": given["oauth_nonce"]})
    refused(wire.request(url, "POST", target, b"", header(given)), "twice")


@pytest.mark.parametrize("text", ["OAuth", "OAuth oauth_nonce", 'OAuth oauth_nonce="a', 'OAuth ="a"'])
def test_a_header_that_is_malformed(url: str, text: str) -> None:
    reply = wire.request(url, "POST", "/oauth/request_token/", b"", {"Authorization": text})
    refused(reply, "verified")
    assert wire.request(url, "GET", "/api/2/whoami/", None, {"Authorization": text}).status == 401


@pytest.fixture
def request_token(url: str, client: Pair) -> Pair:
    return pair(post(url, "request_token", parameters(client)))


def test_a_request_token_needs_the_users_approval(url: str, client: Pair, request_token: Pair) -> None:
    def signed(**more: str) -> Signed:
        return parameters(client, request_token, **more)

    refused(post(url, "access_token", signed()), "approved")
    verifier = approve(url, request_token[0])
    refused(post(url, "access_token", signed()), "verifier")
    refused(post(url, "access_token", signed(oauth_verifier=verifier + "x")), "verifier")
    pair(post(url, "access_token", signed(oauth_verifier=verifier)))


def test_request_token_and_verifier_are_good_once(url: str, client: Pair, request_token: Pair) -> None:
    verifier = approve(url, request_token[0])
    assert approve(url, request_token[0]) == verifier

    def exchange(_: int) -> int:
        return post(url, "access_token", parameters(client, request_token, oauth_verifier=verifier)).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(exchange, range(4))) == [200, 403, 403, 403]
    again = wire.request(url, "GET", "/oauth/authorize/?oauth_token=" + request_token[0])
    refused(again, "spent")


def test_tokens_are_not_taken_for_each_other(
    url: str, client: Pair, access: Pair, request_token: Pair
) -> None:
    assert whoami(url, parameters(client, request_token)).status == 401
    refused(post(url, "access_token", parameters(client, access, oauth_verifier="x")), "unknown or spent")
    refused(post(url, "request_token", parameters(client, access)), "without a token")
    assert whoami(url, parameters(client)).status == 401
    assert whoami(url, parameters(client, (access[0], request_token[1]))).status == 401


def test_a_token_belongs_to_its_application(server: LocalServer, url: str, client: Pair) -> None:
    other = ("2" * 30, client[1])
    server.smartfile.backend.oauth.clients.update([other])
    request = pair(post(url, "request_token", parameters(client)))
    verifier = approve(url, request[0])
    stolen = parameters(other, request, oauth_verifier=verifier)
    refused(post(url, "access_token", stolen), "unknown or spent")
    access = pair(post(url, "access_token", parameters(client, request, oauth_verifier=verifier)))
    assert whoami(url, parameters(other, access)).status == 401
    assert whoami(url, parameters(client, access)).status == 200


def test_an_access_token_outlives_the_server(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        client = pair_of(server)
        request = pair(post(server.smartfile.url, "request_token", parameters(client)))
        verifier = approve(server.smartfile.url, request[0])
        signed = parameters(client, request, oauth_verifier=verifier)
        access = pair(post(server.smartfile.url, "access_token", signed))
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert whoami(server.smartfile.url, parameters(client, access)).status == 200


def test_other_pages_and_methods(url: str) -> None:
    assert wire.request(url, "GET", "/oauth/nothing/").status == 404
    assert wire.request(url, "PUT", "/oauth/request_token/").status == 405
    refused(wire.request(url, "GET", "/oauth/authorize/"), "spent")
