"""The client for an API key and password.

Source: SmartFile protocol, section 2.
"""

from typing import TYPE_CHECKING, Mapping, Optional, Sequence

import requests

from smartxfer.credentials import CredentialSpec
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_method_arguments
from smartxfer.smartfile.auth import KeyAuth
from smartxfer.smartfile.client import SmartFileClient
from smartxfer.smartfile.defaults import DEFAULT_URL
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify

__all__ = ["BasicClient"]


@hide_method_arguments("key", "password", "proxies")
class BasicClient(SmartFileClient):
    """Client that uploads files to SmartFile and downloads them, with an API key and password.

    :param key: API key, or user name; by default SMARTFILE_API_KEY, a profile, or the login of a netrc entry.
    :param password: API password; by default SMARTFILE_API_PASSWORD, a profile, netrc, or the keyring.
    :param url: URL of the API; by default SMARTFILE_API_URL, else ``https://app.smartfile.com``.
    :param version: version of the API.
    :param throttle_wait: if False, raise an error for a throttled request instead of waiting.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with BasicClient() as client:
    ...     sent = client.upload("report.pdf", "/", checksum="sha256")
    ...     print(sent.name, sent.bytes, sent.verified, client.exists("/report.pdf"))
    /report.pdf 14 sha256 True

    Source: SmartFile protocol.
    """

    credential_spec = CredentialSpec(
        service="smartfile",
        fields={
            "base_url": "SMARTFILE_API_URL",
            "key": "SMARTFILE_API_KEY",
            "password": "SMARTFILE_API_PASSWORD",
        },
        netrc={"key": "login", "password": "password"},
        secrets=frozenset({"key", "password"}),
        defaults={"base_url": DEFAULT_URL},
        ignored_keys=frozenset({"client_token", "client_secret", "access_token", "access_secret"}),
    )

    def __init__(
        self,
        key: Optional[str] = None,
        password: Optional[str] = None,
        *,
        url: Optional[str] = None,
        version: str = "2",
        throttle_wait: bool = True,
        timeout: "Timeout" = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: "Verify" = True,
        cert: "Optional[CertFiles]" = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: "Optional[Clock]" = None,
    ) -> None:
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        auth = KeyAuth(key, password)
        super().__init__(url, options, auth, version=version, throttle_wait=throttle_wait)

    @property
    def key(self) -> str:
        """The API key, or user name.

        :raises CredentialError: no API key was found.
        """
        return self._credentials.require("key")["key"]
