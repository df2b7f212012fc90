"""HTTP server that executes JSON-RPC calls with the vendor's package."""

import socket
import threading
import time
from types import TracebackType
from typing import Any, Callable, Dict, Optional, Type

from smartxfer.errors import UsageError
from smartxfer.jetstream_bridge.connection import VendorConnection
from smartxfer.jetstream_bridge.methods import METHODS
from smartxfer.jetstream_bridge.polling import WAIT_METHODS, poll_until_done
from smartxfer.jetstream_bridge.vendor_package import load_api_factory
from smartxfer.local.faults import FaultRegistry
from smartxfer.local.handler import Handler
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.jsonrpc import JsonRpcEndpoint, RpcError, Session, Sessions, find_method
from smartxfer.local.listener import Listener
from smartxfer.local.loopback import is_loopback

__all__ = ["Bridge"]

#: Seconds without a call after which a session's connection is closed.
IDLE_TIMEOUT = 3600.0
#: Calls for which a lost connection is opened again: they change nothing on the server.
_RECONNECT_METHODS = frozenset({"getServerInfo", "auth", "authToken", "echo"})


class Bridge:
    """HTTP server for JSON-RPC calls, which it executes with the vendor's package; a context manager.

    The constructor binds the address.  Each session has a separate connection to the JetStream server.
    Source: JetStream protocol, section 9.7.

    :param host: name or address of the JetStream server.
    :param port: its API control port.
    :param listen: address to bind.
    :param listen_port: port to bind, 0 for any.
    :param allow_remote: permit an address that is not loopback; passwords are sent without encryption.
    :raises UsageError: the package is missing or not the vendor's, or the address is not loopback or in use.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 8886,
        *,
        listen: str = "127.0.0.1",
        listen_port: int = 0,
        allow_remote: bool = False,
    ) -> None:
        if not allow_remote and not is_loopback(listen):
            raise UsageError(
                f"{listen} is not a loopback address; passwords would be sent without encryption",
                hint="pass allow_remote=True or --allow-remote to accept connections from other machines",
            )
        create_api = load_api_factory(host, port)
        self._stop_event = threading.Event()
        self._sessions = Sessions(
            lambda: VendorConnection(create_api),
            VendorConnection.disconnect,
            time.monotonic,
            lambda connection: bool(connection.logged_in),
        )
        self._endpoint = JsonRpcEndpoint(self._dispatch_call, self._sessions, lambda: IDLE_TIMEOUT)
        self._host = listen
        self.listener = Listener(
            "jetstream-bridge",
            self,
            FaultRegistry(),
            Handler,
            host=listen,
            port=listen_port,
            strict=True,
            log_path=_get_log_path,
        )
        #: URL of the bridge, without a trailing slash.
        self.url = self.listener.url

    def __repr__(self) -> str:
        return f"<Bridge at {self.url}>"

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables with which a client connects to the bridge."""
        host, port = self._host, self.listener.port
        if not is_loopback(host):
            # The scheme is given because clients use https for other hosts by default; a wildcard address is
            # replaced by the host name because clients cannot connect to it.
            name = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - not bound here
            host = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
        return {"JETSTREAM_API_HOST": host, "JETSTREAM_API_PORT": str(port)}

    def start(self) -> "Bridge":
        """Start to serve requests."""
        self.listener.start()
        return self

    def stop(self) -> None:
        """Stop serving requests, end waits, and disconnect from the server."""
        self._stop_event.set()
        self.listener.stop()
        self._sessions.clear()

    def __enter__(self) -> "Bridge":
        return self.start()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()

    def handle(self, request: Request) -> Response:
        """Return the response to an HTTP request."""
        if "origin" in request.headers:
            # The request comes from a web page, possibly with a host name that was rebound to this machine.
            return self.error_response(403, "no calls from web pages")
        return self._endpoint.handle(request)

    def error_response(self, status: int, message: str) -> Response:
        """Return an HTTP error response."""
        return text_response(status, message + "\n", "text/plain; charset=utf-8")

    def now(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def _dispatch_call(self, session: Session, method: str, params: Dict[str, Any]) -> Any:
        connection: VendorConnection = session.state
        if method not in METHODS:
            raise RpcError("MethodNotFound", f"no such method: {method}")
        if connection.broken and method in _RECONNECT_METHODS:
            connection.reconnect()
        if method in WAIT_METHODS:
            return poll_until_done(connection, method, params, self._stop_event)
        return connection.call(method, params)


def _get_log_path(path: str, peek: Callable[[], bytes]) -> str:
    method = find_method(peek()) if path == "/jsonrpc" else None
    return f"{path}/{method}" if method else path
