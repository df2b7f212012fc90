"""The local Perseus service.

Source: Perseus protocol, section A.
"""

import hashlib
from typing import Any, Dict, List

from smartxfer.errors import UsageError
from smartxfer.local.arguments import require_member, require_str, to_bytes
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.perseus import routes
from smartxfer.local.perseus.backend import Backend, serialize
from smartxfer.local.perseus.s3_backend import FileStorageBackend
from smartxfer.local.perseus.site import Site
from smartxfer.local.service import Service


class Perseus(Service):
    """A Perseus on loopback, with the options of :class:`~smartxfer.local.perseus.Site`."""

    name = "perseus"
    options = Site
    backend: Backend
    _backend_type = Backend
    _object_backend_type = FileStorageBackend

    def _backend_ready(self) -> None:
        """Set the API key."""
        #: The API key.
        self.api_key = self.backend.api_key

    def handle(self, request: Request) -> Response:
        """Handle one request to the API."""
        return routes.handle(self.backend, request)

    def error_response(self, status: int, message: str) -> Response:
        """An error in the manner of the API, for planned faults."""
        return routes.error_response(status, message or "Internal server error")

    # Inspection methods for tests and examples.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        return {"PERSEUS_API_HOST": self.url, "PERSEUS_API_KEY": self.api_key}

    def records(self) -> List[Dict[str, Any]]:
        """Return every record as the API shows it, oldest first."""
        with self.backend.lock:
            return [serialize(row, True) for row in self.backend.matching(None, None)]

    def content(self, file: Any) -> bytes:
        """Return the bytes that were received for a record.

        :param file: its id, or the File as a client returned it.
        :raises UsageError: the record does not exist, or nothing was uploaded yet.
        """
        id = require_str(require_member(file, "id"), "file")
        row = self.backend.records.get(id)
        try:
            if row is not None:
                return self.backend.content(row)
        except OSError:
            pass  # no object
        raise UsageError(f"nothing came for {id!r}", hint="records() lists the records and their status")

    def write(self, name: str, data: bytes = b"", status: str = "uploaded") -> str:
        """Create a record, with its content unless it is pending.

        :param status: ``"pending"``, ``"uploaded"``, ``"failed"``, or any other word.
        :return: its id.
        :raises UsageError: an argument is of the wrong type.
        """
        backend, name, data = self.backend, require_str(name, "name"), to_bytes(data)
        status = require_str(status, "status")
        digest = hashlib.sha256(data).hexdigest()
        with backend.lock:
            row = backend.records.add(name, digest, backend.now(), status)
            if status != "pending":
                with open(backend.objects.open(row["number"]), "wb") as stream:
                    stream.write(data)
                md5 = hashlib.md5(data).hexdigest()
                backend.records.record_upload(row["id"], digest, len(data), backend.now(), md5)
        return str(row["id"])
