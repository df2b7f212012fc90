"""urllib3 connections that tell the current attempt their socket.

That is all they add, so that a blocked send or receive can be ended from another thread, already while the
connection is being made.
"""

import contextlib
import errno
import http.client
import socket
from typing import Any, Dict, List

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProxyError
from urllib3.util.connection import allowed_gai_family

from smartxfer.transport import attempt
from smartxfer.transport.interim import FinalResponse, with_final_responses
from smartxfer.workers import aside

__all__ = ["NoTunnel", "skip_interim", "watch"]


class NoTunnel(ProxyError):
    """The proxy broke off before there was a tunnel: nothing of the request has left."""


def _connect(conn: HTTPConnection) -> socket.socket:
    """Connect to the first address that answers; the attempt knows the socket before it connects."""
    host = conn._dns_host.strip("[]")
    try:
        found = _addresses(host, conn.port)
    except (socket.gaierror, UnicodeError) as error:
        gai = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(conn.host, conn, gai) from None
    failure: Exception = NewConnectionError(conn, f"no address for {host}")
    for family, kind, proto, _, address in found:
        try:
            sock = socket.socket(family, kind, proto)
        except OSError as error:  # an address family that this machine lacks
            failure = NewConnectionError(conn, f"{error.strerror or error}")
            continue
        now = attempt.current()
        try:
            if now is not None:
                now.hold(sock)
            for option in conn.socket_options or ():
                sock.setsockopt(*option)
            if isinstance(conn.timeout, (int, float)):
                sock.settimeout(conn.timeout)
            if conn.source_address:
                sock.bind(conn.source_address)
            sock.connect(address)
            return sock
        except socket.timeout:
            failure = ConnectTimeoutError(conn, f"no connection within {conn.timeout} s")
        except OSError as error:
            failure = NewConnectionError(conn, f"{error.strerror or error}")
        sock.close()
    raise failure


def _addresses(host: str, port: int) -> List[Any]:
    """Look up a host; a resolver that hangs keeps neither an attempt that was ended nor the process."""
    family, now = allowed_gai_family(), attempt.current()
    with contextlib.suppress(socket.gaierror):  # not an address
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)

    def check() -> None:
        if now is not None and now.verdict is not None:
            raise now.verdict

    return aside(lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM), check)


def _show(conn: HTTPConnection) -> None:
    """Tell the attempt the connected socket, and give sending its own time-out (not the connect one).

    :raises ConnectionAbortedError: the attempt was ended before the socket was connected.
    """
    now = attempt.current()
    if now is not None and conn.sock is not None:
        now.hold(conn.sock)
        if now.verdict is not None:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the attempt was ended")
        if now.send_timeout is not None:
            conn.sock.settimeout(now.send_timeout)


class _WatchedHTTP(HTTPConnection):
    response_class = FinalResponse

    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def connect(self) -> None:
        super().connect()
        _show(self)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _show(self)
        super().putrequest(*args, **kwargs)


class _WatchedHTTPS(HTTPSConnection):
    response_class = FinalResponse

    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except (http.client.HTTPException, ConnectionError) as error:
            raise NoTunnel("the proxy gave no tunnel", error) from error

    def connect(self) -> None:
        super().connect()
        _show(self)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _show(self)
        super().putrequest(*args, **kwargs)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


_POOLS: Dict[str, Any] = {"http": _HTTPPool, "https": _HTTPSPool}


def watch(manager: PoolManager) -> PoolManager:
    """Make ``manager`` (a pool or proxy manager) build watched connections."""
    manager.pool_classes_by_scheme = _POOLS
    return manager


def skip_interim(manager: PoolManager) -> PoolManager:
    """Make ``manager`` build connections of its own kind that skip interim answers."""
    manager.pool_classes_by_scheme = with_final_responses(manager.pool_classes_by_scheme)
    return manager
