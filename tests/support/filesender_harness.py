"""A client and a local server between them: for tests of its faults."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from smartxfer import FileSenderClient, UserAuth
from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault
from smartxfer.transport import RetryPolicy

CREATE = "POST /rest.php/transfer"
CHUNK = "PUT /rest.php/file/*/chunk/*"
COMPLETE_FILE = "PUT /rest.php/file/*"
COMPLETE = "PUT /rest.php/transfer/*"
INFO = "GET /rest.php/info"
PAGE = "GET /?s=download*"
DOWNLOAD = "GET /download.php"

CHUNK_SIZE = 64 * 1024
#: Tries without waits.
AT_ONCE = RetryPolicy(backoff=0)
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


class FileSenderHarness:
    """A running server, and clients of it.

    :param site: options of the local FileSender.
    """

    def __init__(self, directory: Path, **site: Any) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.server = LocalServer(
            services=["filesender"], filesender={"upload_chunk_size": CHUNK_SIZE, **site}
        ).start()
        self.site = self.server.filesender
        self.url = self.site.url
        self.auth = UserAuth(self.site.username, self.site.api_key)
        self._clients: List[FileSenderClient] = []

    def client(self, url: Optional[str] = None, **options: Any) -> FileSenderClient:
        """A client of the server, of its first user, that retries without waits."""
        settings = {"auth": self.auth, "retry": AT_ONCE, "timeout": 10.0, **options}
        client = FileSenderClient(url or self.url, **settings)
        self._clients.append(client)
        return client

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; the test fails when it does not fire."""
        return self.server.fault("filesender", match, effect, times=times, after=after)

    def file(self, data: bytes, name: str = "a.bin") -> Path:
        """A local file with these bytes."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def published(self, data: bytes, name: str = "a.bin") -> Any:
        """A transfer of one file that is there to be fetched."""
        with FileSenderClient(self.url, auth=self.auth) as client:
            return client.upload_workflow([(name, data)], link=True)

    def stored(self) -> Dict[str, bytes]:
        """What the server holds of the latest transfer, by name."""
        held = {}
        for file in self.site.transfers()[-1]["files"]:
            path = Path(self.site.stored(file["id"]))
            held[file["name"]] = path.read_bytes() if path.exists() else b""
        return held

    @property
    def status(self) -> str:
        """State of the latest transfer."""
        return str(self.site.transfers()[-1]["status"])

    def sent(self, match: str) -> List[int]:
        """Bytes of each answer to such requests, once all of them have gone."""
        from smartxfer.local.faults import compile_match

        pattern = compile_match(match)
        return [
            record.sent
            for record in self.site.account
            if pattern.fullmatch(f"{record.seen.method} {record.seen.path}")
        ]

    def close(self) -> None:
        """End clients and server."""
        for client in self._clients:
            client.close()
        self.server.stop()


def waits(records: List[logging.LogRecord]) -> List[str]:
    """The log's lines about tries that are made again."""
    return [record.getMessage() for record in records if "before attempt" in record.getMessage()]
