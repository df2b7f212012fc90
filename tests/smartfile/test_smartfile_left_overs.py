"""A killed synchronisation: the next one removes its temporary files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from smartxfer import delta
from smartxfer.smartfile import BasicClient, SyncClient
from smartxfer.transfer.sink import FileSink

pytestmark = pytest.mark.skipif(not delta.available(), reason="librsync is missing")

OLD = os.urandom(400_000)
NEW = OLD[:100_000] + b"inserted" + OLD[100_000:]

#: Kills itself before the system does something to a file: an audit event, a word in its arguments.
SYNC = """
import os, signal, sys
from smartxfer.smartfile import BasicClient, SyncClient
url, key, password, way, event, word = sys.argv[1:]
def audit(name, arguments):
    if name == event and word in repr(arguments):
        os.kill(os.getpid(), signal.SIGKILL)
sync = SyncClient(BasicClient(key, password, url=url))
sys.addaudithook(audit)
if way == "down":
    sync.download_tree("tree", "/d")
else:
    sync.upload_tree("tree", "/d")
"""


@pytest.fixture
def tree(tmp_path: Path, harness: Any) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (tmp_path / "tmp").mkdir()
    (root / "a.bin").write_bytes(OLD)
    harness.site.write("/d/a.bin", OLD)
    return root


def killed(harness: Any, tree: Path, *words: str) -> None:
    site = harness.site
    command = [sys.executable, "-c", SYNC, site.url, site.key, site.password, *words]
    environment = {**os.environ, "TMPDIR": str(tree.parent / "tmp")}
    done = subprocess.run(
        command, cwd=str(tree.parent), env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert os.listdir(tree.parent / "tmp") == []


@pytest.mark.parametrize(
    ("event", "word", "left"),
    [
        ("os.truncate", "", ["a.bin.part", "a.bin.part.json"]),
        ("os.rename", "a.bin.part'", ["a.bin.part", "a.bin.part.json"]),
        ("os.remove", "a.bin.part.json'", ["a.bin.part.json"]),
    ],
)
def test_down(harness: Any, live: BasicClient, tree: Path, event: str, word: str, left: list[str]) -> None:
    (tree / "a.bin").unlink()
    SyncClient(live).download_tree(tree, "/d")  # what a run wrote may be replaced
    harness.site.write("/d/a.bin", NEW)
    killed(harness, tree, "down", event, word)
    assert sorted(set(os.listdir(tree)) - {"a.bin"}) == left
    SyncClient(live).upload_tree(tree, "/left")
    assert [path for path in harness.site.files() if "/left/" in path] == ["/left/a.bin"]
    SyncClient(live).download_tree(tree, "/d")
    assert os.listdir(tree) == ["a.bin"]
    assert (tree / "a.bin").read_bytes() == NEW


@pytest.mark.parametrize("way", ["tree", "file"])
def test_what_is_right_by_now_leaves_nothing_either(
    harness: Any, live: BasicClient, tree: Path, way: str
) -> None:
    (tree / "a.bin").unlink()
    SyncClient(live).download_tree(tree, "/d")
    harness.site.write("/d/a.bin", NEW)
    killed(harness, tree, "down", "os.rename", "a.bin.part'")
    (tree / "a.bin").write_bytes(NEW)
    sync = SyncClient(live)
    if way == "tree":
        assert sync.download_tree(tree, "/d", dry_run=True)[0].skipped == "identical"
        assert len(os.listdir(tree)) == 3
    done = sync.download_tree(tree, "/d")[0] if way == "tree" else sync.download(tree, "/d/a.bin")
    assert done.skipped == "identical"
    assert os.listdir(tree) == ["a.bin"]


def test_a_partial_file_of_another_object_stays(live: BasicClient, harness: Any, tree: Path) -> None:
    sink = FileSink(tree / "a.bin")
    sink.begin(100, {"service": "other", "path": "/d/a.bin"})
    sink.write_at(b"12345", 0)
    sink.suspend()
    assert SyncClient(live).download_tree(tree, "/d")[0].skipped == "identical"
    assert sorted(os.listdir(tree)) == ["a.bin", "a.bin.part", "a.bin.part.json"]


def test_up(harness: Any, tree: Path) -> None:
    (tree / "a.bin").write_bytes(NEW)
    killed(harness, tree, "up", "socket.connect", "")
    assert os.listdir(tree) == ["a.bin"]
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(".smartxfer-")]
