"""Records that outlive a restart: settings, users, tasks, links and the like, as JSON by kind and id."""

import json
from typing import Any, Dict, List, Optional

from smartxfer.local.database import Database

__all__ = ["SCHEMA", "Kept"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL,
    UNIQUE (kind, id)
);
"""

Values = Dict[str, Any]


class Kept:
    """Records by kind and id.

    :param database: where they lie.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, kind: str, id: str, values: Values) -> None:
        """Keep a record; one of the same kind and id is replaced and keeps its place in the order."""
        self._database.run(
            "INSERT INTO kept (kind, id, value) VALUES (?,?,?)"
            " ON CONFLICT (kind, id) DO UPDATE SET value=excluded.value",
            kind,
            id,
            json.dumps(values),
        )

    def get(self, kind: str, id: str) -> Optional[Values]:
        """A record, None where there is none."""
        row = self._database.row("SELECT value FROM kept WHERE kind=? AND id=?", kind, id)
        return json.loads(row["value"]) if row is not None else None

    def all(self, kind: str) -> List[Values]:
        """Every record of a kind, oldest first."""
        rows = self._database.rows("SELECT value FROM kept WHERE kind=? ORDER BY number", kind)
        return [json.loads(row["value"]) for row in rows]

    def delete(self, kind: str, id: str) -> bool:
        """Forget a record.

        :return: whether there was one.
        """
        return self._database.change("DELETE FROM kept WHERE kind=? AND id=?", kind, id) > 0
