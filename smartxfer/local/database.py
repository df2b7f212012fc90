"""Metadata of a service in SQLite: one connection, one lock, short transactions."""

import sqlite3
import threading
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from smartxfer.errors import LocalError, UsageError

Row = sqlite3.Row
#: Seconds for which a database that another process holds is waited for.
_LOCKED_FOR = 30.0
_SHARED = "data= of a LocalServer is for one process at a time; look at the free space of its disk"


def pick(row: Row, *names: str, **renamed: str) -> Dict[str, Any]:
    """Return columns of a row.

    :param names: columns that keep their names.
    :param renamed: columns by the names that they get.
    """
    return {**{name: row[name] for name in names}, **{name: row[column] for name, column in renamed.items()}}


class Database:
    """A SQLite file that outlives a killed process.

    Write-ahead logging without a sync per commit: what was committed survives the death of the
    process (not of the machine), and a commit costs microseconds.

    :param path: the file; made where missing.
    :param schema: SQL that makes missing tables.
    """

    def __init__(self, path: str, schema: str) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._closed = False
        with self._used():
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_LOCKED_FOR
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
    def _used(self) -> Iterator[None]:
        """Hold the lock, and make the errors of SQLite ours."""
        with self._lock:
            if self._closed:
                raise UsageError("the local server has been stopped", hint="inspect it before stop()")
            try:
                yield
                return
            except sqlite3.OperationalError as error:
                found: Exception = LocalError(f"{self._path} cannot be used: {error}", hint=_SHARED)
            except sqlite3.DatabaseError as error:
                if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError)):
                    found = UsageError(f"the local server cannot store this value: {error}")
                else:
                    found = LocalError(f"{self._path} is damaged: {error}", hint="remove it")
            except (sqlite3.InterfaceError, OverflowError, UnicodeEncodeError) as error:
                found = UsageError(f"the local server cannot store this value: {error}")
        raise found

    def rows(self, sql: str, *values: Any) -> List[Row]:
        """Every row of a query."""
        with self._used():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Optional[Row]:
        """The first row of a query, None when it has none."""
        with self._used():
            found: Optional[Row] = self._connection.execute(sql, values).fetchone()
            return found

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement.

        :return: the id of the row that it inserted.
        """
        with self._used():
            return self._connection.execute(sql, values).lastrowid or 0

    def change(self, sql: str, *values: Any) -> int:
        """Execute one statement.

        :return: the number of rows that it changed.
        """
        with self._used():
            return self._connection.execute(sql, values).rowcount

    # Names of tables and columns are the services' own, never a caller's.

    def insert(self, table: str, /, **columns: Any) -> int:
        """Insert a row; return its id."""
        return self._insert("INSERT", table, columns)

    def replace(self, table: str, /, **columns: Any) -> int:
        """Insert a row in place of the row of the same key, if there is one; return its id."""
        return self._insert("INSERT OR REPLACE", table, columns)

    def _insert(self, verb: str, table: str, columns: Dict[str, Any]) -> int:
        marks = ",".join("?" * len(columns))
        return self.run(f"{verb} INTO {table} ({','.join(columns)}) VALUES ({marks})", *columns.values())

    def update(self, table: str, id: Any, /, **columns: Any) -> int:
        """Change columns of the row with an id; return the number of rows that it changed."""
        marks = ", ".join(f"{name}=?" for name in columns)
        return self.change(f"UPDATE {table} SET {marks} WHERE id=?", *columns.values(), id)  # noqa: S608

    def delete(self, table: str, /, **columns: Any) -> int:
        """Delete the rows with these values; return their number."""
        marks = " AND ".join(f"{name}=?" for name in columns)
        return self.change(f"DELETE FROM {table} WHERE {marks}", *columns.values())  # noqa: S608

    def select(self, table: str, order: str, /, **columns: Any) -> List[Row]:
        """Return the rows with these values, in an order."""
        marks = " AND ".join(f"{name}=?" for name in columns) or "1"
        return self.rows(f"SELECT * FROM {table} WHERE {marks} ORDER BY {order}", *columns.values())  # noqa: S608

    def find(self, table: str, /, **columns: Any) -> Optional[Row]:
        """Return the row with these values, None where there is none."""
        found = self.select(table, "1", **columns)
        return found[0] if found else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block is committed together, or not at all. May be nested."""
        with self._lock:
            with self._used():
                inner = self._connection.in_transaction
                if not inner:
                    self._connection.execute("BEGIN IMMEDIATE")
            if inner:
                yield
                return
            try:
                yield
            except BaseException:
                self.run("ROLLBACK")
                raise
            self.run("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._connection.close()
