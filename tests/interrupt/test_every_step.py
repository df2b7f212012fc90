"""Ctrl-C between any two steps of a call leaves no descriptor and no thread, without a garbage collection."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from smartxfer._system import open_binary
from smartxfer.credentials.secret_files import read_secret_file
from smartxfer.directories import Directory
from smartxfer.errors import CommunicationError
from smartxfer.transfer import source as source_module
from smartxfer.transfer.atomic_file import AtomicFile
from smartxfer.transfer.file_locks import FileLock
from smartxfer.transfer.file_size import Copies, measure_file_size
from smartxfer.transfer.private_files import PrivateDirectory, write_atomic
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.source import open_source
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.retry_policy import RetryPolicy
from tests.support.interrupt_each_step import broken_at_each_step, open_descriptors

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are listed in /proc"),
    # What Python says of a file that it closes itself.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
_HANDLERS_KNOWN = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="older versions run handlers of signals at other steps"
)


def _directory(path: Path) -> None:
    with Directory(path) as directory, directory.open_child("sub", create=True) as inner:
        inner.list_names()
        inner.create_anonymous_file().close()
        directory.open_descendant(Path("sub").relative_to(".")).close()


def _state(path: Path) -> None:
    with PrivateDirectory.in_state_directory("journals", make=True) as directory:
        directory.write("one.json", "{}")
        directory.read("one.json")
        list(directory.older_than(time.time()))


def _temporary_files(path: Path) -> None:
    open_source(iter([b"more than the limit"])).close()
    with Path("/proc/self/comm").open("rb") as file:
        Copies().add(file.fileno(), path).descriptor().close()


def _files(path: Path) -> None:
    read_secret_file(path / "file")
    open_binary(path / "file").close()
    measure_file_size(path / "file")
    write_atomic(path / "note.json", "{}")


def _whole_file(path: Path) -> None:
    file = AtomicFile(path / "whole")
    file.begin(None, {})
    try:
        file.write_at(b"data", 0)
        file.commit()
    finally:
        file.suspend()


_CALLS: Dict[str, Callable[[Path], None]] = {
    "directory": _directory,
    "state": _state,
    "lock": lambda path: FileLock("name", "a thing").release(),
    "files": _files,
    "source": lambda path: open_source(path / "file").close(),
    "whole file": _whole_file,
    "temporary files": _temporary_files,
}


def _check_descriptors(call: Callable[[], None], least: int, **how: Any) -> None:
    """Check at each step at which the call is broken that nothing is left open; there are more than ``least``."""
    before = open_descriptors()
    steps = -1
    for steps in broken_at_each_step(call, **how):
        assert open_descriptors() <= before, f"broken at step {steps}"
    assert steps > least


@pytest.mark.parametrize("name", _CALLS)
def test_no_descriptor_is_left(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "SPOOL_LIMIT", 4)
    (tmp_path / "file").write_bytes(b"data")
    os.chmod(tmp_path / "file", 0o600)
    _CALLS[name](tmp_path)
    _check_descriptors(lambda: _CALLS[name](tmp_path), 50)


@_HANDLERS_KNOWN
def test_no_socket_is_left() -> None:
    ours, theirs = socket.socketpair()

    def hold() -> None:
        attempt = Attempt()
        with attempt.activate():
            attempt.attach_socket(ours)

    with ours, theirs:
        _check_descriptors(hold, 10, signals_only=True)


@_HANDLERS_KNOWN
@pytest.mark.parametrize("failing", [False, True])
def test_no_thread_is_left(failing: bool) -> None:
    def step() -> None:
        if failing:
            raise CommunicationError("no")

    def call() -> Any:
        try:
            with TransferRunner(policy=RetryPolicy(), max_workers=2) as operation:
                operation.run_one(step)
        except CommunicationError:
            pass

    before = set(threading.enumerate())
    steps = -1
    for steps in broken_at_each_step(call, signals_only=True):
        ends_at = time.monotonic() + 5.0
        while set(threading.enumerate()) - before:
            assert time.monotonic() < ends_at, f"broken at step {steps}: {threading.enumerate()}"
            time.sleep(0.001)
    assert steps > 50
