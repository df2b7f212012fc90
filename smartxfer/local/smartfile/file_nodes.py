"""Entries of the file tree in the database."""

from typing import List

import attrs

from smartxfer.local.database import Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL, name TEXT NOT NULL,
    isdir INTEGER NOT NULL, size INTEGER NOT NULL, object TEXT NOT NULL, changed REAL NOT NULL,
    UNIQUE (parent, name)
);
CREATE INDEX IF NOT EXISTS nodes_object ON nodes (object);
CREATE TABLE IF NOT EXISTS attributes (
    node INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (node, name)
);
INSERT OR IGNORE INTO nodes VALUES (1, 0, '', 1, 0, '', 0);
"""

#: Id of the root directory.
ROOT = 1

#: Rows of entries, with the number of children.
SELECT = "SELECT *, (SELECT count(*) FROM nodes below WHERE below.parent=nodes.id) AS items FROM nodes "


@attrs.frozen
class Node:
    """A file or a directory.

    :param id: number of the entry, unchanged by moves.
    :param parent: id of its directory, 0 for the root.
    :param name: its name, empty for the root.
    :param isdir: whether it is a directory.
    :param size: bytes, 0 for a directory.
    :param object: name of the stored object, empty for a directory.
    :param changed: time of creation or of the last change, seconds since 1970.
    :param items: entries of a directory; 1 for a file.
    :param path: its path, ``/`` for the root.
    """

    id: int
    parent: int
    name: str
    isdir: bool
    size: int
    object: str
    changed: float
    items: int
    path: str


def segments(path: str) -> List[str]:
    """Return the names in a path, without empty ones."""
    return [name for name in path.split("/") if name]


def join_path(directory: str, name: str) -> str:
    """Return the path of an entry of a directory."""
    return directory.rstrip("/") + "/" + name


def node_from_row(row: Row, path: str) -> Node:
    """Return the entry of a row."""
    isdir = bool(row["isdir"])
    return Node(
        row["id"], row["parent"], row["name"], isdir, row["size"], row["object"], row["changed"],
        row["items"] if isdir else 1, path,
    )  # fmt: skip
