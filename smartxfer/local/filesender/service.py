"""The local FileSender: storage, configuration, mails, and the way from a path to its answer.

Source: FileSender protocol, sections 1 and 11.
"""

import collections
import secrets
import time
from typing import Any, Deque, Dict, List, Mapping, Optional

import attrs

from smartxfer.local.database import Database
from smartxfer.local.exchange import Answer, Exchange, text_answer
from smartxfer.local.faults import FaultBook
from smartxfer.local.listener import Listener, Record, Seen
from smartxfer.local.objects import Objects, private_directory

from . import download, pages, rest
from .call import Identity
from .records import Records, Row
from .refusals import refusal_answer
from .schema import SCHEMA
from .sessions import Sessions
from .site import Site

__all__ = ["FileSender"]

#: Mails that are remembered.
_MAILS = 10_000


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
        self.site = Site.from_options(options)
        root = private_directory(data)
        database = Database(root + "/metadata.sqlite", SCHEMA)
        self.records = Records(database, Objects(root + "/objects"))
        self.sessions = Sessions()
        #: When the first chunk of a file came, by file id.
        self.begun: Dict[int, float] = {}
        self._mails: Deque[Dict[str, Any]] = collections.deque(maxlen=_MAILS)
        self._host = f"[{host}]" if ":" in host else host
        try:
            self._add_users()
            self.listener = Listener(
                self.name,
                self,
                faults,
                host=host,
                port=self.site.port,
                base_path=self.site.base_path,
            )
        except BaseException:
            self.records.db.close()
            raise
        #: Address of the site, without a slash at its end.
        self.url = self.listener.url
        self.username = next(iter(self.site.users))
        self.api_key: str = self._user(self.username)["api_key"]

    def start(self) -> None:
        """Begin to answer."""
        self.listener.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop answering, end connections and threads, close files.

        :param running: whether :meth:`start` was called.
        """
        self.listener.stop(running=running)
        self.records.db.close()

    def configure(self, **options: Any) -> None:
        """Change the configuration of the running site, as an administrator would.

        :param options: values of :class:`~smartxfer.local.filesender.site.Site`; ``port``,
            ``base_path`` and ``users`` stay what they are.
        :raises UsageError: a name is unknown or a value is not possible.
        """
        known = {field.name: getattr(self.site, field.name) for field in attrs.fields(Site)}
        fixed = {name: known[name] for name in ("port", "base_path", "users")}
        self.site = Site.from_options({**known, **options, **fixed})

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "FILESENDER_BASE_URL": self.url,
            "FILESENDER_USERNAME": self.username,
            "FILESENDER_API_KEY": self.api_key,
        }

    @property
    def server_name(self) -> str:
        """The name that requests are signed for (section 3): without the port unless configured."""
        if self.site.server_name == "host:port":
            return f"{self._host}:{self.listener.port}"
        return self.site.server_name or self._host

    def now(self) -> float:
        """The server's clock, seconds since 1970."""
        return time.time() + self.site.clock_offset

    def answer(self, exchange: Exchange) -> Answer:
        """Answer one request."""
        path = exchange.path
        if self.site.base_path and exchange.script == path:
            return text_answer(404, "<html><h1>404 Not Found</h1></html>", "text/html")
        if path == "/rest.php" or path.startswith("/rest.php/"):
            return rest.answer(self, exchange)
        if path == "/download.php":
            return download.answer(self, exchange)
        if path in ("/", "/index.php", ""):
            return pages.answer(self, exchange)
        if path == "/filesender-config.js.php":
            return pages.config_script(self)
        return text_answer(404, "<html><h1>404 Not Found</h1></html>", "text/html")

    def error(self, status: int, message: str) -> Answer:
        """An error in the manner of the API, for planned faults."""
        return refusal_answer(message, status)

    # What users of the local server look at.

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
        return list(self._mails)

    def transfers(self) -> List[Dict[str, Any]]:
        """Every transfer with its status, oldest first, files with the bytes that are stored."""
        found = []
        for row in self.records.db.rows("SELECT * FROM transfers ORDER BY id"):
            files = [
                {**dict(file), "stored": self.records.objects.size(file["id"])}
                for file in self.records.files(row["id"])
            ]
            people = [dict(person) for person in self.records.recipients(row["id"])]
            found.append({**dict(row), "files": files, "recipients": people})
        return found

    def stored(self, file_id: int) -> str:
        """Path of a file's stored bytes."""
        return self.records.objects.path(file_id)

    # What the calls share.

    def open_transfer(self, token: str) -> Optional[Row]:
        """The available transfer behind a recipient's token; None for a bad or expired one."""
        return self.records.db.row(
            "SELECT t.* FROM transfers t JOIN recipients r ON r.transfer_id=t.id"
            " WHERE r.token=? AND t.status='available' AND t.expires>=?",
            token.lower(),
            int(self.now()),
        )

    def author_of(self, transfer: int) -> Dict[str, Any]:
        """How the audit log names who uploads a transfer."""
        row = self.records.transfer(transfer)
        guest = None
        if row["guest_id"] is not None:
            guest = self.records.db.row("SELECT * FROM guests WHERE id=?", row["guest_id"])
        user = self.records.db.row("SELECT * FROM users WHERE id=?", row["userid"])
        return Identity(user, guest).author

    def guest_used(self, guest: int) -> None:
        """Count a transfer of a voucher, and close one that is valid only one time."""
        db = self.records.db
        db.run("UPDATE guests SET transfer_count=transfer_count+1 WHERE id=?", guest)
        db.run(
            "UPDATE guests SET status='closed' WHERE id=?"
            " AND json_extract(options, '$.valid_only_one_time')",
            guest,
        )

    def mail(self, to: str, kind: str, transfer: Row, token: str = "") -> None:
        """Keep a mail about a transfer."""
        url = f"{self.url}/?s=download&token={token}" if token else ""
        self._mails.append(
            {
                "to": to,
                "subject": transfer["subject"] or kind.replace("_", " "),
                "kind": kind,
                "url": url,
                "token": token,
                "transfer_id": transfer["id"],
                "message": transfer["message"],
            }
        )

    def mail_guest(self, guest: Row, kind: str) -> None:
        """Keep a mail to a guest."""
        self._mails.append(
            {
                "to": guest["email"],
                "subject": guest["subject"] or kind.replace("_", " "),
                "kind": kind,
                "url": "{}/?s=upload&vid={}".format(self.url, guest["token"]),
                "token": guest["token"],
                "guest_id": guest["id"],
                "message": guest["message"],
            }
        )

    def _add_users(self) -> None:
        now = int(time.time())
        with self.records.db.transaction():
            for username, key in self.site.users.items():
                self.records.db.run(
                    "INSERT OR IGNORE INTO users (username, api_key, created, last_activity)"
                    " VALUES (?,?,?,?)",
                    username,
                    key or secrets.token_hex(32),
                    now,
                    now,
                )
                if key:
                    self.records.db.run(
                        "UPDATE users SET api_key=? WHERE username=?", key, username
                    )

    def _user(self, username: str) -> Row:
        row = self.records.db.row("SELECT * FROM users WHERE username=?", username)
        assert row is not None
        return row
