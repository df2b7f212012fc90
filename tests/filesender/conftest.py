"""A local FileSender with small chunks, and clients of it that retry without waits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault

CHUNK = 64 * 1024
QUICK = RetryPolicy(backoff=0)


class FileSenderServer:
    """A running site: its clients, its faults, what it holds."""

    chunk = CHUNK

    def __init__(self, **options: Any) -> None:
        self.server = LocalServer(
            services=["filesender"], filesender={"upload_chunk_size": CHUNK, **options}
        ).start()
        self.site = self.server.filesender
        self.url = self.site.url
        self.auth = UserAuth(self.site.username, self.site.api_key)
        self._clients: List[FileSenderClient] = []

    def client(self, url: Optional[str] = None, **options: Any) -> FileSenderClient:
        """A client with the site's user, unless ``auth`` says otherwise."""
        options = {"auth": self.auth, "retry": QUICK, **options}
        self._clients.append(FileSenderClient(url or self.url, **options))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        return self.server.fault("filesender", match, effect, times=times, after=after)

    def publish(self, files: Dict[str, bytes], **args: Any) -> Any:
        """A finished transfer with a link; names are not checked by us."""
        self.site.configure(any_name=True)
        announced = [{"name": name, "size": len(data)} for name, data in files.items()]
        client = self.client()
        made = client._api.create_transfer(
            {"from": self.site.username, "files": announced, "options": {"get_a_link": True}, **args}
        )
        known = {(file.name, file.size): file for file in made.files}
        for name, data in files.items():
            client.upload_complete(known[name, len(data)], data)
        return client.update_transfer(made.id, {"complete": True})

    def stored(self) -> Dict[str, bytes]:
        """Return the content of the files of complete transfers, by name."""
        return {
            file["name"]: Path(self.site.stored(file["id"])).read_bytes() if file["size"] else b""
            for transfer in self.site.transfers()
            if transfer["status"] == "available"
            for file in transfer["files"]
        }

    def close(self) -> None:
        for client in self._clients:
            client.close()
        unfired, crashes = self.server.unfired(), self.site.listener.crashes
        self.server.stop()
        assert unfired == [], f"planned faults did not take effect: {unfired}"
        assert crashes == []


@pytest.fixture
def site_with() -> Iterator[Callable[..., FileSenderServer]]:
    """``site_with(chunk_security="auth")``: a running site with options of its own."""
    harnesses: List[FileSenderServer] = []

    def start(**options: Any) -> FileSenderServer:
        harnesses.append(FileSenderServer(**options))
        return harnesses[-1]

    yield start
    for harness in harnesses:
        harness.close()


@pytest.fixture
def harness(site_with: Callable[..., FileSenderServer]) -> FileSenderServer:
    """A running stock site, but for its small chunks."""
    return site_with()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """``make("folder/name", size)``: a file of random bytes."""

    def build(name: str, size: int = 1000) -> Path:
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        return path

    return build
