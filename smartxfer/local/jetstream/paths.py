"""From the paths that callers name to places on disk: below the root, or below a sandbox.

Source: JetStream protocol, sections 5.1 (sandbox mappings) and 9.6.
"""

import json
import os
from typing import Any, Dict, List, Optional

from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jsonrpc import RpcError


def segments(path: str) -> List[str]:
    """The names that a path is made of.

    :raises RpcError: PermissionDenied, one of them leads elsewhere.
    """
    names = [name for name in path.split("/") if name not in ("", ".")]
    for name in names:
        strange = os.sep != "/" and (os.sep in name or ":" in name)
        if name == ".." or "\0" in name or strange:
            raise RpcError("PermissionDenied", f"{path}: the path leads out of the root")
    return names


def joined(*parts: str) -> str:
    """An absolute path of pieces of one."""
    return "/" + "/".join(part.strip("/") for part in parts if part.strip("/"))


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it; both have no links and no ``..``."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def place(root: str, names: List[str], shown: str, follow: bool = True) -> str:
    """Where names below the root lie on disk.

    :param root: the root on disk, without links.
    :param shown: the path, for messages.
    :param follow: False: a link at the end stands for itself.
    :raises RpcError: PermissionDenied, a link leads out of the root.
    """
    path = os.path.join(root, *names)
    if not follow and names:
        path = os.path.join(os.path.realpath(os.path.dirname(path)), names[-1])
        real = os.path.dirname(path)
    else:
        path = real = os.path.realpath(path)
    if not within(real, root):
        raise RpcError("PermissionDenied", f"{shown}: a link leads out of the root")
    return path


class View:
    """The files that somebody sees.

    :param backend: the server.
    :param user: name of the user, empty for nobody.
    :param bound: folder that a token is bound to, ``/`` for none.
    """

    def __init__(self, backend: Backend, user: str, bound: str = "/") -> None:
        self.backend = backend
        self.bound = segments(bound)
        #: Folders of the sandbox by name, None outside of one.
        self.sandbox: Optional[Dict[str, str]] = _sandbox(backend, user)

    def real(self, path: str, *, follow: bool = True) -> str:
        """Where a path lies on disk, whether something is there or not.

        :param follow: False: a link at the end stands for itself.
        :raises RpcError: NotFound, PermissionDenied.
        """
        names = segments(path)
        if names[: len(self.bound)] != self.bound:
            raise RpcError("NotFound", f"{path}: no such file or folder")
        if self.sandbox is not None:
            if not names or names[0] not in self.sandbox:
                raise RpcError("NotFound", f"{path}: no such file or folder")
            if len(names) == 1:
                follow = True
            names = segments(self.sandbox[names[0]]) + names[1:]
        return place(self.backend.root, names, path, follow)

    def existing(self, path: str) -> str:
        """Where an existing path lies on disk.

        :raises RpcError: NotFound, PermissionDenied.
        """
        real = self.real(path)
        if not os.path.exists(real):
            raise RpcError("NotFound", f"{path}: no such file or folder")
        return real

    def is_top(self, path: str) -> bool:
        """Whether a path is a folder that has to stay: the root, a sandbox's, a token's."""
        depth = len(segments(path))
        return depth <= max(len(self.bound), 1 if self.sandbox is not None else 0)

    def roots(self) -> List[str]:
        """The folders in which everything lies that is seen."""
        if self.bound:
            return [joined(*self.bound)]
        return ["/"] if self.sandbox is None else sorted("/" + name for name in self.sandbox)

    def names(self, path: str) -> List[str]:
        """The paths in a folder, sorted; a link that leads out of the root is none of them.

        :raises RpcError: NotFound, PermissionDenied.
        """
        if self.sandbox is not None and not segments(path) and not self.bound:
            return self.roots()
        found = []
        for name in sorted(os.listdir(self.existing(path))):
            below = joined(path, name)
            try:
                self.existing(below)
            except RpcError:
                continue
            found.append(below)
        return found


def _sandbox(backend: Backend, user: str) -> Optional[Dict[str, str]]:
    """The mapping of a user, else that of everybody, with its placeholders filled in."""
    for name in (user, ""):
        row = backend.database.row("SELECT mapping FROM sandboxes WHERE user=?", name)
        if row is not None:
            mapping: Dict[str, Any] = json.loads(row["mapping"])
            return {key: _filled(target, user) for key, target in mapping.items()}
    return None


def _filled(target: Any, user: str) -> str:
    path = target["path"] if isinstance(target, dict) else target
    values = {"%u": user, "%d": "", "%f": user, "%%": "%"}
    made, at = [], 0
    while at < len(path):
        pair = path[at : at + 2]
        made.append(values.get(pair, path[at]))
        at += 2 if pair in values else 1
    return "".join(made)
