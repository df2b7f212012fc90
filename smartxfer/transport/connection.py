"""urllib3 connections that another thread can abort.

They attach their socket to the current attempt, so that a blocked connect, send or receive can be ended.
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
    """The proxy failed before the tunnel existed, so that the request was not sent."""


def _connect_direct(conn: HTTPConnection) -> socket.socket:
    """Connect to the first address that accepts a connection."""
    return _connect_first_address(conn, conn._dns_host.strip("[]"), conn.port, socket.socket)


def _connect_socks(conn: Any) -> socket.socket:
    """Connect via the first address of a SOCKS proxy that accepts a connection."""
    import socks  # type: ignore[import-untyped]  # PySocks, which urllib3's own class needs, too

    options = conn._socks_options

    def create_socket(*kind: int) -> Any:
        sock = socks.socksocket(*kind)
        names = ("socks_version", "proxy_host", "proxy_port", "rdns", "username", "password")
        sock.set_proxy(*(options[name] for name in names))
        return sock

    current = attempt.current_attempt()
    if current is not None:
        current.start_budget_timer()
    return _connect_first_address(
        conn, options["proxy_host"], options["proxy_port"], create_socket, (conn.host, conn.port)
    )


def _connect_first_address(
    conn: Any,
    host: str,
    port: Any,
    create_socket: Callable[..., socket.socket],
    proxy_target: Optional[Tuple[str, int]] = None,
) -> socket.socket:
    """Connect to the first address of a host that accepts a connection.

    The socket is attached to the attempt before it connects.

    :param create_socket: creates the socket from (family, type, protocol).
    :param proxy_target: host and port that a SOCKS proxy at that address should connect to.
    """
    try:
        addresses = _resolve_host(host, port)
    except TimeLimitExceeded as error:
        raise NewConnectionError(conn, str(error)) from error
    except (socket.gaierror, UnicodeError) as error:
        gai = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(conn.host, conn, gai) from None
    failure: Exception = NewConnectionError(conn, f"no address for {host}")
    current = attempt.current_attempt()
    for family, kind, proto, _, address in addresses:
        try:
            sock = create_socket(family, kind, proto)
        except OSError as error:  # this machine does not support the address family
            failure = NewConnectionError(conn, f"{error.strerror or error}")
            continue
        timeout = _connect_timeout(current, conn.timeout)
        try:
            if current is not None:
                current.attach_socket(sock)
            for option in conn.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout)
            if conn.source_address:
                sock.bind(conn.source_address)
            sock.connect(proxy_target or address)
            sock.settimeout(_connect_timeout(current, conn.timeout))  # for the tunnel and the TLS handshake
            return sock
        except OSError as error:
            cause = getattr(error, "socket_err", None) or error  # PySocks wraps the original error
            if isinstance(cause, socket.timeout):
                failure = ConnectTimeoutError(conn, f"no connection within {timeout:.2g} s")
            else:
                failure = NewConnectionError(conn, f"{getattr(cause, 'strerror', None) or cause}")
        sock.close()
    raise failure


def _resolve_host(host: str, port: int) -> List[Any]:
    """Resolve a host name in a daemon thread, because a resolver may block and cannot be interrupted.

    :raises TimeLimitExceeded: the time budget has ended.
    """
    family, current = allowed_gai_family(), attempt.current_attempt()
    with contextlib.suppress(socket.gaierror):  # not a numeric address
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)

    def check() -> None:
        if current is not None and current.abort_error is not None:
            raise current.abort_error
        limits = None if current is None else current.time_limits
        if limits is not None and limits.is_exhausted():
            raise TimeLimitExceeded(limits.budget_message())

    return run_in_daemon_thread(lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM), check)


def _connect_timeout(attempt_or_none: Optional[attempt.Attempt], timeout: Any) -> Optional[float]:
    """Return the seconds that the next operation of a connection setup may block."""
    limit = float(timeout) if isinstance(timeout, (int, float)) else None
    left = (
        None
        if attempt_or_none is None or attempt_or_none.time_limits is None
        else attempt_or_none.time_limits.remaining()
    )
    if left is None:
        return limit
    left = max(left, 0.001)
    return left if limit is None else min(limit, left)


def _register_socket(conn: HTTPConnection) -> None:
    """Attach the connected socket to the attempt, and set its send timeout instead of the connect timeout.

    :raises ConnectionAbortedError: the attempt was aborted before the socket was connected.
    """
    current = attempt.current_attempt()
    if current is not None and conn.sock is not None:
        current.attach_socket(conn.sock)
        if current.abort_error is not None:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the attempt was aborted")
        if current.send_timeout is not None:
            conn.sock.settimeout(current.send_timeout)


class _AbortableConnection(HTTPConnection):
    """Mixin for urllib3 connections that an attempt can abort."""

    response_class = FinalHTTPResponse
    #: A program may set this for all connections; http.client would then print headers with credentials.
    debuglevel = 0

    def _tunnel(self) -> None:
        """Open a proxy tunnel; a failure raises ProxyTunnelError, because the request was not sent."""
        try:
            super()._tunnel()
        except (http.client.HTTPException, ConnectionError, socket.timeout) as error:
            raise ProxyTunnelError("the proxy did not open a tunnel", error) from error

    def connect(self) -> None:
        """Connect, and attach the socket to the attempt."""
        current = attempt.current_attempt()
        if current is not None and self.proxy is not None and self.proxy.scheme == "https":
            current.start_budget_timer()
        super().connect()
        _register_socket(self)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        """Begin a request; the connection may have been opened by another attempt."""
        current = attempt.current_attempt()
        if current is not None and self.proxy is not None and self.proxy.scheme == "https":
            current.start_budget_timer()
        if self.sock is None and self.auto_open:
            self.connect()
        _register_socket(self)
        if current is not None and current.time_limits is not None:
            current.time_limits.pause()
        super().putrequest(*args, **kwargs)

    def send(self, data: Any) -> None:
        """Send bytes; if no other thread applies the stall rule, in small blocks."""
        current = attempt.current_attempt()
        unlimited = current is None or current.monitored or self.sock is None
        limits = None if unlimited or current is None else current.time_limits
        if limits is not None and isinstance(data, (bytes, bytearray, memoryview)):
            _send_with_stall_check(self.sock, data, limits)
        else:
            super().send(data)


def _send_with_stall_check(sock: Any, data: Any, limits: TimeLimits) -> None:
    """Send bytes in small blocks, each within the stall rule."""
    detector, clock = StallDetector(limits, awaiting_first_byte=False), limits.clock
    timeout = sock.gettimeout()
    view = memoryview(data).cast("B")
    try:
        for offset in range(0, len(view), limits.send_block_size):
            block = view[offset : offset + limits.send_block_size]
            block_timeout, started_at = detector.next_timeout(timeout), clock.monotonic()
            sock.settimeout(block_timeout)
            try:
                sock.sendall(block)
            except socket.timeout:
                if block_timeout == timeout:
                    raise
                raise detector.build_timeout_error(clock.monotonic() - started_at) from None
            detector.record_bytes(len(block), clock.monotonic() - started_at)
    finally:
        sock.settimeout(timeout)


@functools.lru_cache(maxsize=64)
def _make_abortable_class(connection_class: Any) -> Any:
    """Return a subclass of ``connection_class`` that an attempt can abort."""
    if issubclass(connection_class, _AbortableConnection) or not issubclass(connection_class, HTTPConnection):
        return connection_class
    members = {}
    if connection_class._new_conn is HTTPConnection._new_conn:
        members = {"_new_conn": _connect_direct}
    elif connection_class.__module__ == "urllib3.contrib.socks":
        members = {"_new_conn": _connect_socks}
    return type(connection_class.__name__, (_AbortableConnection, connection_class), members)


def use_abortable_connections(manager: PoolManager) -> PoolManager:
    """Make a pool manager or proxy manager create abortable connections, and return it."""
    pools: Dict[str, Any] = dict(manager.pool_classes_by_scheme)
    for scheme, pool in pools.items():
        pools[scheme] = type(
            pool.__name__, (pool,), {"ConnectionCls": _make_abortable_class(pool.ConnectionCls)}
        )
    manager.pool_classes_by_scheme = pools
    return manager


def make_pool_abortable(pool: Any) -> None:
    """Make one pool of a caller's session create abortable connections; close its idle connections."""
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
