"""The requests Session that a client shares among its threads."""

import os
from typing import Any, Dict, Optional, Tuple, Union

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from smartxfer.transport import attempt
from smartxfer.transport.connection import watch
from smartxfer.transport.origin import Origin
from smartxfer.transport.retry import RetryPolicy

__all__ = ["RetryingAdapter", "Route", "make_session"]

_ONCE = urllib3.Retry(0, read=False, redirect=False)


class RetryingAdapter(HTTPAdapter):
    """Repeats idempotent requests by the policy, except within an attempt: tries are never multiplied."""

    def __init__(self, policy: RetryPolicy, pool_size: int) -> None:
        super().__init__(
            pool_connections=pool_size, pool_maxsize=pool_size, max_retries=policy.for_adapter()
        )

    @property
    def max_retries(self) -> urllib3.Retry:
        """One try beneath the package's own loops, the policy's number for anyone else."""
        return self._retries if attempt.current() is None else _ONCE

    @max_retries.setter
    def max_retries(self, value: urllib3.Retry) -> None:
        self._retries = value

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send; a body that cannot be rewound (a generator) once only, for the second time it is empty."""
        body: Any = request.body
        rewinds = body is None or isinstance(body, (bytes, str)) or hasattr(body, "tell")
        if rewinds or attempt.current() is not None:
            return super().send(request, *args, **kwargs)
        with attempt.Attempt().entered():
            return super().send(request, *args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pools from watched connections."""
        super().init_poolmanager(*args, **kwargs)
        watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """The same behind a proxy; SOCKS connections are urllib3's own."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if proxy.lower().startswith("socks") else watch(manager)


class _Session(requests.Session):
    """Within an attempt it leaves redirects to the package's own rules, and their bodies unread."""

    def get_redirect_target(self, resp: requests.Response) -> Optional[str]:
        """Where requests would go on to, for whoever uses the session directly."""
        return super().get_redirect_target(resp) if attempt.current() is None else None


def make_session(policy: RetryPolicy, pool_size: int) -> requests.Session:
    """A Session with retrying adapters that leaves netrc and proxies to us."""
    session = _Session()
    session.trust_env = False
    adapter = RetryingAdapter(policy, pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class Route:
    """How an origin is reached: proxies and certificates, with the environment read once.

    :param verify: True, False, or the path of a CA bundle.
    :param cert: path of a client certificate, or (certificate, key).
    :param proxies: as requests takes them; None reads the environment (NO_PROXY included).
    """

    def __init__(
        self,
        verify: Union[bool, str],
        cert: Union[str, Tuple[str, str], None],
        proxies: Optional[Dict[str, str]],
    ) -> None:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self.verify = bundle if verify is True and bundle else verify
        self.cert = cert
        self._given = proxies
        self._known: Dict[Origin, Dict[str, str]] = {}

    def settings(self, origin: Origin) -> Dict[str, Any]:
        """Keywords for ``Session.send``."""
        if origin not in self._known:
            found = self._given
            if found is None:
                found = get_environ_proxies(str(origin))
            self._known[origin] = dict(found)
        return {"verify": self.verify, "cert": self.cert, "proxies": self._known[origin]}

    def over(self, session: requests.Session, url: str) -> Dict[str, Any]:
        """Keywords for the ``send`` of a caller's session: its settings hold where ours were left alone."""
        verify = None if self.verify is True else self.verify
        given = dict(self._given or {})
        return dict(session.merge_environment_settings(url, given, True, verify, self.cert))
