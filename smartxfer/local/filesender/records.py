"""Rows of the database and what belongs together.

Source: FileSender protocol, sections 5 and 6.7.
"""

import json
import uuid
from typing import Any, Dict, List, Optional

from smartxfer.local.database import Database, Row
from smartxfer.local.filesender.refusals import ApiError
from smartxfer.local.filesender.views import Views, author_view, file_view
from smartxfer.local.objects import Objects

__all__ = ["OPEN", "Records"]

#: States in which a transfer still takes data (section 6.7).
OPEN = ("created", "started", "uploading")
_CHILDREN = (
    "DELETE FROM files WHERE transfer_id=?",
    "DELETE FROM recipients WHERE transfer_id=?",
    "DELETE FROM audit WHERE transfer_id=?",
)


class Records:
    """Access to the rows.

    :param db: the database.
    :param objects: stored bytes, by file id.
    """

    def __init__(self, db: Database, objects: Objects) -> None:
        self.db = db
        self.objects = objects

    def transfer(self, number: int) -> Row:
        """A transfer by id.

        :raises ApiError: ``transfer_not_found``.
        """
        return self._one("transfer", "SELECT * FROM transfers WHERE id=?", number)

    def file(self, number: int) -> Row:
        """A file by id.

        :raises ApiError: ``file_not_found``.
        """
        return self._one("file", "SELECT * FROM files WHERE id=? AND folder=0", number)

    def recipient(self, number: int) -> Row:
        """A recipient by id.

        :raises ApiError: ``recipient_not_found``.
        """
        return self._one("recipient", "SELECT * FROM recipients WHERE id=?", number)

    def guest(self, number: int) -> Row:
        """A voucher by id.

        :raises ApiError: ``guest_not_found``.
        """
        return self._one("guest", "SELECT * FROM guests WHERE id=?", number)

    def user(self, number: int) -> Row:
        """A user by id.

        :raises ApiError: ``user_not_found``.
        """
        return self._one("user", "SELECT * FROM users WHERE id=?", number)

    def user_named(self, username: str) -> Optional[Row]:
        """The user of a name, None where there is none."""
        return self.db.row("SELECT * FROM users WHERE username=?", username)

    def _one(self, kind: str, sql: str, number: int) -> Row:
        # What does not fit a column cannot be there.
        row = self.db.row(sql, number) if number < 1 << 62 else None
        if row is None:
            raise ApiError(kind + "_not_found")
        return row

    def files(self, transfer: int) -> List[Row]:
        """Return the files of a transfer by id, pseudo entries of folders left out."""
        return self.db.rows("SELECT * FROM files WHERE transfer_id=? AND folder=0 ORDER BY id", transfer)

    def recipients(self, transfer: int) -> List[Row]:
        """Return the recipients of a transfer in the order in which a real database keeps them.

        A row that was changed goes to the end: who has downloaded comes last.
        """
        return self.db.rows(
            "SELECT * FROM recipients WHERE transfer_id=? ORDER BY coalesce(last_activity, 0), id", transfer
        )

    def show(self, transfer: int, views: Views, *, text: bool = False) -> Dict[str, Any]:
        """A transfer as the API shows it.

        :param views: how the site shows things.
        :param text: show ``expires.raw`` as a string.
        """
        return views.transfer(
            self.transfer(transfer),
            [file_view(row) for row in self.files(transfer)],
            [views.recipient(row) for row in self.recipients(transfer)],
            text=text,
        )

    def set_status(self, transfer: int, status: str) -> None:
        """Move a transfer to another state."""
        self.db.run("UPDATE transfers SET status=? WHERE id=?", status, transfer)

    def delete_transfer(self, transfer: int) -> None:
        """Remove a transfer with its data."""
        with self.db.transaction():
            numbers = self.db.rows("SELECT id FROM files WHERE transfer_id=?", transfer)
            for sql in _CHILDREN:
                self.db.run(sql, transfer)
            self.db.run("DELETE FROM transfers WHERE id=?", transfer)
        for row in numbers:
            self.objects.delete(row["id"])

    def add_recipient(self, transfer: int, address: str, when: int) -> int:
        """Add a recipient, with a token of their own.

        :param address: empty for the anonymous one of a link.
        :return: the id.
        """
        return self.db.run(
            "INSERT INTO recipients (transfer_id, token, email, created) VALUES (?,?,?,?)",
            transfer,
            str(uuid.uuid4()),
            address,
            when,
        )

    def guest_used(self, guest: int) -> None:
        """Count a transfer of a voucher, and close one that is valid only one time."""
        self.db.run("UPDATE guests SET transfer_count=transfer_count+1 WHERE id=?", guest)
        self.db.run(
            "UPDATE guests SET status='closed' WHERE id=? AND json_extract(options, '$.valid_only_one_time')",
            guest,
        )

    def log(
        self,
        transfer: int,
        event: str,
        when: float,
        author: Optional[Dict[str, Any]],
        target: Optional[Row] = None,
        time_taken: Optional[int] = None,
    ) -> None:
        """Write an entry into the audit log of a transfer.

        :param author: who did it; None for what nobody is named for.
        :param target: the file, where it is not the transfer.
        """
        aim: Dict[str, Any] = {"type": "Transfer", "id": str(transfer)}
        if target is not None:
            aim = {
                "type": "File",
                "id": str(target["id"]),
                "path": target["name"],
                "name": target["name"].rsplit("/", 1)[-1],
                "size": target["size"],
            }
        self.db.run(
            "INSERT INTO audit (transfer_id, date, event, author, target, time_taken) VALUES (?,?,?,?,?,?)",
            transfer,
            int(when),
            event,
            json.dumps(author or author_view()),
            json.dumps(aim),
            time_taken,
        )

    def audit(self, transfer: int) -> List[Row]:
        """The audit log of a transfer, oldest first."""
        return self.db.rows("SELECT * FROM audit WHERE transfer_id=? ORDER BY id", transfer)

    def extended(self, guest: int) -> bool:
        """Whether a voucher was extended before."""
        return self.db.row("SELECT 1 FROM guest_extensions WHERE guest_id=?", guest) is not None
