"""The local SmartFile: where it listens, which part answers, and what its users look at.

Source: SmartFile protocol, sections 1 and 8.
"""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List

from smartxfer.errors import UsageError
from smartxfer.local.arguments import bytes_of, member_of, text_of
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.service import Service
from smartxfer.local.smartfile import routes
from smartxfer.local.smartfile.answers import ApiError, json_response
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.nodes import segments
from smartxfer.local.smartfile.site import Site
from smartxfer.local.smartfile.throttle import Throttle


class SmartFile(Service):
    """A SmartFile on loopback, with the options of :class:`~smartxfer.local.smartfile.site.Site`."""

    name = "smartfile"
    options = Site
    backend: Backend
    _backend_type = Backend

    def _opened(self) -> None:
        """Set the credentials that the backend has or made."""
        backend = self.backend
        #: The first user, whose API key it is.
        self.username = backend.username
        self.key = backend.key
        self.password = backend.password
        #: Token and secret of the OAuth client.
        self.client_token = backend.client_token
        self.client_secret = backend.client_secret

    def configure(self, **options: Any) -> None:
        """Change the configuration; ``throttle`` turns the next calls away."""
        super().configure(**options)
        site = self.backend.site
        if "throttle" in options:
            self.throttle(site.throttle, site.throttle_next, style=site.throttle_style)

    def throttle(
        self, times: int, seconds: float = 0.01, *, style: str = "503", match: str = "* *"
    ) -> Throttle:
        """Turn the next calls away; ``left`` of what is returned says how many are still to come.

        :param times: how many.
        :param seconds: what their clients are told to wait.
        :param style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
        :param match: method and path pattern of those calls, as faults have it.
        :raises UsageError: the style or the match is not understood.
        """
        if style not in ("503", "429"):
            raise UsageError(f"style is 503 or 429, not {style!r}")
        self.backend.throttle = Throttle(times, style, seconds, match)
        return self.backend.throttle

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        return routes.answer(self.backend, request)

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of the API, for planned faults."""
        return json_response(self.backend.site, {"detail": message}, status)

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "SMARTFILE_API_URL": self.url + "/",
            "SMARTFILE_API_KEY": self.key,
            "SMARTFILE_API_PASSWORD": self.password,
        }

    def files(self) -> Dict[str, int]:
        """Size of every file in bytes, by path."""
        tree = self.backend.tree
        return {node.path: node.size for node in tree.walk(tree.find("/")) if not node.isdir}

    def directories(self) -> List[str]:
        """Path of every directory but the root."""
        tree = self.backend.tree
        return [node.path for node in tree.walk(tree.find("/")) if node.isdir and node.parent]

    def read(self, path: Any) -> bytes:
        """Return the bytes of a file.

        :param path: its path, or the Info or Link of it as a client returned it.
        :raises UsageError: there is no such file.
        """
        path = member_of(path, "path")
        with open(self.stored_path(path), "rb") as stream:
            return stream.read(self.backend.tree.find(path).size)

    def write(self, path: str, data: bytes = b"") -> None:
        """Put a file at a path, whatever was there; missing directories are made.

        :raises UsageError: a directory is there, or a file where a directory should be.
        """
        names, data = segments(text_of(path, "path")), bytes_of(data)
        with _explained(path):
            self.backend.tree.make("/".join(names[:-1]), parents=True)
            with self.backend.tree.draft() as draft:
                draft.stream.write(data)
                self.backend.tree.replace(path, draft)

    def mkdir(self, path: str) -> None:
        """Make a directory and those above it.

        :raises UsageError: a file is in the way.
        """
        with _explained(path):
            self.backend.tree.make(text_of(path, "path"), parents=True)

    def plant(self, directory: str, name: str, data: bytes = b"") -> None:
        """Put a file under a name that no client could send, ``"../x"`` for one."""
        text_of(directory, "directory"), text_of(name, "name")
        data = bytes_of(data)
        self.backend.tree.find("/")  # not after the end
        with self.backend.tree.draft() as draft:
            draft.stream.write(data)
            self.backend.tree.plant(directory, name, draft)

    def stored_path(self, path: Any) -> str:
        """Return where the bytes of a file are on disk.

        :raises UsageError: there is no such file.
        """
        path = text_of(member_of(path, "path"), "path")
        with _explained(path, "files() lists the paths"):
            return self.backend.tree.stored_path(path)

    def tasks(self) -> List[Dict[str, Any]]:
        """Every task, oldest first: uuid, operation, arguments, user, status, result."""
        return self.backend.kept.all("task")

    def links(self) -> List[Dict[str, Any]]:
        """Every link, oldest first."""
        return self.backend.kept.all("link")


@contextmanager
def _explained(path: Any, hint: str = "") -> Iterator[None]:
    try:
        yield
    except ApiError as refusal:
        raise UsageError(f"{path}: {refusal.message}", hint=hint) from None
