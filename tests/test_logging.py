"""Log records of real calls of each service: milestones at INFO, requests at DEBUG."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer import BasicClient, FileSenderClient, PerseusClient, SyncClient, UserAuth
from smartxfer.errors import Cancelled
from smartxfer.jetstream import JetStream
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client

Said = Callable[[int], List[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """``said(level)``: the lines of that level, seconds without their numbers."""
    caplog.set_level(logging.DEBUG, "smartxfer")

    def found(level: int) -> List[str]:
        return [
            re.sub(r"\d+\.\d s\b", "N s", record.getMessage())
            for record in caplog.records
            if record.name.startswith("smartxfer.") and record.levelno == level and "local" not in record.name
        ]

    return found


def _filesender(server: LocalServer, tmp_path: Path) -> Any:
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        transfer = client.upload_workflow([("a.bin", b"1" * 1000)])
        client.download_files(transfer.download_url or "", tmp_path)
    return site


def _smartfile(server: LocalServer, tmp_path: Path) -> Any:
    site = server.smartfile
    with BasicClient(site.key, site.password, url=site.url) as client:
        client.upload(b"1" * 1000, "/a.bin")
        client.download("/a.bin", tmp_path / "a.bin")
    return site


def _nrp(server: LocalServer, tmp_path: Path) -> Any:
    site = server.nrp
    with get_client(site.url, token=site.token) as client:
        draft = site.create({})
        client.files.upload(draft, "a.bin", {}, b"1" * 1000)
        client.files.download(draft, "a.bin", tmp_path / "a.bin")
    return site


def _perseus(server: LocalServer, tmp_path: Path) -> Any:
    site = server.perseus
    with PerseusClient(site.url, api_key=site.api_key) as client:
        client.file.upload_file(("a.bin", b"1" * 1000))
    return site


def _jetstream(server: LocalServer, tmp_path: Path) -> Any:
    near, far = server.jetstream, server.jetstream_peer
    near.write("/docs/a.bin", b"1" * 1000)
    with JetStream().api(near.host, near.port, user=near.user, password=near.password) as api:
        api.send_files("/docs", (far.host, far.port))
    return near


CALLS = {
    "filesender": _filesender, "smartfile": _smartfile, "nrp": _nrp, "perseus": _perseus, "jetstream": _jetstream,
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_each_request_has_one_line_and_its_response_one(name: str, said: Said, tmp_path: Path) -> None:
    with LocalServer() as server:
        site = CALLS[name](server, tmp_path)
        asked = len(site.requests)
    lines = said(logging.DEBUG)
    assert sum(line.startswith("request: ") for line in lines) == asked > 2
    assert sum(line.startswith("response: ") for line in lines) == asked
    assert not [line for line in lines if "?" in line.replace("? bytes", "")]


@pytest.mark.parametrize("name", ["filesender", "smartfile", "nrp"])
def test_milestones_of_files(name: str, said: Said, tmp_path: Path) -> None:
    with LocalServer() as server:
        CALLS[name](server, tmp_path)
    lines = said(logging.INFO)
    for direction in ("upload", "download"):
        [begun, done] = [line for line in lines if line.startswith(f"{direction} of ") and "a.bin" in line]
        assert begun.endswith(" begins: 1000 bytes")
        assert " is done: 1000 bytes in N s" in done


def test_a_resumed_upload_says_where_it_continues(said: Said, tmp_path: Path) -> None:
    class AfterTwoChunks:
        def is_set(self) -> bool:
            return server.filesender.count("PUT /rest.php/file/*/chunk/*", status=200) >= 2

    with LocalServer(filesender={"upload_chunk_size": 1000}) as server:
        site = server.filesender
        (tmp_path / "a.bin").write_bytes(b"1" * 60_000)
        files = [tmp_path / "a.bin"]
        options: Any = {"chunk_size": 1000, "auth": UserAuth(site.username, site.api_key), "max_workers": 1}
        with FileSenderClient(site.url, **options) as client:
            with pytest.raises(Cancelled):
                client.upload_workflow(files, cancel=AfterTwoChunks())
            client.upload_workflow(files)
    lines = [line for line in said(logging.INFO) if line.startswith("upload of a.bin")]
    assert re.search(r"failed after N s: .*cancelled", lines[1])
    assert re.fullmatch(r"upload of a.bin is resumed: \d+ of 60000 bytes are complete", lines[2])
    assert lines[3].startswith("upload of a.bin is done: 60000 bytes in N s")


def test_a_synchronisation_has_a_summary(said: Said, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"1")
    (tmp_path / "b.txt").write_bytes(b"2")
    with LocalServer() as server:
        site = server.smartfile
        site.write("/docs/a.txt", b"1")
        with BasicClient(site.key, site.password, url=site.url) as client:
            sync = SyncClient(client)
            sync.upload_tree(tmp_path, "/docs", dry_run=True)
            sync.upload_tree(tmp_path, "/docs")
        repository = server.nrp
        draft = repository.create({"a.txt": b"1", "old.txt": b"0"})
        with get_client(repository.url, token=repository.token) as nrp:
            nrp.files.sync_dir(draft, tmp_path, delete=True)
        with PerseusClient(server.perseus.url, api_key=server.perseus.api_key) as perseus:
            perseus.file.sync_dir(tmp_path)
    assert [line for line in said(logging.INFO) if line.startswith("sync of")] == [
        f"sync of {tmp_path} is done: 1 whole, 1 unchanged",
        f"sync of {tmp_path} is done: 1 uploaded, 1 skipped, 1 deleted",
        f"sync of {tmp_path} is done: 2 uploaded",
    ]


def test_a_retry_is_a_warning_with_reason_wait_and_count(said: Said) -> None:
    with LocalServer() as server:
        server.fault("filesender", "PUT /rest.php/file/*/chunk/*", "status 503")
        site = server.filesender
        with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
            client.upload_workflow([("a.bin", b"1" * 1000)])
    [line] = said(logging.WARNING)
    assert re.search(r"503.*; waiting N s before attempt 2 of 6", line)
