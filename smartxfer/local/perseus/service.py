"""The local Perseus: where it listens, which part answers, and what its users look at.

Source: Perseus protocol, section A.
"""

import hashlib
from typing import Any, Dict, List

from smartxfer.errors import UsageError
from smartxfer.local.arguments import bytes_of, member_of, text_of
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.perseus import routes
from smartxfer.local.perseus.backend import Backend, shown
from smartxfer.local.perseus.shelf import FileShelf
from smartxfer.local.perseus.site import Site
from smartxfer.local.service import Service


class Perseus(Service):
    """A Perseus on loopback, with the options of :class:`~smartxfer.local.perseus.Site`."""

    name = "perseus"
    options = Site
    backend: Backend
    _backend_type = Backend
    _shelf_type = FileShelf

    def _opened(self) -> None:
        """Set the API key."""
        #: The API key.
        self.api_key = self.backend.api_key

    def answer(self, request: Request) -> Response:
        """Answer one request to the API."""
        return routes.answer(self.backend, request)

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of the API, for planned faults."""
        return routes.error_response(status, message or "Internal server error")

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        return {"PERSEUS_API_HOST": self.url, "PERSEUS_API_KEY": self.api_key}

    def records(self) -> List[Dict[str, Any]]:
        """Every record as the API shows it, oldest first."""
        with self.backend.lock:
            return [shown(row, True) for row in self.backend.matching(None, None)]

    def content(self, file: Any) -> bytes:
        """Return the bytes that came for a record.

        :param file: its id, or the File as a client returned it.
        :raises UsageError: there is no such record, or nothing came yet.
        """
        id = text_of(member_of(file, "id"), "file")
        row = self.backend.records.get(id)
        try:
            if row is not None:
                return self.backend.content(row)
        except OSError:
            pass  # nothing lies there
        raise UsageError(f"nothing came for {id!r}", hint="records() lists the records and their status")

    def write(self, name: str, data: bytes = b"", status: str = "uploaded") -> str:
        """Put a record here, with its content unless it is pending.

        :param status: ``"pending"``, ``"uploaded"``, ``"failed"``, or a word that clients do not know.
        :return: its id.
        :raises UsageError: an argument is of the wrong type.
        """
        backend, name, data = self.backend, text_of(name, "name"), bytes_of(data)
        status = text_of(status, "status")
        digest = hashlib.sha256(data).hexdigest()
        with backend.lock:
            row = backend.records.add(name, digest, backend.now(), status)
            if status != "pending":
                with open(backend.objects.open(row["number"]), "wb") as stream:
                    stream.write(data)
                md5 = hashlib.md5(data).hexdigest()
                backend.records.arrived(row["id"], digest, len(data), backend.now(), md5)
        return str(row["id"])
