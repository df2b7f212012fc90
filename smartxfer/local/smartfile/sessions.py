"""Sessions by cookie: begun with Basic credentials, guarded by a CSRF token and the ``Referer``.

Source: SmartFile protocol, section 2 (Session cookies).
"""

import hmac
import secrets
from typing import Callable, Optional
from urllib.parse import urlsplit

import attrs

from smartxfer.local.http_messages import Request, Response, json_response
from smartxfer.local.recent import Recent

#: Methods that change nothing and need no CSRF token.
_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
#: Seconds that a session lives (an assumption: no source names a figure).
_LIFE = 3600


class Forged(Exception):
    """A changing request came with a session's cookies, but without proof that the client meant it.

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
        self._known: Recent[str, _Session] = Recent()

    def identify(self, request: Request) -> Optional[str]:
        """The user whose session a request belongs to.

        :return: the user's name; None where the request has no live session.
        :raises Forged: it changes something, and token or ``Referer`` are missing or wrong.
        """
        session = self._find(request)
        if session is None:
            return None
        if request.method not in _SAFE:
            self._check(request, session)
        return session.username

    def answer(self, request: Request, basic: Optional[str]) -> Response:
        """Answer ``session/``.

        :param request: the request.
        :param basic: the user whom its Basic credentials name, None where they are missing or wrong.
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
            except Forged as error:
                return json_response({"detail": str(error)}, 403)
            self._known.pop(session.id)
            # By hand: dump_cookie of werkzeug writes the attributes in another order.
            gone = "{}=; Path=/; Max-Age=0"
            return Response(204, [("Set-Cookie", gone.format(name)) for name in ("sessionid", "csrftoken")])
        return json_response({"expires": int(session.expires - self._now())})

    def _begin(self, username: str) -> Response:
        session = _Session(secrets.token_hex(16), secrets.token_hex(16), username, self._now() + _LIFE)
        self._known[session.id] = session
        reply = json_response({"user": {"username": username}}, 201)
        reply.headers += [
            ("Set-Cookie", f"sessionid={session.id}; Path=/; Max-Age={_LIFE}; HttpOnly; SameSite=Lax"),
            ("Set-Cookie", f"csrftoken={session.csrf}; Path=/; Max-Age={_LIFE}; SameSite=Lax"),
        ]
        return reply

    def _find(self, request: Request) -> Optional[_Session]:
        session = self._known.get(request.cookies.get("sessionid", ""))
        if session is not None and session.expires <= self._now():
            return None
        return session

    def _check(self, request: Request, session: _Session) -> None:
        right = session.csrf.encode("ascii")
        header = request.headers.get("x-csrftoken", "")
        for given in (header, request.cookies.get("csrftoken", "")):
            if not hmac.compare_digest(given.encode("utf-8", "replace"), right):
                raise Forged("The CSRF token is missing or wrong.")
        referer = request.headers.get("referer", "")
        try:
            host = urlsplit(referer).netloc.lower()
        except ValueError:
            host = ""
        if not host or host != request.headers.get("host", "").lower():
            raise Forged("The Referer is missing or of another host.")
