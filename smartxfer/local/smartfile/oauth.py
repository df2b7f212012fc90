"""OAuth 1.0a with PLAINTEXT signatures: the three steps, and authentication of API calls.

Source: SmartFile protocol, section 2 (OAuth 1.0a, PLAINTEXT) and section 8, point 2 (auto-approval, a
fixed verifier).
"""

import hmac
import html
import re
import secrets
from typing import Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from smartxfer.local.bounded_dict import BoundedDict
from smartxfer.local.database import Database, Row
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.request_body import BodyTooLong

Pairs = Sequence[Tuple[str, str]]

#: Largest form on ``oauth/`` in bytes.
_FORM_LIMIT = 1 << 20
_HEADER_PAIR = re.compile(r'\s*([^\s=",]+)\s*=\s*"([^"]*)"\s*(?:,|$)')

#: Largest number of stored nonces.
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


class SignatureRejected(Exception):
    """Invalid OAuth parameters, with the reason."""


def form_pairs(request: Request) -> List[Tuple[str, str]]:
    """Return the fields of a form body; empty for another body.

    :raises BodyTooLong: the form is too long.
    """
    if request.media_type != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(request.body.read(_FORM_LIMIT).decode("utf-8", "replace"), keep_blank_values=True)


def oauth_parameters(request: Request, form: Pairs) -> Dict[str, str]:
    """Return every ``oauth_`` parameter by name.

    :param form: fields of the form body.
    :raises SignatureRejected: the header is malformed, or a parameter is repeated.
    """
    pairs: List[Tuple[str, str]] = []
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "oauth":
        pairs += _header_pairs(text)
    pairs += parse_qsl(request.query, keep_blank_values=True)
    pairs += form
    parameters: Dict[str, str] = {}
    for name, value in pairs:
        if not name.startswith("oauth_"):
            continue
        if name in parameters:
            raise SignatureRejected(f"{name} comes twice")
        parameters[name] = value
    return parameters


# Not by werkzeug: it drops one of two parameters of a name, which must be rejected.
def _header_pairs(text: str) -> List[Tuple[str, str]]:
    """Return names and values of an ``Authorization: OAuth`` header, decoded once."""
    pairs, place = [], 0
    while place < len(text):
        match = _HEADER_PAIR.match(text, place)
        if match is None:
            raise SignatureRejected("the header is malformed")
        pairs.append((unquote(match.group(1)), unquote(match.group(2))))
        place = match.end()
    return pairs


class OAuth:
    """The OAuth 1.0a provider of the site.

    :param database: database of the tokens.
    :param clients: secrets of the registered applications by their token (consumer key).
    :param username: the user who approves every application.
    :param verifier: verifier of every approval; empty: a new one each time.
    """

    def __init__(
        self, database: Database, clients: Mapping[str, str], username: str, verifier: str = ""
    ) -> None:
        self.clients = dict(clients)
        self.username = username
        self.verifier = verifier
        self._db = database
        self._nonces: BoundedDict[Tuple[str, str, str, str], bool] = BoundedDict(_NONCES)
        database.execute(_REQUESTS)
        database.execute(_ACCESS)

    def handle(self, request: Request) -> Response:
        """Handle a request below ``/oauth/``, with or without a slash at the end."""
        step = request.path.strip("/").partition("/")[2]
        steps = {
            "request_token": self._request_token, "authorize": self._authorize,
            "access_token": self._access_token,
        }
        if step not in steps:
            return text_response(404, "<html><h1>404 Not Found</h1></html>", "text/html")
        if request.method not in ("GET", "POST"):
            return Response(405, [("Allow", "GET, POST")])
        try:
            return steps[step](request, form_pairs(request))
        except (SignatureRejected, BodyTooLong) as error:
            return text_response(403, f"The OAuth request could not be verified: {error}.", "text/plain")

    def identify(self, request: Request, form: Pairs = ()) -> Optional[str]:
        """Return the user on whose behalf an API call is signed.  This consumes the nonce: call it once.

        :param request: the call.
        :param form: fields of its form body.
        :return: the user's name; None for a call without OAuth parameters.
        :raises SignatureRejected: the parameters are invalid; the response is 401.
        """
        parameters = oauth_parameters(request, form)
        if not parameters:
            return None
        row = self._row("oauth_access", parameters)
        self._verify(parameters, row["secret"])
        name: str = row["username"]
        return name

    def grant(self, client: str) -> Tuple[str, str]:
        """Return a new access token of an application, without the three steps.

        :param client: token of the application.
        :return: the access token and its secret.
        """
        token, secret = _new_token(), _new_token()
        self._db.execute("INSERT INTO oauth_access VALUES (?,?,?,?)", token, secret, client, self.username)
        return token, secret

    def _request_token(self, request: Request, form: Pairs) -> Response:
        parameters = oauth_parameters(request, form)
        if parameters.get("oauth_token"):
            raise SignatureRejected("a request token is asked for without a token")
        callback = parameters.get("oauth_callback") or "oob"
        if callback != "oob" and not _is_address(callback):
            raise SignatureRejected("the callback is not a URL")
        self._verify(parameters, "")
        token, secret = _new_token(), _new_token()
        client = parameters["oauth_consumer_key"]
        self._db.insert("oauth_requests", token=token, secret=secret, client=client, callback=callback)
        return _token_response(token, secret)

    def _authorize(self, request: Request, form: Pairs) -> Response:
        """Handle the authorization page; every request is approved."""
        pairs = [*parse_qsl(request.query, keep_blank_values=True), *form]
        token = dict(pairs).get("oauth_token", "")
        with self._db.transaction():
            row = self._db.find("oauth_requests", token=token)
            if row is None:
                raise SignatureRejected("the request token is unknown or spent")
            # A reloaded page shows the same verifier.
            verifier = row["verifier"] or self.verifier or secrets.token_hex(4)
            self._db.execute("UPDATE oauth_requests SET verifier=? WHERE token=?", verifier, token)
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
            raise SignatureRejected("the user has not approved yet")
        if not _is_same_secret(row["verifier"], parameters.get("oauth_verifier", "")):
            raise SignatureRejected("the verifier is wrong")
        # Of two simultaneous requests only one gets the token.
        if not self._db.delete("oauth_requests", token=row["token"]):
            raise SignatureRejected("the request token is unknown or spent")
        return _token_response(*self.grant(row["client"]))

    def _row(self, table: str, parameters: Mapping[str, str]) -> Row:
        """Return the token that a request names, which must belong to the application."""
        token = parameters.get("oauth_token", "")
        row = self._db.find(table, token=token)
        if row is None or row["client"] != parameters.get("oauth_consumer_key"):
            raise SignatureRejected("the token is unknown or spent")
        return row

    def _verify(self, parameters: Mapping[str, str], token_secret: str) -> None:
        """Verify a signed request; the nonce is checked last, so that only a valid request consumes it.

        :raises SignatureRejected: a parameter is missing, invalid, or was used before.
        """
        client = parameters.get("oauth_consumer_key", "")
        secret = self.clients.get(client)
        if secret is None:
            raise SignatureRejected("the application is unknown")
        if parameters.get("oauth_signature_method") != "PLAINTEXT":
            raise SignatureRejected("the signature method is not PLAINTEXT")
        if parameters.get("oauth_version", "1.0") != "1.0":
            raise SignatureRejected("the version is not 1.0")
        stamp, nonce = parameters.get("oauth_timestamp", ""), parameters.get("oauth_nonce", "")
        if not _NUMBER.fullmatch(stamp):
            raise SignatureRejected("the timestamp is not a number")
        if not _NONCE.fullmatch(nonce):
            raise SignatureRejected("the nonce is not 1 to 64 letters and digits")
        right = quote(secret, safe="~") + "&" + quote(token_secret, safe="~")
        if not _is_same_secret(right, parameters.get("oauth_signature", "")):
            raise SignatureRejected("the signature is wrong")
        key = (client, parameters.get("oauth_token", ""), stamp, nonce)
        if not self._nonces.add(key, True):
            raise SignatureRejected("the nonce was used before")


def _new_token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


def _is_same_secret(right: str, value: str) -> bool:
    return hmac.compare_digest(right.encode("utf-8"), value.encode("utf-8", "surrogatepass"))


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and text.isprintable()


def _token_response(token: str, secret: str) -> Response:
    """Return the response with a token pair."""
    text = urlencode({"oauth_token": token, "oauth_token_secret": secret})
    return text_response(200, text, "application/x-www-form-urlencoded")
