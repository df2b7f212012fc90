"""What the service knows and keeps: configuration, key, records, contents, and its clock.

Source: Perseus protocol, sections A.3 and A.11.
"""

import datetime as dt
import secrets
import uuid
from typing import Any, Dict, List, Optional, Sequence
from urllib.parse import quote

from smartxfer.local import service
from smartxfer.local.database import Database, Row, pick
from smartxfer.local.perseus.foreign import Foreign
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
    """What is known of files.

    :param database: holds the tables of :data:`SCHEMA`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, source_hash: str, now: float, status: str = "pending") -> Row:
        """Make a record."""
        id = str(uuid.uuid4())
        self._database.insert("files", id=id, name=name, hash=source_hash, created=now, status=status)
        found = self.get(id)
        assert found is not None
        return found

    def get(self, id: str) -> Optional[Row]:
        """The record of an id."""
        return self._database.find("files", id=id)

    def every(self) -> List[Row]:
        """Every record, oldest first."""
        return self._database.select("files", "number")

    def of_hash(self, source_hash: str) -> List[Row]:
        """The records of one content, oldest first."""
        return self._database.select("files", "number", hash=source_hash)

    def matching(self, ids: Optional[Sequence[str]], hashes: Optional[Sequence[str]]) -> List[Row]:
        """Records of these ids and these hashes; None stands for no filter.

        Assumption: with both filters a record has to match both.
        """
        if ids is not None:
            found = [row for id in dict.fromkeys(ids) for row in [self.get(id)] if row is not None]
        elif hashes is not None:
            found = [row for value in dict.fromkeys(hashes) for row in self.of_hash(value)]
        else:
            found = self.every()
        return [row for row in found if hashes is None or row["hash"] in hashes]

    def arrived(self, id: str, sha256: str, size: int, now: float, md5: str = "") -> None:
        """Note that content has come."""
        self._database.update("files", id, arrived=now, sha256=sha256, md5=md5, size=size)

    def settle(self, id: str, status: str) -> None:
        """Give a record its final status."""
        self._database.update("files", id, status=status)

    def delete(self, id: str) -> bool:
        """Remove a record; whether there was one."""
        return self._database.delete("files", id=id) > 0

    def setting(self, name: str, value: Optional[str] = None) -> Optional[str]:
        """A value that outlives the process; with ``value``, it is set."""
        if value is not None:
            self._database.replace("settings", name=name, value=value)
            return value
        row = self._database.find("settings", name=name)
        return None if row is None else str(row["value"])


def shown(row: Row, echo_hash: bool) -> Dict[str, Any]:
    """A record as it goes out."""
    moment = dt.datetime.fromtimestamp(row["created"], dt.timezone.utc)
    created = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made = {**pick(row, "id", "name", "status"), "createdAt": created}
    return {**made, "sourceHash": row["hash"]} if echo_hash else made


#: Bucket of the own storage.
BUCKET = "perseus-files"


class Backend(service.Backend):
    """What every call works on."""

    site: Site
    schema = SCHEMA
    #: Presigned storage beside the service; there once the service has made it.
    storage: Any

    def set_up(self) -> None:
        """Prepare records and contents, and the API key."""
        self.objects = self.object_store()
        self.records = Records(self.database)
        known = self.site.api_key or self.records.setting("api_key")
        #: The API key.
        self.api_key = self.records.setting("api_key", known or "sk-perseus-" + secrets.token_hex(20)) or ""
        #: The S3 server that stands behind the addresses, where one was named.
        self.foreign: Optional[Foreign] = Foreign(self.site) if self.site.s3_endpoint else None

    # -- addresses --------------------------------------------------------------------------------------

    def key(self, row: Row) -> str:
        """Key of a record's content at the storage."""
        return f"file/{row['id']}/{row['name']}"

    def address(self, row: Row) -> str:
        """Where the content of a record goes."""
        signed = {"content-type": self.site.signed_type} if self.site.signed_type else None
        if self.foreign is not None:
            path = quote(self.key(row))
            return self.foreign.presign("PUT", path, self.site.url_seconds, self.now(), signed)
        url: str = self.storage.presign("PUT", BUCKET, self.key(row), self.site.url_seconds, headers=signed)
        return url

    def content(self, row: Row) -> bytes:
        """The bytes that came for a record.

        :raises OSError: none did.
        """
        if self.foreign is not None:
            return self.foreign.read(quote(self.key(row)), self.now())
        with open(self.objects.path(row["number"]), "rb") as stream:
            return stream.read()

    # -- records ----------------------------------------------------------------------------------------

    def of_hash(self, source_hash: str) -> List[Row]:
        """The records of one content, as they are now."""
        return [row for row in map(self._settled, self.records.of_hash(source_hash)) if row is not None]

    def matching(self, ids: Optional[Sequence[str]], hashes: Optional[Sequence[str]]) -> List[Row]:
        """The records that match, as they are now."""
        return [row for row in map(self._settled, self.records.matching(ids, hashes)) if row is not None]

    def _settled(self, row: Row) -> Optional[Row]:
        """A record, made final where its content came long enough ago."""
        if row["status"] != "pending":
            return row
        if row["arrived"] is None and self.foreign is not None:
            found = self.foreign.look(quote(self.key(row)), self.now())
            if found is not None:
                self.records.arrived(row["id"], *found, self.now())
                row = self.records.get(row["id"]) or row
        if row["arrived"] is not None and self.now() >= row["arrived"] + self.site.upload_delay:
            good = row["sha256"] == row["hash"] or not self.site.compare_hash
            self.records.settle(row["id"], "uploaded" if good else "failed")
        return self.records.get(row["id"])

    def delete(self, id: str) -> bool:
        """Remove a record and its content; whether there was one."""
        with self.lock:
            row = self.records.get(id)
            if row is None:
                return False
            self.records.delete(id)
            self.objects.delete(row["number"])
            if self.foreign is not None:
                self.foreign.delete(quote(self.key(row)), self.now())
            return True
