"""The session: its cookie, and its login, remembered so that a lost session can be opened once more.

Source: JetStream protocol, sections 3 and 9.2.
"""

import os
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import requests

from smartxfer.credentials import Credentials, CredentialSpec
from smartxfer.jetstream.address import build_base_url
from smartxfer.jetstream.errors import JetStreamCredentialError
from smartxfer.jetstream.models import ServerInfo, parse_model
from smartxfer.transport import BufferedResponse, redaction

__all__ = ["CREDENTIAL_SPEC", "HOST_VARIABLE", "SessionCookieAuth", "SessionState", "register_secrets"]

#: The variable of the server's address.
HOST_VARIABLE = "JETSTREAM_API_HOST"
#: The names of a connection's credentials in every place.
CREDENTIAL_SPEC = CredentialSpec(
    service="jetstream",
    fields={"base_url": HOST_VARIABLE, "user": "JETSTREAM_API_USER", "password": "JETSTREAM_API_PASSWORD"},
    netrc={"user": "login", "password": "password"},
    secrets=frozenset({"password"}),
    defaults={"base_url": "localhost"},
    normalize_url=lambda value: build_base_url(value, os.environ.get("JETSTREAM_API_PORT") or None),
)

_COOKIE_NAME = "JSSESSION"


def register_secrets(params: Mapping[str, str]) -> Dict[str, str]:
    """Return the parameters of a login; their secrets are masked in every log and message."""
    return {
        name: redaction.register_secret(value) if name in ("password", "token") and value else value
        for name, value in params.items()
    }


class SessionCookieAuth:
    """Adds one session's cookie to each try of a call, and counts them.

    A call goes to the session that it began in: only that one knows whether it has done the call already.

    :param session_number: the number of the session.
    """

    def __init__(self, cookie: Optional[str], session_number: int) -> None:
        self._cookie = cookie
        self.session_number = session_number
        self.attempts = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one try."""
        self.attempts += 1
        request.headers.pop("Cookie", None)
        if self._cookie is not None:
            request.headers["Cookie"] = f"{_COOKIE_NAME}={self._cookie}"
        return request


class SessionState:
    """The session's cookie, what was said to log in, and what raised the login's rights.

    The cookie is kept here, not in the jar: jars do not tell the ports of one host apart.

    :param credentials: where user and password stand when nobody has said them.
    """

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials
        self._lock = threading.RLock()
        self._last_login: Optional[Tuple[str, Dict[str, str]]] = None
        self._elevation_methods: List[str] = []
        self._cookie: Optional[str] = None
        #: Whether the server has answered since the session began.
        self.established = False
        #: How often a login was made anew.
        self.generation = 0
        #: The number of the session: request numbers begin anew in each.
        self.session_number = 0

    def create_auth(self) -> "SessionCookieAuth":
        """What adds the cookie of the present session, and of no later one, to the tries of one call."""
        with self._lock:
            return SessionCookieAuth(self._cookie, self.session_number)

    def update_from_response(self, response: BufferedResponse, auth: SessionCookieAuth) -> None:
        """Take the cookie that an answer sets: the call was done in that session."""
        with self._lock:
            self.established = True
            for name, value in response.cookies:
                if name == _COOKIE_NAME and value != self._cookie:
                    self._cookie = redaction.register_secret(value)
                    self.session_number += 1
                    auth.session_number = self.session_number

    def record_login(self, method: str, **params: str) -> None:
        """A login was good: it is what a new session begins with."""
        with self._lock:
            self._last_login, self._elevation_methods = (method, params), []

    def record_elevation(self, method: str) -> None:
        """The login's rights were raised."""
        with self._lock:
            if method not in self._elevation_methods:
                self._elevation_methods.append(method)

    def reset(self) -> None:
        """The session was left."""
        with self._lock:
            self._last_login, self._elevation_methods, self._cookie, self.established = None, [], None, False
            self.session_number += 1

    @property
    def account(self) -> Optional[str]:
        """Name of the account that logs in by its password; None for a token, or without an account."""
        known = self.get_login_call()
        return None if known is None else known[1].get("user")

    def get_login_call(self) -> Optional[Tuple[str, Mapping[str, str]]]:
        """How to log in: as was said, or by the credentials that stand somewhere; None without any."""
        if self._last_login is not None:
            return self._last_login
        found = self._credentials()
        user, password = found.get("user"), found.get("password")
        if user is None or password is None:
            return None
        return ("auth", {"user": user, "password": password})

    def log_in_again(self, rpc: Any, generation: int) -> bool:
        """Open the session anew, once for all threads that found it gone.

        :param rpc: makes the calls, and renews nothing itself.
        :param generation: the generation that was found gone.
        :return: whether a call can be made again.
        :raises CredentialError: the server wants a login and none is known.
        """
        with self._lock:
            if self.generation != generation:
                return True
            self._log_in_again(rpc)
            self.generation += 1
            return True

    def _log_in_again(self, rpc: Any) -> None:
        known = self.get_login_call()
        if known is not None:
            method, params = known
            rpc.call(method, register_secrets(params))
        elif parse_model(ServerInfo, "getServerInfo", rpc.call("getServerInfo")).auth_required:
            found = self._credentials()
            found.require("user", "password")
            raise JetStreamCredentialError("the server wants a login")  # pragma: no cover - require raises
        for method in self._elevation_methods:
            rpc.call(method)
