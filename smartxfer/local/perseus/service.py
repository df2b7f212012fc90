"""The local Perseus: where it listens, which part answers, and what its users look at.

Source: Perseus protocol, section A.
"""

import hashlib
from typing import Any, Dict, List, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.local.arguments import bytes_of, member_of, text_of
from smartxfer.local.exchange import Answer, Exchange
from smartxfer.local.faults import FaultBook
from smartxfer.local.listener import Record, Seen
from smartxfer.local.objects import write_all
from smartxfer.local.perseus import routes
from smartxfer.local.perseus.backend import Backend
from smartxfer.local.perseus.records import shown
from smartxfer.local.perseus.shelf import FileShelf
from smartxfer.local.perseus.site import Site
from smartxfer.local.s3 import Storage
from smartxfer.local.service import Service

__all__ = ["Perseus"]


class Perseus(Service):
    """A Perseus on loopback, with the options of :class:`~smartxfer.local.perseus.Site`."""

    name = "perseus"
    options = Site
    backend: Backend

    def __init__(
        self, options: Optional[Mapping[str, Any]], *, host: str, data: str, faults: FaultBook
    ) -> None:
        self._host, self._faults = host, faults
        super().__init__(options, host=host, data=data, faults=faults)

    def open(self, site: Site, data: str) -> Backend:
        """The backend with its storage, and the key that it has or made."""
        backend = Backend(site, data, self.url)
        try:
            backend.storage = self.storage = Storage(
                self.name, FileShelf(backend), faults=self._faults, now=backend.now, host=self._host
            )
        except BaseException:
            backend.close()
            raise
        #: The API key.
        self.api_key = backend.api_key
        #: Address of the storage, whose origin is another.
        self.storage_url = self.storage.url
        return backend

    def start(self) -> None:
        """Begin to answer, at both origins."""
        super().start()
        self.storage.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop answering, end connections and threads, close files."""
        self.storage.stop(running=running)
        super().stop(running=running)

    def answer(self, exchange: Exchange) -> Answer:
        """Answer one request to the API."""
        return routes.answer(self.backend, exchange)

    def error(self, status: int, message: str) -> Answer:
        """An error in the manner of the API, for planned faults."""
        return routes.refusal_answer(status, message or "Internal server error")

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        return {"PERSEUS_API_HOST": self.url, "PERSEUS_API_KEY": self.api_key}

    @property
    def account(self) -> List[Record]:
        """The latest requests at both origins, oldest first, with the bytes that they moved."""
        both = self.listener.records + self.storage.listener.records
        return sorted(both, key=lambda record: record.time)

    @property
    def requests(self) -> List[Seen]:
        """The latest requests at both origins, oldest first: (method, path, status)."""
        return [record.seen for record in self.account]

    def count(self, match: str = "* *", status: Optional[int] = None) -> int:
        """How many of the latest requests match, at both origins."""
        return self.listener.count(match, status) + self.storage.listener.count(match, status)

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
                descriptor = backend.objects.open(row["number"])
                with open(descriptor, "wb"):
                    write_all(descriptor, memoryview(data), 0)
                md5 = hashlib.md5(data).hexdigest()
                backend.records.arrived(row["id"], digest, len(data), backend.now(), md5)
        return str(row["id"])
