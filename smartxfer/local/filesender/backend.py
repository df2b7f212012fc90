"""What the site knows and keeps: configuration, records, sessions, mails, and its clock.

Source: FileSender protocol, sections 1 and 11.
"""

import collections
import secrets
import time
from typing import Any, DefaultDict, Deque, Dict, Optional, Sequence
from urllib.parse import urlsplit

from smartxfer.local import service
from smartxfer.local.database import Row
from smartxfer.local.filesender.records import SCHEMA, Records
from smartxfer.local.filesender.refusals import ApiError
from smartxfer.local.filesender.sessions import Sessions
from smartxfer.local.filesender.site import Site
from smartxfer.local.filesender.views import Views

#: Mails that are remembered.
_MAILS = 10_000
_TRANSFER = "SELECT t.* FROM transfers t JOIN recipients r ON r.transfer_id=t.id WHERE r.token=? AND "


class Backend(service.Backend):
    """What every call works on."""

    site: Site
    schema = SCHEMA

    def set_up(self) -> None:
        """Prepare records, sessions and mails, and the users of the configuration."""
        self.records = Records(self.database, self.object_store())
        self.sessions = Sessions()
        #: When the first chunk of a file came, by file id.
        self.begun: Dict[int, float] = {}
        #: The latest mails, oldest first.
        self.mails: Deque[Dict[str, Any]] = collections.deque(maxlen=_MAILS)
        #: When mails went out that are limited, by kind.
        self.sent: DefaultDict[str, Deque[float]] = collections.defaultdict(collections.deque)
        self._host_port = urlsplit(self.url).netloc
        self._add_users()

    @property
    def server_name(self) -> str:
        """The name that requests are signed for (section 3): without the port unless configured."""
        if self.site.server_name == "host:port":
            return self._host_port
        return self.site.server_name or self._host_port.rpartition(":")[0]

    @property
    def views(self) -> Views:
        """How the site shows things."""
        return Views(self.url, self.site.is_2x)

    def open_transfer(self, token: str) -> Optional[Row]:
        """The available transfer behind a recipient's token; None for a bad or expired one."""
        still_open = "t.status='available' AND t.expires>=?"
        return self.database.row(_TRANSFER + still_open, token, int(self.now()))

    def any_transfer(self, token: str) -> Optional[Row]:
        """Return the transfer behind a recipient's token as downloads look for it: a closed one, too."""
        return self.open_transfer(token) or self.database.row(_TRANSFER + "t.status='closed'", token)

    def mail(self, to: str, kind: str, transfer: Row, token: str = "") -> None:
        """Keep a mail about a transfer."""
        url = f"{self.url}/?s=download&token={token}" if token else ""
        self._keep_mail(to, kind, transfer, url, token, transfer_id=transfer["id"])

    def _keep_mail(self, to: str, kind: str, about: Row, url: str, token: str, **id: int) -> None:
        subject = about["subject"] or kind.replace("_", " ")
        mail = {"to": to, "subject": subject, "kind": kind, "url": url, "token": token, **id}
        self.mails.append({**mail, "message": about["message"]})

    def remind(self, recipients: Sequence[Row], transfer: Row) -> None:
        """Mail reminders of a transfer to those of its recipients who have an address.

        :raises ApiError: ``rate_limit_exceeded``: too many reminders within a day.
        """
        for row in recipients:
            if row["email"]:
                self._count("transfer_reminder", self.site.max_reminders_per_day)
                self.mail(row["email"], "transfer_reminder", transfer, row["token"])

    def _count(self, kind: str, most: int) -> None:
        moments, now = self.sent[kind], self.now()
        while moments and moments[0] <= now - 86400:
            moments.popleft()
        if len(moments) >= most:
            raise ApiError("rate_limit_exceeded")
        moments.append(now)

    def mail_guest(self, guest: Row, kind: str) -> None:
        """Keep a mail to a guest.

        :raises ApiError: ``rate_limit_exceeded``: too many invitations within a day.
        """
        if kind == "guest_created":
            self._count(kind, self.site.max_guests_per_day)
        url = "{}/?s=upload&vid={}".format(self.url, guest["token"])
        self._keep_mail(guest["email"], kind, guest, url, guest["token"], guest_id=guest["id"])

    def _add_users(self) -> None:
        now, db = int(time.time()), self.database
        with db.transaction():
            for username, key in self.site.users.items():
                sql = "INSERT OR IGNORE INTO users VALUES (NULL,?,?,?,?)"
                db.run(sql, username, key or secrets.token_hex(32), now, now)
                if key:
                    db.run("UPDATE users SET api_key=? WHERE username=?", key, username)
