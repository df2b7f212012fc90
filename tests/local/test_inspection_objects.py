"""Inspection methods accept objects of clients, and explain invalid arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from smartxfer import BasicClient, FileSenderClient, JetStream, PerseusClient, UserAuth
from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def test_filesender_takes_files(server: LocalServer) -> None:
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        transfer = client.upload_workflow([("a.bin", b"abc")])
        [listed] = client.list_files(transfer.download_url or "")
    for file in (transfer.files[0], listed, transfer.files[0].id, site.transfers()[-1]["files"][0]):
        assert Path(site.stored(file)).read_bytes() == b"abc"
    with pytest.raises(UsageError, match=r"stored\(transfer\.files\[0\]\)"):
        site.stored(transfer)


def test_nrp_takes_records_and_files(server: LocalServer) -> None:
    site = server.nrp
    id = site.create({"a.bin": b"abc"})
    with get_client(site.url, token=site.token) as client:
        record = client.records.draft_records.read(id)
        file = client.files.read(record, "a.bin")
    for thing in (id, record, dict(record)):
        assert site.files(thing) == {"a.bin": 3}
        assert [entry["key"] for entry in site.entries(thing)] == ["a.bin"]
        assert site.read(thing, "a.bin") == site.read(thing, file) == b"abc"
        assert Path(site.stored_path(thing, "a.bin")).read_bytes() == b"abc"
        assert site.share(thing, until="2099-12-31")
    site.write(record, "b.bin", b"1")
    site.plant(record, "../x", b"1")
    assert site.files(id) == {"a.bin": 3, "b.bin": 1, "../x": 1}
    for thing in (file, dict(file)):
        assert site.read(thing) == b"abc"
        assert site.stored_path(thing) == site.stored_path(record, "a.bin")


def test_perseus_takes_files(server: LocalServer) -> None:
    with PerseusClient(server.perseus.url, api_key=server.perseus.api_key) as client:
        file = client.file.upload_file(("a.bin", b"abc"))
    for thing in (file, file.id, dict(file)):
        assert server.perseus.content(thing) == b"abc"


def test_smartfile_takes_infos_and_links(server: LocalServer) -> None:
    site = server.smartfile
    site.write("/docs/a.bin", b"abc")
    with BasicClient(site.key, site.password, url=site.url) as client:
        for thing in (client.stat("/docs/a.bin"), client.create_link("/docs/a.bin"), "/docs/a.bin"):
            assert site.read(thing) == b"abc"
            assert Path(site.stored_path(thing)).read_bytes() == b"abc"


def test_jetstream_takes_entries(server: LocalServer) -> None:
    site = server.jetstream
    site.write("/docs/a.bin", b"abc")
    with JetStream().api(site.host, site.port, user=site.user, password=site.password) as api:
        [entry] = api.ls("/docs")
    assert site.read(entry) == b"abc"
    assert Path(site.stored_path(entry)).read_bytes() == b"abc"


#: Patterns of messages or hints, and invalid calls.
WRONG: Dict[str, Callable[[LocalServer, str], Any]] = {
    "no such file: 99 .transfers": lambda server, record: server.filesender.stored(99),
    "no such record: zz .drafts": lambda server, record: server.nrp.files("zz"),
    "has no file 'x'.*entries": lambda server, record: server.nrp.read(record, "x"),
    r"missing record of the file.*read\(record": lambda server, record: server.nrp.read(record),
    "data must be bytes, not str": lambda server, record: server.nrp.write(record, "k", "text"),  # type: ignore[arg-type]
    "files must be a dictionary": lambda server, record: server.nrp.create(5),  # type: ignore[arg-type]
    "metadata must be a dictionary": lambda server, record: server.nrp.create(metadata=5),  # type: ignore[arg-type]
    "access must be a dictionary": lambda server, record: server.nrp.create(access=5),  # type: ignore[arg-type]
    "until must be a date": lambda server, record: server.nrp.share(record, until="tomorrow"),
    "nothing came for 'x' .records": lambda server, record: server.perseus.content("x"),
    "status must be text": lambda server, record: server.perseus.write("a", b"", status=5),  # type: ignore[arg-type]
    "a: data must be bytes|data must be bytes": lambda server, record: server.perseus.write("a", "x"),  # type: ignore[arg-type]
    "/x.*files": lambda server, record: server.smartfile.read("/x"),
    "data must be bytes, not int": lambda server, record: server.smartfile.write("/x", 5),  # type: ignore[arg-type]
    "/nope: No such file.*files": lambda server, record: server.jetstream.read("/nope"),
    "/file/below: .*(exists|directory)": lambda server, record: server.jetstream.write("/file/below", b""),
    "/: Is a directory": lambda server, record: server.jetstream.write("/", b""),
    "too long": lambda server, record: server.jetstream.write("/" + "x" * 300, b""),
    "match must be a method": lambda server, record: server.filesender.count(5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("said", WRONG)
def test_what_cannot_be_done_is_a_usage_error(server: LocalServer, said: str) -> None:
    server.jetstream.write("/file", b"")
    record = server.nrp.create({"a.bin": b""})
    with pytest.raises(UsageError, match=said):
        WRONG[said](server, record)
