"""Cookie sessions: started with Basic credentials, protected by a CSRF token and the ``Referer``.

Source: SmartFile protocol, section 2 (Session cookies).
"""

import hmac
import secrets
from typing import Callable, Optional
from urllib.parse import urlsplit

import attrs

from smartxfer.local.bounded_dict import BoundedDict
from smartxfer.local.http_messages import Request, Response, json_response

#: Methods without changes, which need no CSRF token.
_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
#: Lifetime of a session in seconds (an assumption).
_LIFE = 3600


class CsrfRejected(Exception):
    """A changing request with session cookies lacks a valid CSRF token or ``Referer``.

    The API answers 403 with ``{"detail": ...}`` (an assumption: sources name the check, not the status).
    """


@attrs.frozen
class _Session:
    id: str
    csrf: str
    username: str
    expires: float


class Sessions:
    """The sessions of the site, kept in memory.

    :param now: the server's clock, seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: BoundedDict[str, _Session] = BoundedDict()

    def identify(self, request: Request) -> Optional[str]:
        """Return the user of a request's session.

        :return: the user's name; None without a valid session.
        :raises CsrfRejected: token or ``Referer`` of a changing request are missing or invalid.
        """
        session = self._find(request)
        if session is None:
            return None
        if request.method not in _SAFE:
            self._check(request, session)
        return session.username

    def handle(self, request: Request, basic: Optional[str]) -> Response:
        """Handle ``session/``.

        :param request: the request.
        :param basic: user of its Basic credentials, None if missing or invalid.
        """
        if request.method == "POST":
            return Response(401, []) if basic is None else self._begin(basic)
        if request.method not in ("GET", "HEAD", "DELETE"):
            return Response(405, [("Allow", "GET, POST, DELETE")])
        session = self._find(request)
        if session is None:
            return Response(401, [])
        if request.method == "DELETE":
            try:
                self._check(request, session)
            except CsrfRejected as error:
                return json_response({"detail": str(error)}, 403)
            self._sessions.pop(session.id)
            # Not by werkzeug: its dump_cookie() writes the attributes in another order.
            gone = "{}=; Path=/; Max-Age=0"
            return Response(204, [("Set-Cookie", gone.format(name)) for name in ("sessionid", "csrftoken")])
        return json_response({"expires": int(session.expires - self._now())})

    def _begin(self, username: str) -> Response:
        session = _Session(secrets.token_hex(16), secrets.token_hex(16), username, self._now() + _LIFE)
        self._sessions[session.id] = session
        reply = json_response({"user": {"username": username}}, 201)
        reply.headers += [
            ("Set-Cookie", f"sessionid={session.id}; Path=/; Max-Age={_LIFE}; HttpOnly; SameSite=Lax"),
            ("Set-Cookie", f"csrftoken={session.csrf}; Path=/; Max-Age={_LIFE}; SameSite=Lax"),
        ]
        return reply

    def _find(self, request: Request) -> Optional[_Session]:
        session = self._sessions.get(request.cookies.get("sessionid", ""))
        if session is not None and session.expires <= self._now():
            return None
        return session

    def _check(self, request: Request, session: _Session) -> None:
        right = session.csrf.encode("ascii")
        header = request.headers.get("x-csrftoken", "")
        for value in (header, request.cookies.get("csrftoken", "")):
            if not hmac.compare_digest(value.encode("utf-8", "replace"), right):
                raise CsrfRejected("The CSRF token is missing or wrong.")
        referer = request.headers.get("referer", "")
        try:
            host = urlsplit(referer).netloc.lower()
        except ValueError:
            host = ""
        if not host or host != request.headers.get("host", "").lower():
            raise CsrfRejected("The Referer is missing or of another host.")
