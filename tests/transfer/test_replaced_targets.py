"""Explicit file names: the mode and owner of replaced files, links, devices, pipes, mount points."""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import os
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest

from smartxfer import delta
from smartxfer.errors import LocalError
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.sink import open_sink
from tests.support.planted_state import AS_ROOT
from tests.support.raw_server import RawServer, answering, ranged
from tests.support.sinks import DATA, ID, begun, mode_of, names, part_of, raising


def fetch(sink: Any, data: bytes = DATA) -> None:
    """Write ``data`` as a download does."""
    sink.begin(len(data), ID)
    sink.write_at(data, 0)
    sink.commit()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An existing file."""
    made = tmp_path / "out"
    made.write_bytes(b"old")
    return made


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o640, 0o444, 0o4755])
def test_the_mode_of_a_replaced_file_is_kept(target: Path, mode: int) -> None:
    target.chmod(mode)
    fetch(open_sink(target, "name"))
    assert (target.read_bytes(), mode_of(target)) == (DATA, mode)


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    fetch(open_sink(tmp_path / "out", "name"))
    (tmp_path / "plain").write_bytes(b"")
    assert mode_of(tmp_path / "out") == mode_of(tmp_path / "plain")


def test_what_replaces_a_private_file_is_private_from_its_first_byte(target: Path) -> None:
    target.chmod(0o600)
    sink, _ = begun(target)
    assert mode_of(part_of(target)) == 0o600
    target.unlink()
    sink.write_at(DATA, 0)
    sink.commit()
    assert mode_of(target) == 0o600


@AS_ROOT
def test_the_owner_and_group_of_a_replaced_file_are_kept(target: Path) -> None:
    os.chown(str(target), 12345, 23456)
    target.chmod(0o6750)
    fetch(open_sink(target, "name"))
    found = target.stat()
    assert (found.st_uid, found.st_gid, mode_of(target)) == (12345, 23456, 0o6750)


@AS_ROOT
@pytest.mark.parametrize(("mode", "kept"), [(0o640, 0o600), (0o755, 0o755), (0o6755, 0o755), (0o664, 0o644)])
def test_permissions_do_not_widen_where_the_owner_cannot_be_kept(
    target: Path, monkeypatch: pytest.MonkeyPatch, mode: int, kept: int
) -> None:
    os.chown(str(target), 12345, 23456)
    target.chmod(mode)
    monkeypatch.setattr(os, "fchown", raising(PermissionError(errno.EPERM, "Operation not permitted")))
    fetch(open_sink(target, "name"))
    assert (target.read_bytes(), mode_of(target)) == (DATA, kept)


# -- links ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_is_followed_to_its_target(tmp_path: Path, relative: bool) -> None:
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o600)
    link.symlink_to("far/real" if relative else real)
    sink = open_sink(link, "name")
    fetch(sink)
    assert link.is_symlink()
    assert (real.read_bytes(), mode_of(real)) == (DATA, 0o600)
    assert sink.path == link  # type: ignore[attr-defined]
    assert (names(tmp_path / "far"), names(tmp_path)) == (["real"], ["far", "link"])


def test_a_link_that_leads_to_nothing_yet(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("real")
    fetch(open_sink(link, "name"))
    assert link.is_symlink()
    assert (tmp_path / "real").read_bytes() == DATA


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(LocalError):
        open_sink(tmp_path / "a", "name").begin(10, ID)
    assert names(tmp_path) == ["a", "b"]


# -- access control lists ------------------------------------------------------------------------------

ACL = "system.posix_acl_access"
NO_ID = 0xFFFFFFFF


def acl(*entries: Tuple[int, int, int]) -> bytes:
    """A list as Linux keeps it: tag, permissions and number of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


#: The user reads and writes, so does user 1234; the group does not.
FOR_ONE = acl((1, 6, NO_ID), (2, 6, 1234), (4, 0, NO_ID), (0x10, 6, NO_ID), (0x20, 0, NO_ID))


def give(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(str(path), name, value)
    except (AttributeError, OSError):
        pytest.skip("needs POSIX ACLs")


@pytest.fixture
def target_with_acl(target: Path) -> Path:
    target.chmod(0o660)
    give(target, ACL, FOR_ONE)
    return target


@pytest.mark.parametrize("how", ["download", "patch"])
def test_an_acl_is_kept(target_with_acl: Path, how: str) -> None:
    if how == "download":
        fetch(open_sink(target_with_acl, "name"))
    else:
        with delta.output_file.OutputFile(target_with_acl) as writer:
            writer.write(DATA)
    assert (target_with_acl.read_bytes(), mode_of(target_with_acl)) == (DATA, 0o660)
    assert os.getxattr(str(target_with_acl), ACL) == FOR_ONE


def test_without_its_acl_the_group_gets_nothing(target_with_acl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setxattr", raising(OSError(errno.EPERM, "Operation not permitted")))
    fetch(open_sink(target_with_acl, "name"))
    assert (target_with_acl.read_bytes(), mode_of(target_with_acl)) == (DATA, 0o600)


def test_a_file_without_an_acl_gets_none_of_its_directory(target: Path) -> None:
    target.chmod(0o660)
    give(target.parent, "system.posix_acl_default", FOR_ONE)
    fetch(open_sink(target, "name"))
    assert (ACL in os.listxattr(str(target)), mode_of(target)) == (False, 0o660)


# -- devices and pipes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("linked", [False, True])
def test_a_named_pipe_is_written_to(tmp_path: Path, engine: Callable[..., Any], linked: bool) -> None:
    pipe = target = tmp_path / "pipe"
    os.mkfifo(str(pipe))
    if linked:
        target = tmp_path / "link"
        target.symlink_to("pipe")
    data = os.urandom(300_000)
    found: List[bytes] = []
    thread = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    thread.start()
    with RawServer(answering(ranged(data))) as server:
        described = {"size": len(data), "range_size": 100_000, "digest": ("md5", hashlib.md5(data).hexdigest())}
        result = engine(server.url).download(open_sink(target, "name"), **described)
    thread.join(30)
    assert (found, result.path) == ([data], target)
    assert stat.S_ISFIFO(os.stat(str(pipe)).st_mode)
    assert not list(tmp_path.glob("*.part*"))


def test_a_pipe_that_nothing_reads_from(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / "pipe"))
    with pytest.raises(LocalError, match="no process reads from") as caught:
        open_sink(tmp_path / "pipe", "name").begin(10, ID)
    assert "reader" in caught.value.hint


def test_a_slow_reader_is_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(str(pipe))
    reading = os.open(str(pipe), os.O_RDONLY | os.O_NONBLOCK)
    sink = open_sink(pipe, "name")
    sink.begin(None, ID)
    data = os.urandom(1 << 20)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        threads.submit(sink.write_at, data, 0)
        os.set_blocking(reading, True)
        got = b""
        while len(got) < len(data):
            got += os.read(reading, 50_000)
    sink.commit()
    os.close(reading)
    assert got == data


def test_an_open_descriptor_is_appended_to(tmp_path: Path) -> None:
    """As with ``smartxfer ... /dev/fd/3 3>>log``."""
    log = tmp_path / "log"
    log.write_bytes(b"before ")
    with log.open("ab") as file:
        fetch(open_sink(f"/dev/fd/{file.fileno()}", "name"))
        fetch(open_sink(f"/proc/self/fd/{file.fileno()}", "name"))
    assert log.read_bytes() == b"before " + DATA + DATA


def test_a_device_in_the_way_is_refused_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / "pipe"))
    for sink in (FileSink(tmp_path / "pipe"), open_sink(tmp_path, "pipe")):
        with pytest.raises(LocalError, match="not a regular file"):
            sink.begin(10, ID)
    assert names(tmp_path) == ["pipe"]


@AS_ROOT
def test_a_device_node_is_not_replaced(tmp_path: Path) -> None:
    node = tmp_path / "null"
    try:
        os.mknod(str(node), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.close(os.open(str(node), os.O_WRONLY))
    except PermissionError:
        pytest.skip("device nodes cannot be made or used here")
    sink = open_sink(node, "name")
    assert type(sink).__name__ == "DeviceSink"
    fetch(sink)
    assert stat.S_ISCHR(node.stat().st_mode)


# -- mount points --------------------------------------------------------------------------------------

_MOUNTED = """
import subprocess, sys
from pathlib import Path
from smartxfer.errors import LocalError
from smartxfer.transfer.sink import open_sink
source, target = Path(sys.argv[1]), Path(sys.argv[2])
subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
try:
    open_sink(target, "name").begin(10, {})
except LocalError as error:
    print("refused", error.errno, error.hint)
print(sorted(path.name for path in target.parent.iterdir()))
"""


def test_a_mounted_file_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source, target = tmp_path / "source", tmp_path / "in" / "a b"
    source.write_bytes(b"old")
    target.write_bytes(b"")
    command = ["unshare", "-m", sys.executable, "-c", _MOUNTED, str(source), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if "unshare" in done.stderr or "CalledProcessError" in done.stderr:
        pytest.skip("nothing can be mounted here")
    hint = "mount its directory in place of the file, or pass an open file: open(path, 'wb')"
    assert done.stdout.splitlines() == [f"refused {errno.EBUSY} {hint}", "['a b']"], done.stderr
