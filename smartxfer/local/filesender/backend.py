"""State of the site: configuration, database, sessions, mails and clock.

Source: FileSender protocol, sections 1 and 11.
"""

import collections
import secrets
import time
from typing import Any, DefaultDict, Deque, Dict, Optional, Sequence
from urllib.parse import urlsplit

from smartxfer.local import service
from smartxfer.local.database import Row
from smartxfer.local.filesender.errors import ApiError
from smartxfer.local.filesender.repository import SCHEMA, Repository
from smartxfer.local.filesender.serializers import Serializer
from smartxfer.local.filesender.sessions import Sessions
from smartxfer.local.filesender.site import Site

#: Largest number of stored mails.
_MAILS = 10_000
_TRANSFER = "SELECT t.* FROM transfers t JOIN recipients r ON r.transfer_id=t.id WHERE r.token=? AND "


class Backend(service.Backend):
    """State of the site."""

    site: Site
    schema = SCHEMA

    def set_up(self) -> None:
        """Prepare database, sessions, mails, and the configured users."""
        self.repository = Repository(self.database, self.object_store())
        self.sessions = Sessions()
        #: Time of the first chunk of a file, by file id.
        self.signatures_begun: Dict[int, float] = {}
        #: The latest mails, oldest first.
        self.mails: Deque[Dict[str, Any]] = collections.deque(maxlen=_MAILS)
        #: Times of mails with a daily limit, by kind.
        self.sent: DefaultDict[str, Deque[float]] = collections.defaultdict(collections.deque)
        self._host_port = urlsplit(self.url).netloc
        self._add_users()

    @property
    def server_name(self) -> str:
        """Return the host name in signatures (section 3): without the port unless configured."""
        if self.site.server_name == "host:port":
            return self._host_port
        return self.site.server_name or self._host_port.rpartition(":")[0]

    @property
    def serializer(self) -> Serializer:
        """Serializer for the configured release."""
        return Serializer(self.url, self.site.is_2x)

    def open_transfer(self, token: str) -> Optional[Row]:
        """Return the available transfer of a recipient's token, or None if it is invalid or expired."""
        still_open = "t.status='available' AND t.expires>=?"
        return self.database.fetchone(_TRANSFER + still_open, token, int(self.now()))

    def any_transfer(self, token: str) -> Optional[Row]:
        """Return the transfer of a recipient's token, even a closed one, as downloads do."""
        return self.open_transfer(token) or self.database.fetchone(_TRANSFER + "t.status='closed'", token)

    def mail(self, to: str, kind: str, transfer: Row, token: str = "") -> None:
        """Store a mail about a transfer."""
        url = f"{self.url}/?s=download&token={token}" if token else ""
        self._store_mail(to, kind, transfer, url, token, transfer_id=transfer["id"])

    def _store_mail(self, to: str, kind: str, about: Row, url: str, token: str, **id: int) -> None:
        subject = about["subject"] or kind.replace("_", " ")
        mail = {"to": to, "subject": subject, "kind": kind, "url": url, "token": token, **id}
        self.mails.append({**mail, "message": about["message"]})

    def remind(self, recipients: Sequence[Row], transfer: Row) -> None:
        """Mail reminders of a transfer to those of its recipients who have an address.

        :raises ApiError: ``rate_limit_exceeded``: too many reminders within a day.
        """
        for row in recipients:
            if row["email"]:
                self._check_daily_limit("transfer_reminder", self.site.max_reminders_per_day)
                self.mail(row["email"], "transfer_reminder", transfer, row["token"])

    def _check_daily_limit(self, kind: str, maximum: int) -> None:
        moments, now = self.sent[kind], self.now()
        while moments and moments[0] <= now - 86400:
            moments.popleft()
        if len(moments) >= maximum:
            raise ApiError("rate_limit_exceeded")
        moments.append(now)

    def mail_guest(self, guest: Row, kind: str) -> None:
        """Store a mail to a guest.

        :raises ApiError: ``rate_limit_exceeded``: too many invitations within a day.
        """
        if kind == "guest_created":
            self._check_daily_limit(kind, self.site.max_guests_per_day)
        url = "{}/?s=upload&vid={}".format(self.url, guest["token"])
        self._store_mail(guest["email"], kind, guest, url, guest["token"], guest_id=guest["id"])

    def _add_users(self) -> None:
        now, db = int(time.time()), self.database
        with db.transaction():
            for username, key in self.site.users.items():
                sql = "INSERT OR IGNORE INTO users VALUES (NULL,?,?,?,?)"
                db.execute(sql, username, key or secrets.token_hex(32), now, now)
                if key:
                    db.execute("UPDATE users SET api_key=? WHERE username=?", key, username)
