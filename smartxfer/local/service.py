"""What every service of the local server has: an address, a configuration, an account of its requests."""

from typing import Any, Callable, ClassVar, Dict, List, Mapping, Optional, Type

from smartxfer.local.exchange import Answer, Exchange
from smartxfer.local.faults import FaultBook
from smartxfer.local.handler import Handler
from smartxfer.local.listener import Listener, Record, Seen
from smartxfer.local.options import Options

__all__ = ["Service"]


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
    #: What its calls work on: has ``site`` (the configuration), ``now()`` and ``close()``.
    backend: Any

    def __init__(
        self, options: Optional[Mapping[str, Any]], *, host: str, data: str, faults: FaultBook
    ) -> None:
        site: Any = self.options.from_options(options)
        self.listener = Listener(
            self.name,
            self,
            faults,
            Handler,
            host=host,
            port=site.port,
            base_path=getattr(site, "base_path", ""),
            named=self.named,
        )
        #: Address of the site, without a slash at its end.
        self.url = self.listener.url
        try:
            self.backend = self.open(site, data)
        except BaseException:
            self.listener.stop(running=False)
            raise

    # What each service says for itself.

    def open(self, site: Any, data: str) -> Any:
        """The backend for a configuration."""
        raise LookupError("a service has a backend")

    def answer(self, exchange: Exchange) -> Answer:
        """Answer one request."""
        raise LookupError("a service answers")

    def error(self, status: int, message: str) -> Answer:
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

    def start(self) -> None:
        """Begin to answer."""
        self.listener.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop answering, end connections and threads, close files.

        :param running: whether :meth:`start` was called.
        """
        self.listener.stop(running=running)
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
        """The latest requests, oldest first: (method, path, status)."""
        return self.listener.requests

    @property
    def account(self) -> List[Record]:
        """The latest requests, oldest first, with the bytes that they moved."""
        return self.listener.records

    def count(self, match: str = "* *", status: Optional[int] = None) -> int:
        """How many of the latest requests match; see :meth:`smartxfer.local.listener.Listener.count`."""
        return self.listener.count(match, status)
