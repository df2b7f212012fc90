"""The client of a JetStream server, as ``JetStream().api(host, port)`` returns it.

Source: JetStream protocol, sections 3, 9 and 10.
"""

import contextlib
import functools
import logging
import os
from typing import TYPE_CHECKING, Any, Callable, Iterable, List, Mapping, Optional, Sequence

import requests

from smartxfer.client import BaseClient
from smartxfer.errors import CommunicationError, SmartxferError
from smartxfer.jetstream import verbs
from smartxfer.reprs import with_address
from smartxfer.secret_text import hidden, hides
from smartxfer.system_text import FilePath
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer.client_options import CertFiles, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.jetstream.address import Link
    from smartxfer.jetstream.interface import Moment
    from smartxfer.jetstream.models import Transfer
    from smartxfer.jetstream.recv import RecvInterface
    from smartxfer.jetstream.requests import Request
    from smartxfer.jetstream.rpc import Rpc
    from smartxfer.jetstream.send import SendInterface
    from smartxfer.jetstream.sending import Files, Share
    from smartxfer.jetstream.server import ServerInterface
    from smartxfer.seams import Clock
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel

__all__ = ["API", "JetStreamClient"]

log = logging.getLogger("smartxfer.jetstream")


@hides("password", "token", "proxies", links=("link",))
class API(BaseClient):
    """One connection to a server, with its session: ``api.server``, ``api.send``, ``api.recv``.

    :param address: host, ``host:port``, or a whole URL; http on loopback, https elsewhere.
    :param port: TCP port, where the address has none.
    :param user: by default JETSTREAM_API_USER, a profile, or netrc.
    :param password: by default JETSTREAM_API_PASSWORD, a profile, or netrc.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with API() as api:
    ...     api.mkfile("/outbox/started")
    ...     print([entry["name"] for entry in api.ls("/outbox")])
    ['started']

    Source: JetStream protocol, section 3.
    """

    def __init__(
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
    ) -> None:
        from smartxfer.client_options import ClientOptions
        from smartxfer.credentials import AddressKind
        from smartxfer.jetstream.address import url_of
        from smartxfer.jetstream.login import HOST, NAMES, Login
        from smartxfer.jetstream.recv import RecvInterface
        from smartxfer.jetstream.send import SendInterface
        from smartxfer.jetstream.server import ServerInterface

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        if address is None and port is not None:
            address = os.environ.get(HOST)
            # The host is the environment's choice: a login without an address is not for it.
            self._address_kind = AddressKind.PLACE if address else AddressKind.EXPLICIT
            address = address or "localhost"
        self.names = NAMES
        super().__init__(None if address is None else url_of(address, port), options)
        self._user, self._password = user, password
        self._login = Login(lambda: self._credentials)
        self._known_rpc: Optional[Rpc] = None
        self._connected = False
        self._server = with_address(ServerInterface(lambda: self._rpc), lambda: self._shown_url)
        self._send = with_address(SendInterface(lambda: self._rpc), lambda: self._shown_url)
        self._recv = with_address(RecvInterface(lambda: self._rpc), lambda: self._shown_url)

    @classmethod
    def from_uri(
        cls,
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
    ) -> "Self":
        """Return the connection that a ``jetstream://`` link means, logged in by its token if it has one.

        That token is used alone.  To the host of a link without one a user and a password go only where they
        are configured for that host, by JETSTREAM_API_HOST, a profile, netrc or the keyring.

        :param user: user name for a link without a token; the password is looked up.
        :param password: of the token.
        :raises UsageError: it is no such link.
        """
        from smartxfer.client_options import ClientOptions
        from smartxfer.credentials import AddressKind
        from smartxfer.jetstream.address import parse_link

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        parts: Link = parse_link(link)
        api = cls(parts.host, parts.port, user=user, **options.keywords())
        download = parts.action == "download"
        api._address_kind = AddressKind.TOKEN_LINK if download else AddressKind.LINK
        if download:
            try:
                api.connect()
                api.login_token(parts.token, password)
            except BaseException:
                api.close()
                raise
        return api

    list = verbs.list_directory
    remove = verbs.remove

    @property
    def server(self) -> "ServerInterface":
        """Commands to the server itself."""
        return self._server

    @property
    def send(self) -> "SendInterface":
        """Commands to its sending side: manifests and transfers."""
        return self._send

    @property
    def recv(self) -> "RecvInterface":
        """Commands to its receiving side."""
        return self._recv

    @property
    def _errors(self) -> "ErrorFamily":
        from smartxfer.jetstream.errors import ERRORS

        return ERRORS

    # -- connection -------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Open a session, and log in where the server wants that and credentials stand somewhere.

        :raises NotHTTP: what answers speaks no HTTP, as JetStream's own control port.
        :raises NetworkError: nobody answers.
        :raises AuthError: the credentials are refused.
        """
        from smartxfer.jetstream.contact import first_contact
        from smartxfer.jetstream.login import keep_secret

        if self._connected:
            return
        info = first_contact(self._rpc, self._retry, self._limits)
        self._connected = True
        log.info("connected to %s: %s %s", self.base_url, info.server_name or "a server", info.version or "")
        known = self._login.known() if info.auth_required else None
        if known is not None:
            keep_secret(known[1])
            self._rpc.call(*known)

    def disconnect(self) -> None:
        """End the session; a later call opens another."""
        from smartxfer.transport import Body, Call, Success

        if self._login.opened:
            with contextlib.suppress(SmartxferError):  # it ends by itself, too
                left = Success({204}, Body.EMPTY)
                self._wire.once(Call("DELETE", self._rpc.url, sign=self._login.signer(), success=left))
        self._leave()

    def _leave(self) -> None:
        self._connected = False
        self._login.forget()

    def close(self) -> None:
        """Disconnect, and close the requests Session, unless it was given to us."""
        self.disconnect()
        super().close()

    def __enter__(self) -> "Self":
        self.connect()
        return self

    def __exit__(self, kind: Any = None, *error: Any) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._leave()  # whoever pressed Ctrl-C does not wait for the server
        self.close()

    # -- files of the connected server ------------------------------------------------------------------

    def send_files(
        self,
        files: "Files",
        to: Any,
        *,
        into: str = "/",
        timeout: Optional[float] = None,
        progress: "Progress" = None,
        cancel: "Optional[Cancel]" = None,
        deadline: Optional[float] = None,
    ) -> "Transfer":
        """Have the connected server send files of its own to another server; waits until they have arrived.

        The same call after one that was broken off goes on with that one's transfer.

        :param files: a source, or a list of sources and of (source, destination) pairs; paths as the
            connected server sees them, folders included.
        :param to: the far server: ``"host"``, ``"host:port"``, ``(host, port)`` or a Destination.
        :param into: the far folder of destinations that do not begin with a slash.
        :param timeout: seconds to wait; the transfer goes on afterwards.  None waits while there is progress,
            and ends after 10 minutes without; ``float("inf")`` waits for as long as it takes.
        :param progress: a bar or a callable, as everywhere; counted in bytes that have arrived.
        :param cancel: ends the waiting, not the transfer.
        :raises TaskFailed: the manifest or the transfer failed; ``task`` is its last state.
        :raises TaskSuspended: somebody suspended it.
        :raises WaitTimeout: it is not done by then; ``last`` is its state.
        """
        from smartxfer.jetstream.interface import text_of
        from smartxfer.jetstream.sending import mappings_of, send, sorted_pairs, target
        from smartxfer.jetstream.waiting import check_timeout
        from smartxfer.transfer.journal import Journal

        mappings, destination = mappings_of(files, text_of(into, "into")), target(to)
        timeout = check_timeout(timeout)
        key = {
            "service": "jetstream",
            "url": self.base_url,
            "user": self._login_name(),
            "files": sorted_pairs(mappings),
            "to": sorted(destination.items()),
        }
        with Journal(key, f"these files to {to}", clock=self._clock) as journal:
            with self._operation(progress, cancel, deadline) as operation:
                rpc = self._rpc.watched(operation)
                reporter, user = operation.reporter, self._login.account
                return operation.call(
                    functools.partial(send, rpc, mappings, destination, journal, reporter, timeout, user)
                )

    def share(
        self,
        files: "Files",
        *,
        expires: "Moment" = None,
        limit: Optional[int] = None,
        password: Optional[str] = None,
        description: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> "Share":
        """Let somebody without an account fetch files of the connected server.

        :param files: as in :meth:`send_files`.
        :param expires: a timedelta from now, a datetime, or microseconds since 1970.
        :param limit: transfers that may be made of it.
        :param password: asked for beside the token.
        :return: (token, link).
        """
        from smartxfer.jetstream.interface import microseconds
        from smartxfer.jetstream.send import check_token
        from smartxfer.jetstream.sending import gather, mappings_of, share_of
        from smartxfer.jetstream.waiting import check_timeout
        from smartxfer.transfer.progress import Reporter

        microseconds(expires, self._clock.wall)
        check_token(limit, password, description)
        timeout = check_timeout(timeout)
        manifest = gather(self._rpc, mappings_of(files), Reporter(None), timeout)
        try:
            token = self.send.createSharedToken(manifest, description, limit, expires, password)
        except CommunicationError:
            with contextlib.suppress(SmartxferError):
                self.send.deleteManifest(manifest)
            raise
        return share_of(token, self.server.getServerInfo(), self.base_url)

    def login_token(self, token: Any, password: Optional[str] = None) -> None:
        """Log in by a shared token or an API token.

        :raises AuthError: it is wrong, expired or used up.
        """
        self.server.authToken(token, password)

    ls, ls_roots, du = verbs.ls, verbs.ls_roots, verbs.du
    mkdir, mkfile, mv, rm = verbs.mkdir, verbs.mkfile, verbs.mv, verbs.rm
    sources, receiving = verbs.sources, verbs.receiving

    def _result(self, timeout: Optional[float], begin: "Callable[..., Request]", *args: Any) -> Any:
        from smartxfer.jetstream.waiting import check_timeout

        timeout = check_timeout(timeout, "one path at a time: api.rm(path)")
        return begin(*args).result(timeout)

    def wait_all(
        self,
        tasks: Iterable[Any],
        *,
        timeout: Optional[float] = None,
        progress: "Progress" = None,
        cancel: "Optional[Cancel]" = None,
    ) -> List[Any]:
        """The last states of manifests and transfers, and the results of requests, in the given order.

        :param timeout: seconds for all of them; None ends the wait after 10 minutes in which none of them
            made progress.
        :return: what ``waitForManifest``, ``waitForTransfer`` and ``Request.result`` give; look at each
            ``status``.
        :raises WaitTimeout: some are not done by then; ``last`` is the list, with the latest states of these.
        """
        from smartxfer.jetstream.waiting import check_timeout
        from smartxfer.jetstream.waiting_all import Waited, checked_tasks, wait_for_all

        several, timeout = checked_tasks(tasks), check_timeout(timeout)
        with self._operation(progress, cancel, None) as operation:
            waited = Waited(self._rpc.watched(operation), timeout, operation.reporter)
            return wait_for_all(operation, several, waited, self._max_workers)

    # -- calls ------------------------------------------------------------------------------------------

    def call(self, method: str, **params: Any) -> Any:
        """Call a method by its name on the wire, and return its plain result.

        It is the way to methods and parameters that this version does not know.

        :param params: the parameters by their names on the wire.

        >>> api.call("send.getManifest", manifestId="2")  # doctest: +SKIP
        {'manifestId': '2', 'status': 'complete', ...}
        """
        from smartxfer.jetstream.interface import text_of

        return self._rpc.call(text_of(method, "method"), hidden(params))

    @property
    def _rpc(self) -> "Rpc":
        from smartxfer.jetstream.rpc import Rpc

        if self._known_rpc is None:
            self._known_rpc = Rpc(self._wire, f"{self.base_url}/jsonrpc", self._login)
        return self._known_rpc

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._given_url, "user": self._user, "password": self._password}

    def _login_name(self) -> str:
        """Who is logged in, for the key of a journal; of a token, nothing that would tell it."""
        known = self._login.known()
        return "" if known is None else known[1].get("user", known[0])


#: Another name of :class:`API`, which is the vendor's.
JetStreamClient = API
