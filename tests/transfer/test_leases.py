"""Files with a lease (NFS delegation, Samba oplock, F_SETLEASE): waited for, within bounds."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer import _system
from smartxfer._system import open_binary, override_sleep
from smartxfer.credentials.secret_files import UnreadableFile, read_secret_file
from smartxfer.delta.input_file import InputFile
from smartxfer.errors import Cancelled, LocalError
from smartxfer.transfer import PathSource
from smartxfer.transfer.digest import compute_file_digest
from smartxfer.transfer.download_history import compute_extent_checksums
from smartxfer.transfer.existing_files import _have_same_content
from smartxfer.transfer.local_files import collect_files
from smartxfer.transfer.private_files import read_private
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport.retry_policy import RetryPolicy
from tests.support.fake_clock import FakeClock
from tests.support.jobs import Flag
from tests.support.sinks import begun, descriptors

_HOLDER = """
import fcntl, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR)
signal.signal(signal.SIGIO, lambda *_: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK))
try:
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
except OSError as error:
    print(error, flush=True)
    raise SystemExit
print("held", flush=True)
sys.stdin.read()
"""


class Leased:
    """Makes ``os.open`` of some files fail as a lease does, a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: float) -> None:
        self.tries: List[str] = []
        self._times = times
        self._open = os.open
        monkeypatch.setattr(os, "open", self.open)

    def open(self, path: Any, flags: int, *args: Any, **keywords: Any) -> int:
        name = os.path.basename(os.fsdecode(path))
        if name.startswith("leased"):
            assert flags & os.O_NONBLOCK, "this would block in the system"
            self.tries.append(name)
            if len(self.tries) <= self._times:
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable", str(path))
        return self._open(path, flags, *args, **keywords)


def _delta_input(path: Path) -> None:
    with InputFile(path, "source"):
        pass


OPENED: List[Callable[[Path], Any]] = [
    PathSource,
    lambda path: collect_files([path])[0].open_unchanged(),
    _delta_input,
    lambda path: begun(path, 1)[0].suspend(),
    compute_file_digest,
    open_binary,
    read_private,
    read_secret_file,
    lambda path: compute_extent_checksums(path, [(0, 1)]),
]


@pytest.fixture
def leased(tmp_path: Path) -> Path:
    path = tmp_path / "leased.txt"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("use", [*OPENED, lambda path: _have_same_content(path, path)])
def test_a_lease_is_waited_for(
    use: Callable[[Path], Any], leased: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, clock = Leased(monkeypatch, 3), FakeClock()
    with override_sleep(clock.sleep, clock.monotonic):
        found = use(leased)
    getattr(found, "close", lambda: None)()
    assert len(there.tries) > 3
    assert clock.waits[:3] == sorted(clock.waits[:3]), "the pauses grow"


@pytest.mark.parametrize("use", OPENED)
def test_a_lease_that_stays_is_a_typed_error(
    use: Callable[[Path], Any], leased: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Leased(monkeypatch, float("inf"))
    clock = FakeClock()
    with override_sleep(clock.sleep, clock.monotonic), pytest.raises((LocalError, UnreadableFile)) as caught:
        use(leased)
    assert "lease" in str(caught.value)
    assert 59 < sum(clock.waits) <= 61


def test_cancelling_ends_the_wait(leased: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Leased(monkeypatch, float("inf"))
    with pytest.raises(Cancelled), TransferRunner(policy=RetryPolicy(), max_workers=1, cancel=Flag(lambda: bool(there.tries))) as operation:
        operation.run_one(lambda: PathSource(leased))
    assert 0 < len(there.tries) < 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="leases are Linux's")
def test_a_real_lease_is_broken_and_waited_for(leased: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(leased)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        said = holder.stdout.readline().strip()
        if said != "held":
            pytest.skip(f"no lease here: {said}")
        source = PathSource(leased)
        assert source.size == 7
        source.close()
        holder.communicate("")


def test_a_directory_leaves_no_descriptor(tmp_path: Path) -> None:
    gc.collect()  # what earlier tests left open is not counted
    before = descriptors()
    with pytest.raises(IsADirectoryError):
        _system.open_binary(tmp_path)
    assert descriptors() == before
