"""The local SmartFile service.

Source: SmartFile protocol, sections 1 and 8.
"""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List

from smartxfer.errors import UsageError
from smartxfer.local.arguments import require_member, require_str, to_bytes
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.service import Service
from smartxfer.local.smartfile import routes
from smartxfer.local.smartfile.api_responses import ApiError, json_response
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.file_nodes import segments
from smartxfer.local.smartfile.site import Site
from smartxfer.local.smartfile.throttle import Throttle


class SmartFile(Service):
    """A SmartFile on loopback, with the options of :class:`~smartxfer.local.smartfile.site.Site`."""

    name = "smartfile"
    options = Site
    backend: Backend
    _backend_type = Backend

    def _backend_ready(self) -> None:
        """Set the credentials of the backend."""
        backend = self.backend
        #: The first user, who has the API key.
        self.username = backend.username
        self.key = backend.key
        self.password = backend.password
        #: Token and secret of the OAuth client.
        self.client_token = backend.client_token
        self.client_secret = backend.client_secret

    def configure(self, **options: Any) -> None:
        """Change the configuration; ``throttle`` rejects the next calls."""
        super().configure(**options)
        site = self.backend.site
        if "throttle" in options:
            self.throttle(site.throttle, site.throttle_next, style=site.throttle_style)

    def throttle(
        self, times: int, seconds: float = 0.01, *, style: str = "503", match: str = "* *"
    ) -> Throttle:
        """Reject the next calls; ``remaining`` of the result is the number of calls that are still rejected.

        :param times: number of calls.
        :param seconds: wait time in the response.
        :param style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
        :param match: method and path pattern of those calls, as faults have it.
        :raises UsageError: invalid style or match.
        """
        if style not in ("503", "429"):
            raise UsageError(f"invalid style: {style!r}", hint="pass style='503' or style='429'")
        self.backend.throttle = Throttle(times, style, seconds, match)
        return self.backend.throttle

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        return routes.handle(self.backend, request)

    def error_response(self, status: int, message: str) -> Response:
        """Return an error response in the format of the API, for planned faults."""
        return json_response(self.backend.site, {"detail": message}, status)

    # Inspection methods for tests and examples.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "SMARTFILE_API_URL": self.url + "/", "SMARTFILE_API_KEY": self.key,
            "SMARTFILE_API_PASSWORD": self.password,
        }

    def files(self) -> Dict[str, int]:
        """Return the size of every file in bytes, by path."""
        tree = self.backend.tree
        return {node.path: node.size for node in tree.walk(tree.find("/")) if not node.isdir}

    def directories(self) -> List[str]:
        """Return the path of every directory except the root."""
        tree = self.backend.tree
        return [node.path for node in tree.walk(tree.find("/")) if node.isdir and node.parent]

    def read(self, path: Any) -> bytes:
        """Return the bytes of a file.

        :param path: its path, or the Info or Link of it as a client returned it.
        :raises UsageError: the file does not exist.
        """
        path = require_member(path, "path")
        with open(self.stored_path(path), "rb") as stream:
            return stream.read(self.backend.tree.find(path).size)

    def write(self, path: str, data: bytes = b"") -> None:
        """Write a file, replacing an existing one; create missing directories.

        :raises UsageError: a directory is there, or a file where a directory should be.
        """
        names, data = segments(require_str(path, "path")), to_bytes(data)
        with _with_hint(path):
            self.backend.tree.make("/".join(names[:-1]), parents=True)
            with self.backend.tree.new_file() as draft:
                draft.stream.write(data)
                self.backend.tree.replace(path, draft)

    def mkdir(self, path: str) -> None:
        """Create a directory and its parents.

        :raises UsageError: a file exists where a directory is needed.
        """
        with _with_hint(path):
            self.backend.tree.make(require_str(path, "path"), parents=True)

    def plant(self, directory: str, name: str, data: bytes = b"") -> None:
        """Store a file under a name that clients cannot send, such as ``"../x"``."""
        require_str(directory, "directory"), require_str(name, "name")
        data = to_bytes(data)
        self.backend.tree.find("/")  # not after the end
        with self.backend.tree.new_file() as draft:
            draft.stream.write(data)
            self.backend.tree.plant(directory, name, draft)

    def stored_path(self, path: Any) -> str:
        """Return the path of a file's bytes on disk.

        :raises UsageError: the file does not exist.
        """
        path = require_str(require_member(path, "path"), "path")
        with _with_hint(path, "files() lists the paths"):
            return self.backend.tree.stored_path(path)

    def tasks(self) -> List[Dict[str, Any]]:
        """Return every task, oldest first: uuid, operation, arguments, user, status, result."""
        return self.backend.json_store.all("task")

    def links(self) -> List[Dict[str, Any]]:
        """Return every link, oldest first."""
        return self.backend.json_store.all("link")


@contextmanager
def _with_hint(path: Any, hint: str = "") -> Iterator[None]:
    try:
        yield
    except ApiError as refusal:
        raise UsageError(f"{path}: {refusal.message}", hint=hint) from None
