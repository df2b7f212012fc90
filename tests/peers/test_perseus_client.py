"""The vendor's own Python client, unchanged, against the local server: proof that its wire is the real one.

Each test of a file's life runs with the server's own storage and with rclone's S3 behind it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from smartxfer.local import LocalServer

pytest.importorskip("perseus_client", reason="needs the package perseus-client and Python 3.10")
import perseus_client
from perseus_client.exceptions import APIException, PerseusException
from perseus_client.models import FileStatus

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # It leaves sessions that failed to its garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DATA = os.urandom(300_001)
DIGEST = hashlib.sha256(DATA).hexdigest()

#: By its module-level functions, configured by the environment alone.
PROGRAM = """
import json, sys
import perseus_client as perseus
file = perseus.upload_file(sys.argv[1])
done = perseus.wait_for_file_upload(file.id, polling_interval=0.05, timeout=20)
found = [one.id for one in perseus.find_files(source_hashes=[sys.argv[2]])]
perseus.delete_file(file.id)
gone = perseus.find_file(file.id) is None
print(json.dumps([file.id, file.name, done.status.value, found, gone]))
"""


class PeerServer:
    """A local Perseus and, where it is not its own, the storage behind it."""

    def __init__(self, server: LocalServer, rclone: Any) -> None:
        self.server = server
        self.perseus = server.perseus
        self._rclone = rclone

    def sha256(self, id: str, name: str) -> str:
        """SHA-256 of what came for a record."""
        if self._rclone is not None:
            found: str = self._rclone.sha256(id, name)
            return found
        return hashlib.sha256(self.perseus.content(id)).hexdigest()


@pytest.fixture(scope="module", params=["own", "rclone"])
def harness(request: pytest.FixtureRequest) -> Iterator[PeerServer]:
    rclone = request.getfixturevalue("rclone") if request.param == "rclone" else None
    options = {} if rclone is None else rclone.options()
    with LocalServer(services=["perseus"], perseus=options) as running:
        yield PeerServer(running, rclone)
        assert running.perseus.listener.crashes == []
        assert running.perseus.storage.listener.crashes == []


@pytest.fixture
def own() -> Iterator[LocalServer]:
    """A server of the test's own, with its own storage."""
    with LocalServer(services=["perseus"]) as running:
        yield running


def client_of(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The vendor's client, which reads its key when it is imported."""
    monkeypatch.setattr(perseus_client.settings, "perseus_api_key", server.perseus.api_key)
    return perseus_client.PerseusClient(api_host=server.perseus.url)


@pytest.fixture
def client(harness: PeerServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with client_of(harness.server, monkeypatch) as opened:
        yield opened


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_upload_find_wait_and_delete(harness: PeerServer, client: Any, tmp_path: Path) -> None:
    name = "R\u00e9sum\u00e9 1+1 & 50%.bin"
    file = client.file.upload_file(written(tmp_path / name, DATA))
    assert (file.name, file.status) == (name, FileStatus.PENDING)
    assert file.created_at.utcoffset().total_seconds() == 0

    done = client.file.wait_for_file_upload(file.id, polling_interval=0.05, timeout=20)
    assert (done.id, done.status) == (file.id, FileStatus.UPLOADED)
    assert harness.sha256(file.id, name) == DIGEST

    assert client.file.find_file(file.id).name == name
    assert [one.id for one in client.file.find_files(source_hashes=[DIGEST])] == [file.id]
    assert [one.id for one in client.file.find_files([file.id], [DIGEST])] == [file.id]
    assert file.id in [one.id for one in client.file.find_files()]

    client.file.delete_file(file.id)
    assert client.file.find_file(file.id) is None
    assert file.id not in [record["id"] for record in harness.perseus.records()]
    with pytest.raises(APIException) as caught:
        client.file.delete_file(file.id)
    assert caught.value.status_code == 404


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 7])
def test_sizes(harness: PeerServer, client: Any, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    file = client.file.upload_file(written(tmp_path / "a.bin", data))
    assert client.file.wait_for_file_upload(file.id, 0.05, 20).status == FileStatus.UPLOADED
    assert harness.sha256(file.id, "a.bin") == hashlib.sha256(data).hexdigest()


def test_the_same_content_is_sent_once(harness: PeerServer, client: Any, tmp_path: Path) -> None:
    data = os.urandom(100)
    first = client.file.upload_file(written(tmp_path / "one.bin", data))
    made = len(harness.perseus.records())
    second = client.file.upload_file(written(tmp_path / "two.bin", data))
    assert (second.id, second.name) == (first.id, "one.bin")
    assert len(harness.perseus.records()) == made


def test_configured_by_the_environment(harness: PeerServer, tmp_path: Path) -> None:
    source, digest = written(tmp_path / "env.bin", DATA[:5000]), hashlib.sha256(DATA[:5000]).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source, digest],
        cwd=str(tmp_path),
        env={**os.environ, **harness.perseus.env, "LOGLEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    id, name, status, found, gone = json.loads(done.stdout)
    assert (name, status, found, gone) == ("env.bin", "uploaded", [id], True)


def test_it_waits_for_what_takes_its_time(own: LocalServer, monkeypatch: Any, tmp_path: Path) -> None:
    own.perseus.configure(upload_delay=0.4)
    with client_of(own, monkeypatch) as client:
        file = client.file.upload_file(written(tmp_path / "a.bin", DATA))
        assert client.file.find_file(file.id).status == FileStatus.PENDING
        done = client.file.wait_for_file_upload(file.id, polling_interval=0.1, timeout=20)
    assert done.status == FileStatus.UPLOADED
    assert own.perseus.count("POST /api/v0/file/find", 200) >= 3
    assert own.perseus.count("PUT /storage/*", 200) == 1


def test_the_other_answers_to_known_content(own: LocalServer, monkeypatch: Any, tmp_path: Path) -> None:
    known = own.perseus.write("there.bin", DATA)
    source = written(tmp_path / "a.bin", DATA)
    with client_of(own, monkeypatch) as client:
        assert client.file.upload_file(source).id == known
        assert own.perseus.count("POST /api/v0/file", 409) == 1
        own.perseus.configure(known="no-url")
        assert client.file.upload_file(source).id == known
        assert own.perseus.count("POST /api/v0/file", 200) == 1
        # A record whose content never came is taken for the file: nothing is sent.
        stuck = own.perseus.write("stuck.bin", b"stuck", status="pending")
        own.perseus.configure(known="409")
        file = client.file.upload_file(written(tmp_path / "stuck.bin", b"stuck"))
        assert (file.id, file.status) == (stuck, FileStatus.PENDING)
    assert own.perseus.count("PUT *") == 0


def test_what_is_refused(own: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = written(tmp_path / "a.bin", DATA)
    failed = own.perseus.write("failed.bin", b"failed", status="failed")
    with client_of(own, monkeypatch) as client:
        with pytest.raises(PerseusException, match="failed to upload"):
            client.file.wait_for_file_upload(failed, 0.05, 5)
        own.perseus.configure(signed_type="text/plain")
        with pytest.raises(PerseusException, match="Status: 403"):
            client.file.upload_file(source)
        [record] = [one for one in own.perseus.records() if one["name"] == "a.bin"]
        client.file.delete_file(record["id"])
        own.perseus.configure(signed_type="application/octet-stream")
        assert client.file.wait_for_file_upload(client.file.upload_file(source).id, 0.05, 20).name == "a.bin"
    monkeypatch.setattr(perseus_client.settings, "perseus_api_key", "sk-of-another-user")
    with perseus_client.PerseusClient(api_host=own.perseus.url) as stranger:
        with pytest.raises(APIException, match="Invalid API key") as caught:
            stranger.file.find_files()
    assert caught.value.status_code == 401
