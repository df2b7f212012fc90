"""State of the service: configuration, API key, file records and contents.

Source: Perseus protocol, sections A.3 and A.11.
"""

import datetime as dt
import secrets
import uuid
from typing import Any, Dict, List, Optional, Sequence
from urllib.parse import quote

from smartxfer.local import service
from smartxfer.local.database import Database, Row, select_columns
from smartxfer.local.perseus.external_s3 import ExternalBucket
from smartxfer.local.perseus.site import Site

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY,
    id TEXT UNIQUE NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, created REAL NOT NULL, arrived REAL,
    status TEXT NOT NULL, sha256 TEXT, md5 TEXT, size INTEGER
);
CREATE INDEX IF NOT EXISTS by_hash ON files (hash);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Records:
    """Table of the file records.

    :param database: database with the tables of :data:`SCHEMA`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, source_hash: str, now: float, status: str = "pending") -> Row:
        """Make a record."""
        id = str(uuid.uuid4())
        self._database.insert("files", id=id, name=name, hash=source_hash, created=now, status=status)
        row = self.get(id)
        assert row is not None
        return row

    def get(self, id: str) -> Optional[Row]:
        """Return the record of an id, or None."""
        return self._database.find("files", id=id)

    def all(self) -> List[Row]:
        """Every record, oldest first."""
        return self._database.select("files", "number")

    def find_by_hash(self, source_hash: str) -> List[Row]:
        """Return the records with this hash, oldest first."""
        return self._database.select("files", "number", hash=source_hash)

    def matching(self, ids: Optional[Sequence[str]], hashes: Optional[Sequence[str]]) -> List[Row]:
        """Return the records with these ids and hashes; None means no filter.

        Assumption: with both filters a record must match both.
        """
        if ids is not None:
            rows = [row for id in dict.fromkeys(ids) for row in [self.get(id)] if row is not None]
        elif hashes is not None:
            rows = [row for value in dict.fromkeys(hashes) for row in self.find_by_hash(value)]
        else:
            rows = self.all()
        return [row for row in rows if hashes is None or row["hash"] in hashes]

    def record_upload(self, id: str, sha256: str, size: int, now: float, md5: str = "") -> None:
        """Record that the content was uploaded."""
        self._database.update("files", id, arrived=now, sha256=sha256, md5=md5, size=size)

    def set_status(self, id: str, status: str) -> None:
        """Set the status of a record."""
        self._database.update("files", id, status=status)

    def delete(self, id: str) -> bool:
        """Delete a record; return True if it existed."""
        return self._database.delete("files", id=id) > 0

    def get_or_store_setting(self, name: str, value: Optional[str] = None) -> Optional[str]:
        """Return a persistent setting; with ``value``, store it."""
        if value is not None:
            self._database.replace("settings", name=name, value=value)
            return value
        row = self._database.find("settings", name=name)
        return None if row is None else str(row["value"])


def serialize(row: Row, echo_hash: bool) -> Dict[str, Any]:
    """Return a record as the API shows it."""
    moment = dt.datetime.fromtimestamp(row["created"], dt.timezone.utc)
    created = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {**select_columns(row, "id", "name", "status"), "createdAt": created}
    return {**record, "sourceHash": row["hash"]} if echo_hash else record


#: Bucket of the own storage.
BUCKET = "perseus-files"


class Backend(service.Backend):
    """State of the service."""

    site: Site
    schema = SCHEMA
    #: Storage with presigned URLs; set by the service.
    storage: Any

    def set_up(self) -> None:
        """Prepare records and contents, and the API key."""
        self.objects = self.object_store()
        self.records = Records(self.database)
        known = self.site.api_key or self.records.get_or_store_setting("api_key")
        #: The API key.
        self.api_key = (
            self.records.get_or_store_setting("api_key", known or "sk-perseus-" + secrets.token_hex(20)) or ""
        )
        #: External S3 bucket for the contents, if one is configured.
        self.external: Optional[ExternalBucket] = ExternalBucket(self.site) if self.site.s3_endpoint else None

    # -- addresses --------------------------------------------------------------------------------------

    def object_key(self, row: Row) -> str:
        """Return the storage key of a record's content."""
        return f"file/{row['id']}/{row['name']}"

    def presigned_url(self, row: Row) -> str:
        """Return the presigned URL for the content of a record."""
        signed = {"content-type": self.site.signed_type} if self.site.signed_type else None
        if self.external is not None:
            path = quote(self.object_key(row))
            return self.external.presign("PUT", path, self.site.url_seconds, self.now(), signed)
        url: str = self.storage.presign(
            "PUT", BUCKET, self.object_key(row), self.site.url_seconds, headers=signed
        )
        return url

    def content(self, row: Row) -> bytes:
        """Return the uploaded bytes of a record.

        :raises OSError: nothing was uploaded.
        """
        if self.external is not None:
            return self.external.read(quote(self.object_key(row)), self.now())
        with open(self.objects.path(row["number"]), "rb") as stream:
            return stream.read()

    # -- records ----------------------------------------------------------------------------------------

    def find_by_hash(self, source_hash: str) -> List[Row]:
        """Return the records with this hash, with their current status."""
        return [
            row for row in map(self._with_status, self.records.find_by_hash(source_hash)) if row is not None
        ]

    def matching(self, ids: Optional[Sequence[str]], hashes: Optional[Sequence[str]]) -> List[Row]:
        """Return the matching records with their current status."""
        return [row for row in map(self._with_status, self.records.matching(ids, hashes)) if row is not None]

    def _with_status(self, row: Row) -> Optional[Row]:
        """Return a record, with its final status once the upload delay has passed."""
        if row["status"] != "pending":
            return row
        if row["arrived"] is None and self.external is not None:
            stored = self.external.head(quote(self.object_key(row)), self.now())
            if stored is not None:
                self.records.record_upload(row["id"], *stored, self.now())
                row = self.records.get(row["id"]) or row
        if row["arrived"] is not None and self.now() >= row["arrived"] + self.site.upload_delay:
            is_valid = row["sha256"] == row["hash"] or not self.site.compare_hash
            self.records.set_status(row["id"], "uploaded" if is_valid else "failed")
        return self.records.get(row["id"])

    def delete(self, id: str) -> bool:
        """Delete a record and its content; return True if it existed."""
        with self.lock:
            row = self.records.get(id)
            if row is None:
                return False
            self.records.delete(id)
            self.objects.delete(row["number"])
            if self.external is not None:
                self.external.delete(quote(self.object_key(row)), self.now())
            return True
