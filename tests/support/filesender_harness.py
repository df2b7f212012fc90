"""A client and a local server between them: for tests of its faults."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, List

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


def waits(records: List[logging.LogRecord]) -> List[str]:
    """The log's lines about tries that are made again."""
    return [record.getMessage() for record in records if "before attempt" in record.getMessage()]
