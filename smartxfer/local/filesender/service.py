"""The local FileSender: where it listens, which part answers, and what its users look at.

Source: FileSender protocol, sections 1 and 11.
"""

from typing import Any, Dict, List, Mapping, Optional

import attrs

from smartxfer.local.exchange import Answer, Exchange, text_answer
from smartxfer.local.faults import FaultBook
from smartxfer.local.filesender import download, pages, rest
from smartxfer.local.filesender.backend import Backend
from smartxfer.local.filesender.refusals import refusal_answer
from smartxfer.local.filesender.site import Site
from smartxfer.local.handler import Handler
from smartxfer.local.listener import Listener, Record, Seen

__all__ = ["FileSender"]


class FileSender:
    """A FileSender 3.8 on loopback.

    :param options: values of :class:`~smartxfer.local.filesender.site.Site`.
    :param host: address to bind.
    :param data: directory of its data; made where missing.
    :param faults: planned faults of the server that it is part of.
    """

    #: How faults name it.
    name = "filesender"

    def __init__(
        self, options: Optional[Mapping[str, Any]], *, host: str, data: str, faults: FaultBook
    ) -> None:
        site = Site.from_options(options)
        # It is bound here and serves once started: the address is known before anything else.
        self.listener = Listener(
            self.name, self, faults, Handler, host=host, port=site.port, base_path=site.base_path
        )
        #: Address of the site, without a slash at its end.
        self.url = self.listener.url
        self.username = next(iter(site.users))
        try:
            self.backend = Backend(site, data, self.url)
        except BaseException:
            self.listener.stop(running=False)
            raise
        user = self.backend.records.user_named(self.username)
        assert user is not None
        self.api_key: str = user["api_key"]

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
        """Change the configuration of the running site, as an administrator would.

        :param options: values of :class:`~smartxfer.local.filesender.site.Site`; ``port``,
            ``base_path`` and ``users`` stay what they are.
        :raises UsageError: a name is unknown or a value is not possible.
        """
        known = {field.name: getattr(self.backend.site, field.name) for field in attrs.fields(Site)}
        fixed = {name: known[name] for name in ("port", "base_path", "users")}
        self.backend.site = Site.from_options({**known, **options, **fixed})

    def now(self) -> float:
        """The server's clock, seconds since 1970."""
        return self.backend.now()

    def answer(self, exchange: Exchange) -> Answer:
        """Answer one request."""
        path = exchange.path
        outside = bool(self.backend.site.base_path) and exchange.script == path
        if not outside:
            if path == "/rest.php" or path.startswith("/rest.php/"):
                return rest.answer(self.backend, exchange)
            if path == "/download.php":
                return download.answer(self.backend, exchange)
            if path in ("/", "/index.php", ""):
                return pages.answer(self.backend, exchange)
            if path == "/filesender-config.js.php":
                return pages.config_script(self.backend)
        return text_answer(404, "<html><h1>404 Not Found</h1></html>", "text/html")

    def error(self, status: int, message: str) -> Answer:
        """An error in the manner of the API, for planned faults."""
        return refusal_answer(message, status)

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "FILESENDER_BASE_URL": self.url,
            "FILESENDER_USERNAME": self.username,
            "FILESENDER_API_KEY": self.api_key,
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

    @property
    def mails(self) -> List[Dict[str, Any]]:
        """The latest mails, oldest first: to, subject, kind, url, transfer or guest id."""
        return list(self.backend.mails)

    def transfers(self) -> List[Dict[str, Any]]:
        """Every transfer with its status, oldest first, files with the bytes that are stored."""
        records, found = self.backend.records, []
        for row in records.db.rows("SELECT * FROM transfers ORDER BY id"):
            files = [
                {**dict(file), "stored": records.objects.size(file["id"])}
                for file in records.files(row["id"])
            ]
            people = [dict(person) for person in records.recipients(row["id"])]
            found.append({**dict(row), "files": files, "recipients": people})
        return found

    def stored(self, file_id: int) -> str:
        """Path of a file's stored bytes."""
        return self.backend.records.objects.path(file_id)
