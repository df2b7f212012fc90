"""Records of files, in SQLite.

Source: Perseus protocol, sections A.3 and A.4.
"""

import datetime as dt
import uuid
from typing import Any, Dict, List, Optional, Sequence

from smartxfer.local.database import Database, Row

__all__ = ["SCHEMA", "Records", "shown"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY,
    id TEXT UNIQUE NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    created REAL NOT NULL,
    arrived REAL,
    status TEXT NOT NULL,
    sha256 TEXT,
    md5 TEXT,
    size INTEGER
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
        self._database.run(
            "INSERT INTO files (id, name, hash, created, status) VALUES (?, ?, ?, ?, ?)",
            id, name, source_hash, now, status,
        )  # fmt: skip
        found = self.get(id)
        assert found is not None
        return found

    def get(self, id: str) -> Optional[Row]:
        """The record of an id."""
        return self._database.row("SELECT * FROM files WHERE id = ?", id)

    def every(self) -> List[Row]:
        """Every record, oldest first."""
        return self._database.rows("SELECT * FROM files ORDER BY number")

    def of_hash(self, source_hash: str) -> List[Row]:
        """The records of one content, oldest first."""
        return self._database.rows("SELECT * FROM files WHERE hash = ? ORDER BY number", source_hash)

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
        self._database.change(
            "UPDATE files SET arrived = ?, sha256 = ?, md5 = ?, size = ? WHERE id = ?",
            now, sha256, md5, size, id,
        )  # fmt: skip

    def settle(self, id: str, status: str) -> None:
        """Give a record its final status."""
        self._database.change("UPDATE files SET status = ? WHERE id = ?", status, id)

    def delete(self, id: str) -> bool:
        """Remove a record; whether there was one."""
        return self._database.change("DELETE FROM files WHERE id = ?", id) > 0

    def setting(self, name: str, value: Optional[str] = None) -> Optional[str]:
        """A value that outlives the process; with ``value``, it is set."""
        if value is not None:
            self._database.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)
            return value
        row = self._database.row("SELECT value FROM settings WHERE name = ?", name)
        return None if row is None else str(row["value"])


def shown(row: Row, echo_hash: bool) -> Dict[str, Any]:
    """A record as it goes out."""
    moment = dt.datetime.fromtimestamp(row["created"], dt.timezone.utc)
    made = {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return {**made, "sourceHash": row["hash"]} if echo_hash else made
