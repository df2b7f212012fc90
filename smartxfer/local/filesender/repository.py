"""Access to the database.

Source: FileSender protocol, sections 5 and 6.7.
"""

import json
import uuid
from typing import Any, Dict, List, Optional

from smartxfer.local.database import Database, Row
from smartxfer.local.filesender.errors import ApiError
from smartxfer.local.filesender.serializers import Serializer, serialize_author, serialize_file
from smartxfer.local.object_store import ObjectStore

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL, api_key TEXT NOT NULL,
    created INTEGER NOT NULL, last_activity INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS transfers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, userid INTEGER NOT NULL, guest_id INTEGER,
    user_email TEXT NOT NULL, subject TEXT, message TEXT, status TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, extensions INTEGER NOT NULL,
    options TEXT NOT NULL, salt TEXT NOT NULL, roundtriptoken TEXT NOT NULL,
    chunk_size INTEGER NOT NULL, encryption TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transfer_id INTEGER NOT NULL REFERENCES transfers(id),
    puid TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, encrypted_size INTEGER NOT NULL,
    mime TEXT NOT NULL, iv TEXT, aead TEXT, folder INTEGER NOT NULL, complete INTEGER NOT NULL,
    upload_start INTEGER
);
CREATE INDEX IF NOT EXISTS files_transfer ON files(transfer_id);
CREATE TABLE IF NOT EXISTS recipients (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transfer_id INTEGER NOT NULL REFERENCES transfers(id),
    token TEXT UNIQUE NOT NULL, email TEXT NOT NULL,
    created INTEGER NOT NULL, last_activity INTEGER
);
CREATE INDEX IF NOT EXISTS recipients_transfer ON recipients(transfer_id);
CREATE TABLE IF NOT EXISTS guests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, userid INTEGER NOT NULL, user_email TEXT NOT NULL,
    email TEXT NOT NULL, token TEXT UNIQUE NOT NULL, transfer_count INTEGER NOT NULL,
    subject TEXT, message TEXT, options TEXT NOT NULL, transfer_options TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS guest_extensions (
    guest_id INTEGER PRIMARY KEY REFERENCES guests(id), date INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, transfer_id INTEGER NOT NULL,
    date INTEGER NOT NULL, event TEXT NOT NULL, author TEXT NOT NULL, target TEXT NOT NULL,
    time_taken INTEGER
);
CREATE INDEX IF NOT EXISTS audit_transfer ON audit(transfer_id);
"""


#: States in which a transfer still takes data (section 6.7).
OPEN_STATUSES = ("created", "started", "uploading")


class Repository:
    """Access to the rows.

    :param db: the database.
    :param objects: stored bytes, by file id.
    """

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self.db = db
        self.objects = objects

    def transfer(self, number: int) -> Row:
        """Return a transfer by id.

        :raises ApiError: ``transfer_not_found``.
        """
        return self._fetch("transfer", number)

    def file(self, number: int) -> Row:
        """Return a file by id.

        :raises ApiError: ``file_not_found``.
        """
        return self._fetch("file", number, folder=0)

    def recipient(self, number: int) -> Row:
        """Return a recipient by id.

        :raises ApiError: ``recipient_not_found``.
        """
        return self._fetch("recipient", number)

    def guest(self, number: int) -> Row:
        """Return a voucher by id.

        :raises ApiError: ``guest_not_found``.
        """
        return self._fetch("guest", number)

    def user(self, number: int) -> Row:
        """Return a user by id.

        :raises ApiError: ``user_not_found``.
        """
        return self._fetch("user", number)

    def user_named(self, username: str) -> Optional[Row]:
        """Return the user of a name, or None."""
        return self.db.find("users", username=username)

    def _fetch(self, kind: str, number: int, **columns: Any) -> Row:
        # A value that does not fit the column cannot exist.
        row = self.db.find(kind + "s", id=number, **columns) if number < 1 << 62 else None
        if row is None:
            raise ApiError(kind + "_not_found")
        return row

    def files(self, transfer: int) -> List[Row]:
        """Return the files of a transfer by id, pseudo entries of folders left out."""
        return self.db.select("files", "id", transfer_id=transfer, folder=0)

    def recipients(self, transfer: int) -> List[Row]:
        """Return the recipients of a transfer in the order of a real database.

        Changed rows move to the end, such as that of a recipient who has downloaded.
        """
        return self.db.fetchall(
            "SELECT * FROM recipients WHERE transfer_id=? ORDER BY coalesce(last_activity, 0), id", transfer
        )

    def serialize_transfer(self, transfer: int, views: Serializer, *, text: bool = False) -> Dict[str, Any]:
        """Return a transfer as the API shows it.

        :param views: the serializer.
        :param text: show ``expires.raw`` as a string.
        """
        return views.transfer(
            self.transfer(transfer), [serialize_file(row) for row in self.files(transfer)],
            [views.recipient(row) for row in self.recipients(transfer)], text=text,
        )

    def set_status(self, transfer: int, status: str) -> None:
        """Set the state of a transfer."""
        self.db.update("transfers", transfer, status=status)

    def delete_transfer(self, transfer: int) -> None:
        """Remove a transfer with its data."""
        with self.db.transaction():
            numbers = self.db.select("files", "id", transfer_id=transfer)
            for table in ("files", "recipients", "audit"):
                self.db.delete(table, transfer_id=transfer)
            self.db.delete("transfers", id=transfer)
        for row in numbers:
            self.objects.delete(row["id"])

    def add_recipient(self, transfer: int, address: str, when: int) -> int:
        """Add a recipient, with a token of their own.

        :param address: empty for the anonymous one of a link.
        :return: the id.
        """
        token = str(uuid.uuid4())
        return self.db.insert("recipients", transfer_id=transfer, token=token, email=address, created=when)

    def guest_was_used(self, guest: int) -> None:
        """Count a transfer of a voucher, and close a voucher for a single transfer."""
        self.db.execute("UPDATE guests SET transfer_count=transfer_count+1 WHERE id=?", guest)
        self.db.execute(
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

        :param author: author of the event, None without an author.
        :param target: the file, where it is not the transfer.
        """
        target_fields: Dict[str, Any] = {"type": "Transfer", "id": str(transfer)}
        if target is not None:
            target_fields = {"type": "File", "id": str(target["id"]), "path": target["name"]}
            target_fields.update(name=target["name"].rsplit("/", 1)[-1], size=target["size"])
        self.db.insert(
            "audit", transfer_id=transfer, date=int(when), event=event,
            author=json.dumps(author or serialize_author()), target=json.dumps(target_fields),
            time_taken=time_taken,
        )

    def audit(self, transfer: int) -> List[Row]:
        """Return the audit log of a transfer, oldest first."""
        return self.db.select("audit", "id", transfer_id=transfer)

    def is_extended(self, guest: int) -> bool:
        """Return True if a voucher was extended before."""
        return self.db.find("guest_extensions", guest_id=guest) is not None
