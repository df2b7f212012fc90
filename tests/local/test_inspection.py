"""Inspection methods with invalid arguments, after stop(), and with a locked database."""

from __future__ import annotations

import inspect
import sqlite3
import threading
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest

from smartxfer.errors import LocalError, SmartxferError, UsageError
from smartxfer.local import LocalServer, database
from smartxfer.local.database import Database

#: Values that are not a valid id, path or name.
ODD: List[Any] = [0, -1, 10**30, "nope", "../x", None, "\ud800", "a\0b", 1.5, [], {}, b"x", True]
#: Methods for start and stop, and those that the listener calls.
OTHER = {"start", "stop", "open", "handle", "error_response", "log_path", "configure", "options"}


def _methods(site: Any) -> Iterator[Tuple[str, int]]:
    """Yield the name of each method or property of a service, and its number of required arguments."""
    for name, found in inspect.getmembers(type(site)):
        if name.startswith("_") or name in OTHER:
            continue
        count = -1
        if callable(found):
            needed = [one for one in list(inspect.signature(found).parameters.values())[1:] if one.default is one.empty]
            count = sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in needed)
        yield name, count


def _wrong(server: LocalServer) -> List[str]:
    """Return the errors that are not SmartxferErrors."""
    wrong = []
    for service, site in server.services.items():
        for name, count in _methods(site):
            for odd in ODD if count > 0 else [None]:
                try:
                    found = getattr(site, name)
                    if count >= 0:
                        found(*[odd] * count)
                except SmartxferError as error:
                    assert str(error).isprintable()
                except Exception as error:  # noqa: BLE001 - that is what is looked for
                    wrong.append(f"{service}.{name}({odd!r:.20}): {error!r:.120}")
    return wrong


def test_odd_arguments_and_a_stopped_server_are_errors_of_ours() -> None:
    with LocalServer() as server:
        assert _wrong(server) == []
    assert _wrong(server) == []
    with pytest.raises(UsageError, match="has been stopped"):
        server.filesender.transfers()
    assert not Path(server.data).exists()


def test_several_threads_look_while_it_stops() -> None:
    server = LocalServer().start()
    server.smartfile.write("/a.txt", b"a")
    seen: List[Any] = []

    def look() -> None:
        try:
            while True:
                seen.append(server.smartfile.files())
        except UsageError as error:
            seen.append(error)
        except BaseException as error:  # noqa: BLE001
            seen.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.stop()
    for thread in threads:
        thread.join(20)
    assert all(one == {"/a.txt": 1} or isinstance(one, UsageError) for one in seen)
    assert sum(isinstance(one, UsageError) for one in seen) == 4


def test_a_database_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_LOCK_TIMEOUT", 0.01)
    path = str(tmp_path / "a.sqlite")
    opened = Database(path, "CREATE TABLE IF NOT EXISTS a (b TEXT)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(LocalError, match=r"a\.sqlite cannot be used: database is locked"):
            opened.execute("INSERT INTO a VALUES (?)", "b")
        with pytest.raises(LocalError), opened.transaction():
            pass
    finally:
        other.close()
    opened.execute("INSERT INTO a VALUES (?)", "b")
    assert len(opened.fetchall("SELECT * FROM a")) == 1
    opened.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 99)
    with pytest.raises(LocalError, match="damaged"):
        Database(str(tmp_path / "a.sqlite"), "CREATE TABLE a (b TEXT)")
    with pytest.raises(LocalError, match="cannot be used"):
        Database(str(tmp_path / "missing" / "a.sqlite"), "")


def test_a_value_that_cannot_be_stored_changes_nothing(tmp_path: Path) -> None:
    opened = Database(str(tmp_path / "a.sqlite"), "CREATE TABLE IF NOT EXISTS a (b TEXT)")
    for odd in ("\ud800", [], 1 << 70):
        with pytest.raises(UsageError, match="cannot store"), opened.transaction():
            opened.execute("INSERT INTO a VALUES (?)", "b")
            opened.execute("INSERT INTO a VALUES (?)", odd)
    assert opened.fetchall("SELECT * FROM a") == []
    opened.close()
