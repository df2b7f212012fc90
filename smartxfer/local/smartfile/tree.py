"""The file tree: directories and names in the database, the bytes of each file in an object beside it.

A file is replaced as a whole: new bytes are written to an object of their own, and one transaction
puts that in the place of the old one. A process that is killed leaves the old file or the new one.
"""

import collections
import os
import secrets
import shutil
import time
from typing import BinaryIO, Callable, Deque, Dict, Iterator, List, Optional, Tuple, cast

from smartxfer.local.database import Database
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.objects import private_directory
from smartxfer.local.smartfile.answers import detail, field_error
from smartxfer.local.smartfile.nodes import ROOT, SELECT, Node, joined, node_of, segments


class Draft:
    """A temporary file that becomes part of the tree, or nothing.

    As a context manager it is discarded at the end, unless the tree took it over.

    :param directory: where it lies.
    """

    def __init__(self, directory: str) -> None:
        self._name = secrets.token_hex(16)
        #: Where it lies.
        self.path = os.path.join(directory, self._name)
        #: The file, open for reading and writing.
        self.stream: BinaryIO = cast("BinaryIO", open(self.path, "x+b"))  # noqa: SIM115 - closed by discard or take
        self._taken = False

    def size(self) -> int:
        """Bytes written so far."""
        self.stream.flush()
        return os.fstat(self.stream.fileno()).st_size

    def take(self, directory: str) -> str:
        """Close it and move it into another directory.

        :return: its name there.
        """
        self.stream.close()
        os.replace(self.path, os.path.join(directory, self._name))
        self._taken = True
        return self._name

    def discard(self) -> None:
        """Close and remove it, unless it was taken."""
        if not self._taken:
            self._taken = True
            self.stream.close()
            os.unlink(self.path)

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


#: Seconds that replaced bytes stay, for answers that have begun and not yet opened them.
_GRACE = 5.0


class Tree:
    """Files and directories by path.

    :param database: where names lie.
    :param root: directory of the bytes; made where missing.
    :param now: the server's clock.
    """

    def __init__(self, database: Database, root: str, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._objects = private_directory(os.path.join(root, "objects"))
        #: Directory of files that are not yet, or never will be, part of the tree.
        self.incoming = private_directory(os.path.join(root, "incoming"))
        self._retired: Deque[Tuple[float, str]] = collections.deque()
        self._sweep()

    def _sweep(self) -> None:
        """Remove what a killed process left behind."""
        live = {row["object"] for row in self._database.select("nodes", "id", isdir=0)}
        for directory, kept in ((self.incoming, set()), (self._objects, live)):
            for name in os.listdir(directory):
                if name not in kept:
                    os.unlink(os.path.join(directory, name))

    def close(self) -> None:
        """Remove the bytes of replaced files."""
        self._expire(float("inf"))

    # Looking.

    def node(self, path: str) -> Optional[Node]:
        """The entry at a path, None where there is none."""
        row = self._database.row(SELECT + "WHERE id=?", ROOT)
        where = "/"
        for name in segments(path):
            assert row is not None
            row = self._database.row(SELECT + "WHERE parent=? AND name=?", row["id"], name)
            if row is None:
                return None
            where = joined(where, name)
        assert row is not None
        return node_of(row, where)

    def find(self, path: str) -> Node:
        """The entry at a path.

        :raises ApiError: 404, there is none.
        """
        node = self.node(path)
        if node is None:
            raise detail(404, "Not found: " + (path or "/"))
        return node

    def find_file(self, path: str) -> Node:
        """The file at a path.

        :raises ApiError: 404, there is nothing; 400, it is a directory.
        """
        node = self.find(path)
        if node.isdir:
            raise field_error("path", "Is a directory: " + node.path)
        return node

    def find_directory(self, path: str) -> Node:
        """The directory at a path.

        :raises ApiError: 404, there is nothing; 400, it is a file.
        """
        node = self.find(path)
        if not node.isdir:
            raise field_error("path", "Not a directory: " + node.path)
        return node

    def children(self, node: Node, start: int = 0, count: int = -1) -> List[Node]:
        """Entries of a directory by name.

        :param start: entries to pass over.
        :param count: most entries; -1: all.
        """
        sql = SELECT + "WHERE parent=? ORDER BY name LIMIT ? OFFSET ?"
        rows = self._database.rows(sql, node.id, count, start)
        return [node_of(row, joined(node.path, row["name"])) for row in rows]

    def walk(self, node: Node) -> Iterator[Node]:
        """The entry and everything below, directories before what they hold."""
        left = [node]
        while left:
            one = left.pop()
            yield one
            if one.isdir:
                left += reversed(self.children(one))

    def attributes(self, node: Node) -> Dict[str, str]:
        """Names and values that users have set on an entry."""
        rows = self._database.select("attributes", "name", node=node.id)
        return {row["name"]: row["value"] for row in rows}

    def set_attribute(self, node: Node, name: str, value: str) -> None:
        """Set one of them."""
        self._database.replace("attributes", node=node.id, name=name, value=value)

    def object_path(self, node: Node) -> str:
        """Where the bytes of a file lie."""
        return os.path.join(self._objects, node.object)

    def stored_path(self, path: str) -> str:
        """Where the bytes of the file at a path lie.

        :raises ApiError: there is no such file.
        """
        return self.object_path(self.find_file(path))

    def open(self, path: str) -> BinaryIO:
        """The file at a path, open for reading; a later replacement does not disturb it.

        :raises ApiError: there is no such file.
        """
        return open(self.stored_path(path), "rb")

    def span(self, node: Node, start: int = 0, count: Optional[int] = None) -> FileSlice:
        """A stretch of a file for an answer.

        :param start: offset of the first byte.
        :param count: bytes; None: all that follow.
        """
        return FileSlice(self.object_path(node), start, node.size - start if count is None else count)

    # Changing.

    def draft(self) -> Draft:
        """An empty file that may become part of the tree."""
        return Draft(self.incoming)

    def replace(self, path: str, draft: Draft) -> Node:
        """Put a draft in the place of a file, or where there was nothing.

        :param path: where; its directory exists.
        :param draft: what; it is taken over.
        :raises ApiError: 404, the directory is missing; 400, the place is a directory.
        """
        directory, name = self._place(path)
        size = draft.size()
        with self._database.transaction():
            parent = self.find_directory(directory)
            old = self.node(joined(parent.path, name))
            if old is not None and old.isdir:
                raise field_error("path", "Is a directory: " + old.path)
            stored = draft.take(self._objects)
            if old is None:
                self._insert(parent.id, name, size, stored)
            else:
                self._database.update("nodes", old.id, size=size, object=stored, changed=self._now())
        if old is not None:
            self._retire([old])
        return self.find(joined(parent.path, name))

    def _place(self, path: str) -> Tuple[str, str]:
        names = segments(path)
        if not names:
            raise field_error("path", "Is a directory: /")
        return "/" + "/".join(names[:-1]), names[-1]

    def _insert(self, parent: int, name: str, size: int = 0, stored: str = "") -> int:
        """Insert a file, or, without bytes, a directory."""
        isdir, now = int(not stored), self._now()
        return self._database.insert(
            "nodes", parent=parent, name=name, isdir=isdir, size=size, object=stored, changed=now
        )

    def grown(self, node: Node, size: int) -> None:
        """Note that bytes were appended to the object of a file."""
        self._database.update("nodes", node.id, size=size, changed=self._now())

    def make(self, path: str, *, parents: bool = False) -> Node:
        """Make a directory; one that is there already is left as it is.

        :param parents: make missing directories above it too.
        :raises ApiError: 404, the directory above is missing; 409, a file has the name.
        """
        names = segments(path)
        with self._database.transaction():
            node = self.find("/")
            for place, name in enumerate(names):
                below = self.node(joined(node.path, name))
                if below is None:
                    if not parents and place < len(names) - 1:
                        raise detail(404, "Not found: " + joined(node.path, name))
                    self._insert(node.id, name)
                    below = self.find(joined(node.path, name))
                elif not below.isdir:
                    raise detail(409, "Destination exists:" + below.path)
                node = below
        return node

    def plant(self, directory: str, name: str, draft: Draft) -> None:
        """Put a draft under a name that no client could send, ``"../x"`` for one."""
        size = draft.size()
        parent = self.make(directory, parents=True)
        self._insert(parent.id, name, size, draft.take(self._objects))

    def move(self, node: Node, path: str) -> Node:
        """Give an entry another path; what is below moves along.

        :raises ApiError: 404, the new directory is missing; 409, the new path exists; 400, it lies
            inside the entry, or the entry is the root.
        """
        with self._database.transaction():
            parent, name = self._free_place(node, path)
            self._database.update("nodes", node.id, parent=parent.id, name=name)
        return self.find(path)

    def copy(self, node: Node, path: str) -> Node:
        """Copy an entry with everything below.

        :raises ApiError: as :meth:`move`.
        """
        with self._database.transaction():
            parent, name = self._free_place(node, path)
            ids = {node.parent: parent.id}
            for one in list(self.walk(node)):
                stored = "" if one.isdir else secrets.token_hex(16)
                if stored:
                    shutil.copyfile(self.object_path(one), os.path.join(self._objects, stored))
                    os.truncate(os.path.join(self._objects, stored), one.size)
                copied = name if one.id == node.id else one.name
                ids[one.id] = self._insert(ids[one.parent], copied, one.size, stored)
        return self.find(path)

    def _free_place(self, node: Node, path: str) -> Tuple[Node, str]:
        if not node.parent:
            raise field_error("src", "The root stays where it is.")
        if (path.rstrip("/") + "/").startswith(node.path + "/") and node.isdir:
            raise field_error("dst", f"Cannot go into itself: {path}")
        directory, name = self._place(path)
        parent = self.find_directory(directory)
        if self.node(path) is not None:
            raise detail(409, "Destination exists:" + joined(parent.path, name))
        return parent, name

    def remove(self, node: Node) -> None:
        """Remove an entry with everything below; of the root, only what is below."""
        with self._database.transaction():
            gone = [one for one in self.walk(node) if one.parent]
            for one in gone:
                self._database.delete("nodes", id=one.id)
                self._database.delete("attributes", node=one.id)
        self._retire([one for one in gone if not one.isdir])

    def _retire(self, files: List[Node]) -> None:
        until = time.monotonic() + _GRACE
        self._retired.extend((until, self.object_path(one)) for one in files)
        self._expire(time.monotonic())

    def _expire(self, moment: float) -> None:
        while self._retired:
            try:
                until, path = self._retired.popleft()
            except IndexError:
                return  # Another thread was faster.
            if until > moment:
                self._retired.appendleft((until, path))
                return
            os.unlink(path)
