"""A client and a local server between them: for tests of its faults."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, List, Mapping

from smartxfer import FileSenderClient, UserAuth
from tests.support.service_harness import ServiceHarness

CREATE = "POST /rest.php/transfer"
CHUNK = "PUT /rest.php/file/*/chunk/*"
COMPLETE_FILE = "PUT /rest.php/file/*"
COMPLETE = "PUT /rest.php/transfer/*"
INFO = "GET /rest.php/info"
PAGE = "GET /?s=download*"
DOWNLOAD = "GET /download.php"

CHUNK_SIZE = 64 * 1024
#: Seconds after which a wait for something that must happen fails.
PATIENCE = 20.0


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that look like nothing else, the same each time."""
    return random.Random(seed).getrandbits(8 * size).to_bytes(size, "little") if size else b""


def digest(data: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(data).hexdigest()


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """The value of ``condition`` once it is true."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come about"
        time.sleep(0.005)


def publish(client: FileSenderClient, files: Mapping[str, bytes], **args: Any) -> Any:
    """A finished transfer with a link, of files with names that a client would not send."""
    announced = [
        {"name": name, "size": len(data), "cid": f"file_{at}_0_0_0"} for at, (name, data) in enumerate(files.items())
    ]
    body = {"recipients": [], "files": announced, "options": {"get_a_link": True}, **args}
    client.prepare()
    made = client._api.create_transfer({"from": client.auth.username, **body})  # type: ignore[union-attr]
    known = {(file.name, file.size): file for file in made.files}  # a folder has an entry of its own, of no bytes
    for name, data in files.items():
        client.upload_complete(known[name, len(data)], data)
    return client.update_transfer(made.id, {"complete": True})


class FileSenderHarness(ServiceHarness):
    """A running FileSender, and clients of it."""

    name = "filesender"
    defaults: ClassVar[Dict[str, Any]] = {"upload_chunk_size": CHUNK_SIZE}

    @property
    def auth(self) -> UserAuth:
        """Of the site's user."""
        return UserAuth(self.site.username, self.site.api_key)

    def _new_client(self, url: str, **options: Any) -> FileSenderClient:
        return FileSenderClient(url, **{"auth": self.auth, **options})

    def published(self, data: bytes, name: str = "a.bin") -> Any:
        """A transfer of one file that is there to be fetched."""
        with FileSenderClient(self.url, auth=self.auth) as client:
            return client.upload_workflow([(name, data)], link=True)

    def stored(self) -> Dict[str, bytes]:
        """Return the content of the latest transfer on the server, by name."""
        held = {}
        for file in self.site.transfers()[-1]["files"]:
            path = Path(self.site.stored(file["id"]))
            held[file["name"]] = path.read_bytes() if path.exists() else b""
        return held

    @property
    def status(self) -> str:
        """State of the latest transfer."""
        return str(self.site.transfers()[-1]["status"])


class FileSenderServer(FileSenderHarness):
    """The same, for tests that have several transfers."""

    chunk = CHUNK_SIZE

    def publish(self, files: Dict[str, bytes], **args: Any) -> Any:
        """A finished transfer with a link, of files with any names."""
        self.site.configure(any_name=True)
        return publish(self.client(), files, **args)

    def stored(self) -> Dict[str, bytes]:
        """Return the content of the files of complete transfers, by name."""
        return stored(self.site)


def stored(site: Any) -> Dict[str, bytes]:
    """Return the content of the files of a site's complete transfers, by name."""
    return {
        file["name"]: Path(site.stored(file["id"])).read_bytes() if file["size"] else b""
        for transfer in site.transfers()
        if transfer["status"] == "available"
        for file in transfer["files"]
    }


def content(out: Path) -> Dict[str, bytes]:
    """Return the files below a directory, by their names."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def waits(records: List[logging.LogRecord]) -> List[str]:
    """The log's lines about tries that are made again."""
    return [record.getMessage() for record in records if "before attempt" in record.getMessage()]
