"""Our own files: those of a killed process are removed, none is sent, and a user's file that looks like one is kept."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer import FileSenderClient, UserAuth, delta
from smartxfer.delta.output_file import OutputFile
from smartxfer.errors import LocalError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.perseus import PerseusClient
from smartxfer.smartfile import BasicClient, SyncClient
from smartxfer.transfer import file_locks
from smartxfer.transfer.download_history import DownloadHistory
from smartxfer.transfer.file_locks import get_host_id
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.local_files import collect_files, list_directories
from smartxfer.transfer.own_files import is_own_file
from smartxfer.transfer.temporary_files import make_temporary_file, remove_stale_temporary_files
from tests.support.delta_edits import CHANGE, NEW, OLD
from tests.support.sinks import left, names, raising

#: Kills itself before the system does something to a file: an audit event, words in its arguments.
KILLED = """
import os, signal, sys
event, word = sys.argv[1:3]
def audit(name, arguments):
    if name == event and word in repr(arguments):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
"""
PATCH = KILLED + """
from smartxfer import delta
delta.patch("old", "change", "new")
"""

LIKE_OURS = ".smartxfer-0123456789abcdef.part"


def killed(program: str, *words: str, directory: Path, **environment: str) -> None:
    """Run a program that has to kill itself."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=str(directory),
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.fixture(name="room")
def _room(tmp_path: Path) -> Path:
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "change").write_bytes(CHANGE)
    return tmp_path


@pytest.mark.parametrize("event", ["os.rename", "os.chmod"])
def test_a_patch_that_was_killed(room: Path, event: str) -> None:
    (room / "new").write_bytes(b"existing content")
    killed(PATCH, event, "", directory=room)
    assert (len(names(room)), (room / "new").read_bytes()) == (4, b"existing content")
    delta.patch(room / "old", room / "change", room / "new")
    assert (names(room), (room / "new").read_bytes()) == (["change", "new", "old"], NEW)


def test_what_a_living_process_writes_is_left_alone(room: Path) -> None:
    with OutputFile(str(room / "one")) as one:
        one.write(b"first")
        delta.patch(room / "old", room / "change", room / "new")
        with OutputFile(str(room / "two")) as two:
            two.write(b"second")
            assert len(names(room)) == 5
    assert [(room / name).read_bytes() for name in ("new", "one", "two")] == [NEW, b"first", b"second"]
    assert names(room) == ["change", "new", "old", "one", "two"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / LIKE_OURS).mkdir()
    (tmp_path / "far" / LIKE_OURS / "new").write_bytes(b"mine")
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / LIKE_OURS.replace("0", "1")).symlink_to(tmp_path / "mine")
    os.link(str(tmp_path / "mine"), str(tmp_path / LIKE_OURS.replace("0", "2")))
    (tmp_path / ".smartxfer-notes.part").write_bytes(b"mine")
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    for directory in (tmp_path, tmp_path / "far"):
        before = names(directory)
        remove_stale_temporary_files(str(directory))
        assert names(directory) == before
    assert (tmp_path / "far" / LIKE_OURS / "new").read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of files")
def test_what_another_user_left_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LIKE_OURS).write_bytes(b"")
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: os.getuid() + 1)
        remove_stale_temporary_files(str(tmp_path))
    assert names(tmp_path) == [LIKE_OURS]
    remove_stale_temporary_files(str(tmp_path))
    assert names(tmp_path) == []


def test_one_that_is_taken_for_left_before_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, calls = file_locks.lock_file, []

    def late(fd: int) -> Any:
        calls.append(fd)
        if len(calls) == 1:
            remove_stale_temporary_files(str(tmp_path))
        return lock(fd)

    monkeypatch.setattr(file_locks, "lock_file", late)
    path, opened = make_temporary_file(str(tmp_path), 0o600)
    opened.close()
    assert (len(calls), names(tmp_path)) == (3, [os.path.basename(path)])


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_locks, "lock_file", raising(OSError("no locks")))
    make_temporary_file(str(tmp_path), 0o600)[1].close()
    make_temporary_file(str(tmp_path), 0o600)[1].close()
    assert len(names(tmp_path)) == 2


# -- our files in a directory that is sent ----------------------------------------------------------------


#: Files of a user, with their contents; none of them is ours.
THEIRS: Dict[str, bytes] = {
    "x.part": b"a user's part of a novel",
    "y.part.json": b'{"version": 1, "parts": []}',
    "w.part.json.tmp": b"{}",
    ".smartxfer-0123456789abcdef/new": b"a directory of the user's",
    "journals/a.json": b"{}",
    **dict.fromkeys(["y.part", "z.part.json", "z.part.json.tmp", ".smartxfer-notes", "locks/id", "id"], b""),
    ".smartxfer-0123456789abcdef.part.txt": b"",
}


def partial_files(directory: Path, name: str = "big.bin") -> List[str]:
    """A partial file of a broken download, its state file, and what a killed process left of writing that."""
    left(directory / name, (0, b"01234"))
    part = f"{name}.part"
    (directory / f"{part}.json.tmp").write_bytes(b'{"version": 1, "ino')
    return [part, f"{part}.json", f"{part}.json.tmp"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, data in THEIRS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def found(root: Path) -> List[str]:
    return sorted(item.name[len("tree/") :] for item in collect_files([root]))


def test_files_of_a_user_are_sent(tree: Path) -> None:
    assert found(tree) == sorted(THEIRS)
    assert list_directories(tree) == [".smartxfer-0123456789abcdef", "journals", "locks"]


def test_partial_and_state_files_are_skipped(tree: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "smartxfer.transfer")
    (tree / "deep").mkdir()
    ours = [tree / name for name in partial_files(tree)] + [tree / "deep" / name for name in partial_files(tree / "deep")]
    assert all(map(is_own_file, ours))
    assert found(tree) == sorted(THEIRS)
    said = {record.getMessage() for record in caplog.records if record.levelno == logging.INFO}
    assert {f"{path} is skipped: it belongs to smartxfer" for path in ours} <= said


def test_a_partial_file_that_was_never_noted(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"")
    assert not is_own_file(tmp_path / "a.part")
    (tmp_path / "a.part.json.tmp").write_bytes(b"")
    assert is_own_file(tmp_path / "a.part")
    assert is_own_file(tmp_path / "a.part.json.tmp")


@pytest.mark.parametrize("name", ["x.2.part", "x.0123456789ab.part", ".part"])
def test_a_state_file_decides_not_the_name(tmp_path: Path, name: str) -> None:
    part, side = tmp_path / name, tmp_path / f"{name}.json"
    part.write_bytes(b"bytes")
    assert not is_own_file(part)
    side.write_text('{"version": 1, "inode": [1, 2], "identity": {}, "size": 9, "runs": []}')
    assert is_own_file(part) == is_own_file(side) == (name != ".part")
    side.unlink()
    (tmp_path / "elsewhere").write_text('{"version": 1, "identity": {}, "size": 9, "runs": []}')
    side.symlink_to(tmp_path / "elsewhere")
    assert not is_own_file(part)


def test_temporary_files_are_skipped(tree: Path) -> None:
    _, opened = make_temporary_file(str(tree), 0o600)
    assert found(tree) == sorted(THEIRS)
    opened.close()


@pytest.mark.parametrize("link", [False, True])
def test_a_state_directory_in_the_tree(tree: Path, link: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tree / "state"
    if link:
        (tree.parent / "link").symlink_to(tree)
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str((tree.parent / "link" if link else tree) / "state"))
    get_host_id(state)
    with Journal({"a": 1}, "a") as journal:
        journal.update(secret="token")
        target = tree.parent / "f"
        target.write_bytes(b"")
        DownloadHistory(tree).record_download(target, 0, [], {})
        assert sorted(os.listdir(state)) == ["id", "journals", "locks", "written"]
        assert found(tree) == sorted(THEIRS)
        assert "state" not in list_directories(tree)
        # What the user keeps there is the user's.
        (state / "mine.txt").write_bytes(b"mine")
        assert found(tree) == sorted([*THEIRS, "state/mine.txt"])
        assert [name for name in list_directories(tree) if name.startswith("state")] == ["state"]


@pytest.mark.parametrize("name", ["big.bin.part", "big.bin.part.json"])
@pytest.mark.parametrize("exists", [None, "replace", "rename", "skip"])
def test_a_server_file_named_like_ours(tmp_path: Path, name: str, exists: Any) -> None:
    """Fails if such a file replaces a partial file or a state file, or if one of the downloads does not complete."""
    partial_files(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with LocalServer(services=["smartfile"], smartfile={"task_polls": 0}) as server:
        site = server.smartfile
        site.write(f"/d/{name}", b"of the server")
        with BasicClient(site.key, site.password, url=site.url) as client:
            if exists in ("rename", "skip"):
                [result] = client.download_tree("/d", tmp_path, exists=exists)
                assert result.skipped == ("exists" if exists == "skip" else None)
            else:
                with pytest.raises(LocalError):
                    client.download_tree("/d", tmp_path, exists=exists)
            with pytest.raises(LocalError, match="belongs to an unfinished download"):
                client.download(f"/d/{name}", tmp_path / name)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_every_service_that_takes_directories(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a.part").write_bytes(b"mine")
    partial_files(root)
    with LocalServer(smartfile={"task_polls": 0}) as server:
        site = server.smartfile
        with BasicClient(site.key, site.password, url=site.url) as client:
            client.upload_tree(root, "/tree")
            SyncClient(client).upload_tree(root, "/sync")
        assert sorted(site.files()) == ["/sync/a.part", "/tree/a.part"]
        with get_client(server.nrp.url, token=server.nrp.token) as repository:
            draft = str(server.nrp.create())
            assert repository.files.sync_dir(draft, root).uploaded == ["a.part"]
            repository.files.upload_many(draft, [root])
            assert {file.key for file in repository.files.list(draft)} == {"a.part", "tree/a.part"}
        with PerseusClient(server.perseus.url, api_key=server.perseus.api_key) as data:
            assert data.file.sync_dir(root).uploaded == ["a.part"]
        auth = UserAuth(server.filesender.username, server.filesender.api_key)
        with FileSenderClient(server.filesender.url, auth=auth) as sender:
            sender.upload_workflow([root], {"recipients": ["bob@example.net"]})
        environment = {**os.environ, **server.filesender.env}
        command = [sys.executable, "-c", "from smartxfer.cli import main; main()", "send", str(root)]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        transfers = server.filesender.transfers()
        assert [[file["name"] for file in sent["files"]] for sent in transfers] == [["tree/a.part"]] * 2


def test_a_large_file_of_the_users_is_not_read(tmp_path: Path, memory: Callable[[], int]) -> None:
    theirs = tmp_path / "x.part.json"
    theirs.write_bytes(b'{"version": 1, "identity": {}, "size": 1, "runs": []}')
    assert is_own_file(theirs)
    with open(theirs, "ab") as file:
        file.truncate(48 << 20)
    assert not is_own_file(theirs)
    assert memory() < 1 << 20
