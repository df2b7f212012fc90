"""Services that hold files, seen alike by the tests of existing files."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.smartfile import BasicClient, SyncClient

QUICK = RetryPolicy(backoff=0)


class FileSender:
    """A transfer that holds the files; other files are another transfer."""

    fetch_calls = "GET /download.php"

    def __init__(self, server: LocalServer) -> None:
        self.site = server.filesender
        self.site.configure(any_name=True)
        auth = UserAuth(self.site.username, self.site.api_key)
        self.client = FileSenderClient(self.site.url, auth=auth, retry=QUICK)
        self.token = ""

    def hold(self, files: Dict[str, bytes]) -> None:
        announced = [{"name": name, "size": len(data)} for name, data in files.items()]
        made = self.client._api.create_transfer(
            {"from": self.site.username, "files": announced, "options": {"get_a_link": True}}
        )
        known = {file.name: file for file in made.files}
        for name, data in files.items():
            self.client.upload_complete(known[name], data)
        self.token = self.client.update_transfer(made.id, {"complete": True}).token

    def fetch(self, directory: Path, **options: Any) -> List[Any]:
        return self.client.download_files(self.token, directory, **options)


class SmartFile:
    fetch_calls = "GET /api/2/path/data/*"

    def __init__(self, server: LocalServer) -> None:
        self.site = server.smartfile
        self.client = BasicClient(self.site.key, self.site.password, url=self.site.url, retry=QUICK)
        self.client.mkdir("/d")

    def hold(self, files: Dict[str, bytes]) -> None:
        for name, data in files.items():
            self.site.write(f"/d/{name}", data)

    def fetch(self, directory: Path, **options: Any) -> List[Any]:
        return self.client.download_tree("/d", directory, **options)


class Synchronised(SmartFile):
    def fetch(self, directory: Path, **options: Any) -> List[Any]:
        return SyncClient(self.client).download_tree(directory, "/d", **options)  # type: ignore[return-value]


class NRP:
    fetch_calls = "GET /api/records/*/draft/files/*/content"

    def __init__(self, server: LocalServer) -> None:
        self.site = server.nrp
        self.client = get_client(self.site.url, token=self.site.token, retry=QUICK)
        self.draft = str(self.site.create())

    def hold(self, files: Dict[str, bytes]) -> None:
        for name, data in files.items():
            self.site.write(self.draft, name, data)

    def fetch(self, directory: Path, **options: Any) -> List[Any]:
        return self.client.files.download_many(self.draft, directory, **options)


@contextlib.contextmanager
def holding(kind: Callable[[LocalServer], Any], files: Dict[str, bytes]) -> Iterator[Any]:
    """Yield a service of that kind, on a server of its own, that holds the files."""
    with LocalServer(services=["filesender", "smartfile", "nrp"]) as server:
        made = kind(server)
        if files:
            made.hold(files)
        with made.client:
            yield made


SERVICES = [FileSender, SmartFile, Synchronised, NRP]
