"""The verbs that all clients share, as methods: ``list`` and ``remove``.

There are no uploads and downloads: bytes go from server to server, and never through this client.  There is
no look at a single path: the fields of an entry of a directory are not public.

Source: JetStream protocol, sections 2, 5.1 and 6.
"""

import os
from typing import Any, List, Optional, Protocol, Union

from smartxfer.jetstream.interface import text_of
from smartxfer.jetstream.models import listed

__all__ = ["list_directory", "remove"]

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

    Source: JetStream protocol, section 5.1.
    """
    self.rm(text_of(target, "target"))
