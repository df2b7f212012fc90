"""Metadata of a service in SQLite: one connection, one lock, short transactions."""

import sqlite3
import threading
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

__all__ = ["Database", "Row"]

Row = sqlite3.Row


class Database:
    """A SQLite file that outlives a killed process.

    Write-ahead logging without a sync per commit: what was committed survives the death of the
    process (not of the machine), and a commit costs microseconds.

    :param path: the file; made where missing.
    :param schema: SQL that makes missing tables.
    """

    def __init__(self, path: str, schema: str) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(schema)

    def rows(self, sql: str, *values: Any) -> List[Row]:
        """Every row of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Optional[Row]:
        """The first row of a query, None when it has none."""
        with self._lock:
            found: Optional[Row] = self._connection.execute(sql, values).fetchone()
            return found

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement.

        :return: the id of the row that it inserted.
        """
        with self._lock:
            return self._connection.execute(sql, values).lastrowid or 0

    def change(self, sql: str, *values: Any) -> int:
        """Execute one statement.

        :return: the number of rows that it changed.
        """
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block is committed together, or not at all. May be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
