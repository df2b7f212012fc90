"""The methods ``list`` and ``remove``, which all clients have, and blocking forms of asynchronous commands.

The client has no uploads and downloads, because servers send files directly to each other.  It has no method
for the properties of a single path, because the fields of directory entries are not public.

Source: JetStream protocol, sections 2, 5.1 and 6.
"""

import os
import posixpath
import re
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Protocol, Union

from smartxfer.errors import UsageError

if TYPE_CHECKING:
    from smartxfer.jetstream.async_requests import Request
    from smartxfer.jetstream.recv import RecvInterface
    from smartxfer.jetstream.server import ServerInterface

__all__ = [
    "du", "list_directory", "ls", "ls_roots", "mkdir", "mkfile", "mv", "receiving", "remove", "rm", "sources",
]  # fmt: skip

#: Results of ``normpath`` for a root of any system, and for parents of the working directory.
_ROOT_PATTERN = r"//?|\.{1,2}(/\.\.)*|[A-Za-z]:/?"

RemotePath = Union[str, "os.PathLike[str]"]


class ClientProtocol(Protocol):
    """The attributes and methods of the client that the functions of this module use."""

    @property
    def server(self) -> "ServerInterface":
        """Methods for the server."""

    @property
    def recv(self) -> "RecvInterface":
        """Methods for receiving."""

    def ls(self, path: Any = "/", timeout: Optional[float] = None) -> Any:
        """Return the entries of a directory of the server, or of several."""

    def rm(self, path: Any, timeout: Optional[float] = None) -> None:
        """Remove a file of the server, or a directory with its contents."""

    def _wait_for_result(
        self, timeout: Optional[float], start_request: "Callable[..., Request]", *args: Any
    ) -> Any:
        """Start a request and return its result."""


def list_directory(self: ClientProtocol, target: RemotePath = "/") -> List[Any]:
    """Return the entries of a directory of the server, as the server's JSON objects.

    :param target: path on the server.

    Source: JetStream protocol, section 5.1.
    """
    from smartxfer.jetstream.interface import require_text
    from smartxfer.jetstream.models import parse_list

    return parse_list("lsAsync", self.ls(require_text(target, "target")))


def remove(self: ClientProtocol, target: RemotePath) -> None:
    """Remove a file of the server, or a directory with its contents.

    :param target: path on the server.
    :raises UsageError: it is a root of the server; ``rm()`` accepts it.

    Source: JetStream protocol, section 5.1.
    """
    from smartxfer.jetstream.interface import require_text

    path = require_text(target, "target")
    if re.fullmatch(_ROOT_PATTERN, posixpath.normpath(path.replace("\\", "/"))):
        raise UsageError(f"{path!r:.80} is a root of the server", hint="remove its entries one by one")
    self.rm(path)


# -- commands that wait for their result ----------------------------------------------------------------


def ls(self: ClientProtocol, path: Any = "/", timeout: Optional[float] = None) -> Any:
    """Return the entries of a directory of the server, or of several."""
    from smartxfer.jetstream.interface import require_texts

    return self._wait_for_result(timeout, self.server.lsAsync, require_texts(path, "path"))


def ls_roots(self: ClientProtocol, timeout: Optional[float] = None) -> Any:
    """Return the root directories of the server."""
    return self._wait_for_result(timeout, self.server.lsRootsAsync)


def du(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> int:
    """Return the total bytes below a path of the server."""
    size: int = self._wait_for_result(timeout, self.server.duAsync, path)
    return size


def mkdir(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> None:
    """Create a directory on the server, and its missing parents."""
    self._wait_for_result(timeout, self.server.mkdirAsync, path)


def mkfile(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> None:
    """Create an empty file on the server."""
    self._wait_for_result(timeout, self.server.mkFileAsync, path)


def mv(self: ClientProtocol, source: Any, destination: Any, timeout: Optional[float] = None) -> None:
    """Move or rename a file or directory on the server."""
    self._wait_for_result(timeout, self.server.mvAsync, source, destination)


def rm(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> None:
    """Remove a file of the server, or a directory with its contents."""
    self._wait_for_result(timeout, self.server.rmAsync, path)


def sources(self: ClientProtocol, timeout: Optional[float] = None) -> Any:
    """Return the servers that send files to this one; for superusers."""
    return self._wait_for_result(timeout, self.recv.getSourcesAsync)


def receiving(self: ClientProtocol, timeout: Optional[float] = None) -> Any:
    """Return the incoming transfers; for superusers."""
    return self._wait_for_result(timeout, self.recv.getTransfersAsync)
