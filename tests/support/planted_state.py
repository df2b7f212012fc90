"""Files that another user may create in place of a state file, and how a run handles them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.transfer.journal import Journal, state_directory

KEY = {"service": "s", "origin": "http://h"}
STRANGER = 12345
AS_ROOT = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="gives files to another user")


def to_stranger(path: Path) -> None:
    os.chown(str(path), STRANGER, STRANGER, follow_symlinks=False)


# -- what is planted in the place of a file: each returns the reason ------------------------------------


def by_a_stranger(path: Path) -> str:
    to_stranger(path)
    path.chmod(0o666)
    return "belongs to another user"


def writable_by_all(path: Path) -> str:
    path.chmod(0o666)
    return "other users can write"


def writable_by_group(path: Path) -> str:
    path.chmod(0o620)
    return "other users can write"


def symbolic_link(path: Path) -> str:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    return "symbolic link"


def hard_link(path: Path) -> str:
    os.link(str(path), str(path.with_name("elsewhere")))
    return "second hard link"


def fifo(path: Path) -> str:
    path.unlink()
    os.mkfifo(str(path))
    return "not a regular file"


def directory(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "not a regular file"


PLANTED = [
    pytest.param(by_a_stranger, marks=AS_ROOT),
    *(writable_by_all, writable_by_group, symbolic_link, hard_link, fifo, directory),
]


def bounded(act: Callable[[], Any]) -> Any:
    """The result of something that could wait for ever."""
    results: List[Any] = []
    thread = threading.Thread(target=lambda: results.append(act()), daemon=True)
    thread.start()
    thread.join(20)
    assert results, "it waits, or failed"
    return results[0]


def remembered() -> Dict[str, Any]:
    with Journal(KEY, "it") as journal:
        return dict(journal.state)


def only(name: str) -> Path:
    (path,) = (state_directory() / name).iterdir()
    return path
