"""Mapping of API paths to paths on disk, below the root or a sandbox.

Source: JetStream protocol, sections 5.1 (sandbox mappings) and 9.6.
"""

import json
import os
from typing import Any, Dict, List, Optional

from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jsonrpc import RpcError


def segments(path: str) -> List[str]:
    """Return the names in a path.

    :raises RpcError: PermissionDenied, one of them leads elsewhere.
    """
    names = [name for name in path.split("/") if name not in ("", ".")]
    for name in names:
        is_separator = os.sep != "/" and (os.sep in name or ":" in name)
        if name == ".." or "\0" in name or is_separator:
            raise RpcError("PermissionDenied", f"{path}: the path leads out of the root")
    return names


def join_segments(*parts: str) -> str:
    """Join segments to an absolute path."""
    return "/" + "/".join(part.strip("/") for part in parts if part.strip("/"))


def is_within(path: str, folder: str) -> bool:
    """Return True if a path is a folder or is inside of it; both must not contain links or ``..``."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def resolve_path(root: str, names: List[str], shown_path: str, follow: bool = True) -> str:
    """Return the path on disk of names below the root.

    :param root: the root on disk, without links.
    :param shown_path: the path, for messages.
    :param follow: False: a link at the end is not resolved.
    :raises RpcError: PermissionDenied, a link leads out of the root.
    """
    path = os.path.join(root, *names)
    if not follow and names:
        path = os.path.join(os.path.realpath(os.path.dirname(path)), names[-1])
        real = os.path.dirname(path)
    else:
        path = real = os.path.realpath(path)
    if not is_within(real, root):
        raise RpcError("PermissionDenied", f"{shown_path}: a link leads out of the root")
    return path


class Sandbox:
    """The files that a user can see.

    :param backend: the server.
    :param user: name of the user, or an empty string.
    :param bound: folder that limits a token, or ``/``.
    """

    def __init__(self, backend: Backend, user: str, bound: str = "/") -> None:
        self.backend = backend
        self.bound = segments(bound)
        #: Folders of the sandbox by name, None without a sandbox.
        self.mappings: Optional[Dict[str, str]] = _user_mappings(backend, user)

    def real_path(self, path: str, *, follow: bool = True) -> str:
        """Return the path on disk, which need not exist.

        :param follow: False: a link at the end is not resolved.
        :raises RpcError: NotFound, PermissionDenied.
        """
        names = segments(path)
        if names[: len(self.bound)] != self.bound:
            raise RpcError("NotFound", f"{path}: no such file or folder")
        if self.mappings is not None:
            if not names or names[0] not in self.mappings:
                raise RpcError("NotFound", f"{path}: no such file or folder")
            if len(names) == 1:
                follow = True
            names = segments(self.mappings[names[0]]) + names[1:]
        return resolve_path(self.backend.root, names, path, follow)

    def existing_path(self, path: str) -> str:
        """Return the path on disk of an existing file or folder.

        :raises RpcError: NotFound, PermissionDenied.
        """
        real = self.real_path(path)
        if not os.path.exists(real):
            raise RpcError("NotFound", f"{path}: no such file or folder")
        return real

    def is_top(self, path: str) -> bool:
        """Return True for a folder that cannot be removed: the root of the server, a sandbox or a token."""
        depth = len(segments(path))
        return depth <= max(len(self.bound), 1 if self.mappings is not None else 0)

    def roots(self) -> List[str]:
        """Return the top folders."""
        if self.bound:
            return [join_segments(*self.bound)]
        return ["/"] if self.mappings is None else sorted("/" + name for name in self.mappings)

    def names(self, path: str) -> List[str]:
        """Return the paths in a folder, sorted, without links that lead out of the root.

        :raises RpcError: NotFound, PermissionDenied.
        """
        if self.mappings is not None and not segments(path) and not self.bound:
            return self.roots()
        names = []
        for name in sorted(os.listdir(self.existing_path(path))):
            below = join_segments(path, name)
            try:
                self.existing_path(below)
            except RpcError:
                continue
            names.append(below)
        return names


def _user_mappings(backend: Backend, user: str) -> Optional[Dict[str, str]]:
    """Return the mapping of a user, else that of all users, with placeholders replaced."""
    for name in (user, ""):
        row = backend.database.fetchone("SELECT mapping FROM sandboxes WHERE user=?", name)
        if row is not None:
            mapping: Dict[str, Any] = json.loads(row["mapping"])
            return {key: _expand_user(target, user) for key, target in mapping.items()}
    return None


def _expand_user(target: Any, user: str) -> str:
    path = target["path"] if isinstance(target, dict) else target
    values = {"%u": user, "%d": "", "%f": user, "%%": "%"}
    pieces, position = [], 0
    while position < len(path):
        pair = path[position : position + 2]
        pieces.append(values.get(pair, path[position]))
        position += 2 if pair in values else 1
    return "".join(pieces)
