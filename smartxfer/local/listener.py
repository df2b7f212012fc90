"""A listening socket of the local server, its connections and its request log."""

import collections
import socket
import threading
import time
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Protocol, Type

import attrs
from werkzeug.serving import WSGIRequestHandler, make_server

from smartxfer.errors import UsageError
from smartxfer.local.faults import FaultRegistry, compile_match
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.request_faults import RequestFaults

#: Largest number of requests in the log of a listener.
LOG_LENGTH = 50_000


class RequestHandler(Protocol):
    """Interface of the service of a listener."""

    def handle(self, request: Request) -> Response:
        """Handle one request."""

    def error_response(self, status: int, message: str) -> Response:
        """Return an error response in the service's format."""

    def now(self) -> float:
        """Return the service's clock, in seconds since 1970."""


class LoggedRequest(NamedTuple):
    """A served request: method, path without base path, status (0: no response was sent)."""

    method: str
    path: str
    status: int


@attrs.define
class RequestRecord:
    """A request with the bytes that it transferred.

    :param request: method, path and status.
    :param received: bytes of its body that were read.
    :param time: start of the response, by :func:`time.monotonic`.
    :param sent: bytes of the response's body that were sent; set once the response is complete.
    """

    request: LoggedRequest
    received: int
    time: float
    sent: int = 0


class Listener:
    """Accepts connections and serves them, one thread each.

    :param name: name of the service, as faults name it.
    :param service: handles the requests.
    :param faults: planned faults.
    :param handler: class that serves one connection.
    :param host: address to bind.
    :param port: port to bind, 0 for any.
    :param base_path: prefix of every path of the service, without a slash at its end.
    :param strict: reject a request that has both a length and chunks.
    :param log_path: returns the path of a request for faults and the log.
    """

    def __init__(
        self,
        name: str,
        service: RequestHandler,
        faults: FaultRegistry,
        handler: Type[WSGIRequestHandler],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        base_path: str = "",
        strict: bool = False,
        log_path: Callable[[str, Callable[[], bytes]], str] = lambda path, peek: path,
    ) -> None:
        self.name = name
        self.base_path = base_path
        self.handle: Callable[[Request], Response] = service.handle
        self.error_response: Callable[[int, str], Response] = service.error_response
        self.strict = strict
        self.log_path = log_path
        self.now: Callable[[], float] = service.now
        #: Set once the listener stops.
        self.stopping = threading.Event()
        #: Exceptions that the service did not handle: bugs of the server.
        self.crashes: List[BaseException] = []
        self._faults = faults
        self._connections: Dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._records: Deque[RequestRecord] = collections.deque(maxlen=LOG_LENGTH)
        # Bound here: werkzeug ends the process when it cannot bind.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind((host, port))
            except OSError as error:
                raise UsageError(
                    f"{name} cannot listen on {host} port {port}: {error.strerror}",
                    hint="pass another port, or 0 for any free port",
                ) from error
            bound.listen(128)
            self.port: int = bound.getsockname()[1]
            app: Any = self
            self._server = make_server(
                host, self.port, app, threaded=True, request_handler=handler, fd=bound.fileno()
            )
        host_text = f"[{host}]" if ":" in host else host
        #: Address of the service, base path included, without a slash at its end.
        self.url = f"http://{host_text}:{self.port}{base_path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="local-" + name, daemon=True
        )

    def start(self) -> None:
        """Begin to accept connections."""
        self._thread.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop accepting, end every connection, wait for every thread.

        :param running: whether :meth:`start` was called.
        """
        self.stopping.set()
        if running:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        with self._lock:
            left = list(self._connections.items())
        for connection, _ in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # The connection has ended already.
        for _, thread in left:
            thread.join(10)

    def add_connection(self, connection: socket.socket) -> None:
        """Register a connection, so that :meth:`stop` can end it."""
        with self._lock:
            self._connections[connection] = threading.current_thread()
        if self.stopping.is_set():
            raise ConnectionAbortedError("the server stops")

    def remove_connection(self, connection: socket.socket) -> None:
        """Remove a connection."""
        with self._lock:
            self._connections.pop(connection, None)

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    def inner_path(self, path: str) -> str:
        """Return a path without the base path; one outside of it is returned unchanged."""
        if self.base_path and path.startswith(self.base_path + "/"):
            return path[len(self.base_path) :]
        return path

    def match_faults(self, method: str, target: str) -> Optional[RequestFaults]:
        """Return the planned faults of a request, or None."""
        return self._faults.claim(self.name, method, target)

    def log_request(self, method: str, path: str, status: int, received: int) -> RequestRecord:
        """Add a request to the log.

        :return: the entry, in which the number of sent bytes is set later.
        """
        record = RequestRecord(LoggedRequest(method, path, status), received, time.monotonic())
        self._records.append(record)
        return record

    @property
    def records(self) -> List[RequestRecord]:
        """The latest requests, oldest first, with their numbers of bytes."""
        return list(self._records)

    @property
    def requests(self) -> List[LoggedRequest]:
        """The latest requests, oldest first: (method, path, status)."""
        return [record.request for record in list(self._records)]

    def count(self, match: str = "* *", status: Optional[int] = None) -> int:
        """Return the number of logged requests that match.

        :param match: method and path pattern, as faults have it.
        :param status: count only those with this status; 0 for those without a response.
        """
        pattern = compile_match(match)
        records = [record for record in self.requests if status is None or record.status == status]
        return sum(pattern.fullmatch(f"{record.method} {record.path}") is not None for record in records)

    def clear_log(self) -> None:
        """Clear the log."""
        self._records.clear()
