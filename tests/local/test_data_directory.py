"""The next server removes the data of a killed server, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from smartxfer.local import LocalServer

_KILLED = """
import os, signal
from smartxfer.local import LocalServer
server = LocalServer(smartfile={})
server.smartfile.write("/a", b"data")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_what_a_killed_server_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _KILLED], env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    [left] = os.listdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / "smartxfer-local-abcdefgh"
    theirs.mkdir()
    (theirs / "file").write_bytes(b"mine")
    (tmp_path / "smartxfer-local-12345678").symlink_to(theirs)
    with LocalServer(smartfile={}) as one:
        with LocalServer(smartfile={}) as two:
            assert Path(one.data).is_dir()
            assert Path(two.data).is_dir()
        assert left not in os.listdir(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["smartxfer-local-12345678", "smartxfer-local-abcdefgh"]
    assert (theirs / "file").read_bytes() == b"mine"
