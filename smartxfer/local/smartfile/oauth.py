"""OAuth 1.0a with PLAINTEXT signatures: the three steps, and who signed an API call.

Source: SmartFile protocol, section 2 (OAuth 1.0a, PLAINTEXT) and section 8, point 2 (auto-approval, a
fixed verifier).
"""

import hmac
import html
import re
import secrets
from typing import Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from smartxfer.local.body import BodyTooLong
from smartxfer.local.database import Database, Row
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.recent import Recent

Pairs = Sequence[Tuple[str, str]]

#: Bytes of a form on ``oauth/``.
_FORM_LIMIT = 1 << 20
_HEADER_PAIR = re.compile(r'\s*([^\s=",]+)\s*=\s*"([^"]*)"\s*(?:,|$)')

#: Nonces that are remembered.
_NONCES = 100_000
#: Random bytes of a token and of a secret; clients insist on at least 30 characters.
_TOKEN_BYTES = 20

_REQUESTS = """CREATE TABLE IF NOT EXISTS oauth_requests
    (token TEXT PRIMARY KEY, secret TEXT NOT NULL, client TEXT NOT NULL, callback TEXT NOT NULL,
    verifier TEXT)
"""
_ACCESS = """CREATE TABLE IF NOT EXISTS oauth_access
    (token TEXT PRIMARY KEY, secret TEXT NOT NULL, client TEXT NOT NULL, username TEXT NOT NULL)
"""
_NONCE = re.compile(r"[A-Za-z0-9]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,18}")


class Unverified(Exception):
    """A request whose OAuth parameters do not hold; says why in a few words."""


def form_pairs(request: Request) -> List[Tuple[str, str]]:
    """Fields of a form body; empty where the body is something else.

    :raises BodyTooLong: it is too long for a form.
    """
    if request.media_type != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(request.body.read(_FORM_LIMIT).decode("utf-8", "replace"), keep_blank_values=True)


def oauth_parameters(request: Request, form: Pairs) -> Dict[str, str]:
    """Every ``oauth_`` parameter by name.

    :param form: fields of the form body.
    :raises Unverified: the header is malformed, or a parameter comes twice.
    """
    pairs: List[Tuple[str, str]] = []
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "oauth":
        pairs += _header_pairs(text)
    pairs += parse_qsl(request.query, keep_blank_values=True)
    pairs += form
    found: Dict[str, str] = {}
    for name, value in pairs:
        if not name.startswith("oauth_"):
            continue
        if name in found:
            raise Unverified(f"{name} comes twice")
        found[name] = value
    return found


# By hand: werkzeug keeps one of two parameters of a name, which have to be refused.
def _header_pairs(text: str) -> List[Tuple[str, str]]:
    """Names and values of an ``Authorization: OAuth`` header, decoded once."""
    pairs, place = [], 0
    while place < len(text):
        match = _HEADER_PAIR.match(text, place)
        if match is None:
            raise Unverified("the header is malformed")
        pairs.append((unquote(match.group(1)), unquote(match.group(2))))
        place = match.end()
    return pairs


class OAuth:
    """The OAuth 1.0a provider of the site.

    :param database: where tokens are kept over a restart.
    :param clients: secrets of the registered applications by their token (consumer key).
    :param username: the user who approves every application.
    :param verifier: the verifier that every approval gives; empty: a new one each time.
    """

    def __init__(
        self, database: Database, clients: Mapping[str, str], username: str, verifier: str = ""
    ) -> None:
        self.clients = dict(clients)
        self.username = username
        self.verifier = verifier
        self._db = database
        self._nonces: Recent[Tuple[str, str, str, str], bool] = Recent(_NONCES)
        database.run(_REQUESTS)
        database.run(_ACCESS)

    def answer(self, request: Request) -> Response:
        """Answer a request below ``/oauth/``, with or without a slash at the end."""
        step = request.path.strip("/").partition("/")[2]
        steps = {
            "request_token": self._request_token,
            "authorize": self._authorize,
            "access_token": self._access_token,
        }
        if step not in steps:
            return text_response(404, "<html><h1>404 Not Found</h1></html>", "text/html")
        if request.method not in ("GET", "POST"):
            return Response(405, [("Allow", "GET, POST")])
        try:
            return steps[step](request, form_pairs(request))
        except (Unverified, BodyTooLong) as error:
            return text_response(403, f"The OAuth request could not be verified: {error}.", "text/plain")

    def identify(self, request: Request, form: Pairs = ()) -> Optional[str]:
        """The user on whose behalf an API call is signed.  A nonce is spent by this: ask once.

        :param request: the call.
        :param form: fields of its form body, where it has one.
        :return: the user's name; None for a call without OAuth parameters.
        :raises Unverified: it has some, and they do not hold; the API says 401 to that.
        """
        parameters = oauth_parameters(request, form)
        if not parameters:
            return None
        row = self._row("oauth_access", parameters)
        self._verify(parameters, row["secret"])
        name: str = row["username"]
        return name

    def grant(self, client: str) -> Tuple[str, str]:
        """A new access token of an application, without the three steps.

        :param client: token of the application.
        :return: the access token and its secret.
        """
        token, secret = _new(), _new()
        self._db.run("INSERT INTO oauth_access VALUES (?,?,?,?)", token, secret, client, self.username)
        return token, secret

    def _request_token(self, request: Request, form: Pairs) -> Response:
        parameters = oauth_parameters(request, form)
        if parameters.get("oauth_token"):
            raise Unverified("a request token is asked for without a token")
        callback = parameters.get("oauth_callback") or "oob"
        if callback != "oob" and not _is_address(callback):
            raise Unverified("the callback is no address")
        self._verify(parameters, "")
        token, secret = _new(), _new()
        client = parameters["oauth_consumer_key"]
        self._db.insert("oauth_requests", token=token, secret=secret, client=client, callback=callback)
        return _tokens(token, secret)

    def _authorize(self, request: Request, form: Pairs) -> Response:
        """The page on which a user approves; everybody is approved here."""
        pairs = [*parse_qsl(request.query, keep_blank_values=True), *form]
        token = dict(pairs).get("oauth_token", "")
        with self._db.transaction():
            row = self._db.find("oauth_requests", token=token)
            if row is None:
                raise Unverified("the request token is unknown or spent")
            # A page that is loaded again shows the same verifier again.
            verifier = row["verifier"] or self.verifier or secrets.token_hex(4)
            self._db.run("UPDATE oauth_requests SET verifier=? WHERE token=?", verifier, token)
        if row["callback"] == "oob":
            page = "<html><title>Access granted</title><p>Your verifier is <code>{}</code></p></html>"
            return text_response(200, page.format(html.escape(verifier)), "text/html; charset=utf-8")
        target = urlsplit(row["callback"])
        added = urlencode({"oauth_token": token, "oauth_verifier": verifier})
        place = target._replace(query=f"{target.query}&{added}" if target.query else added)
        return Response(302, [("Location", place.geturl())])

    def _access_token(self, request: Request, form: Pairs) -> Response:
        parameters = oauth_parameters(request, form)
        row = self._row("oauth_requests", parameters)
        self._verify(parameters, row["secret"])
        if not row["verifier"]:
            raise Unverified("the user has not approved yet")
        if not _same(row["verifier"], parameters.get("oauth_verifier", "")):
            raise Unverified("the verifier is wrong")
        # Of two that come at once, one gets the token.
        if not self._db.delete("oauth_requests", token=row["token"]):
            raise Unverified("the request token is unknown or spent")
        return _tokens(*self.grant(row["client"]))

    def _row(self, table: str, parameters: Mapping[str, str]) -> Row:
        """The token that a request names, which must be its application's own."""
        token = parameters.get("oauth_token", "")
        found = self._db.find(table, token=token)
        if found is None or found["client"] != parameters.get("oauth_consumer_key"):
            raise Unverified("the token is unknown or spent")
        return found

    def _verify(self, parameters: Mapping[str, str], token_secret: str) -> None:
        """Check all that a signed request must carry; the nonce last, only a good request spends it.

        :raises Unverified: something is missing, wrong, or was used before.
        """
        client = parameters.get("oauth_consumer_key", "")
        secret = self.clients.get(client)
        if secret is None:
            raise Unverified("the application is unknown")
        if parameters.get("oauth_signature_method") != "PLAINTEXT":
            raise Unverified("the signature method is not PLAINTEXT")
        if parameters.get("oauth_version", "1.0") != "1.0":
            raise Unverified("the version is not 1.0")
        stamp, nonce = parameters.get("oauth_timestamp", ""), parameters.get("oauth_nonce", "")
        if not _NUMBER.fullmatch(stamp):
            raise Unverified("the timestamp is no number")
        if not _NONCE.fullmatch(nonce):
            raise Unverified("the nonce is not 1 to 64 letters and digits")
        right = quote(secret, safe="~") + "&" + quote(token_secret, safe="~")
        if not _same(right, parameters.get("oauth_signature", "")):
            raise Unverified("the signature is wrong")
        key = (client, parameters.get("oauth_token", ""), stamp, nonce)
        if not self._nonces.add(key, True):
            raise Unverified("the nonce was used before")


def _new() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


def _same(right: str, given: str) -> bool:
    return hmac.compare_digest(right.encode("utf-8"), given.encode("utf-8", "surrogatepass"))


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and text.isprintable()


def _tokens(token: str, secret: str) -> Response:
    """A token pair as the provider sends it."""
    text = urlencode({"oauth_token": token, "oauth_token_secret": secret})
    return text_response(200, text, "application/x-www-form-urlencoded")
