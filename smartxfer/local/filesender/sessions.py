"""Browser sessions of guests: security token and csrf tokens.

Source: FileSender protocol, sections 10 and 15.
"""

import hmac
import secrets
import threading
import uuid
from typing import List

from smartxfer.local.bounded_dict import BoundedDict

#: Lifetime of a security token in seconds, and the time for which the previous one is still accepted.
_TOKEN_LIFE, _TOKEN_GRACE = 7200, 900
#: Largest number of csrf tokens of a session besides the one in use.
_MAX_CSRF_TOKENS = 200


class Session:
    """One PHP session.

    :param now: the server's clock.
    """

    def __init__(self, now: float) -> None:
        self.id = secrets.token_hex(13)
        self.security_token = str(uuid.uuid4())
        self._issued = now
        self._previous = ""
        self._csrf: List[str] = []
        self._lock = threading.Lock()

    def issue_csrf(self) -> str:
        """Return a new csrf token; older ones stay valid until a newer one is used."""
        token = secrets.token_hex(5)
        with self._lock:
            self._csrf.append(token)
            # The first one is in use, and stays.
            del self._csrf[1:-_MAX_CSRF_TOKENS]
        return token

    def use_csrf(self, token: str) -> bool:
        """Check a csrf token, and invalidate older ones."""
        with self._lock:
            if token not in self._csrf:
                return False
            del self._csrf[: self._csrf.index(token)]
            return True

    def allows(self, token: str, now: float) -> bool:
        """Return True for the session's security token, or the previous one within its grace period."""
        value = token.encode("utf-8", "surrogateescape")
        if hmac.compare_digest(self.security_token.encode("ascii"), value):
            return True
        is_new = now - self._issued < _TOKEN_GRACE
        return bool(self._previous) and is_new and self._previous.encode("ascii") == value

    def renew(self, now: float) -> str:
        """Return a new security token if the current one is too old, else an empty string."""
        with self._lock:
            if now - self._issued < _TOKEN_LIFE:
                return ""
            self._previous, self.security_token = self.security_token, str(uuid.uuid4())
            self._issued = now
            return self.security_token


class Sessions(BoundedDict[str, Session]):
    """The latest sessions, kept in memory."""

    def begin(self, now: float) -> Session:
        """A new session."""
        session = Session(now)
        self[session.id] = session
        return session
