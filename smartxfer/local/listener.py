"""A listening socket of the local server, its connections and its account of requests."""

import collections
import socket
import threading
import time
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Protocol, Type

import attrs
from werkzeug.serving import WSGIRequestHandler, make_server

from smartxfer.errors import UsageError
from smartxfer.local.fault_plan import Plan
from smartxfer.local.faults import FaultBook, compile_match
from smartxfer.local.http_messages import Request, Response

#: Requests that the account of a listener remembers.
ACCOUNT_LENGTH = 50_000


class Service(Protocol):
    """What a listener needs of the service behind it."""

    def answer(self, request: Request) -> Response:
        """Answer one request."""

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of the service."""

    def now(self) -> float:
        """The service's clock, in seconds since 1970."""


class Seen(NamedTuple):
    """A request that was served: method, path without base path, status (0: it got no answer)."""

    method: str
    path: str
    status: int


@attrs.define
class Record:
    """A request in full.

    :param seen: method, path and status.
    :param received: bytes of its body that were read.
    :param time: when its answer began, by :func:`time.monotonic`.
    :param sent: bytes of the answer's body that were sent; known once the answer has gone.
    """

    seen: Seen
    received: int
    time: float
    sent: int = 0


class Listener:
    """Accepts connections and serves them, one thread each.

    :param name: name of the service, as faults name it.
    :param service: who answers.
    :param faults: planned faults.
    :param handler: class that serves one connection.
    :param host: address to bind.
    :param port: port to bind, 0 for any.
    :param base_path: path before every path of the service, without a slash at its end.
    :param strict: refuse a request that has a length beside chunks.
    :param named: the path by which faults and the account know a request, of its path and its body's start.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        faults: FaultBook,
        handler: Type[WSGIRequestHandler],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        base_path: str = "",
        strict: bool = False,
        named: Callable[[str, Callable[[], bytes]], str] = lambda path, peek: path,
    ) -> None:
        self.name = name
        self.base_path = base_path
        self.answer: Callable[[Request], Response] = service.answer
        self.error: Callable[[int, str], Response] = service.error
        self.strict = strict
        self.named = named
        self.now: Callable[[], float] = service.now
        #: Set once the listener stops.
        self.stopping = threading.Event()
        #: Exceptions that escaped the service: bugs of the server.
        self.crashes: List[BaseException] = []
        self._faults = faults
        self._open: Dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._records: Deque[Record] = collections.deque(maxlen=ACCOUNT_LENGTH)
        # Bound here: werkzeug ends the process when it cannot bind.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind((host, port))
            except OSError as error:
                raise UsageError(f"{name} cannot listen on {host} port {port}: {error.strerror}") from error
            bound.listen(128)
            self.port: int = bound.getsockname()[1]
            app: Any = self
            self._server = make_server(
                host, self.port, app, threaded=True, request_handler=handler, fd=bound.fileno()
            )
        shown = f"[{host}]" if ":" in host else host
        #: Address of the service, base path included, without a slash at its end.
        self.url = f"http://{shown}:{self.port}{base_path}"
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
            left = list(self._open.items())
        for connection, _ in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It ended by itself meanwhile.
        for _, thread in left:
            thread.join(10)

    def opened(self, connection: socket.socket) -> None:
        """Note a connection, so that :meth:`stop` can end it."""
        with self._lock:
            self._open[connection] = threading.current_thread()
        if self.stopping.is_set():
            raise ConnectionAbortedError("the server stops")

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.pop(connection, None)

    @property
    def connections(self) -> int:
        """Connections that are open: each is of a client, or has a request that is still being handled."""
        return len(self._open)

    def inner_path(self, path: str) -> str:
        """A path without the base path; as it is when it lies outside."""
        if self.base_path and path.startswith(self.base_path + "/"):
            return path[len(self.base_path) :]
        return path

    def claim(self, method: str, target: str) -> Optional[Plan]:
        """What is to go wrong with a request."""
        return self._faults.claim(self.name, method, target)

    def account(self, method: str, path: str, status: int, received: int) -> Record:
        """Write a request into the account.

        :return: the entry, for the bytes that are sent.
        """
        record = Record(Seen(method, path, status), received, time.monotonic())
        self._records.append(record)
        return record

    @property
    def records(self) -> List[Record]:
        """The latest requests, oldest first, in full."""
        return list(self._records)

    @property
    def requests(self) -> List[Seen]:
        """The latest requests, oldest first: (method, path, status)."""
        return [record.seen for record in list(self._records)]

    def count(self, match: str = "* *", status: Optional[int] = None) -> int:
        """How many requests of the account match.

        :param match: method and path pattern, as faults have it.
        :param status: count only those with this status; 0 for those without an answer.
        """
        pattern = compile_match(match)
        seen = [one for one in self.requests if status is None or one.status == status]
        return sum(pattern.fullmatch(f"{one.method} {one.path}") is not None for one in seen)

    def forget(self) -> None:
        """Empty the account."""
        self._records.clear()
