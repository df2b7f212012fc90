"""Methods of a connection: ``list`` and ``remove``, which all clients share, and short commands.

There are no uploads and downloads: bytes go from server to server, and never through this client.  There is
no look at a single path: the fields of an entry of a directory are not public.

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

#: What ``normpath`` returns for a root of any system, and for what is above the working directory.
_ROOT_PATTERN = r"//?|\.{1,2}(/\.\.)*|[A-Za-z]:/?"

RemotePath = Union[str, "os.PathLike[str]"]


class ClientProtocol(Protocol):
    """The client, as far as the verbs need it."""

    @property
    def server(self) -> "ServerInterface":
        """Commands to the server itself."""

    @property
    def recv(self) -> "RecvInterface":
        """Commands to its receiving side."""

    def ls(self, path: Any = "/", timeout: Optional[float] = None) -> Any:
        """Return what is in a directory of the server, or in several."""

    def rm(self, path: Any, timeout: Optional[float] = None) -> None:
        """Remove a file of the server, or a directory with all that is in it."""

    def _wait_for_result(
        self, timeout: Optional[float], start_request: "Callable[..., Request]", *args: Any
    ) -> Any:
        """Return the result of a request."""


def list_directory(self: ClientProtocol, target: RemotePath = "/") -> List[Any]:
    """Return what is in a directory of the server, as the server's own dictionaries.

    :param target: its path, as the server sees it.

    Source: JetStream protocol, section 5.1.
    """
    from smartxfer.jetstream.interface import require_text
    from smartxfer.jetstream.models import parse_list

    return parse_list("lsAsync", self.ls(require_text(target, "target")))


def remove(self: ClientProtocol, target: RemotePath) -> None:
    """Remove a file of the server, or a directory with all that is in it.

    :param target: its path, as the server sees it.
    :raises UsageError: it is a root of the server; ``rm()`` takes one.

    Source: JetStream protocol, section 5.1.
    """
    from smartxfer.jetstream.interface import require_text

    path = require_text(target, "target")
    if re.fullmatch(_ROOT_PATTERN, posixpath.normpath(path.replace("\\", "/"))):
        raise UsageError(f"{path!r:.80} is a root of the server", hint="remove what is in it")
    self.rm(path)


# -- commands, each with its result --------------------------------------------------------------------


def ls(self: ClientProtocol, path: Any = "/", timeout: Optional[float] = None) -> Any:
    """What is in a directory of the server."""
    from smartxfer.jetstream.interface import require_texts

    return self._wait_for_result(timeout, self.server.lsAsync, require_texts(path, "path"))


def ls_roots(self: ClientProtocol, timeout: Optional[float] = None) -> Any:
    """The root directories of the server."""
    return self._wait_for_result(timeout, self.server.lsRootsAsync)


def du(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> int:
    """Bytes below a path of the server."""
    found: int = self._wait_for_result(timeout, self.server.duAsync, path)
    return found


def mkdir(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> None:
    """Make a directory on the server, and those above it."""
    self._wait_for_result(timeout, self.server.mkdirAsync, path)


def mkfile(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> None:
    """Make an empty file on the server."""
    self._wait_for_result(timeout, self.server.mkFileAsync, path)


def mv(self: ClientProtocol, source: Any, destination: Any, timeout: Optional[float] = None) -> None:
    """Move or rename on the server."""
    self._wait_for_result(timeout, self.server.mvAsync, source, destination)


def rm(self: ClientProtocol, path: Any, timeout: Optional[float] = None) -> None:
    """Remove a file of the server, or a directory with all that is in it."""
    self._wait_for_result(timeout, self.server.rmAsync, path)


def sources(self: ClientProtocol, timeout: Optional[float] = None) -> Any:
    """The servers that send to this one; for superusers."""
    return self._wait_for_result(timeout, self.recv.getSourcesAsync)


def receiving(self: ClientProtocol, timeout: Optional[float] = None) -> Any:
    """The transfers that come in; for superusers."""
    return self._wait_for_result(timeout, self.recv.getTransfersAsync)
