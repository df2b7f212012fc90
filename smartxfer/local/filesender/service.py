"""The local FileSender: where it listens, which part answers, and what its users look at.

Source: FileSender protocol, sections 1 and 11.
"""

from typing import Any, Dict, List

from smartxfer.errors import UsageError
from smartxfer.local.arguments import member_of
from smartxfer.local.filesender import download, pages, rest
from smartxfer.local.filesender.backend import Backend
from smartxfer.local.filesender.refusals import error_response
from smartxfer.local.filesender.site import Site
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.service import Service


class FileSender(Service):
    """A FileSender on loopback, with the options of :class:`~smartxfer.local.filesender.site.Site`."""

    name = "filesender"
    options = Site
    backend: Backend
    _backend_type = Backend

    def _opened(self) -> None:
        """Set the first user and their key."""
        #: The first user.
        self.username = next(iter(self.backend.site.users))
        user = self.backend.records.user_named(self.username)
        assert user is not None
        self.api_key: str = user["api_key"]

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path
        outside = bool(self.backend.site.base_path) and request.script == path
        if not outside:
            if path == "/rest.php" or path.startswith("/rest.php/"):
                return rest.answer(self.backend, request)
            if path == "/download.php":
                return download.answer(self.backend, request)
            if path in ("/", "/index.php", ""):
                return pages.answer(self.backend, request)
            if path == "/filesender-config.js.php":
                return pages.config_script(self.backend)
        return text_response(404, "<html><h1>404 Not Found</h1></html>", "text/html")

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of the API, for planned faults."""
        return error_response(message, status)

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "FILESENDER_BASE_URL": self.url,
            "FILESENDER_USERNAME": self.username,
            "FILESENDER_API_KEY": self.api_key,
        }

    @property
    def mails(self) -> List[Dict[str, Any]]:
        """The latest mails, oldest first: to, subject, kind, url, transfer or guest id."""
        return list(self.backend.mails)

    def transfers(self) -> List[Dict[str, Any]]:
        """Every transfer with its status, oldest first, files with the bytes that are stored."""
        records, found = self.backend.records, []
        for row in records.db.rows("SELECT * FROM transfers ORDER BY id"):
            listed = records.files(row["id"])
            files = [{**dict(file), "stored": records.objects.size(file["id"])} for file in listed]
            people = [dict(person) for person in records.recipients(row["id"])]
            found.append({**dict(row), "files": files, "recipients": people})
        return found

    def stored(self, file: Any) -> str:
        """Return the path of a file's stored bytes, which may have been deleted.

        :param file: its id, or the file as a client returned it.
        :raises UsageError: there is no such file.
        """
        if member_of(file, "files") is not file:
            raise UsageError("a transfer has several files", hint="stored(transfer.files[0])")
        number = member_of(file, "id")
        if isinstance(number, bool) or not isinstance(number, int):
            raise UsageError(f"file must be a file or its id, a whole number, not {number!r:.60}")
        rows = self.backend.records.db.rows
        if abs(number) >= 1 << 63 or not rows("SELECT id FROM files WHERE id = ?", number):
            raise UsageError(f"no such file: {number}", hint="transfers() lists the files")
        return self.backend.records.objects.path(number)
