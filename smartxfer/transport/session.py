"""The requests Session of a client, which all of its threads share, and its connection settings."""

import base64
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_auth_from_url, get_environ_proxies

from smartxfer.errors import UsageError
from smartxfer.secret_text import Secret, wrap_secrets
from smartxfer.transport import attempt, certificates, redaction
from smartxfer.transport.adapter_retry import AdapterRetry
from smartxfer.transport.certificates import CertFiles, Verify
from smartxfer.transport.connection import make_pool_abortable, use_abortable_connections
from smartxfer.transport.cookies import BoundedCookieJar
from smartxfer.transport.origin import Origin
from smartxfer.transport.retry_policy import RetryPolicy

__all__ = [
    "ConnectionSettings",
    "RetryingAdapter",
    "close_interim_connection",
    "create_session",
    "prepare_caller_session",
    "restore_location",
]

#: Header that holds the ``Location`` of a redirect while requests processes the response.
_SAVED_LOCATION_HEADER = "Smartxfer-Location"
_NO_RETRY = urllib3.Retry(0, read=False, redirect=False)


class RetryingAdapter(HTTPAdapter):
    """Adapter that retries idempotent requests, except within an attempt, which has its own retries."""

    def __init__(self, policy: RetryPolicy, pool_size: int) -> None:
        retries = AdapterRetry.from_policy(policy)
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=retries)

    @property
    def max_retries(self) -> urllib3.Retry:
        """The retry policy for direct users of the session; no retries within the package's own loops."""
        return self._retries if attempt.current_attempt() is None else _NO_RETRY

    @max_retries.setter
    def max_retries(self, value: urllib3.Retry) -> None:
        self._retries = value

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send the request.

        A body that cannot be rewound (a generator) is sent without retries, because a second attempt would
        send an empty body.
        """
        body: Any = request.body
        rewindable = body is None or isinstance(body, (bytes, str)) or hasattr(body, "tell")
        if rewindable or attempt.current_attempt() is not None:
            return super().send(request, *args, **kwargs)
        with attempt.Attempt().activate():
            return super().send(request, *args, **kwargs)

    def close(self) -> None:
        """Close every connection now.

        urllib3 would wait until nothing refers to a pool, and a stored exception may refer to one.
        """
        managers = [self.poolmanager, *self.proxy_manager.values()]
        pools = [manager.pools.get(key) for manager in managers for key in manager.pools.keys()]  # noqa: SIM118
        super().close()
        for pool in pools:
            if pool is not None:
                pool.close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the connection pools, with abortable connections."""
        super().init_poolmanager(*args, **kwargs)
        use_abortable_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the connection pools of a proxy, with abortable connections."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if known else use_abortable_connections(manager)


class _Session(requests.Session):
    """Session that does not follow redirects, nor read their bodies, within an attempt of this package."""

    def get_redirect_target(self, resp: requests.Response) -> Optional[str]:
        return super().get_redirect_target(resp) if attempt.current_attempt() is None else None


def create_session(policy: RetryPolicy, pool_size: int) -> requests.Session:
    """Return a Session with retrying adapters that does not read netrc and proxy variables."""
    session = _Session()
    session.trust_env = False
    session.cookies = BoundedCookieJar()
    adapter = RetryingAdapter(policy, pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def prepare_caller_session(
    session: requests.Session, request: requests.PreparedRequest, settings: Mapping[str, Any]
) -> None:
    """Make the connections of a caller's session abortable and disable its redirects, for one request.

    The connections of other adapters than those of requests cannot be made abortable.

    :param settings: keyword arguments of ``Session.send``.
    """
    request.register_hook("response", _hide_location)
    adapter = session.get_adapter(request.url or "")
    find = getattr(adapter, "get_connection_with_tls_context", None)
    if isinstance(adapter, HTTPAdapter) and find is not None:
        make_pool_abortable(
            find(request, settings.get("verify"), settings.get("proxies"), settings.get("cert"))
        )


def _hide_location(response: requests.Response, **settings: Any) -> None:
    """Rename the ``Location`` header, so that requests does not follow the redirect or read its body."""
    if "Location" in response.headers:
        response.headers = CaseInsensitiveDict(response.headers)
        response.headers[_SAVED_LOCATION_HEADER] = response.headers.pop("Location")


def restore_location(response: requests.Response) -> requests.Response:
    """Restore the ``Location`` header of a response of a caller's session."""
    if _SAVED_LOCATION_HEADER in response.headers:
        response.headers["Location"] = response.headers.pop(_SAVED_LOCATION_HEADER)
    return response


def close_interim_connection(response: requests.Response) -> None:
    """Close the connection of an interim (1xx) response, because the final response would follow on it.

    Only the connections of a caller's session return interim responses as if they were final.
    """
    connection = getattr(response.raw, "connection", None)
    if connection is not None:
        connection.close()


class ConnectionSettings:
    """Proxies and certificates for each origin.  The environment is read once.

    :param verify: True, False, or the path of a CA bundle.
    :param cert: path of a client certificate, or (certificate, key).
    :param proxies: as requests accepts them; None reads the environment (NO_PROXY included).
    :param origin: of the service; the client certificate is presented to it and to its https variant.
    :param cert_origins: further origins to which the client certificate is presented.
    :raises UsageError: one of ``cert_origins`` is not an origin.
    :raises ConfigError: a file that ``verify`` or ``cert`` names cannot be used.
    """

    def __init__(
        self,
        verify: Verify,
        cert: Optional[CertFiles],
        proxies: Optional[Dict[str, str]],
        origin: Origin,
        cert_origins: Sequence[str] = (),
    ) -> None:
        if isinstance(cert_origins, (str, bytes)):
            raise UsageError(
                "cert_origins must be a list of URLs, not a string",
                hint=f"pass cert_origins=[{cert_origins!r}]",
            )
        self._cert_origins = [origin, *(Origin.parse(str(url)) for url in cert_origins)]
        self._proxies_arg = proxies
        #: Passwords of proxies; they are masked in messages while this list refers to them.
        self._proxy_secrets = _register_proxy_passwords(proxies)
        self._proxies_by_origin: Dict[Origin, Dict[str, str]] = {}
        #: Files that were checked, with their size and modification time.
        self._validated_files: Dict[Any, Any] = {}
        self._verify_source = "verify="
        if verify is True:
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                if os.environ.get(name):
                    verify, self._verify_source = os.environ[name], name
                    break
        self.verify = (
            verify if isinstance(verify, bool) else certificates.normalize_path(verify, self._verify_source)
        )
        self.cert = None if cert is None else certificates.normalize_cert(cert, "cert=")
        if self._verify_source == "verify=":
            self._validate_ca_bundle(self.verify, self._verify_source)
        self._validate_cert(self.cert, "cert=")

    def for_origin(self, origin: Origin) -> Dict[str, Any]:
        """Return keyword arguments for ``Session.send``.

        :raises ConfigError: the origin needs a certificate file that cannot be used.
        """
        if origin not in self._proxies_by_origin:
            proxies = self._proxies_arg
            if proxies is None:
                proxies = get_environ_proxies(str(origin))
            self._proxies_by_origin[origin] = wrap_secrets(dict(proxies))
            self._proxy_secrets += _register_proxy_passwords(proxies)
        cert = self.cert if self._presents_cert_to(origin) else None
        if origin.scheme == "https":
            self._validate_ca_bundle(self.verify, self._verify_source)
            self._validate_cert(cert, "cert=")
        return {"verify": self.verify, "cert": cert, "proxies": self._proxies_by_origin[origin]}

    def _presents_cert_to(self, origin: Origin) -> bool:
        """Return True if the client certificate, which identifies the user, may be presented to an origin."""
        return any(own.allows_credentials_for(origin) for own in self._cert_origins)

    def merged_with_session(self, session: requests.Session, url: str) -> Dict[str, Any]:
        """Return keyword arguments for ``send`` of a caller's session; its settings replace the defaults.

        :raises ConfigError: the URL needs a certificate file that cannot be used.
        """
        verify = None if self.verify is True else self.verify
        session_proxies = dict(self._proxies_arg or {})
        settings = dict(session.merge_environment_settings(url, session_proxies, True, verify, self.cert))
        if not self._presents_cert_to(Origin.parse(url)):
            settings["cert"] = None
        if url.lower().startswith("https:"):
            source = self._verify_source if verify is not None else "session.verify or REQUESTS_CA_BUNDLE"
            self._validate_ca_bundle(settings.get("verify"), source)
            self._validate_cert(settings.get("cert"), "cert=" if self.cert is not None else "session.cert")
        return settings

    def _validate_ca_bundle(self, verify: Any, source: str) -> None:
        if isinstance(verify, (str, os.PathLike)) and self._needs_validation((verify,)):
            certificates.validate_ca_bundle(os.fspath(verify), source)
            self._validated_files[(verify,)] = _get_file_versions((verify,))

    def _validate_cert(self, cert: Any, source: str) -> None:
        if cert is None:
            return
        single = isinstance(cert, (str, os.PathLike))
        pair = (cert,) if single else tuple(certificates.normalize_cert(cert, source))
        if self._needs_validation(pair):
            certificates.validate_client_cert(cert, source)
            self._validated_files[pair] = _get_file_versions(pair)

    def _needs_validation(self, paths: Tuple[Any, ...]) -> bool:
        """Return True for files that were not checked yet or have changed since."""
        state = _get_file_versions(paths)
        return state is None or self._validated_files.get(paths) != state


def _register_proxy_passwords(proxies: Optional[Mapping[str, str]]) -> List[Secret]:
    """Register the passwords in proxy URLs, plain and as Basic credentials, to be masked in messages."""
    secrets = []
    for user, password in map(get_auth_from_url, (proxies or {}).values()):
        if password:
            pair = base64.b64encode(f"{user}:{password}".encode("utf-8", "replace")).decode("ascii")
            secrets += [redaction.register_secret(password), redaction.register_secret(pair)]
    return secrets


def _get_file_versions(paths: Tuple[Any, ...]) -> Any:
    """Return size and modification time of each file; None if one is missing."""
    try:
        stat_results = [os.stat(path) for path in paths]
    except (OSError, ValueError):
        return None
    return [(state.st_size, state.st_mtime_ns) for state in stat_results]
