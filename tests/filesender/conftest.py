"""A local FileSender with small chunks, a site of a few lines, and files to send to them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Callable, Iterator

import pytest

from tests.support.filesender_harness import FileSenderServer
from tests.support.minimal_filesender import DATA, RawSite


@pytest.fixture
def site_with(tmp_path: Path) -> Iterator[Callable[..., FileSenderServer]]:
    """``site_with(chunk_security="auth")``: a running site with options of its own."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(FileSenderServer(tmp_path, **options))


@pytest.fixture
def harness(site_with: Callable[..., FileSenderServer]) -> FileSenderServer:
    """A running stock site, but for its small chunks."""
    return site_with()


@pytest.fixture
def site() -> Iterator[RawSite]:
    """A site of a few lines that shares no code with the local server."""
    with RawSite() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A local file for the site of a few lines."""
    found = tmp_path / "a.bin"
    found.write_bytes(DATA)
    return found


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """``make("folder/name", size)``: a file of random bytes."""

    def build(name: str, size: int = 1000) -> Path:
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        return path

    return build


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The directory of downloads."""
    return tmp_path / "out"
