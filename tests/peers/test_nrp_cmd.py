"""The vendor's own Python client, unchanged, against the local server: proof that its wire is the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer.local import LocalServer

pytest.importorskip("nrp_cmd", reason="needs the package nrp-cmd and Python 3.12")
from nrp_cmd.config import RepositoryConfig
from nrp_cmd.errors import RepositoryClientError
from nrp_cmd.sync_client import get_sync_client
from nrp_cmd.sync_client.streams import FileSource, MemorySink
from yarl import URL

pytestmark = [
    pytest.mark.peers,
    # It closes neither its sessions nor their answers.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

DATA = os.urandom(300_001)
METADATA: Dict[str, Any] = {
    "title": "Seen from elsewhere",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-01-31",
    "publisher": "ACME",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}


def client_of(server: LocalServer) -> Any:
    """The vendor's client, logged in as the first user."""
    site = server.nrp
    config = RepositoryConfig(alias="local", url=URL(site.url), token=site.token, retry_count=1)
    return get_sync_client(config)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["nrp"]) as running:
        yield running
        assert running.nrp.listener.crashes == []


@pytest.fixture
def client(server: LocalServer) -> Any:
    return client_of(server)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    return path


def test_discovery(server: LocalServer, client: Any) -> None:
    info = client.config.info
    assert info.invenio_version == server.nrp.backend.site.version
    assert next(iter(info.models)) == "records"
    assert set(info.transfers) >= {"L", "F", "R", "M"}


def test_discovery_of_a_plain_invenio(source: Path) -> None:
    # It takes the version for one number: 14.0.5 breaks it.
    with LocalServer(services=["nrp"], nrp={"well_known": False, "version": "14.0"}) as plain:
        client = client_of(plain)
        assert client.config.info.invenio_version == "RDM 14"
        record = client.records.create({"metadata": METADATA})
        client.files.upload(record, "a.bin", {}, source)
        assert plain.nrp.read(record.id, "a.bin") == DATA


def test_a_draft_and_its_files(server: LocalServer, client: Any, source: Path) -> None:
    record = client.records.create({"metadata": METADATA})
    file = client.files.upload(record, "dir/a b.bin", {"description": "first"}, source)
    assert (file.key, file.size, file.status) == ("dir/a b.bin", len(DATA), "completed")
    assert server.nrp.read(record.id, "dir/a b.bin") == DATA

    (listed,) = client.files.list(record)
    assert (listed.key, listed.metadata) == ("dir/a b.bin", {"description": "first"})
    sink = MemorySink()
    client.files.download(listed, sink)
    assert sink.data == DATA

    listed.metadata = {"description": "second"}
    assert client.files.update(listed).metadata == {"description": "second"}
    client.files.delete(listed)
    assert server.nrp.entries(record.id) == []


def test_multipart(server: LocalServer, client: Any, source: Path) -> None:
    record = client.records.create({"metadata": METADATA})
    file = client.files.upload(record, "big.bin", {}, FileSource(source), transfer_type="M")
    assert (file.size, file.status, file.transfer.type_) == (len(DATA), "completed", "L")
    assert server.nrp.read(record.id, "big.bin") == DATA
    part = f"PUT /api/records/{record.id}/draft/files/big.bin/content/*"
    assert server.nrp.count(part, 200) == 1


def test_multipart_loses_what_comes_later(server: LocalServer, client: Any, tmp_path: Path) -> None:
    # It announces the last part as chunked, beside its length. Such a part is refused in a 200, which it
    # takes for a success, and the commit lets it pass.
    data = os.urandom((5 << 20) + 12345)
    (tmp_path / "big.bin").write_bytes(data)
    record = client.records.create({"metadata": METADATA})
    source = FileSource(tmp_path / "big.bin")
    file = client.files.upload(record, "big.bin", {}, source, transfer_type="M")
    assert file.status == "completed"
    assert server.nrp.read(record.id, "big.bin") == data[: 5 << 20] + bytes(12345)


def test_multipart_at_the_storage(tmp_path: Path) -> None:
    # It sends its token to every port of the host, and the storage refuses a second way to sign.
    (tmp_path / "big.bin").write_bytes(bytes(1000))
    with LocalServer(services=["nrp"], nrp={"storage": "s3"}) as server:
        client = client_of(server)
        record = client.records.create({"metadata": METADATA})
        with pytest.raises(RepositoryClientError):
            client.files.upload(record, "big.bin", {}, tmp_path / "big.bin", transfer_type="M")
        assert server.nrp.count("PUT /storage/*", 400) >= 1


def test_records(server: LocalServer, client: Any) -> None:
    record = client.records.create({"metadata": METADATA}, files_enabled=False)
    assert record.id in server.nrp.drafts()
    again = client.records.draft_records.read(record.id)
    assert again.metadata["title"] == METADATA["title"]

    again.metadata["title"] = "Another title"
    changed = client.records.update(again)
    assert changed.metadata["title"] == "Another title"
    # Its revision is an old one now.
    with pytest.raises(RepositoryClientError, match="Revision id provided"):
        client.records.update(again)

    found = client.records.draft_records.search(q="Another")
    assert record.id in [hit.id for hit in found.hits.hits]

    client.records.draft_records.delete(record.id)
    assert record.id not in server.nrp.drafts()


def test_what_publishing_needs(server: LocalServer, client: Any) -> None:
    # It looks for "expanded.requests", which this repository, as a plain InvenioRDM, does not have.
    record = client.records.create({"metadata": METADATA}, files_enabled=False)
    with pytest.raises((KeyError, TypeError, AttributeError)):
        client.records.publish(record)
    assert record.id in server.nrp.drafts()


def test_reading_what_is_published(server: LocalServer, client: Any) -> None:
    id = server.nrp.create({"a.bin": DATA}, published=True)
    record = client.records.published_records.read(id)
    sink = MemorySink()
    client.files.download(record, "a.bin", sink)
    assert sink.data == DATA
    assert id in [hit.id for hit in client.records.published_records.search().hits.hits]


def test_a_wrong_token(server: LocalServer) -> None:
    config = RepositoryConfig(alias="local", url=URL(server.nrp.url), token="unknown-token", retry_count=1)
    with pytest.raises(RepositoryClientError):
        get_sync_client(config).records.create({"metadata": METADATA})


def test_the_command_line(server: LocalServer, source: Path, tmp_path: Path) -> None:
    # "add repository" puts https:// before every address, so the file is written here.
    entry = {"alias": "local", "url": server.nrp.url, "token": server.nrp.token, "retry_count": 1}
    config = tmp_path / "config" / "invenio-config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"default_alias": "local", "repositories": [entry]}))
    environment = {**os.environ, "NRP_CMD_CONFIG_PATH": str(config), "HOME": str(tmp_path)}

    def run(*words: str) -> str:
        program = str(Path(sys.executable).parent / "nrp-cmd")
        done = subprocess.run(
            [program, *words], env=environment, cwd=there, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    there = tmp_path / "there"
    there.mkdir()
    output = ("--output", str(tmp_path / "record.json"), "--output-format", "json")
    run("create", "record", json.dumps(METADATA), str(source), "{}", *output)
    id = json.loads((tmp_path / "record.json").read_text())["id"]
    assert server.nrp.files(id) == {"a.bin": len(DATA)}
    assert "a.bin" in run("list", "files", id, "--draft")
    run("update", "file", id, "a.bin", '{"description": "new"}', "--draft")
    assert server.nrp.entries(id)[0]["metadata"] == {"description": "new"}
    # It downloads into the working directory, whatever --output says.
    run("download", "files", id, "*", "--draft")
    assert (there / "a.bin").read_bytes() == DATA
    run("delete", "file", id, "a.bin", "--draft")
    assert server.nrp.files(id) == {}
    run("delete", "record", id, "--draft")
    assert id not in server.nrp.drafts()
