"""A client of a repository and a local server between them: for tests of its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict

from smartxfer.nrp import get_client
from tests.support.filesender_harness import PATIENCE, noise
from tests.support.service_harness import AT_ONCE, MIB, Polling, ServiceHarness, pieces, piped

__all__ = [
    "API",
    "AT_ONCE",
    "COMMIT",
    "CONTENT",
    "CREATE",
    "DATA",
    "DISCOVERY",
    "DOWNLOAD",
    "ENTRY",
    "INIT",
    "LIST",
    "MIB",
    "PART",
    "PATIENCE",
    "SMALL",
    "STORAGE_GET",
    "STORAGE_PART",
    "NRPHarness",
    "Polling",
    "Served",
    "pieces",
    "piped",
]  # fmt: skip

DISCOVERY = "GET /.well-known/repository*"
API = "* /api/*"
CREATE = "POST /api/records"
INIT = "POST /api/records/*/files"
#: The content of a file in one piece; ``*`` matches slashes too, but no address of a part ends so.
CONTENT = "PUT /api/records/*/content"
COMMIT = "POST /api/records/*/commit"
#: A part that goes to the repository, and one that goes to its storage.
PART = "PUT /api/records/*/content/*"
STORAGE_PART = "PUT /storage/*"
LIST = "GET /api/records/*/files"
#: What is known of a file; its bytes match too.
ENTRY = "GET /api/records/*/files/*"
#: The bytes of a file, from the repository or from its storage.
DOWNLOAD = "GET /api/records/*/content"
STORAGE_GET = "GET /storage/*"

SMALL = noise(1000)
DATA = noise(3 * MIB)


class NRPHarness(ServiceHarness):
    """A running repository, and clients of it; calls are not limited unless its options say so."""

    name = "nrp"
    defaults: ClassVar[Dict[str, Any]] = {"rate_limit": 100_000, "rate_limit_guest": 100_000}
    created = (CREATE, INIT)

    def _new_client(self, url: str, **options: Any) -> Any:
        return get_client(url, **{"token": self.site.token, **options})

    def record(self, data: bytes, key: str = "a.bin", **options: Any) -> str:
        """The id of a record that holds one file; a draft, unless ``published=True``."""
        made: str = self.site.create(files={key: data}, **options)
        return made


class Served(NRPHarness):
    """A repository with two published records of one file each.

    :param storage: "local", "proxy" or "s3".
    """

    def __init__(self, directory: Path, storage: str) -> None:
        super().__init__(directory, storage=storage)
        self.storage = storage
        self.out.mkdir()
        self.id: str = self.record(DATA, published=True)
        self.small = self.record(SMALL, "small.bin", published=True)
        #: The requests that carry bytes.
        self.bytes = STORAGE_GET if storage == "s3" else DOWNLOAD
        self.ranges = storage != "local"

    def fetch(self, record: str, **options: Any) -> Any:
        """The result of the only file of a record."""
        client = {name: options.pop(name) for name in ("retry", "timeout") if name in options}
        [result] = self.client(**client).files.download_many(record, self.out, **options)
        return result

    def other(self, data: bytes) -> Any:
        """A callback that puts another file under the same key once something is tried again."""
        self.id = self.record(DATA)

        def change(event: Any) -> None:
            if event.state == "retrying":
                self.put(data)

        return change

    def put(self, data: bytes) -> None:
        """Another file under the same key of a draft."""
        self.client().files.upload(self.id, "a.bin", None, data, replace=True)
