"""Factory of connections to JetStream servers: ``JetStream().api(host, port)``.

Source: JetStream protocol, sections 1 and 3.
"""

from typing import TYPE_CHECKING, Mapping, Optional, Sequence

import requests

from smartxfer.jetstream.client import API
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify

__all__ = ["JetStream"]


@hide_method_arguments("password", "proxies", links=("link",))
class JetStream:
    """Factory of connections to JetStream servers, see :meth:`api`.

    JetStream's own control protocol is not public and does not use HTTP.  This client sends JSON-RPC over
    HTTP with the documented names, to the local server (``smartxfer serve``), or to a JetStream server
    through ``smartxfer jetstream-bridge``.

    >>> with JetStream().api() as api:
    ...     print(api.server.getServerInfo().auth_required)
    True

    Source: JetStream protocol, section 1.
    """

    def api(
        self,
        address: Optional[str] = None,
        port: Optional[int] = None,
        *,
        user: Optional[str] = None,
        password: Optional[str] = None,
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
    ) -> API:
        """Return a connection; the first call connects it.

        :param address: host, ``host:port``, or a URL; by default JETSTREAM_API_HOST, else ``localhost``.
        :param port: by default JETSTREAM_API_PORT, else 8886.

        The other parameters are those of :class:`API`.
        """
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return API(address, port, user=user, password=password, **options.to_kwargs())

    @staticmethod
    def from_uri(
        link: str,
        *,
        user: Optional[str] = None,
        password: Optional[str] = None,
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
    ) -> API:
        """Return the connection for a ``jetstream://`` link; see :meth:`API.from_uri`."""
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return API.from_uri(link, user=user, password=password, **options.to_kwargs())

    def __repr__(self) -> str:
        return "JetStream()"
