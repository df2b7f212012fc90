"""The client for an API key and password.

Source: SmartFile protocol, section 2.
"""

from typing import Any, Mapping, Optional

import requests
from requests.auth import HTTPBasicAuth

from smartxfer.credentials import ServiceNames
from smartxfer.secret_text import hides
from smartxfer.smartfile.client import SmartFileClient
from smartxfer.smartfile.raw import DEFAULT_URL
from smartxfer.transport import redact

__all__ = ["BasicClient"]


@hides("key", "password", "proxies")
class BasicClient(SmartFileClient):
    """Sends files to SmartFile and fetches them, with an API key and password.

    :param key: API key, or user name; by default SMARTFILE_API_KEY, a profile, or the login of a netrc entry.
    :param password: API password; by default SMARTFILE_API_PASSWORD, a profile, netrc, or the keyring.
    :param url: address of the API; by default SMARTFILE_API_URL, else ``https://app.smartfile.com``.
    :param version: of the API.
    :param throttle_wait: False raises at once where the API asks to come back later.
    :param netrcfile: path of a netrc file instead of ``~/.netrc``.
    :param options: what every client takes: ``timeout``, ``retry``, ``session``, ``verify``, ``cert``,
        ``proxies``, ``max_workers``, ``profile``.

    Source: SmartFile protocol.
    """

    names = ServiceNames(
        service="smartfile",
        fields={
            "base_url": "SMARTFILE_API_URL",
            "key": "SMARTFILE_API_KEY",
            "password": "SMARTFILE_API_PASSWORD",
        },
        netrc={"key": "login", "password": "password"},
        secrets=frozenset({"key", "password"}),
        defaults={"base_url": DEFAULT_URL},
        also_known=frozenset({"client_token", "client_secret", "access_token", "access_secret"}),
    )

    def __init__(
        self,
        key: Optional[str] = None,
        password: Optional[str] = None,
        *,
        url: Optional[str] = None,
        version: str = "2",
        throttle_wait: bool = True,
        netrcfile: Optional[str] = None,
        **options: Any,
    ) -> None:
        super().__init__(url, version=version, throttle_wait=throttle_wait, netrcfile=netrcfile, **options)
        self._key = key.strip() if key else None
        self._password = password.strip() if password else None

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._given_url, "key": self._key, "password": self._password}

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._credentials.get("key") is None and (request.url or "").endswith("/ping/"):
            return request  # the one call that needs nobody
        pair = self._credentials.require("key", "password")
        auth = HTTPBasicAuth(pair["key"].encode("utf-8"), pair["password"].encode("utf-8"))
        signed: requests.PreparedRequest = auth(request)
        # As it travels the pair looks different, and a server may repeat it.
        self._sent = redact.remember_secret(str(signed.headers["Authorization"]).partition(" ")[2])
        return signed

    @property
    def _account(self) -> str:
        return self._credentials.require("key")["key"]
