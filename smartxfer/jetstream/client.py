"""Client of a JetStream server.  Source: JetStream protocol, sections 3, 9 and 10."""

import contextlib
import functools
import logging
import os
from typing import TYPE_CHECKING, Any, Callable, Iterable, List, Mapping, Optional, Sequence

import requests

from smartxfer.client import BaseClient
from smartxfer.errors import CommunicationError, SmartxferError
from smartxfer.jetstream import verbs
from smartxfer.os_text import FilePath
from smartxfer.reprs import set_address
from smartxfer.secret_text import hide_method_arguments, wrap_secrets
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.jetstream.address import Link
    from smartxfer.jetstream.async_requests import Request
    from smartxfer.jetstream.interface import TimeLike
    from smartxfer.jetstream.models import Transfer
    from smartxfer.jetstream.recv import RecvInterface
    from smartxfer.jetstream.rpc import JsonRpcClient
    from smartxfer.jetstream.send import SendInterface
    from smartxfer.jetstream.server import ServerInterface
    from smartxfer.jetstream.workflows import Share, SourceFiles
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel

__all__ = ["API", "JetStreamClient"]

log = logging.getLogger("smartxfer.jetstream")


@hide_method_arguments("password", "token", "proxies", links=("link",))
class API(BaseClient):
    """Connection to a server, with a session and the namespaces ``server``, ``send`` and ``recv``.

    :param address: host, ``host:port``, or a URL; http on loopback, https elsewhere.
    :param port: TCP port, if the address has none.
    :param user: by default JETSTREAM_API_USER, a profile, or netrc.
    :param password: by default JETSTREAM_API_PASSWORD, a profile, or netrc.

    All clients have the other parameters: :class:`~smartxfer.client_options.ClientOptions`.

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
        from smartxfer.credentials import BaseURLKind
        from smartxfer.jetstream.address import build_base_url
        from smartxfer.jetstream.auth import CREDENTIAL_SPEC, HOST_VARIABLE, SessionState
        from smartxfer.jetstream.recv import RecvInterface
        from smartxfer.jetstream.send import SendInterface
        from smartxfer.jetstream.server import ServerInterface

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        if address is None and port is not None:
            address = os.environ.get(HOST_VARIABLE)
            # If the environment sets the host, credentials configured without an address are not sent to it.
            self._base_url_kind = BaseURLKind.CONFIGURED if address else BaseURLKind.EXPLICIT
            address = address or "localhost"
        self.credential_spec = CREDENTIAL_SPEC
        super().__init__(None if address is None else build_base_url(address, port), options)
        self._user, self._password = user, password
        self._session_state = SessionState(lambda: self._credentials)
        self._rpc_cached: Optional[JsonRpcClient] = None
        self._connected = False
        self._server = set_address(ServerInterface(lambda: self._rpc), lambda: self._display_url)
        self._send = set_address(SendInterface(lambda: self._rpc), lambda: self._display_url)
        self._recv = set_address(RecvInterface(lambda: self._rpc), lambda: self._display_url)

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
        """Return the connection for a ``jetstream://`` link, logged in with its token if it has one.

        With a token, no other credentials are used.  Without a token, a user and a password are sent only if
        they are configured for the host of the link, by JETSTREAM_API_HOST, a profile, netrc or the keyring.

        :param user: user name for a link without a token; the password is looked up.
        :param password: password of the token.
        :raises UsageError: the link is invalid.
        """
        from smartxfer.client_options import ClientOptions
        from smartxfer.credentials import BaseURLKind
        from smartxfer.jetstream.address import parse_link

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        parts: Link = parse_link(link)
        api = cls(parts.host, parts.port, user=user, **options.to_kwargs())
        is_download = parts.action == "download"
        api._base_url_kind = BaseURLKind.TOKEN_LINK if is_download else BaseURLKind.LINK
        if is_download:
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
        """Methods for the server: login, files, tokens, administration."""
        return self._server

    @property
    def send(self) -> "SendInterface":
        """Methods for sending: manifests and transfers."""
        return self._send

    @property
    def recv(self) -> "RecvInterface":
        """Methods for receiving."""
        return self._recv

    @property
    def _error_family(self) -> "ErrorFamily":
        from smartxfer.jetstream.errors import ERRORS

        return ERRORS

    # -- connection -------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Start a session, and log in if the server requires a login and credentials are configured.

        :raises NotAnHTTPServer: the server does not use HTTP, such as JetStream's own control port.
        :raises NetworkError: the server cannot be reached.
        :raises AuthError: the server rejects the credentials.
        """
        from smartxfer.jetstream.auth import register_secrets
        from smartxfer.jetstream.server_probe import probe_server

        if self._connected:
            return
        info = probe_server(self._rpc, self._retry, self._rate_limits)
        self._connected = True
        log.info("connected to %s: %s %s", self.base_url, info.server_name or "a server", info.version or "")
        login = self._session_state.get_login_call() if info.auth_required else None
        if login is not None:
            register_secrets(login[1])
            self._rpc.call(*login)

    def disconnect(self) -> None:
        """End the session; a later call starts another."""
        from smartxfer.transport import Body, RequestSpec, Success

        if self._session_state.established:
            auth, no_content = self._session_state.create_auth(), Success({204}, Body.EMPTY)
            with contextlib.suppress(SmartxferError):  # the server ends an unused session by itself
                self._http.request_once(RequestSpec("DELETE", self._rpc.url, auth=auth, success=no_content))
        self._reset_session()

    def _reset_session(self) -> None:
        self._connected = False
        self._session_state.reset()

    def close(self) -> None:
        """Disconnect, and close the requests Session unless the caller has passed it."""
        self.disconnect()
        super().close()

    def __enter__(self) -> "Self":
        self.connect()
        return self

    def __exit__(self, kind: Any = None, *error: Any) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._reset_session()  # do not wait for the server after Ctrl-C
        self.close()

    # -- files of the connected server ------------------------------------------------------------------

    def send_files(
        self,
        files: "SourceFiles",
        to: Any,
        *,
        into: str = "/",
        timeout: Optional[float] = None,
        progress: "Progress" = None,
        cancel: "Optional[Cancel]" = None,
        deadline: Optional[float] = None,
    ) -> "Transfer":
        """Send files of the connected server to another server, and wait until they have arrived.

        The same call resumes the transfer of an interrupted call.

        :param files: a source, or a list of sources and of (source, destination) pairs; paths on the
            connected server, of files or directories.
        :param to: the receiving server: ``"host"``, ``"host:port"``, ``(host, port)`` or a Destination.
        :param into: directory on the receiving server for destinations that are not absolute paths.
        :param timeout: seconds to wait; the transfer continues afterwards.  None waits until there was no
            progress for 10 minutes; ``float("inf")`` waits without a limit.
        :param progress: None, True for a bar, a label, or a callable; counts the bytes that have arrived.
        :param cancel: anything with ``is_set()``; ends the wait, not the transfer.
        :param deadline: seconds after which to stop; ends the wait, not the transfer.
        :raises TaskFailed: the manifest or the transfer failed; ``task`` is its last state.
        :raises TaskSuspended: the transfer was suspended on the server.
        :raises WaitTimeout: it is not done by then; ``last`` is its state.
        """
        from smartxfer.jetstream import workflows
        from smartxfer.jetstream.interface import require_text
        from smartxfer.jetstream.polling import validate_timeout
        from smartxfer.transfer.journal import Journal

        mappings = workflows.build_mappings(files, require_text(into, "into"))
        destination, timeout = workflows.build_destination_params(to), validate_timeout(timeout)
        key = {
            "service": "jetstream",
            "url": self.base_url,
            "user": self._get_journal_user(),
            "files": workflows.sort_mappings(mappings),
            "to": sorted(destination.items()),
        }
        with Journal(key, f"these files to {to}", clock=self._clock) as journal:
            with self._new_runner(progress, cancel, deadline) as runner:
                rpc, user = self._rpc.with_runner(runner), self._session_state.account
                send = functools.partial(
                    workflows.send_and_wait,
                    rpc, mappings, destination, journal, runner.reporter, timeout, user,
                )  # fmt: skip
                return runner.run_one(send)

    def share(
        self,
        files: "SourceFiles",
        *,
        expires: "TimeLike" = None,
        limit: Optional[int] = None,
        password: Optional[str] = None,
        description: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> "Share":
        """Create a shared token, with which clients without an account can download files of the server.

        :param files: as in :meth:`send_files`.
        :param expires: a timedelta from now, a datetime, or microseconds since 1970.
        :param limit: maximum number of downloads.
        :param password: required for downloads in addition to the token.
        :return: (token, link).
        """
        from smartxfer.jetstream.interface import to_microseconds
        from smartxfer.jetstream.polling import validate_timeout
        from smartxfer.jetstream.send import validate_token_options
        from smartxfer.jetstream.workflows import build_mappings, build_share, create_manifest_and_wait
        from smartxfer.transfer.progress import ProgressReporter

        to_microseconds(expires, self._clock.time)
        validate_token_options(limit, password, description)
        timeout = validate_timeout(timeout)
        manifest = create_manifest_and_wait(self._rpc, build_mappings(files), ProgressReporter(None), timeout)
        try:
            token = self.send.createSharedToken(manifest, description, limit, expires, password)
        except CommunicationError:
            with contextlib.suppress(SmartxferError):
                self.send.deleteManifest(manifest)
            raise
        return build_share(token, self.server.getServerInfo(), self.base_url)

    def login_token(self, token: Any, password: Optional[str] = None) -> None:
        """Log in with a shared token or an API token.

        :raises AuthError: the token is invalid, expired or used up.
        """
        self.server.authToken(token, password)

    ls, ls_roots, du = verbs.ls, verbs.ls_roots, verbs.du
    mkdir, mkfile, mv, rm = verbs.mkdir, verbs.mkfile, verbs.mv, verbs.rm
    sources, receiving = verbs.sources, verbs.receiving

    def _wait_for_result(
        self, timeout: Optional[float], start_request: "Callable[..., Request]", *args: Any
    ) -> Any:
        from smartxfer.jetstream.polling import validate_timeout

        timeout = validate_timeout(timeout, "pass one path per call: api.rm(path)")
        return start_request(*args).result(timeout)

    def wait_all(
        self,
        tasks: Iterable[Any],
        *,
        timeout: Optional[float] = None,
        progress: "Progress" = None,
        cancel: "Optional[Cancel]" = None,
    ) -> List[Any]:
        """Wait for manifests, transfers and requests concurrently, and return their results in order.

        :param timeout: seconds for all of them; None waits until none has made progress for 10 minutes.
        :return: the last states of manifests and transfers, whose ``status`` may be an error, and the results
            of requests.
        :raises WaitTimeout: some are not done by then; ``last`` is the list with their latest states.
        """
        from smartxfer.jetstream.batch_polling import TaskWaiter, validate_tasks, wait_for_all
        from smartxfer.jetstream.polling import validate_timeout

        task_list, timeout = validate_tasks(tasks), validate_timeout(timeout)
        with self._new_runner(progress, cancel, None) as runner:
            waiter = TaskWaiter(self._rpc.with_runner(runner), timeout, runner.reporter)
            return wait_for_all(runner, task_list, waiter, self._max_workers)

    # -- calls ------------------------------------------------------------------------------------------

    def call(self, method: str, **params: Any) -> Any:
        """Call a method by its JSON-RPC name, and return its result without conversion.

        Use it for methods and parameters that this version does not support.

        :param params: parameters by their JSON-RPC names.

        >>> api.call("send.getManifest", manifestId="2")  # doctest: +SKIP
        {'manifestId': '2', 'status': 'complete', ...}
        """
        from smartxfer.jetstream.interface import require_text

        return self._rpc.call(require_text(method, "method"), wrap_secrets(params))

    @property
    def _rpc(self) -> "JsonRpcClient":
        from smartxfer.jetstream.rpc import JsonRpcClient

        if self._rpc_cached is None:
            self._rpc_cached = JsonRpcClient(self._http, f"{self.base_url}/jsonrpc", self._session_state)
        return self._rpc_cached

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._base_url_arg, "user": self._user, "password": self._password}

    def _get_journal_user(self) -> str:
        """Return the user name for the key of a journal; for a token, the name of the login method."""
        login = self._session_state.get_login_call()
        return "" if login is None else login[1].get("user", login[0])


#: Alias of :class:`API`, which is the vendor's name.
JetStreamClient = API
