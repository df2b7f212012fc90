"""Who asks: Basic authentication, OAuth, or the cookie of a session.

Source: SmartFile protocol, section 2.
"""

import base64
import binascii
import hmac
from typing import Optional

from smartxfer.local.exchange import Exchange
from smartxfer.local.smartfile.answers import Refusal, detail
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.fields import Pairs
from smartxfer.local.smartfile.oauth import Unverified
from smartxfer.local.smartfile.sessions import Forged

__all__ = ["basic", "identify"]

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="SmartFile"'}


def identify(call: Call) -> str:
    """Name of the user who makes a call.

    :raises Refusal: 401 with an empty body, nobody or not with these credentials; 403, a session
        without its CSRF token.
    """
    backend, exchange = call.backend, call.exchange
    if exchange.headers.get("authorization", "").lower().startswith("basic "):
        user = basic(backend, exchange)
    else:
        try:
            user = backend.oauth.identify(exchange, _form(call)) or backend.sessions.identify(exchange)
        except Unverified:
            user = None
        except Forged as error:
            raise detail(403, str(error)) from None
    if user is None:
        raise Refusal(401, None, _CHALLENGE)
    return user


def _form(call: Call) -> Pairs:
    """The form body, where OAuth parameters may travel; read only where there is no header."""
    if call.media_type != "application/x-www-form-urlencoded" or call.header("authorization"):
        return []
    return call.form


def basic(backend: Backend, exchange: Exchange) -> Optional[str]:
    """The user of an ``Authorization: Basic`` header: by API key, or by user name and password.

    :return: None where there is no such header, or it names nobody.
    """
    scheme, _, encoded = exchange.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    if _same(name, backend.key) and _same(password, backend.password):
        return backend.username
    user = backend.kept.get("user", name)
    if user is not None and user.get("password") and _same(password, user["password"]):
        return name
    return None


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
