"""The local FileSender service.

Source: FileSender protocol, sections 1 and 11.
"""

from typing import Any, Dict, List

from smartxfer.errors import UsageError
from smartxfer.local.arguments import require_member
from smartxfer.local.filesender import download, html_pages, rest
from smartxfer.local.filesender.backend import Backend
from smartxfer.local.filesender.errors import error_response
from smartxfer.local.filesender.site import Site
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.service import Service


class FileSender(Service):
    """A FileSender on loopback, with the options of :class:`~smartxfer.local.filesender.site.Site`."""

    name = "filesender"
    options = Site
    backend: Backend
    _backend_type = Backend

    def _backend_ready(self) -> None:
        """Set the first user and their key."""
        #: The first user.
        self.username = next(iter(self.backend.site.users))
        user = self.backend.repository.user_named(self.username)
        assert user is not None
        self.api_key: str = user["api_key"]

    def handle(self, request: Request) -> Response:
        """Handle one request."""
        path = request.path
        outside = bool(self.backend.site.base_path) and request.script == path
        if not outside:
            if path == "/rest.php" or path.startswith("/rest.php/"):
                return rest.handle(self.backend, request)
            if path == "/download.php":
                return download.handle(self.backend, request)
            if path in ("/", "/index.php", ""):
                return html_pages.handle(self.backend, request)
            if path == "/filesender-config.js.php":
                return html_pages.config_script(self.backend)
        return text_response(404, "<html><h1>404 Not Found</h1></html>", "text/html")

    def error_response(self, status: int, message: str) -> Response:
        """Return an error response in the format of the API, for planned faults."""
        return error_response(message, status)

    # Inspection methods for tests and examples.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the site."""
        return {
            "FILESENDER_BASE_URL": self.url, "FILESENDER_USERNAME": self.username,
            "FILESENDER_API_KEY": self.api_key,
        }

    @property
    def mails(self) -> List[Dict[str, Any]]:
        """The latest mails, oldest first: to, subject, kind, url, transfer or guest id."""
        return list(self.backend.mails)

    def transfers(self) -> List[Dict[str, Any]]:
        """Every transfer with its status, oldest first, files with the bytes that are stored."""
        records, transfers = self.backend.repository, []
        for row in records.db.fetchall("SELECT * FROM transfers ORDER BY id"):
            rows = records.files(row["id"])
            files = [{**dict(file), "stored": records.objects.size(file["id"])} for file in rows]
            users = [dict(user) for user in records.recipients(row["id"])]
            transfers.append({**dict(row), "files": files, "recipients": users})
        return transfers

    def stored(self, file: Any) -> str:
        """Return the path of a file's stored bytes, which may have been deleted.

        :param file: its id, or the file as a client returned it.
        :raises UsageError: the file does not exist.
        """
        if require_member(file, "files") is not file:
            raise UsageError("a transfer has several files", hint="stored(transfer.files[0])")
        number = require_member(file, "id")
        if isinstance(number, bool) or not isinstance(number, int):
            raise UsageError(
                f"file must be a file or its id, not {number!r:.60}",
                hint="pass the file, or its id as a whole number",
            )
        rows = self.backend.repository.db.fetchall
        if abs(number) >= 1 << 63 or not rows("SELECT id FROM files WHERE id = ?", number):
            raise UsageError(f"no such file: {number}", hint="transfers() lists the files")
        return self.backend.repository.objects.path(number)
