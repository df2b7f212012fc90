"""Entries of the file tree as they lie in the database."""

from typing import Iterator, List, Optional, Tuple

import attrs

from smartxfer.local.database import Database, Row

__all__ = ["ROOT", "SCHEMA", "Node", "Nodes", "joined", "segments"]

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

_SELECT = "SELECT *, (SELECT count(*) FROM nodes below WHERE below.parent=nodes.id) AS items FROM nodes "


@attrs.frozen
class Node:
    """A file or a directory.

    :param id: number of the entry; a move keeps it.
    :param parent: id of its directory, 0 for the root.
    :param name: its name, empty for the root.
    :param isdir: whether it is a directory.
    :param size: bytes, 0 for a directory.
    :param object: name of the stored object, empty for a directory.
    :param changed: when it was made or its bytes changed, seconds since 1970.
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
    """The names that a path is made of; slashes at its ends and runs of them mean nothing."""
    return [name for name in path.split("/") if name]


def joined(directory: str, name: str) -> str:
    """Path of an entry of a directory."""
    return directory.rstrip("/") + "/" + name


def _node(row: Row, path: str) -> Node:
    isdir = bool(row["isdir"])
    return Node(
        row["id"], row["parent"], row["name"], isdir, row["size"], row["object"], row["changed"],
        row["items"] if isdir else 1, path,
    )  # fmt: skip


class Nodes:
    """Looks entries up.

    :param database: where they lie.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def at(self, path: str) -> Optional[Node]:
        """The entry at a path, None where there is none."""
        row = self.database.row(_SELECT + "WHERE id=?", ROOT)
        where = "/"
        for name in segments(path):
            assert row is not None
            row = self.database.row(_SELECT + "WHERE parent=? AND name=?", row["id"], name)
            if row is None:
                return None
            where = joined(where, name)
        assert row is not None
        return _node(row, where)

    def children(self, node: Node, start: int = 0, count: Optional[int] = None) -> List[Node]:
        """Entries of a directory by name.

        :param start: entries to pass over.
        :param count: most entries; None: all.
        """
        rows = self.database.rows(
            _SELECT + "WHERE parent=? ORDER BY name LIMIT ? OFFSET ?",
            node.id,
            -1 if count is None else count,
            start,
        )
        return [_node(row, joined(node.path, row["name"])) for row in rows]

    def walk(self, node: Node) -> Iterator[Node]:
        """The entry and everything below, directories before what they hold."""
        left = [node]
        while left:
            one = left.pop()
            yield one
            if one.isdir:
                left += reversed(self.children(one))

    def attributes(self, node: Node) -> List[Tuple[str, str]]:
        """Names and values that users have set on an entry."""
        rows = self.database.rows("SELECT * FROM attributes WHERE node=? ORDER BY name", node.id)
        return [(row["name"], row["value"]) for row in rows]

    def set_attribute(self, node: Node, name: str, value: str) -> None:
        """Set one of them."""
        self.database.run("INSERT OR REPLACE INTO attributes VALUES (?,?,?)", node.id, name, value)

    def objects(self) -> List[str]:
        """Names of every stored object that a file has."""
        return [row["object"] for row in self.database.rows("SELECT object FROM nodes WHERE isdir=0")]
