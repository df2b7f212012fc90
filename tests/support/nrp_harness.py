"""A client of a repository and a local server between them: for tests of its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict

from smartxfer.nrp import get_client
from tests.support.filesender_harness import PATIENCE, noise
from tests.support.service_harness import AT_ONCE, MIB, Polling, ServiceHarness, pieces, piped

__all__ = [
    "API", "AT_ONCE", "COMMIT", "CONTENT", "CREATE", "DATA", "DISCOVERY", "DOWNLOAD", "ENTRY", "INIT", "LIST", "MIB",
    "PART", "PATIENCE", "SMALL", "STEP", "STORAGE_GET", "STORAGE_PART", "NRPHarness", "Polling", "Served", "noise",
    "pieces", "piped",
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
#: The least size of a part, but for the last one.
STEP = 5 * MIB
#: Options of clients; the others are those of a call.
_OF_CLIENTS = {"retry", "timeout", "clock", "max_workers", "token"}


class NRPHarness(ServiceHarness):
    """A running repository, and clients of it; calls are not limited unless its options say so."""

    name = "nrp"
    defaults: ClassVar[Dict[str, Any]] = {"rate_limit": 100_000, "rate_limit_guest": 100_000}
    created = (CREATE, INIT)
    _draft: str = ""

    def _new_client(self, url: str, **options: Any) -> Any:
        return get_client(url, **{"token": self.site.token, **options})

    def _empty(self) -> None:
        self._draft = ""

    def record(self, data: bytes, key: str = "a.bin", **options: Any) -> str:
        """The id of a record that holds one file; a draft, unless ``published=True``."""
        made: str = self.site.create(files={key: data}, **options)
        return made

    @property
    def draft(self) -> str:
        """The id of a draft that is the test's own."""
        if not self._draft:
            self._draft = self.site.create()
        return self._draft

    @property
    def part(self) -> str:
        """The pattern of the requests that carry parts."""
        return STORAGE_PART if self.site.backend.site.storage == "s3" else PART

    def files_api(self, options: Dict[str, Any]) -> Any:
        """Return ``files`` of a new client, with the client options among these, which are taken out."""
        return self.client(**{name: options.pop(name) for name in _OF_CLIENTS & set(options)}).files

    def send(self, source: Any = DATA, key: str = "a.bin", metadata: Any = None, **options: Any) -> Any:
        """Upload a file to the draft.

        :param options: of the client, and of the upload.
        """
        return self.files_api(options).upload(self.draft, key, metadata, source, **options)

    def send_parts(self, source: Any, **options: Any) -> Any:
        """Upload a file in parts of the least size, one after the other unless ``max_workers`` says otherwise."""
        return self.send(source, **{"transfer_type": "multipart", "part_size": STEP, "max_workers": 1, **options})

    def send_many(self, files: Any, **options: Any) -> Any:
        """Upload several files to the draft."""
        return self.files_api(options).upload_many(self.draft, files, **options)

    def held(self) -> Dict[str, bytes]:
        """The completed files of the draft, by key."""
        return {key: self.site.read(self.draft, key) for key in self.site.files(self.draft)}

    def states(self) -> Dict[str, str]:
        """The status of each file of the draft, by key."""
        return {entry["key"]: entry["status"] for entry in self.site.entries(self.draft)}


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
        [result] = self.files_api(options).download_many(record, self.out, **options)
        return result

    def get(self, key: str = "a.bin", **options: Any) -> Any:
        """Download one file of the first record."""
        return self.files_api(options).download(self.id, key, self.out, **options)

    def arrived(self, name: str = "a.bin") -> bytes:
        """The bytes of a downloaded file."""
        return (self.out / name).read_bytes()

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
