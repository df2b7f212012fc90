"""Ctrl-C and kill -9 in the middle of a transfer: a re-run resumes from the files that are left."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from smartxfer import FileSenderClient, UserAuth
from smartxfer.local import LocalServer
from tests.support.amounts import amount
from tests.support.process_signals import seconds_to_end

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SIZE = amount(32, 64) * MIB
CHUNK = MIB
WORKERS = 2
CHUNKS = "PUT /rest.php/file/*/chunk/*"
BYTES = "GET /download.php*"

# What a user writes: one call, and the exit code of an interrupted program.
PROGRAM = """
import sys
from smartxfer import FileSenderClient
client = FileSenderClient.from_environment()
try:
    if sys.argv[1] == "up":
        transfer = client.upload_workflow([sys.argv[2]], {"from": "me@example.org"})
        print(transfer.token, transfer.results[0].resumed)
    else:
        [result] = client.download_files(sys.argv[2], sys.argv[3])
        print(result.resumed)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["filesender"], filesender={"upload_chunk_size": CHUNK}) as running:
        yield running
        assert running.filesender.listener.crashes == []


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    block = random.Random(7).getrandbits(8 * MIB).to_bytes(MIB, "big")
    with path.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(server: LocalServer, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **server.filesender.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> List[str]:
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return printed.split()


def until(reached: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait for the server's account to say so; the process must still be at work then."""
    limit = time.monotonic() + 60
    while not reached():
        assert process.poll() is None, "the transfer was over before it could be interrupted"
        assert time.monotonic() < limit
        time.sleep(0.005)


def interrupt(process: "subprocess.Popen[str]") -> None:
    """SIGINT; the process is gone within two seconds, with the exit code of an interrupted program."""
    seconds = seconds_to_end(process, signal.SIGINT)
    process.communicate(timeout=60)
    assert seconds < 2
    assert process.returncode == 130


def acknowledged(server: LocalServer) -> int:
    return server.filesender.count(CHUNKS, status=200) * CHUNK


def sent_back(server: LocalServer) -> int:
    account = server.filesender.request_log
    return sum(entry.sent for entry in account if entry.request.path.startswith("/download.php"))


def uploaded(server: LocalServer, large: Path) -> str:
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        token = client.upload_workflow([large], {"from": "me@example.org"}).token
    assert token is not None
    return token


def fetched_digest(server: LocalServer, token: str, into: Path) -> str:
    with FileSenderClient(server.filesender.url) as client:
        [result] = client.download_files(token, into)
    assert result.path is not None
    found = digest(result.path)
    result.path.unlink()
    return found


def test_ctrl_c_in_an_upload(server: LocalServer, large: Path, tmp_path: Path) -> None:
    server.fault("filesender", CHUNKS, "rate 20M", times=None)
    process = start(server, "up", str(large))
    until(lambda: acknowledged(server) >= SIZE / 3, process)
    interrupt(process)
    before = acknowledged(server)
    assert before < SIZE
    token, resumed = finish(start(server, "up", str(large)))
    again = acknowledged(server) - before
    assert again <= SIZE - before + WORKERS * CHUNK
    assert int(resumed) >= before - WORKERS * CHUNK
    assert server.filesender.count("POST /rest.php/transfer*") == 1
    assert fetched_digest(server, token, tmp_path / "got") == digest(large)


def test_ctrl_c_in_a_download(server: LocalServer, large: Path, tmp_path: Path) -> None:
    token = uploaded(server, large)
    into = tmp_path / "got"
    part = into / "large.bin.part"
    server.fault("filesender", BYTES, "rate 20M", times=None)
    process = start(server, "down", token, str(into))
    until(lambda: part.exists() and part.stat().st_blocks * 512 >= SIZE / 3, process)
    interrupt(process)
    assert [path.name for path in into.iterdir() if path.suffix == ".bin"] == []
    before = sent_back(server)
    [resumed] = finish(start(server, "down", token, str(into)))
    assert int(resumed) >= SIZE / 3 - 4 * MIB
    assert sent_back(server) - before <= SIZE - int(resumed) + 4 * MIB
    assert [path.name for path in into.iterdir()] == ["large.bin"]
    assert digest(into / "large.bin") == digest(large)


#: Points at which a client is killed: seeds of so many tests, and points of each.
SEEDS, POINTS = range(amount(1, 4)), amount(3, 5)
#: Bytes that a client still has to move when it is killed.
LEFT = 16 * MIB


@pytest.mark.parametrize("seed", SEEDS)
def test_kill_at_random_points_of_an_upload(server: LocalServer, large: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(11 + seed)
    for _ in range(POINTS):
        os.utime(large)  # another request: it does not continue the one before
        done = acknowledged(server)
        server.fault("filesender", CHUNKS, "rate 60M", times=None)
        # The last chunks are not taken: the upload cannot be complete before it is killed.
        server.fault("filesender", CHUNKS, "stall", times=None, after=SIZE // CHUNK - 4)
        process = start(server, "up", str(large))
        point = done + chance.randrange(0, SIZE - LEFT, CHUNK)
        until(lambda point=point: acknowledged(server) >= point, process)  # type: ignore[misc]
        process.kill()
        process.communicate(timeout=60)
        server.clear_faults()
        token, _ = finish(start(server, "up", str(large)))
        assert fetched_digest(server, token, tmp_path / "got") == digest(large)


def written(part: Path) -> int:
    """Bytes of a partial file on the disk; 0 before it is made and after it got its final name."""
    try:
        return part.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("seed", SEEDS)
def test_kill_at_random_points_of_a_download(
    server: LocalServer, large: Path, tmp_path: Path, seed: int
) -> None:
    token, wanted = uploaded(server, large), digest(large)
    chance = random.Random(13 + seed)
    for number in range(POINTS):
        into = tmp_path / f"got-{number}"
        target, part = into / "large.bin", into / "large.bin.part"
        # What is left at the last point takes a second: the download is not complete before it is killed.
        server.fault("filesender", BYTES, "rate 16M", times=None)
        process = start(server, "down", token, str(into))
        point = chance.randrange(0, SIZE - LEFT)
        until(lambda part=part, point=point: written(part) >= point, process)  # type: ignore[misc]
        process.kill()
        process.communicate(timeout=60)
        assert not target.exists()
        server.clear_faults()
        finish(start(server, "down", token, str(into)))
        assert [path.name for path in into.iterdir()] == ["large.bin"]
        assert digest(target) == wanted
        target.unlink()
