"""urllib3 connections that tell the current attempt their socket.

That is all they add, so that a blocked send or receive can be ended from another thread, already while the
connection is being made.
"""

import contextlib
import errno
import functools
import http.client
import queue
import socket
from typing import Any, Callable, Dict, List, Optional, Tuple

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProxyError
from urllib3.util.connection import allowed_gai_family

from smartxfer.transport import attempt
from smartxfer.transport.response_reader import FinalHTTPResponse
from smartxfer.transport.time_limits import StallDetector, TimeLimitExceeded, TimeLimits
from smartxfer.worker_pool import run_in_daemon_thread

__all__ = ["ProxyTunnelError", "make_pool_abortable", "use_abortable_connections"]


class ProxyTunnelError(ProxyError):
    """The proxy broke off before there was a tunnel: nothing of the request has left."""


def _connect_direct(conn: HTTPConnection) -> socket.socket:
    """Connect to the first address that answers; the attempt knows the socket before it connects."""
    return _connect_first_address(conn, conn._dns_host.strip("[]"), conn.port, socket.socket)


def _connect_socks(conn: Any) -> socket.socket:
    """Connect through the first address of a SOCKS proxy that answers."""
    import socks  # type: ignore[import-untyped]  # PySocks, which urllib3's own class needs, too

    given = conn._socks_options

    def made(*kind: int) -> Any:
        sock = socks.socksocket(*kind)
        names = ("socks_version", "proxy_host", "proxy_port", "rdns", "username", "password")
        sock.set_proxy(*(given[name] for name in names))
        return sock

    now = attempt.current_attempt()
    if now is not None:
        now.start_budget_timer()
    return _connect_first_address(
        conn, given["proxy_host"], given["proxy_port"], made, (conn.host, conn.port)
    )


def _connect_first_address(
    conn: Any,
    host: str,
    port: Any,
    create_socket: Callable[..., socket.socket],
    proxy_target: Optional[Tuple[str, int]] = None,
) -> socket.socket:
    """Connect to the first address of a host that answers.

    :param create_socket: makes the socket: (family, type, protocol).
    :param proxy_target: what is asked of a proxy at that address.
    """
    try:
        found = _resolve_host(host, port)
    except TimeLimitExceeded as error:
        raise NewConnectionError(conn, str(error)) from error
    except (socket.gaierror, UnicodeError) as error:
        gai = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(conn.host, conn, gai) from None
    failure: Exception = NewConnectionError(conn, f"no address for {host}")
    now = attempt.current_attempt()
    for family, kind, proto, _, address in found:
        try:
            sock = create_socket(family, kind, proto)
        except OSError as error:  # an address family that this machine lacks
            failure = NewConnectionError(conn, f"{error.strerror or error}")
            continue
        timeout = _connect_timeout(now, conn.timeout)
        try:
            if now is not None:
                now.attach_socket(sock)
            for option in conn.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout)
            if conn.source_address:
                sock.bind(conn.source_address)
            sock.connect(proxy_target or address)
            sock.settimeout(_connect_timeout(now, conn.timeout))  # for the tunnel and the TLS handshake
            return sock
        except OSError as error:
            cause = getattr(error, "socket_err", None) or error  # PySocks wraps what it catches
            if isinstance(cause, socket.timeout):
                failure = ConnectTimeoutError(conn, f"no connection within {timeout:.2g} s")
            else:
                failure = NewConnectionError(conn, f"{getattr(cause, 'strerror', None) or cause}")
        sock.close()
    raise failure


def _resolve_host(host: str, port: int) -> List[Any]:
    """Look up a host; a resolver that hangs keeps neither the process nor an attempt that is over.

    :raises Overdue: the budget has ended.
    """
    family, now = allowed_gai_family(), attempt.current_attempt()
    with contextlib.suppress(socket.gaierror):  # not an address
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)

    def check() -> None:
        if now is not None and now.abort_error is not None:
            raise now.abort_error
        limits = None if now is None else now.time_limits
        if limits is not None and limits.is_exhausted():
            raise TimeLimitExceeded(limits.budget_message())

    return run_in_daemon_thread(lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM), check)


def _connect_timeout(attempt_or_none: Optional[attempt.Attempt], timeout: Any) -> Optional[float]:
    """Return the seconds that the next step towards a connection may block."""
    given = float(timeout) if isinstance(timeout, (int, float)) else None
    left = (
        None
        if attempt_or_none is None or attempt_or_none.time_limits is None
        else attempt_or_none.time_limits.remaining()
    )
    if left is None:
        return given
    left = max(left, 0.001)
    return left if given is None else min(given, left)


def _register_socket(conn: HTTPConnection) -> None:
    """Tell the attempt the connected socket, and give sending its own time-out (not the connect one).

    :raises ConnectionAbortedError: the attempt was ended before the socket was connected.
    """
    now = attempt.current_attempt()
    if now is not None and conn.sock is not None:
        now.attach_socket(conn.sock)
        if now.abort_error is not None:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the attempt was ended")
        if now.send_timeout is not None:
            conn.sock.settimeout(now.send_timeout)


class _AbortableConnection(HTTPConnection):
    """What a watched connection has on top of urllib3's own."""

    response_class = FinalHTTPResponse
    #: http.client prints all it sends, headers included, where a program sets this for every connection.
    debuglevel = 0

    def _tunnel(self) -> None:
        """Open a tunnel; one that fails is told apart from a request that fails."""
        try:
            super()._tunnel()
        except (http.client.HTTPException, ConnectionError, socket.timeout) as error:
            raise ProxyTunnelError("the proxy gave no tunnel", error) from error

    def connect(self) -> None:
        """Connect; the attempt knows the socket, and sending has its own time-out."""
        now = attempt.current_attempt()
        if now is not None and self.proxy is not None and self.proxy.scheme == "https":
            now.start_budget_timer()
        super().connect()
        _register_socket(self)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        """Begin a request, perhaps over a connection that another attempt has made."""
        now = attempt.current_attempt()
        if now is not None and self.proxy is not None and self.proxy.scheme == "https":
            now.start_budget_timer()
        if self.sock is None and self.auto_open:
            self.connect()
        _register_socket(self)
        if now is not None and now.time_limits is not None:
            now.time_limits.pause()
        super().putrequest(*args, **kwargs)

    def send(self, data: Any) -> None:
        """Send bytes; where no other thread applies the stall rule, in steps that it admits."""
        now = attempt.current_attempt()
        limits = None if now is None or now.monitored or self.sock is None else now.time_limits
        if limits is not None and isinstance(data, (bytes, bytearray, memoryview)):
            _send_with_stall_check(self.sock, data, limits)
        else:
            super().send(data)


def _send_with_stall_check(sock: Any, data: Any, limits: TimeLimits) -> None:
    """Send a block in steps, each within the stall rule."""
    flow, timeout, clock = StallDetector(limits, awaiting_first_byte=False), sock.gettimeout(), limits.clock
    view = memoryview(data).cast("B")
    try:
        for at in range(0, len(view), limits.send_block_size):
            step, patience, began = (
                view[at : at + limits.send_block_size],
                flow.next_timeout(timeout),
                clock.monotonic(),
            )
            sock.settimeout(patience)
            try:
                sock.sendall(step)
            except socket.timeout:
                if patience == timeout:
                    raise
                raise flow.build_timeout_error(clock.monotonic() - began) from None
            flow.record_bytes(len(step), clock.monotonic() - began)
    finally:
        sock.settimeout(timeout)


@functools.lru_cache(maxsize=64)
def _make_abortable_class(connection_class: Any) -> Any:
    """Return a subclass of ``connection_class`` whose sockets an attempt can shut down."""
    if issubclass(connection_class, _AbortableConnection) or not issubclass(connection_class, HTTPConnection):
        return connection_class
    made = {}
    if connection_class._new_conn is HTTPConnection._new_conn:
        made = {"_new_conn": _connect_direct}
    elif connection_class.__module__ == "urllib3.contrib.socks":
        made = {"_new_conn": _connect_socks}
    return type(connection_class.__name__, (_AbortableConnection, connection_class), made)


def use_abortable_connections(manager: PoolManager) -> PoolManager:
    """Make ``manager`` (a pool or proxy manager) build watched connections."""
    pools: Dict[str, Any] = dict(manager.pool_classes_by_scheme)
    for scheme, pool in pools.items():
        pools[scheme] = type(
            pool.__name__, (pool,), {"ConnectionCls": _make_abortable_class(pool.ConnectionCls)}
        )
    manager.pool_classes_by_scheme = pools
    return manager


def make_pool_abortable(pool: Any) -> None:
    """Make one pool of a caller's session build watched connections; those that are idle in it are closed."""
    kind = _make_abortable_class(pool.ConnectionCls)
    if kind is pool.ConnectionCls:
        return
    pool.ConnectionCls = kind
    idle: List[Any] = []
    with contextlib.suppress(queue.Empty, AttributeError):  # no queue: the pool was closed
        while True:
            idle.append(pool.pool.get(block=False))
    for conn in idle:
        if conn is not None and not isinstance(conn, _AbortableConnection):
            conn.close()
        with contextlib.suppress(queue.Full, AttributeError):
            pool.pool.put(conn if isinstance(conn, _AbortableConnection) else None, block=False)
