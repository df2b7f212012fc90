"""The verbs that all clients share, as methods: ``list`` and ``remove``.

There are no uploads and downloads: bytes go from server to server, and never through this client.  There is
no look at a single path: the fields of an entry of a directory are not public.

Source: JetStream protocol, sections 2, 5.1 and 6.
"""

import os
import posixpath
import re
from typing import Any, List, Optional, Protocol, Union

from smartxfer.errors import UsageError
from smartxfer.jetstream.interface import text_of
from smartxfer.jetstream.models import listed

__all__ = ["list_directory", "remove"]

#: What ``normpath`` returns for a root of any system, and for what is above the working directory.
_ROOT = re.compile(r"//?|\.{1,2}(/\.\.)*|[A-Za-z]:/?")

RemotePath = Union[str, "os.PathLike[str]"]


class Server(Protocol):
    """The client, as far as the verbs need it."""

    def ls(self, path: Any = "/", timeout: Optional[float] = None) -> Any:
        """Return what is in a directory of the server, or in several."""

    def rm(self, path: Any, timeout: Optional[float] = None) -> None:
        """Remove a file of the server, or a directory with all that is in it."""


def list_directory(self: Server, target: RemotePath = "/") -> List[Any]:
    """Return what is in a directory of the server, as the server's own dictionaries.

    :param target: its path, as the server sees it.

    Source: JetStream protocol, section 5.1.
    """
    return listed("lsAsync", self.ls(text_of(target, "target")))


def remove(self: Server, target: RemotePath) -> None:
    """Remove a file of the server, or a directory with all that is in it.

    :param target: its path, as the server sees it.
    :raises UsageError: it is a root of the server; ``rm()`` takes one.

    Source: JetStream protocol, section 5.1.
    """
    path = text_of(target, "target")
    if _ROOT.fullmatch(posixpath.normpath(path.replace("\\", "/"))):
        raise UsageError(f"{path!r:.80} is a root of the server", hint="remove what is in it")
    self.rm(path)
