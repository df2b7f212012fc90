"""Our client with real S3 behind the local Perseus: an rclone that checks every signature."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from smartxfer.errors import CommunicationError, NotFound, StorageError
from smartxfer.local import LocalServer
from smartxfer.perseus import FileStatus, PerseusClient
from smartxfer.transport import RetryPolicy
from tests.support.raw_server import Peer, RawServer
from tests.support.rclone_s3 import BUCKET, KEY, SECRET, RcloneS3

pytestmark = pytest.mark.peers

MIB = 1 << 20
QUICK = RetryPolicy(attempts=4, backoff=0.01, backoff_cap=0.02)


class Cutter(RawServer):
    """Carries connections to a server, and resets those on which more than ``after`` bytes went there.

    :param times: how many are reset; None: every one.
    """

    def __init__(self, url: str, after: int, times: Optional[int]) -> None:
        super().__init__(self._carry)
        self._behind = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._after = after
        self._left = times
        self._lock = threading.Lock()
        #: Connections that were reset.
        self.cuts = 0

    def _carry(self, peer: Peer) -> None:
        with socket.create_connection(self._behind, 20) as behind:
            back = threading.Thread(target=self._back, args=(behind, peer.sock), name="cutter")
            back.start()
            carried, cut = 0, False
            try:
                for data in iter(lambda: peer.sock.recv(65536), b""):
                    behind.sendall(data)
                    carried += len(data)
                    cut = carried > self._after and self._claim()
                    if cut:
                        peer.reset()
                        break
                behind.shutdown(socket.SHUT_RDWR if cut else socket.SHUT_WR)
            finally:
                back.join(20)
            assert not back.is_alive()

    def _claim(self) -> bool:
        with self._lock:
            if self._left is not None and self.cuts >= self._left:
                return False
            self.cuts += 1
            return True

    @staticmethod
    def _back(source: socket.socket, target: socket.socket) -> None:
        try:
            for data in iter(lambda: source.recv(65536), b""):
                target.sendall(data)
        except OSError:
            return  # one end was reset


@pytest.fixture(scope="module")
def server(rclone: RcloneS3) -> Iterator[LocalServer]:
    with LocalServer(services=["perseus"], perseus=rclone.options()) as running:
        yield running
        assert running.perseus.listener.crashes == []


@pytest.fixture
def site(server: LocalServer) -> Iterator[Any]:
    """The local Perseus, as it was configured first."""
    yield server.perseus
    server.perseus.configure(signed_type="", clock_offset=0.0)


def client_of(site: Any, **options: Any) -> PerseusClient:
    return PerseusClient(site.url, api_key=site.api_key, retry=QUICK, **options)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, pytest.param(64 * MIB, marks=pytest.mark.slow)])
def test_sizes(site: Any, rclone: RcloneS3, tmp_path: Path, size: int) -> None:
    source = tmp_path / "a b+c \u00e9 %25.bin"
    digest = hashlib.sha256()
    with open(source, "wb") as stream:
        for start in range(0, size, MIB):
            piece = os.urandom(min(MIB, size - start))
            digest.update(piece)
            stream.write(piece)
    with client_of(site) as client:
        file = client.file.upload_file(source, wait=True, timeout=60)
        assert (file.status, file.reused, file.source_hash) == (FileStatus.UPLOADED, False, digest.hexdigest())
        assert file.result is not None
        assert (file.result.bytes, file.result.retries) == (size, 0)
        assert rclone.sha256(file.id, source.name) == digest.hexdigest()
        assert client.file.upload_file(source).reused
        assert client.file.exists(source)
        client.file.delete_file(file)
        assert client.file.find_file(file.id) is None
        with pytest.raises(NotFound):
            client.file.delete_file(file)


def test_several_at_a_time(site: Any, rclone: RcloneS3) -> None:
    contents = [os.urandom(1000 + number) for number in range(12)]
    with client_of(site) as client:
        files = client.file.upload_many(
            [(f"{number}.bin", data) for number, data in enumerate(contents)], wait=True, timeout=30
        )
    assert [file.status for file in files] == [FileStatus.UPLOADED] * 12
    found = [rclone.sha256(file.id, file.name) for file in files]
    assert found == [hashlib.sha256(data).hexdigest() for data in contents]


def test_a_signed_type(site: Any, rclone: RcloneS3) -> None:
    site.configure(signed_type="application/octet-stream")
    data = os.urandom(1000)
    with client_of(site) as client:
        file = client.file.upload_file(("a.txt", data), wait=True, timeout=30)
    assert rclone.path(file.id, "a.txt").read_bytes() == data


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"s3_secret": "of another user"}, 403, "SignatureDoesNotMatch"),
        ({"s3_key": "STRANGER"}, 403, "InvalidAccessKeyId"),
        ({"s3_bucket": "no-such-bucket"}, 404, "NoSuchBucket"),
        ({"signed_type": "text/plain"}, 403, "SignatureDoesNotMatch"),
    ],
)
def test_what_s3_refuses(rclone: RcloneS3, changes: Dict[str, str], status: int, code: str) -> None:
    before = rclone.objects()
    with LocalServer(
        services=["perseus"], perseus=rclone.options(**changes)
    ) as server, client_of(server.perseus) as client:
        with pytest.raises(StorageError) as caught:
            client.file.upload_file(("a.bin", os.urandom(1000)))
        error = caught.value
        assert (error.status, error.code, error.expired) == (status, code, False)
        # The file was sent once, and its record does not prevent a later upload.
        assert server.perseus.count("POST /api/v0/file") == 1
        assert server.perseus.records() == []
    assert rclone.objects() == before


def test_an_expired_address_leads_to_a_new_one(site: Any, rclone: RcloneS3, monkeypatch: Any) -> None:
    right, made = site.backend.presigned_url, []

    def address(row: Any) -> str:
        made.append(row["id"])
        site.configure(clock_offset=-7200.0 if len(made) == 1 else 0.0)
        url: str = right(row)
        site.configure(clock_offset=0.0)
        return url

    monkeypatch.setattr(site.backend, "presigned_url", address)
    data = os.urandom(300_000)
    with client_of(site) as client:
        file = client.file.upload_file(("late.bin", data), wait=True, timeout=30)
        assert len(made) == 2
        assert file.id == made[1]
        assert client.file.find_file(made[0]) is None
    assert rclone.path(file.id, "late.bin").read_bytes() == data
    assert rclone.held(made[0]) == []


def test_addresses_that_are_all_expired(site: Any, rclone: RcloneS3) -> None:
    site.configure(clock_offset=-7200.0)
    known = {record["id"] for record in site.records()}
    creations = site.count("POST /api/v0/file", 200)
    before = rclone.objects()
    with client_of(site) as client, pytest.raises(StorageError) as caught:
        client.file.upload_file(("late.bin", os.urandom(1000)))
    error = caught.value
    assert (error.status, error.code, error.expired) == (400, "AccessDenied", True)
    assert 2 <= site.count("POST /api/v0/file", 200) - creations <= 5
    assert {record["id"] for record in site.records()} == known
    assert rclone.objects() == before


def test_a_reset_in_mid_put_is_sent_again(rclone: RcloneS3, tmp_path: Path) -> None:
    data = os.urandom(5 * MIB)
    (tmp_path / "cut.bin").write_bytes(data)
    with Cutter(rclone.url, 2 * MIB, 2) as cutter:
        with LocalServer(services=["perseus"], perseus=rclone.options(s3_endpoint=cutter.url)) as server:
            with client_of(server.perseus) as client:
                file = client.file.upload_file(tmp_path / "cut.bin", wait=True, timeout=30)
                assert file.status == FileStatus.UPLOADED
                assert file.result is not None
                assert (file.result.retries, file.result.bytes) == (2, len(data))
            # The same address served for each try.
            assert server.perseus.count("POST /api/v0/file") == 1
        assert cutter.cuts == 2
    assert rclone.path(file.id, "cut.bin").read_bytes() == data


def test_a_reset_in_every_put_leaves_nothing(rclone: RcloneS3) -> None:
    with Cutter(rclone.url, 2 * MIB, None) as cutter:
        with LocalServer(services=["perseus"], perseus=rclone.options(s3_endpoint=cutter.url)) as server:
            with client_of(server.perseus) as client, pytest.raises(CommunicationError):
                client.file.upload_file(("cut.bin", os.urandom(5 * MIB)))
            assert server.perseus.records() == []
            assert server.perseus.count("DELETE /api/v0/file/*", 204) == 1
        assert cutter.cuts == QUICK.attempts


def test_smartxfer_serve(rclone: RcloneS3) -> None:
    words = ["--perseus-s3-endpoint", rclone.url, "--perseus-s3-bucket", BUCKET, "--perseus-s3-key", KEY]
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from smartxfer.cli import main; sys.exit(main())", "serve", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PERSEUS_S3_SECRET": SECRET, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said: List[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("# python:") and "PerseusClient" in line:
                break
        env = dict(re.findall(r"export (PERSEUS_\w+)=(\S+)", "".join(said)))
        with PerseusClient(env["PERSEUS_API_HOST"], api_key=env["PERSEUS_API_KEY"], retry=QUICK) as client:
            file = client.file.upload_file(("served.bin", b"served"), wait=True, timeout=30)
        assert rclone.path(file.id, "served.bin").read_bytes() == b"served"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate(timeout=20)
