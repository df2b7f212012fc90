"""A running InvenioRDM, named by environment variables; without them these tests are skipped."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer import RetryPolicy
from smartxfer.nrp import Record, RepositoryClient, get_client
from tests.support.real_repository import Gateway, RealRepository

# Read here: the environment of a test has no credentials.
_URL = os.environ.get("REAL_NRP_URL", "")
_TOKEN = os.environ.get("REAL_NRP_TOKEN", "")
_SUPERUSER = os.environ.get("REAL_NRP_SUPERUSER_TOKEN", "")
_REMOTE = os.environ.get("REAL_NRP_REMOTE_URL", "")

#: The files of the page's record.
FILES: Dict[str, bytes] = {
    "data.csv": b"place,count\nOslo,7\n",
    "large-file.zip": bytes(range(256)) * 400,
    "image.jpg": b"\xff\xd8\xff\xe0 no picture",
}


class _PlainURL:
    """A double of ``yarl.URL``: not a str, and its ``str()`` is the address."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


@pytest.fixture(autouse=True)
def yarl(monkeypatch: pytest.MonkeyPatch) -> None:
    """``from yarl import URL`` works, installed or not."""
    import importlib.util
    import types

    if importlib.util.find_spec("yarl") is None:
        module = types.ModuleType("yarl")
        vars(module)["URL"] = _PlainURL
        monkeypatch.setitem(sys.modules, "yarl", module)


@pytest.fixture(scope="session")
def real() -> RealRepository:
    """The repository."""
    if not (_URL and _TOKEN):
        pytest.skip("REAL_NRP_URL and REAL_NRP_TOKEN name no InvenioRDM")
    return RealRepository(_URL, _TOKEN, _SUPERUSER)


@pytest.fixture
def superuser(real: RealRepository) -> Iterator[RepositoryClient]:
    """A client of a user who may have files fetched and referred to."""
    if not real.superuser_token:
        pytest.skip("REAL_NRP_SUPERUSER_TOKEN is not set")
    with get_client(real.url, token=real.superuser_token) as made:
        yield made


@pytest.fixture
def remote() -> str:
    """An address that the repository may fetch and refer to."""
    if not _REMOTE:
        pytest.skip("REAL_NRP_REMOTE_URL is not set")
    return _REMOTE


@pytest.fixture
def repository_server() -> Any:
    """Refuse: faults are planned on the local server."""
    pytest.skip("plans faults of the local server")


@pytest.fixture
def repository(real: RealRepository, monkeypatch: pytest.MonkeyPatch) -> RealRepository:
    """The repository; the token is in the environment."""
    monkeypatch.setenv("NRP_TOKEN", real.token)
    return real


@pytest.fixture
def client(repository: RealRepository) -> Iterator[RepositoryClient]:
    """A client of the plain user."""
    with get_client(repository.url) as made:
        yield made


@pytest.fixture
def guest(real: RealRepository) -> Iterator[RepositoryClient]:
    """A client without a token."""
    with get_client(real.url) as made:
        yield made


#: Blocks that compare the metadata of every file: to those of an archive the repository adds its own.
_WITHOUT_ARCHIVES = ("test_on_a_record", "test_download_complete_record_with_files")


@pytest.fixture
def contents(request: pytest.FixtureRequest) -> Dict[str, bytes]:
    """Key and bytes of each file of ``record``."""
    plain = request.node.name.startswith(_WITHOUT_ARCHIVES)
    return {key: data for key, data in FILES.items() if not (plain and key.endswith(".zip"))}


class Clients:
    """Gateways before the repository, and clients that go through them."""

    def __init__(self, real: RealRepository) -> None:
        self._real = real
        self._running: List[Any] = []

    def gateway(self, **spoil: str) -> Gateway:
        """A gateway that spoils requests: ``put_content="504 504"`` for two of ``PUT .../content``."""
        effects = {
            f"{name.partition('_')[0].upper()} /{name.partition('_')[2].replace('_', '/')}": words.split()
            for name, words in spoil.items()
        }
        made = Gateway(self._real, effects)
        self._running.append(made)
        made.__enter__()
        return made

    def through(self, gateway: Gateway, **options: Any) -> RepositoryClient:
        """A client of the plain user."""
        settings = {"retry": RetryPolicy(backoff=0.01), "token": self._real.token, **options}
        return get_client(f"http://127.0.0.1:{gateway.port}", **settings)

    def close(self) -> None:
        """End the gateways."""
        for gateway in self._running:
            gateway.__exit__(None, None, None)


@pytest.fixture
def clients(real: RealRepository) -> Iterator[Clients]:
    """Makes gateways and clients."""
    made = Clients(real)
    yield made
    made.close()


@pytest.fixture
def record(repository: RealRepository, client: RepositoryClient, contents: Dict[str, bytes]) -> Record:
    """A draft with files."""
    draft = repository.create()
    for key, data in contents.items():
        repository.write(draft, key, data, {"description": f"About {key}"})
    return client.records.draft_records.read(draft)


@pytest.fixture
def root(tmp_path: Path) -> str:
    """The prefix of the absolute paths of the page."""
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
