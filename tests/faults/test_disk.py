"""A disk that is full: F20; a target that another process writes: F25."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from smartxfer._system import SYSTEM_FILESYSTEM, FileSystem
from smartxfer.errors import AlreadyInProgress, DiskFull
from smartxfer.transfer import FileSink
from tests.support.filesender_harness import CHUNK, CHUNK_SIZE, DOWNLOAD, PATIENCE, noise, until

MIB = 1 << 20
DATA = noise(4 * MIB)


class _SmallDisk(FileSystem):
    """Takes no byte at ``room`` or past it."""

    def __init__(self, room: int) -> None:
        self.room = room

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        if offset >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().pwrite(fd, data[: self.room - offset], offset)


def test_f20_the_disk_fills_up(harness: Any) -> None:
    transfer = harness.published(DATA)
    client = harness.client()
    [file] = client.list_files(transfer.token)
    target = harness.out / "a.bin"
    with pytest.raises(DiskFull, match="No space left") as caught:
        client.download_file(transfer.token, file.id, FileSink(target, files=_SmallDisk(MIB)))
    assert caught.value.errno == errno.ENOSPC
    assert "free some space" in caught.value.hint
    assert harness.site.count(DOWNLOAD) == 1, "another try would not help"
    assert not target.exists()
    result = client.download_file(transfer.token, file.id, FileSink(target))
    assert target.read_bytes() == DATA
    assert 0 < result.resumed <= MIB


def test_f20_what_the_disk_cannot_hold_is_not_fetched(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer = harness.published(DATA)
    monkeypatch.setattr(SYSTEM_FILESYSTEM, "free_space", lambda directory: MIB, raising=False)
    with pytest.raises(DiskFull, match=f"needs {len(DATA)} more bytes, but its disk has {MIB} bytes free"):
        harness.client().download_files(transfer.token, harness.out)
    assert harness.site.count(DOWNLOAD) == 0
    assert list(harness.out.iterdir()) == []


_FILL = """
import sys
from smartxfer import FileSenderClient
from smartxfer.errors import DiskFull
from smartxfer._system import SYSTEM_FILESYSTEM
url, token, out, expected = sys.argv[1:]
client = FileSenderClient(url)
free_space, SYSTEM_FILESYSTEM.free_space = SYSTEM_FILESYSTEM.free_space, lambda directory: 1 << 40
try:
    client.download_files(token, out)  # the disk fills up during this download
except DiskFull:
    print("full")
SYSTEM_FILESYSTEM.free_space = free_space
open(out + "/ballast", "wb").close()  # space returns
[result] = client.download_files(token, out)
assert result.resumed > 0, result
assert open(out + "/a.bin", "rb").read() == open(expected, "rb").read()
print("right")
"""

@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a mount of its own")
def test_f20_a_real_small_disk(harness: Any, tmp_path: Path) -> None:
    data = DATA[: 3 * MIB // 2]
    transfer = harness.published(data)
    expected = harness.file(data, "expected")
    harness.out.mkdir()
    script = tmp_path / "fill.py"
    script.write_text(_FILL, encoding="utf-8")
    mount = tmp_path / "mount.sh"
    mount.write_text(
        f'mount -t tmpfs -o size=2m tmpfs "{harness.out}" || exit 77\n'
        f'head -c 1200K /dev/zero > "{harness.out}/ballast"\n'
        'exec "$@"\n',
        encoding="utf-8",
    )
    unshare = ["unshare", "--mount", "--map-root-user", "sh", str(mount)]
    command = [sys.executable, str(script), harness.url, transfer.token, str(harness.out), str(expected)]
    done = subprocess.run([*unshare, *command], capture_output=True, text=True, timeout=60)
    if done.returncode in (1, 77) and "full" not in done.stdout and "Traceback" not in done.stderr:
        pytest.skip(f"no mount of its own here: {done.stderr.strip()}")
    assert (done.stdout.split(), done.returncode) == (["full", "right"], 0), done.stderr


_DOWNLOAD = """
import sys
from smartxfer import FileSenderClient
FileSenderClient(sys.argv[1]).download_files(sys.argv[2], sys.argv[3])
"""
_UPLOAD = """
import sys
from smartxfer import FileSenderClient, UserAuth
auth = UserAuth(sys.argv[2], sys.argv[3])
FileSenderClient(sys.argv[1], auth=auth).upload_workflow([sys.argv[4]], link=True)
"""


@contextlib.contextmanager
def _process(harness: Any, fault: Any, script: str, *words: Any) -> Iterator[None]:
    """Run a program that a fault slows down, and let it end well after the block."""
    command = [sys.executable, "-c", script, *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert fault.wait(PATIENCE)
            yield
            harness.server.clear_faults()
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
        finally:
            process.kill()


def test_f25_two_processes_fetch_the_same_file(harness: Any) -> None:
    transfer = harness.published(DATA)
    fault = harness.fault(DOWNLOAD, "rate 64K")
    with _process(harness, fault, _DOWNLOAD, harness.url, transfer.token, harness.out):
        until(lambda: (harness.out / "a.bin.part").exists(), "the partial file")
        client = harness.client()
        with pytest.raises(AlreadyInProgress, match="another process"):
            client.download_files(transfer.token, harness.out)
        [file] = client.list_files(transfer.token)
        with pytest.raises(AlreadyInProgress, match="another process"):
            client.download_file(transfer.token, file.id, FileSink(harness.out / "a.bin"))
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert harness.site.count(DOWNLOAD) == 1
    [result] = client.download_files(transfer.token, harness.out)
    assert result.ok, "the lock went with the process"


def test_f25_two_processes_send_the_same_file(harness: Any) -> None:
    path = harness.file(DATA)
    fault = harness.fault(CHUNK, "rate 64K", times=None)
    with _process(harness, fault, _UPLOAD, harness.url, harness.auth.username, harness.auth.api_key, path):
        with pytest.raises(AlreadyInProgress, match="another process"):
            harness.client().upload_workflow([path], link=True)
    assert len(harness.site.transfers()) == 1
    assert harness.stored()["a.bin"] == DATA
    assert harness.site.count(CHUNK) == len(DATA) // CHUNK_SIZE
