"""Base classes of the services: address, configuration, data and request log."""

import os
import threading
import time
from typing import Any, Callable, ClassVar, Dict, List, Mapping, Optional, Type

from smartxfer.local.database import Database
from smartxfer.local.faults import FaultRegistry
from smartxfer.local.handler import Handler
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.listener import Listener, LoggedRequest, RequestRecord
from smartxfer.local.object_store import ObjectStore, private_directory
from smartxfer.local.options import Options
from smartxfer.local.s3 import Storage


class Backend:
    """State of a service: configuration and data.

    :param site: the configuration.
    :param data: directory of the data; created if missing.
    :param url: address of the service, without a slash at its end.
    """

    #: SQL that makes the tables.
    schema: ClassVar[str] = ""

    def __init__(self, site: Any, data: str, url: str) -> None:
        #: The configuration; replaced as a whole when it changes.
        self.site = site
        self.url = url
        #: Held by operations that must not run at the same time.
        self.lock = threading.RLock()
        self.data = private_directory(data)
        self.database = Database(os.path.join(self.data, "metadata.sqlite"), self.schema)
        try:
            self.set_up()
        except BaseException:
            self.database.close()
            raise

    def set_up(self) -> None:
        """Prepare the parts of the service; called with an open database."""

    def object_store(self) -> ObjectStore:
        """Return the store of file contents, created if missing."""
        return ObjectStore(os.path.join(self.data, "objects"))

    def close(self) -> None:
        """Close the files."""
        self.database.close()

    def now(self) -> float:
        """Return the service's clock, in seconds since 1970."""
        return time.time() + float(getattr(self.site, "clock_offset", 0))


class Service:
    """One service on loopback.

    The socket is bound in the constructor, so that the address is known before the service starts.

    :param options: values of the service's configuration.
    :param host: address to bind.
    :param data: directory of its data; created if missing.
    :param faults: planned faults of the server that it is part of.
    """

    #: Name of the service in faults and options.
    name: ClassVar[str] = ""
    #: Its configuration.
    options: ClassVar[Type[Options]] = Options
    #: State of the service, and its class.
    backend: Any
    _backend_type: ClassVar[Type[Any]] = Backend
    #: Storage with presigned URLs at its own origin, for the services that have one.
    storage: Any = None
    #: Address of that storage; its paths are below ``/storage/``.
    storage_url: str = ""
    #: Class that finds the objects of that storage.
    _object_backend_type: ClassVar[Optional[Type[Any]]] = None

    def __init__(
        self, options: Optional[Mapping[str, Any]], *, host: str, data: str, faults: FaultRegistry
    ) -> None:
        site: Any = self.options.from_options(options)
        #: Address to which the service is bound.
        self.host = host
        where = {"host": host, "port": site.port, "base_path": getattr(site, "base_path", "")}
        self.listener = Listener(self.name, self, faults, Handler, **where, log_path=self.log_path)
        #: Address of the site, without a slash at its end.
        self.url = self.listener.url
        try:
            self.backend = self._make_backend(site, data)
            try:
                if self._object_backend_type is not None:
                    self.storage = self.backend.storage = Storage(
                        self.name, self._object_backend_type(self.backend), faults=faults, now=self.now,
                        host=host,
                    )
                    self.storage_url = self.storage.url
                self._backend_ready()
            except BaseException:
                self.backend.close()
                raise
        except BaseException:
            self.listener.stop(running=False)
            raise

    # Overridden by each service.

    def _make_backend(self, site: Any, data: str) -> Any:
        """Make the backend for a configuration."""
        return self._backend_type(site, data, self.url)

    def _backend_ready(self) -> None:
        """Set public attributes; called once the backend exists."""

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        raise LookupError("handle() is not implemented")

    def error_response(self, status: int, message: str) -> Response:
        """Return an error response in the format of the API, for planned faults."""
        raise LookupError("error_response() is not implemented")

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        raise LookupError("env is not implemented")

    def log_path(self, path: str, peek: Callable[[], bytes]) -> str:
        """Return the path of a request for faults and the log.

        :param peek: returns the first bytes of the body without consuming them.
        """
        return path

    # Common to all services.

    def __repr__(self) -> str:
        return f"<{self.name} at {self.url}>"

    @property
    def _listeners(self) -> List[Listener]:
        return [self.listener] if self.storage is None else [self.listener, self.storage.listener]

    def start(self) -> None:
        """Start to serve, at each origin."""
        for listener in self._listeners:
            listener.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop the service: end connections and threads, close files.

        :param running: whether :meth:`start` was called.
        """
        for listener in self._listeners:
            listener.stop(running=running)
        self.backend.close()

    def configure(self, **options: Any) -> None:
        """Change the configuration of the running service, as an administrator would.

        :param options: values of its configuration; port, users and credentials cannot change.
        :raises UsageError: a name is unknown or a value is not possible.
        """
        self.backend.site = self.backend.site.changed(options)

    def now(self) -> float:
        """Return the service's clock, seconds since 1970."""
        seconds: float = self.backend.now()
        return seconds

    @property
    def requests(self) -> List[LoggedRequest]:
        """The latest requests, oldest first: (method, path, status); including those to a storage."""
        return [record.request for record in self.request_log]

    @property
    def request_log(self) -> List[RequestRecord]:
        """The latest requests, oldest first, with transferred bytes; including those to a storage."""
        every = [record for listener in self._listeners for record in listener.records]
        return sorted(every, key=lambda record: record.time)

    def count(self, match: str = "* *", status: Optional[int] = None) -> int:
        """Return the number of matching requests; see :meth:`smartxfer.local.listener.Listener.count`."""
        return sum(listener.count(match, status) for listener in self._listeners)
