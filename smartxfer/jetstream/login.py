"""The session: its cookie, and its login, remembered so that a lost session can be opened once more.

Source: JetStream protocol, sections 3 and 9.2.
"""

import os
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import requests

from smartxfer.credentials import Credentials, ServiceNames
from smartxfer.jetstream.address import url_of
from smartxfer.jetstream.errors import JetStreamCredentialError
from smartxfer.jetstream.models import ServerInfo, made
from smartxfer.transport import Answer, redact

__all__ = ["HOST", "NAMES", "Login", "Signer", "keep_secret"]

#: The variable of the server's address.
HOST = "JETSTREAM_API_HOST"
#: The names of a connection's credentials in every place.
NAMES = ServiceNames(
    service="jetstream",
    fields={"base_url": HOST, "user": "JETSTREAM_API_USER", "password": "JETSTREAM_API_PASSWORD"},
    netrc={"user": "login", "password": "password"},
    secrets=frozenset({"password"}),
    defaults={"base_url": "localhost"},
    clean_url=lambda value: url_of(value, os.environ.get("JETSTREAM_API_PORT") or None),
)

_COOKIE = "JSSESSION"


def keep_secret(params: Mapping[str, str]) -> Dict[str, str]:
    """Return the parameters of a login; their secrets are masked in every log and message."""
    return {
        name: redact.remember_secret(value) if name in ("password", "token") and value else value
        for name, value in params.items()
    }


class Signer:
    """Adds one session's cookie to each try of a call, and counts them.

    A call goes to the session that it began in: only that one knows whether it has done the call already.

    :param session: the number of the session.
    """

    def __init__(self, cookie: Optional[str], session: int) -> None:
        self._cookie = cookie
        self.session = session
        self.tries = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one try."""
        self.tries += 1
        request.headers.pop("Cookie", None)
        if self._cookie is not None:
            request.headers["Cookie"] = f"{_COOKIE}={self._cookie}"
        return request


class Login:
    """The session's cookie, what was said to log in, and what raised the login's rights.

    The cookie is kept here, not in the jar: jars do not tell the ports of one host apart.

    :param credentials: where user and password stand when nobody has said them.
    """

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials
        self._lock = threading.RLock()
        self._said: Optional[Tuple[str, Dict[str, str]]] = None
        self._raised: List[str] = []
        self._cookie: Optional[str] = None
        #: Whether the server has answered since the session began.
        self.opened = False
        #: How often a login was made anew.
        self.generation = 0
        #: The number of the session: request numbers begin anew in each.
        self.session = 0

    def signer(self) -> "Signer":
        """What adds the cookie of the present session, and of no later one, to the tries of one call."""
        with self._lock:
            return Signer(self._cookie, self.session)

    def heed(self, answer: Answer, signer: Signer) -> None:
        """Take the cookie that an answer sets: the call was done in that session."""
        with self._lock:
            self.opened = True
            for name, value in answer.cookies:
                if name == _COOKIE and value != self._cookie:
                    self._cookie = redact.remember_secret(value)
                    self.session += 1
                    signer.session = self.session

    def worked(self, method: str, **params: str) -> None:
        """A login was good: it is what a new session begins with."""
        with self._lock:
            self._said, self._raised = (method, params), []

    def raised(self, method: str) -> None:
        """The login's rights were raised."""
        with self._lock:
            if method not in self._raised:
                self._raised.append(method)

    def forget(self) -> None:
        """The session was left."""
        with self._lock:
            self._said, self._raised, self._cookie, self.opened = None, [], None, False
            self.session += 1

    @property
    def account(self) -> Optional[str]:
        """Name of the account that logs in by its password; None for a token, or without an account."""
        known = self.known()
        return None if known is None else known[1].get("user")

    def known(self) -> Optional[Tuple[str, Mapping[str, str]]]:
        """How to log in: as was said, or by the credentials that stand somewhere; None without any."""
        if self._said is not None:
            return self._said
        found = self._credentials()
        user, password = found.get("user"), found.get("password")
        if user is None or password is None:
            return None
        return ("auth", {"user": user, "password": password})

    def renew(self, rpc: Any, seen: int) -> bool:
        """Open the session anew, once for all threads that found it gone.

        :param rpc: makes the calls, and renews nothing itself.
        :param seen: the generation that was found gone.
        :return: whether a call can be made again.
        :raises CredentialError: the server wants a login and none is known.
        """
        with self._lock:
            if self.generation != seen:
                return True
            self._renew(rpc)
            self.generation += 1
            return True

    def _renew(self, rpc: Any) -> None:
        known = self.known()
        if known is not None:
            method, params = known
            rpc.call(method, keep_secret(params))
        elif made(ServerInfo, "getServerInfo", rpc.call("getServerInfo")).auth_required:
            found = self._credentials()
            found.require("user", "password")
            raise JetStreamCredentialError("the server wants a login")  # pragma: no cover - require raises
        for method in self._raised:
            rpc.call(method)
