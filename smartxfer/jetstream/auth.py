"""Session of a client: its cookie, and its login, which is repeated after the session was lost.

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

#: Environment variable with the server's address.
HOST_VARIABLE = "JETSTREAM_API_HOST"
#: Names of the credentials in the environment, profiles and netrc.
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
    """Return the parameters of a login, with their secrets registered for masking in logs and messages."""
    return {
        name: redaction.register_secret(value) if name in ("password", "token") and value else value
        for name, value in params.items()
    }


class SessionCookieAuth:
    """Authentication of a call: add the cookie of one session to each attempt, and count the attempts.

    All attempts of a call use the session of the first one, because only that session recognises a repeated
    call.
    """

    def __init__(self, cookie: Optional[str], session_number: int) -> None:
        self._cookie = cookie
        self.session_number = session_number
        self.attempts = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the cookie to the request of one attempt."""
        self.attempts += 1
        request.headers.pop("Cookie", None)
        if self._cookie is not None:
            request.headers["Cookie"] = f"{_COOKIE_NAME}={self._cookie}"
        return request


class SessionState:
    """Cookie of the session, last login, and methods that have raised the rights of the login.

    The cookie is not stored in the cookie jar, because jars do not distinguish the ports of a host.

    :param credentials: returns the configured user and password, used if there was no explicit login.
    """

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials
        self._lock = threading.RLock()
        self._last_login: Optional[Tuple[str, Dict[str, str]]] = None
        self._elevation_methods: List[str] = []
        self._cookie: Optional[str] = None
        #: True once the server has responded in this session.
        self.established = False
        #: Number of repeated logins.
        self.generation = 0
        #: Number of the session; request ids are unique only within a session.
        self.session_number = 0

    def create_auth(self) -> "SessionCookieAuth":
        """Return the authentication of one call with the cookie of the current session."""
        with self._lock:
            return SessionCookieAuth(self._cookie, self.session_number)

    def update_from_response(self, response: BufferedResponse, auth: SessionCookieAuth) -> None:
        """Store the cookie that a response sets: the call was executed in that session."""
        with self._lock:
            self.established = True
            for name, value in response.cookies:
                if name == _COOKIE_NAME and value != self._cookie:
                    self._cookie = redaction.register_secret(value)
                    self.session_number += 1
                    auth.session_number = self.session_number

    def record_login(self, method: str, **params: str) -> None:
        """Store a successful login, to be repeated in a new session."""
        with self._lock:
            self._last_login, self._elevation_methods = (method, params), []

    def record_elevation(self, method: str) -> None:
        """Store a method that has raised the rights of the login, to be repeated in a new session."""
        with self._lock:
            if method not in self._elevation_methods:
                self._elevation_methods.append(method)

    def reset(self) -> None:
        """Discard the session and its login."""
        with self._lock:
            self._last_login, self._elevation_methods, self._cookie, self.established = None, [], None, False
            self.session_number += 1

    @property
    def account(self) -> Optional[str]:
        """Name of the account that logs in with a password; None for a token, or without an account."""
        login = self.get_login_call()
        return None if login is None else login[1].get("user")

    def get_login_call(self) -> Optional[Tuple[str, Mapping[str, str]]]:
        """Return method and parameters of the last login, else of a login with the configured credentials."""
        if self._last_login is not None:
            return self._last_login
        credentials = self._credentials()
        user, password = credentials.get("user"), credentials.get("password")
        if user is None or password is None:
            return None
        return ("auth", {"user": user, "password": password})

    def log_in_again(self, rpc: Any, generation: int) -> bool:
        """Log in to a new session, once for all threads that have noticed the loss of the old one.

        :param rpc: sends the calls of the login, and does not repeat a login itself.
        :param generation: the value of ``generation`` when the lost session was in use.
        :return: True if the call can be repeated.
        :raises CredentialError: the server requires a login, and no credentials were found.
        """
        with self._lock:
            if self.generation != generation:
                return True
            self._log_in_again(rpc)
            self.generation += 1
            return True

    def _log_in_again(self, rpc: Any) -> None:
        login = self.get_login_call()
        if login is not None:
            method, params = login
            rpc.call(method, register_secrets(params))
        elif parse_model(ServerInfo, "getServerInfo", rpc.call("getServerInfo")).auth_required:
            self._credentials().require("user", "password")
            raise JetStreamCredentialError("the server requires a login")  # pragma: no cover - require raises
        for method in self._elevation_methods:
            rpc.call(method)
