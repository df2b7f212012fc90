"""Browser sessions of guests: security token and csrf tokens.

Source: FileSender protocol, sections 10 and 15.
"""

import hmac
import secrets
import threading
import uuid
from typing import List

from smartxfer.local.recent import Recent

#: Seconds that a security token lives, and that the one before it is still taken.
_TOKEN_LIFE, _TOKEN_GRACE = 7200, 900
#: Csrf tokens that a session remembers beside the one in use.
_CSRF_KEPT = 200


class Session:
    """One PHP session.

    :param now: the server's clock.
    """

    def __init__(self, now: float) -> None:
        self.id = secrets.token_hex(13)
        self.security_token = str(uuid.uuid4())
        self._made = now
        self._former = ""
        self._csrf: List[str] = []
        self._lock = threading.Lock()

    def issue_csrf(self) -> str:
        """A new csrf token; those before stay valid until a newer one is used."""
        token = secrets.token_hex(5)
        with self._lock:
            self._csrf.append(token)
            # The one in use is the first, and stays.
            del self._csrf[1:-_CSRF_KEPT]
        return token

    def use_csrf(self, token: str) -> bool:
        """Check a csrf token; using it ends the life of older ones."""
        with self._lock:
            if token not in self._csrf:
                return False
            del self._csrf[: self._csrf.index(token)]
            return True

    def allows(self, token: str, now: float) -> bool:
        """Whether a security token is the session's, or the one before in its grace."""
        given = token.encode("utf-8", "surrogateescape")
        if hmac.compare_digest(self.security_token.encode("ascii"), given):
            return True
        fresh = now - self._made < _TOKEN_GRACE
        return bool(self._former) and fresh and self._former.encode("ascii") == given

    def renew(self, now: float) -> str:
        """A new security token when the present one is too old, else empty."""
        with self._lock:
            if now - self._made < _TOKEN_LIFE:
                return ""
            self._former, self.security_token = self.security_token, str(uuid.uuid4())
            self._made = now
            return self.security_token


class Sessions(Recent[str, Session]):
    """The latest sessions, kept in memory."""

    def begin(self, now: float) -> Session:
        """A new session."""
        session = Session(now)
        self[session.id] = session
        return session
