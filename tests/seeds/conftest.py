"""Objects that the NRP page assumes: a repository, a client, a draft with files, and yarl."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from smartxfer.local import LocalServer
from smartxfer.nrp import Record, RepositoryClient, get_client


class _URL:
    """A replacement for ``yarl.URL``: not a ``str``, but ``str()`` returns the address."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


@pytest.fixture(autouse=True)
def yarl(monkeypatch: pytest.MonkeyPatch) -> None:
    """``from yarl import URL`` works, installed or not."""
    if importlib.util.find_spec("yarl") is None:
        module = types.ModuleType("yarl")
        vars(module)["URL"] = _URL
        monkeypatch.setitem(sys.modules, "yarl", module)


@pytest.fixture(scope="session")
def repository_server() -> Iterator[LocalServer]:
    """One server for all blocks, with a model of its own as NRP repositories have; each has its own record."""
    with LocalServer(services=["nrp"], nrp={"schema": "open"}) as running:
        yield running


@pytest.fixture
def repository(repository_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The local repository; the token is in the environment."""
    monkeypatch.setenv("NRP_TOKEN", repository_server.nrp.token)
    return repository_server.nrp


@pytest.fixture
def client(repository: Any) -> Iterator[RepositoryClient]:
    """Return the object that the page calls ``client``."""
    with get_client(repository.url) as made:
        yield made


#: The files of the page's record.
FILES: Dict[str, bytes] = {
    "data.csv": b"place,count\nOslo,7\n",
    "large-file.zip": bytes(range(256)) * 400,
    "image.jpg": b"\xff\xd8\xff\xe0 no picture",
}


@pytest.fixture
def contents() -> Dict[str, bytes]:
    """Key and bytes of each file of ``record``."""
    return dict(FILES)


@pytest.fixture
def record(repository: Any, client: RepositoryClient, contents: Dict[str, bytes]) -> Record:
    """A draft with files."""
    draft = repository.create()
    for key, data in contents.items():
        repository.write(draft, key, data, {"description": f"About {key}"})
    return client.records.draft_records.read(draft)


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Return the prefix of the page's absolute paths."""
    return str(tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Makes a local file, given its path below ``root``."""

    def make(name: str, data: bytes) -> Path:
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return make
