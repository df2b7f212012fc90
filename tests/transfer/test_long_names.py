"""A name that is too long for the file system raises a local error that says so, in every argument."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from smartxfer import FileSenderClient, UserAuth, delta
from smartxfer.errors import LocalError
from smartxfer.local import LocalServer
from smartxfer.local_errors import wrap_os_error
from smartxfer.nrp import get_client
from smartxfer.perseus import PerseusClient
from smartxfer.smartfile import BasicClient, SyncClient
from smartxfer.transfer.sink import FileSink

LONG = "x" * 300
LONGEST = "\u00e9" * 125 + ".data"


class Services:
    """A client of each service, and something to fetch from it."""

    def __init__(self, server: LocalServer) -> None:
        server.smartfile.write("/d/a.txt", b"1")
        server.smartfile.write(f"/long/{LONGEST}", b"1")
        self.smartfile = BasicClient(
            server.smartfile.key, server.smartfile.password, url=server.smartfile.url
        )
        self.sync = SyncClient(self.smartfile)
        self.nrp = get_client(server.nrp.url, token=server.nrp.token).files
        self.draft = str(server.nrp.create())
        server.nrp.write(self.draft, "k", b"1")
        self.perseus = PerseusClient(server.perseus.url, api_key=server.perseus.api_key).file
        auth = UserAuth(server.filesender.username, server.filesender.api_key)
        self.filesender = FileSenderClient(server.filesender.url, auth=auth)
        sent = self.filesender.upload_workflow([("a", b"1")], {"recipients": ["bob@example.net"]})
        self.token = sent.recipients[0].token


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with LocalServer(smartfile={"task_polls": 0}) as server:
        yield Services(server)


CALLS: Dict[str, Callable[[Services], Any]] = {
    "filesender up": lambda to: to.filesender.upload_workflow([LONG], {"recipients": ["bob@example.net"]}),
    "filesender down": lambda to: to.filesender.download_files(to.token, LONG),
    "smartfile up": lambda to: to.smartfile.upload(LONG),
    "smartfile tree up": lambda to: to.smartfile.upload_tree(LONG, "/t"),
    "smartfile down": lambda to: to.smartfile.download("/d/a.txt", LONG),
    "smartfile into": lambda to: to.smartfile.download("/d/a.txt", LONG + "/"),
    "smartfile tree down": lambda to: to.smartfile.download_tree("/d", LONG),
    "sync up": lambda to: to.sync.upload(LONG, "/d/a.txt"),
    "sync tree up": lambda to: to.sync.upload_tree(LONG, "/t"),
    "sync down": lambda to: to.sync.download(LONG, "/d/a.txt"),
    "sync tree down": lambda to: to.sync.download_tree(LONG, "/d"),
    "sync dry": lambda to: to.sync.download_tree(LONG, "/d", dry_run=True),
    "nrp up": lambda to: to.nrp.upload(to.draft, "q", None, LONG),
    "nrp many up": lambda to: to.nrp.upload_many(to.draft, [LONG]),
    "nrp sync": lambda to: to.nrp.sync_dir(to.draft, LONG),
    "nrp down": lambda to: to.nrp.download(to.nrp.list(to.draft)[0], LONG),
    "nrp many down": lambda to: to.nrp.download_many(to.draft, LONG),
    "perseus up": lambda to: to.perseus.upload_file(LONG),
    "perseus sync": lambda to: to.perseus.sync_dir(LONG),
    "perseus exists": lambda to: to.perseus.exists(LONG),
    "signature": lambda to: delta.signature(LONG, "out"),
    "signature to": lambda to: delta.signature(sys.executable, LONG),
    "sink": lambda to: FileSink(LONG).begin(1, {}),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_path_that_is_given(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LocalError, match="has 300 bytes, and at most 255 are possible") as caught:
        CALLS[call](services)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert "xxxx" in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_path_that_is_too_long_as_a_whole(services: Services) -> None:
    with pytest.raises(LocalError, match=r"the path has 50\d\d bytes, and at most 4095"):
        services.smartfile.upload("/tmp/" + "d/" * 2500)


def test_a_name_of_the_limit_is_kept_whole(services: Services, tmp_path: Path) -> None:
    assert len(LONGEST.encode()) == 255
    for fetch in (services.smartfile.download_tree, lambda path, to: services.sync.download_tree(to, path)):
        [result] = fetch("/long", tmp_path / "out")
        assert result.path == tmp_path / "out" / LONGEST
    assert os.listdir(tmp_path / "out") == [LONGEST]


def test_a_name_that_is_found_to_be_too_long_later() -> None:
    error = OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    assert "has 300 bytes, and at most 255" in str(wrap_os_error(error, Path("/tmp") / LONG))
