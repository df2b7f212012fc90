"""What every service of the local server has: an address, a configuration, data, a log of its requests."""

import os
import threading
import time
from typing import Any, Callable, ClassVar, Dict, List, Mapping, Optional, Type

from smartxfer.local.database import Database
from smartxfer.local.faults import FaultBook
from smartxfer.local.handler import Handler
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.listener import Listener, Record, Seen
from smartxfer.local.objects import Objects, private_directory
from smartxfer.local.options import Options
from smartxfer.local.s3 import Storage


class Backend:
    """What a service knows and keeps.

    :param site: the configuration.
    :param data: directory of the data; made where missing.
    :param url: address of the service, without a slash at its end.
    """

    #: SQL that makes the tables.
    schema: ClassVar[str] = ""

    def __init__(self, site: Any, data: str, url: str) -> None:
        #: The configuration; replaced as a whole when it changes.
        self.site = site
        self.url = url
        #: Held by what must not happen twice at a time.
        self.lock = threading.RLock()
        self.data = private_directory(data)
        self.database = Database(os.path.join(self.data, "metadata.sqlite"), self.schema)
        try:
            self.set_up()
        except BaseException:
            self.database.close()
            raise

    def set_up(self) -> None:
        """Prepare what the service has besides; the database is open."""

    def object_store(self) -> Objects:
        """Return the store of contents, made where missing."""
        return Objects(os.path.join(self.data, "objects"))

    def close(self) -> None:
        """Close the files."""
        self.database.close()

    def now(self) -> float:
        """Return the service's clock, in seconds since 1970."""
        return time.time() + float(getattr(self.site, "clock_offset", 0))


class Service:
    """One service on loopback.

    It is bound when it is made and serves once started: its address is known before anything else.

    :param options: values of the service's configuration.
    :param host: address to bind.
    :param data: directory of its data; made where missing.
    :param faults: planned faults of the server that it is part of.
    """

    #: How faults and options name it.
    name: ClassVar[str] = ""
    #: Its configuration.
    options: ClassVar[Type[Options]] = Options
    #: What its calls work on, and its class.
    backend: Any
    _backend_type: ClassVar[Type[Any]] = Backend
    #: Presigned storage at an origin of its own, of the services that have one.
    storage: Any = None
    #: Address of that storage; its paths are below ``/storage/``.
    storage_url: str = ""
    #: What finds the objects of that storage.
    _shelf_type: ClassVar[Optional[Type[Any]]] = None

    def __init__(
        self, options: Optional[Mapping[str, Any]], *, host: str, data: str, faults: FaultBook
    ) -> None:
        site: Any = self.options.from_options(options)
        #: Address that it is bound to.
        self.host = host
        where = {"host": host, "port": site.port, "base_path": getattr(site, "base_path", "")}
        self.listener = Listener(self.name, self, faults, Handler, **where, named=self.named)
        #: Address of the site, without a slash at its end.
        self.url = self.listener.url
        try:
            self.backend = self._make_backend(site, data)
            try:
                if self._shelf_type is not None:
                    self.storage = self.backend.storage = Storage(
                        self.name, self._shelf_type(self.backend), faults=faults, now=self.now, host=host
                    )
                    self.storage_url = self.storage.url
                self._opened()
            except BaseException:
                self.backend.close()
                raise
        except BaseException:
            self.listener.stop(running=False)
            raise

    # What each service says for itself.

    def _make_backend(self, site: Any, data: str) -> Any:
        """Make the backend for a configuration."""
        return self._backend_type(site, data, self.url)

    def _opened(self) -> None:
        """Set what users of the local server look at; the backend is there."""

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        raise LookupError("a service answers")

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of the API, for planned faults."""
        raise LookupError("a service has errors")

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        raise LookupError("a service can be found")

    def named(self, path: str, peek: Callable[[], bytes]) -> str:
        """The path by which faults and the account know a request: its own, unless a service has one for all.

        :param peek: gives the first bytes of the body, without reading them.
        """
        return path

    # What all have.

    def __repr__(self) -> str:
        return f"<{self.name} at {self.url}>"

    @property
    def _listeners(self) -> List[Listener]:
        return [self.listener] if self.storage is None else [self.listener, self.storage.listener]

    def start(self) -> None:
        """Begin to answer, at each of its origins."""
        for listener in self._listeners:
            listener.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop answering, end connections and threads, close files.

        :param running: whether :meth:`start` was called.
        """
        for listener in self._listeners:
            listener.stop(running=running)
        self.backend.close()

    def configure(self, **options: Any) -> None:
        """Change the configuration of the running service, as an administrator would.

        :param options: values of its configuration; port, users and credentials stay what they are.
        :raises UsageError: a name is unknown or a value is not possible.
        """
        self.backend.site = self.backend.site.changed(options)

    def now(self) -> float:
        """The service's clock, seconds since 1970."""
        seconds: float = self.backend.now()
        return seconds

    @property
    def requests(self) -> List[Seen]:
        """The latest requests, oldest first: (method, path, status); those to a storage included."""
        return [record.seen for record in self.account]

    @property
    def account(self) -> List[Record]:
        """The latest requests, oldest first, with the bytes that they moved; those to a storage included."""
        every = [record for listener in self._listeners for record in listener.records]
        return sorted(every, key=lambda record: record.time)

    def count(self, match: str = "* *", status: Optional[int] = None) -> int:
        """How many of the latest requests match; see :meth:`smartxfer.local.listener.Listener.count`."""
        return sum(listener.count(match, status) for listener in self._listeners)
