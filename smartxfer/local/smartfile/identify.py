"""Who asks: Basic authentication, OAuth, or the cookie of a session.

Source: SmartFile protocol, section 2.
"""

import hmac
from typing import Optional

from smartxfer.local.http_messages import Request
from smartxfer.local.smartfile.answers import ApiError, detail
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.fields import Pairs
from smartxfer.local.smartfile.oauth import Unverified
from smartxfer.local.smartfile.sessions import Forged

__all__ = ["basic", "identify"]


def identify(call: Call) -> str:
    """Name of the user who makes a call.

    :raises ApiError: 401 with an empty body, nobody or not with these credentials; 403, a session
        without its CSRF token.
    """
    backend, request = call.backend, call.request
    if call.header("authorization").lower().startswith("basic "):
        user = basic(backend, request)
    else:
        try:
            user = backend.oauth.identify(request, _form(call)) or backend.sessions.identify(request)
        except Unverified:
            user = None
        except Forged as error:
            raise detail(403, str(error)) from None
    if user is None:
        raise ApiError(401, None, [("WWW-Authenticate", 'Basic realm="SmartFile"')])
    return user


def _form(call: Call) -> Pairs:
    """The form body, where OAuth parameters may travel; read only where there is no header."""
    if call.request.media_type != "application/x-www-form-urlencoded" or call.header("authorization"):
        return []
    return call.form


def basic(backend: Backend, request: Request) -> Optional[str]:
    """The user of an ``Authorization: Basic`` header: by API key, or by user name and password.

    :return: None where there is no such header, or it names nobody.
    """
    given = request.authorization
    if given is None or given.username is None or given.password is None:
        return None
    name, password = given.username, given.password
    if _same(name, backend.key) and _same(password, backend.password):
        return backend.username
    user = backend.kept.get("user", name)
    if user is not None and user.get("password") and _same(password, user["password"]):
        return name
    return None


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
