"""The file tree: directories and names in the database, the bytes of each file in an object.

A file is replaced as a whole: new bytes are written to a new object, and one transaction
replaces the old one. A killed process leaves either the old or the new file.
"""

import collections
import os
import secrets
import shutil
import time
from typing import BinaryIO, Callable, Deque, Dict, Iterator, List, Optional, Tuple, cast

from smartxfer.local.database import Database
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.object_store import private_directory
from smartxfer.local.smartfile.api_responses import error_detail, field_error
from smartxfer.local.smartfile.file_nodes import ROOT, SELECT, Node, join_path, node_from_row, segments


class PendingFile:
    """A temporary file that may become part of the tree.

    The context manager deletes it at the end, unless it was moved into the tree.

    :param directory: its directory.
    """

    def __init__(self, directory: str) -> None:
        self._name = secrets.token_hex(16)
        #: Its path.
        self.path = os.path.join(directory, self._name)
        #: The file, open for reading and writing.
        self.stream: BinaryIO = cast("BinaryIO", open(self.path, "x+b"))  # noqa: SIM115 - closed by discard or take
        self._is_taken = False

    def size(self) -> int:
        """Number of bytes written so far."""
        self.stream.flush()
        return os.fstat(self.stream.fileno()).st_size

    def move_into(self, directory: str) -> str:
        """Close it and move it into another directory.

        :return: its new name.
        """
        self.stream.close()
        os.replace(self.path, os.path.join(directory, self._name))
        self._is_taken = True
        return self._name

    def discard(self) -> None:
        """Close and delete it, unless it was moved."""
        if not self._is_taken:
            self._is_taken = True
            self.stream.close()
            os.unlink(self.path)

    def __enter__(self) -> "PendingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


#: Seconds for which replaced bytes are kept, for responses that have not opened them yet.
_GRACE = 5.0


class Tree:
    """Files and directories by path.

    :param database: database of the names.
    :param root: directory of the bytes; created if missing.
    :param now: the server's clock.
    """

    def __init__(self, database: Database, root: str, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._objects = private_directory(os.path.join(root, "objects"))
        #: Directory of temporary files.
        self.incoming = private_directory(os.path.join(root, "incoming"))
        self._retired: Deque[Tuple[float, str]] = collections.deque()
        self._sweep()

    def _sweep(self) -> None:
        """Delete files that a killed process left."""
        live = {row["object"] for row in self._database.select("nodes", "id", isdir=0)}
        for directory, stored in ((self.incoming, set()), (self._objects, live)):
            for name in os.listdir(directory):
                if name not in stored:
                    os.unlink(os.path.join(directory, name))

    def close(self) -> None:
        """Delete the bytes of replaced files."""
        self._expire(float("inf"))

    # Reading.

    def node(self, path: str) -> Optional[Node]:
        """Return the entry at a path, or None."""
        row = self._database.fetchone(SELECT + "WHERE id=?", ROOT)
        where = "/"
        for name in segments(path):
            assert row is not None
            row = self._database.fetchone(SELECT + "WHERE parent=? AND name=?", row["id"], name)
            if row is None:
                return None
            where = join_path(where, name)
        assert row is not None
        return node_from_row(row, where)

    def find(self, path: str) -> Node:
        """Return the entry at a path.

        :raises ApiError: 404, it does not exist.
        """
        node = self.node(path)
        if node is None:
            raise error_detail(404, "Not found: " + (path or "/"))
        return node

    def find_file(self, path: str) -> Node:
        """Return the file at a path.

        :raises ApiError: 404, it does not exist; 400, it is a directory.
        """
        node = self.find(path)
        if node.isdir:
            raise field_error("path", "Is a directory: " + node.path)
        return node

    def find_directory(self, path: str) -> Node:
        """Return the directory at a path.

        :raises ApiError: 404, it does not exist; 400, it is a file.
        """
        node = self.find(path)
        if not node.isdir:
            raise field_error("path", "Not a directory: " + node.path)
        return node

    def children(self, node: Node, start: int = 0, count: int = -1) -> List[Node]:
        """Return the entries of a directory, sorted by name.

        :param start: number of entries to skip.
        :param count: largest number of entries; -1: all.
        """
        sql = SELECT + "WHERE parent=? ORDER BY name LIMIT ? OFFSET ?"
        rows = self._database.fetchall(sql, node.id, count, start)
        return [node_from_row(row, join_path(node.path, row["name"])) for row in rows]

    def walk(self, node: Node) -> Iterator[Node]:
        """Yield an entry and everything below, parents first."""
        left = [node]
        while left:
            current = left.pop()
            yield current
            if current.isdir:
                left += reversed(self.children(current))

    def attributes(self, node: Node) -> Dict[str, str]:
        """Return the attributes that users have set on an entry."""
        rows = self._database.select("attributes", "name", node=node.id)
        return {row["name"]: row["value"] for row in rows}

    def set_attribute(self, node: Node, name: str, value: str) -> None:
        """Set an attribute."""
        self._database.replace("attributes", node=node.id, name=name, value=value)

    def object_path(self, node: Node) -> str:
        """Return the path of a file's bytes on disk."""
        return os.path.join(self._objects, node.object)

    def stored_path(self, path: str) -> str:
        """Return the path on disk of the file at a path.

        :raises ApiError: the file does not exist.
        """
        return self.object_path(self.find_file(path))

    def open(self, path: str) -> BinaryIO:
        """Open the file at a path for reading; later replacements have no effect on it.

        :raises ApiError: the file does not exist.
        """
        return open(self.stored_path(path), "rb")

    def file_slice(self, node: Node, start: int = 0, count: Optional[int] = None) -> FileSlice:
        """Return a slice of a file for a response.

        :param start: offset of the first byte.
        :param count: number of bytes; None: up to the end.
        """
        return FileSlice(self.object_path(node), start, node.size - start if count is None else count)

    # Writing.

    def new_file(self) -> PendingFile:
        """Return an empty temporary file that may become part of the tree."""
        return PendingFile(self.incoming)

    def replace(self, path: str, draft: PendingFile) -> Node:
        """Move a temporary file to a path, replacing an existing file.

        :param path: target path; its directory must exist.
        :param draft: the temporary file.
        :raises ApiError: 404, the directory is missing; 400, the path is a directory.
        """
        directory, name = self._parent_and_name(path)
        size = draft.size()
        with self._database.transaction():
            parent = self.find_directory(directory)
            old = self.node(join_path(parent.path, name))
            if old is not None and old.isdir:
                raise field_error("path", "Is a directory: " + old.path)
            stored = draft.move_into(self._objects)
            if old is None:
                self._insert(parent.id, name, size, stored)
            else:
                self._database.update("nodes", old.id, size=size, object=stored, changed=self._now())
        if old is not None:
            self._retire([old])
        return self.find(join_path(parent.path, name))

    def _parent_and_name(self, path: str) -> Tuple[str, str]:
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

    def record_growth(self, node: Node, size: int) -> None:
        """Record that bytes were appended to the object of a file."""
        self._database.update("nodes", node.id, size=size, changed=self._now())

    def make(self, path: str, *, parents: bool = False) -> Node:
        """Create a directory, if missing.

        :param parents: create missing parents too.
        :raises ApiError: 404, the directory above is missing; 409, a file has the name.
        """
        names = segments(path)
        with self._database.transaction():
            node = self.find("/")
            for place, name in enumerate(names):
                below = self.node(join_path(node.path, name))
                if below is None:
                    if not parents and place < len(names) - 1:
                        raise error_detail(404, "Not found: " + join_path(node.path, name))
                    self._insert(node.id, name)
                    below = self.find(join_path(node.path, name))
                elif not below.isdir:
                    raise error_detail(409, "Destination exists:" + below.path)
                node = below
        return node

    def plant(self, directory: str, name: str, draft: PendingFile) -> None:
        """Store a draft under a name that clients cannot send, such as ``"../x"``."""
        size = draft.size()
        parent = self.make(directory, parents=True)
        self._insert(parent.id, name, size, draft.move_into(self._objects))

    def move(self, node: Node, path: str) -> Node:
        """Move an entry, with everything below, to another path.

        :raises ApiError: 404, the new directory is missing; 409, the new path exists; 400, it lies
            inside the entry, or the entry is the root.
        """
        with self._database.transaction():
            parent, name = self._check_free(node, path)
            self._database.update("nodes", node.id, parent=parent.id, name=name)
        return self.find(path)

    def copy(self, node: Node, path: str) -> Node:
        """Copy an entry with everything below.

        :raises ApiError: as :meth:`move`.
        """
        with self._database.transaction():
            parent, name = self._check_free(node, path)
            ids = {node.parent: parent.id}
            for child in list(self.walk(node)):
                stored = "" if child.isdir else secrets.token_hex(16)
                if stored:
                    shutil.copyfile(self.object_path(child), os.path.join(self._objects, stored))
                    os.truncate(os.path.join(self._objects, stored), child.size)
                copied = name if child.id == node.id else child.name
                ids[child.id] = self._insert(ids[child.parent], copied, child.size, stored)
        return self.find(path)

    def _check_free(self, node: Node, path: str) -> Tuple[Node, str]:
        if not node.parent:
            raise field_error("src", "The root stays where it is.")
        if (path.rstrip("/") + "/").startswith(node.path + "/") and node.isdir:
            raise field_error("dst", f"Cannot go into itself: {path}")
        directory, name = self._parent_and_name(path)
        parent = self.find_directory(directory)
        if self.node(path) is not None:
            raise error_detail(409, "Destination exists:" + join_path(parent.path, name))
        return parent, name

    def remove(self, node: Node) -> None:
        """Remove an entry with everything below; of the root, only what is below."""
        with self._database.transaction():
            gone = [removed for removed in self.walk(node) if removed.parent]
            for removed in gone:
                self._database.delete("nodes", id=removed.id)
                self._database.delete("attributes", node=removed.id)
        self._retire([removed for removed in gone if not removed.isdir])

    def _retire(self, files: List[Node]) -> None:
        until = time.monotonic() + _GRACE
        self._retired.extend((until, self.object_path(file)) for file in files)
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
