"""Metadata of a service in SQLite: one connection, one lock, short transactions."""

import sqlite3
import threading
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from smartxfer.errors import LocalError, UsageError

Row = sqlite3.Row
#: Seconds to wait for a database that another process has locked.
_LOCK_TIMEOUT = 30.0
_SHARED_HINT = "data= of a LocalServer is for one process at a time; look at the free space of its disk"


def select_columns(row: Row, *names: str, **renamed: str) -> Dict[str, Any]:
    """Return columns of a row.

    :param names: columns that keep their names.
    :param renamed: columns by the names that they get.
    """
    return {**{name: row[name] for name in names}, **{name: row[column] for name, column in renamed.items()}}


class Database:
    """A SQLite file whose committed rows survive a kill of the process.

    Write-ahead logging without a sync per commit: what was committed survives the death of the
    process (not of the machine), and a commit costs microseconds.

    :param path: the file; created if missing.
    :param schema: SQL that makes missing tables.
    """

    def __init__(self, path: str, schema: str) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._closed = False
        with self._connected():
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_LOCK_TIMEOUT
            )
            try:
                self._connection.row_factory = sqlite3.Row
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.executescript(schema)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Hold the lock and convert errors of SQLite."""
        with self._lock:
            if self._closed:
                raise UsageError("the local server has been stopped", hint="inspect it before stop()")
            try:
                yield
                return
            except sqlite3.OperationalError as error:
                converted: Exception = LocalError(f"{self._path} cannot be used: {error}", hint=_SHARED_HINT)
            except sqlite3.DatabaseError as error:
                if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError)):
                    converted = UsageError(f"the local server cannot store this value: {error}")
                else:
                    converted = LocalError(f"{self._path} is damaged: {error}", hint="remove it")
            except (sqlite3.InterfaceError, OverflowError, UnicodeEncodeError) as error:
                converted = UsageError(f"the local server cannot store this value: {error}")
        raise converted

    def fetchall(self, sql: str, *values: Any) -> List[Row]:
        """Return every row of a query."""
        with self._connected():
            return self._connection.execute(sql, values).fetchall()

    def fetchone(self, sql: str, *values: Any) -> Optional[Row]:
        """Return the first row of a query, or None."""
        with self._connected():
            row: Optional[Row] = self._connection.execute(sql, values).fetchone()
            return row

    def execute(self, sql: str, *values: Any) -> int:
        """Execute one statement.

        :return: the id of the row that it inserted.
        """
        with self._connected():
            return self._connection.execute(sql, values).lastrowid or 0

    def execute_count(self, sql: str, *values: Any) -> int:
        """Execute one statement.

        :return: the number of rows that it changed.
        """
        with self._connected():
            return self._connection.execute(sql, values).rowcount

    # Names of tables and columns are the services' own, never a caller's.

    def insert(self, table: str, /, **columns: Any) -> int:
        """Insert a row; return its id."""
        return self._insert("INSERT", table, columns)

    def replace(self, table: str, /, **columns: Any) -> int:
        """Insert a row, or replace the row with the same key; return its id."""
        return self._insert("INSERT OR REPLACE", table, columns)

    def _insert(self, verb: str, table: str, columns: Dict[str, Any]) -> int:
        marks = ",".join("?" * len(columns))
        return self.execute(f"{verb} INTO {table} ({','.join(columns)}) VALUES ({marks})", *columns.values())

    def update(self, table: str, id: Any, /, **columns: Any) -> int:
        """Change columns of the row with an id; return the number of rows that it changed."""
        marks = ", ".join(f"{name}=?" for name in columns)
        return self.execute_count(f"UPDATE {table} SET {marks} WHERE id=?", *columns.values(), id)  # noqa: S608

    def delete(self, table: str, /, **columns: Any) -> int:
        """Delete the rows with these values; return their number."""
        marks = " AND ".join(f"{name}=?" for name in columns)
        return self.execute_count(f"DELETE FROM {table} WHERE {marks}", *columns.values())  # noqa: S608

    def select(self, table: str, order: str, /, **columns: Any) -> List[Row]:
        """Return the rows with these values, in an order."""
        marks = " AND ".join(f"{name}=?" for name in columns) or "1"
        return self.fetchall(f"SELECT * FROM {table} WHERE {marks} ORDER BY {order}", *columns.values())  # noqa: S608

    def find(self, table: str, /, **columns: Any) -> Optional[Row]:
        """Return the first row with these values, or None."""
        rows = self.select(table, "1", **columns)
        return rows[0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything in the block together, or roll it back. May be nested."""
        with self._lock:
            with self._connected():
                inner = self._connection.in_transaction
                if not inner:
                    self._connection.execute("BEGIN IMMEDIATE")
            if inner:
                yield
                return
            try:
                yield
            except BaseException:
                self.execute("ROLLBACK")
                raise
            self.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._connection.close()
