"""The local SmartFile: where it listens, which part answers, and what its users look at.

Source: SmartFile protocol, sections 1 and 8.
"""

from typing import Any, Dict, List, Mapping, Optional

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.exchange import Answer, Exchange
from smartxfer.local.faults import FaultBook
from smartxfer.local.handler import Handler
from smartxfer.local.listener import Listener, Record, Seen
from smartxfer.local.smartfile import routes
from smartxfer.local.smartfile.answers import Refusal, json_answer
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.nodes import segments
from smartxfer.local.smartfile.site import Site
from smartxfer.local.smartfile.throttle import Throttle

__all__ = ["SmartFile"]

#: Options that a running site keeps.
_FIXED = ("port", "users", "api_key", "password", "client_token", "client_secret", "verifier")


class SmartFile:
    """A SmartFile on loopback.

    :param options: values of :class:`~smartxfer.local.smartfile.site.Site`.
    :param host: address to bind.
    :param data: directory of its data; made where missing.
    :param faults: planned faults of the server that it is part of.
    """

    #: How faults name it.
    name = "smartfile"

    def __init__(
        self, options: Optional[Mapping[str, Any]], *, host: str, data: str, faults: FaultBook
    ) -> None:
        site = Site.from_options(options)
        self.listener = Listener(self.name, self, faults, Handler, host=host, port=site.port)
        #: Address of the site, without a slash at its end.
        self.url = self.listener.url
        try:
            self.backend = Backend(site, data, self.url)
        except BaseException:
            self.listener.stop(running=False)
            raise
        #: The first user, whose API key it is.
        self.username = self.backend.username
        self.key = self.backend.key
        self.password = self.backend.password
        #: Token and secret of the OAuth client.
        self.client_token = self.backend.client_token
        self.client_secret = self.backend.client_secret

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
        """Change the configuration of the running site.

        :param options: values of :class:`~smartxfer.local.smartfile.site.Site`; port, users and
            credentials stay what they are.
        :raises UsageError: a name is unknown or a value is not possible.
        """
        known = {field.name: getattr(self.backend.site, field.name) for field in attrs.fields(Site)}
        fixed = {name: known[name] for name in _FIXED}
        site = Site.from_options({**known, **options, **fixed})
        self.backend.site = site
        if "throttle" in options:
            self.throttle(site.throttle, site.throttle_next, style=site.throttle_style)

    def throttle(
        self, times: int, seconds: float = 0.01, *, style: str = "503", match: str = "* *"
    ) -> Throttle:
        """Turn the next calls away; ``left`` of what is returned says how many are still to come.

        :param times: how many.
        :param seconds: what their clients are told to wait.
        :param style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
        :param match: method and path pattern of those calls, as faults have it.
        :raises UsageError: the style or the match is not understood.
        """
        if style not in ("503", "429"):
            raise UsageError(f"style is 503 or 429, not {style!r}")
        self.backend.throttle = Throttle(times, style, seconds, match)
        return self.backend.throttle

    def now(self) -> float:
        """The server's clock, seconds since 1970."""
        return self.backend.now()

    def answer(self, exchange: Exchange) -> Answer:
        """Answer one request."""
        return routes.answer(self.backend, exchange)

    def error(self, status: int, message: str) -> Answer:
        """An error in the manner of the API, for planned faults."""
        return json_answer(self.backend.site, {"detail": message}, status)

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "SMARTFILE_API_URL": self.url + "/",
            "SMARTFILE_API_KEY": self.key,
            "SMARTFILE_API_PASSWORD": self.password,
        }

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

    def files(self) -> Dict[str, int]:
        """Size of every file in bytes, by path."""
        tree = self.backend.tree
        return {node.path: node.size for node in tree.walk(tree.find("/")) if not node.isdir}

    def directories(self) -> List[str]:
        """Path of every directory but the root."""
        tree = self.backend.tree
        return [node.path for node in tree.walk(tree.find("/")) if node.isdir and node.parent]

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        :raises UsageError: there is no such file.
        """
        with open(self.stored_path(path), "rb") as stream:
            return stream.read(self.backend.tree.find(path).size)

    def write(self, path: str, data: bytes = b"") -> None:
        """Put a file at a path, whatever was there; missing directories are made.

        :raises UsageError: a directory is there, or a file where a directory should be.
        """
        names = segments(path)
        try:
            self.mkdir("/".join(names[:-1]))
            with self.backend.tree.draft() as draft:
                draft.stream.write(data)
                self.backend.tree.replace(path, draft)
        except Refusal as refusal:
            raise UsageError(f"{path}: {refusal.body}") from None

    def mkdir(self, path: str) -> None:
        """Make a directory and those above it.

        :raises UsageError: a file is in the way.
        """
        try:
            self.backend.tree.make(path, parents=True)
        except Refusal as refusal:
            raise UsageError(f"{path}: {refusal.body}") from None

    def plant(self, directory: str, name: str, data: bytes = b"") -> None:
        """Put a file under a name that no client could send, ``"../x"`` for one."""
        with self.backend.tree.draft() as draft:
            draft.stream.write(data)
            self.backend.tree.plant(directory, name, draft)

    def stored_path(self, path: str) -> str:
        """Where the bytes of a file lie on disk.

        :raises UsageError: there is no such file.
        """
        try:
            return self.backend.tree.stored_path(path)
        except Refusal as refusal:
            raise UsageError(f"{path}: {refusal.body}") from None

    def tasks(self) -> List[Dict[str, Any]]:
        """Every task, oldest first: uuid, operation, arguments, user, status, result."""
        return self.backend.kept.all("task")

    def links(self) -> List[Dict[str, Any]]:
        """Every link, oldest first."""
        return self.backend.kept.all("link")
