"""Our own files, or the directory that they are in, are removed while a transfer is under way."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer import BasicClient, FileSenderClient, PerseusClient, SyncClient, UserAuth
from smartxfer.errors import BatchError, LocalError, SmartxferError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.transfer.file_sink import FileSink
from tests.support.filesender_harness import noise
from tests.support.service_harness import AT_ONCE

FILES = {"a.bin": noise(900_000), "b.bin": noise(200_000, seed=2)}
PASSWORD = "Correct-Horse-7-Battery"
ONE = {"max_workers": 1, "retry": AT_ONCE}


class Site:
    """A server of every service that holds the files, and how they are fetched into a directory."""

    def __init__(self) -> None:
        options: Dict[str, Any] = {"upload_chunk_size": 100_000, "encryption_iterations": 7}
        self.server = LocalServer(
            filesender=options, nrp={"storage": "proxy"}
        ).start()
        site = self.server.filesender
        self._filesender = FileSenderClient(
            site.url, auth=UserAuth(site.username, site.api_key), concurrent_files=1, concurrent_chunks=1, **ONE
        )
        things = list(FILES.items())
        self._token = self._filesender.upload_workflow(things, link=True).token
        self._encrypted = self._filesender.upload_workflow(things, link=True, password=PASSWORD).token
        for name, data in FILES.items():
            self.server.smartfile.write(f"/d/{name}", data)
        smartfile = self.server.smartfile
        self._smartfile = BasicClient(smartfile.key, smartfile.password, url=smartfile.url, **ONE)
        self._nrp = get_client(self.server.nrp.url, token=self.server.nrp.token, **ONE)
        self._record = self.server.nrp.create(FILES)

    def fetch(self, way: str, into: Path, progress: Callable[[Any], Any]) -> List[Any]:
        calls: Dict[str, Callable[[], List[Any]]] = {
            "filesender": lambda: self._filesender.download_files(self._token, into, progress=progress),
            "encrypted": lambda: self._filesender.download_files(
                self._encrypted, into, password=PASSWORD, progress=progress
            ),
            "smartfile": lambda: self._smartfile.download_tree("/d", into, progress=progress),
            "smartfile sync": lambda: SyncClient(self._smartfile).download_tree(into, "/d", progress=progress),  # type: ignore[dict-item]
            "nrp": lambda: self._nrp.files.download_many(self._record, into, progress=progress),
        }
        return calls[way]()

    def close(self) -> None:
        for client in (self._filesender, self._smartfile, self._nrp):
            client.close()
        self.server.stop()


WAYS = ["filesender", "encrypted", "smartfile", "smartfile sync", "nrp"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


class _Once:
    """A progress callback that does something as soon as bytes of the first file have come."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act, self.done = act, False

    def __call__(self, event: Any) -> None:
        if event.done and event.state == "moving":
            self.now()

    def now(self) -> None:
        if not self.done:
            self.done = True
            self.act()


def _outcome(call: Callable[[], List[Any]]) -> List[Any]:
    try:
        return call()
    except BatchError as error:
        return list(error.results)


def _remove(into: Path, ending: str) -> None:
    for path in into.rglob(f"*{ending}"):
        path.unlink()


@pytest.mark.parametrize("when", ["while it moves", "before its name"])
@pytest.mark.parametrize("ending", [".part", ".part.json", ".part*"])
@pytest.mark.parametrize("way", WAYS)
def test_our_files_vanish(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, ending: str, when: str
) -> None:
    into = tmp_path / "out"
    act = _Once(lambda: _remove(into, ending))
    progress: Callable[[Any], Any] = act
    if when == "before its name":
        progress, commit = (lambda event: None), FileSink.commit
        monkeypatch.setattr(FileSink, "commit", lambda sink: (act.now(), commit(sink)))
    results = _outcome(lambda: site.fetch(way, into, progress))
    assert act.done
    assert len(results) == 2
    failed = [result for result in results if result.error is not None]
    for result in failed:
        assert isinstance(result.error, LocalError), repr(result.error)
        assert result.error.errno is None or "No such file" in str(result.error)
    assert len(failed) <= 1
    for result in results:
        if result.error is None:
            assert result.path.read_bytes() == FILES[result.path.name]
    again = _outcome(lambda: site.fetch(way, into, lambda event: None))
    assert {result.path.name: result.path.read_bytes() for result in again} == FILES


@pytest.mark.parametrize("way", WAYS)
def test_the_directory_vanishes(site: Site, tmp_path: Path, way: str) -> None:
    into = tmp_path / "out"
    act = _Once(lambda: shutil.rmtree(into))
    try:
        results = _outcome(lambda: site.fetch(way, into, act))
    except SmartxferError as error:
        assert isinstance(error, LocalError), repr(error)
        results = []
    assert act.done
    for result in results:
        assert isinstance(result.error, LocalError) or result.path.read_bytes() == FILES[result.path.name]


@pytest.mark.parametrize("way", WAYS)
def test_the_state_directory_vanishes(site: Site, tmp_path: Path, way: str) -> None:
    into, state = tmp_path / "out", Path(os.environ["SMARTXFER_STATE_DIR"])
    results = site.fetch(way, into, _Once(lambda: shutil.rmtree(state, ignore_errors=True)))
    assert {result.path.name: result.path.read_bytes() for result in results} == FILES


def test_the_state_directory_vanishes_while_files_are_sent(site: Site, tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    sources, state = [tmp_path / name for name in FILES], Path(os.environ["SMARTXFER_STATE_DIR"])

    def gone() -> _Once:
        return _Once(lambda: shutil.rmtree(state, ignore_errors=True))

    transfer = site._filesender.upload_workflow(sources, link=True, progress=gone())
    assert all(result.error is None for result in transfer.results)
    tree = tmp_path / "tree"
    tree.mkdir()
    for source in sources:
        shutil.copy(source, tree)
    assert all(result.error is None for result in site._smartfile.upload_tree(tree, "/sent", progress=gone()))
    draft = f"{site.server.nrp.url}/api/records/{site.server.nrp.create()}/draft"
    assert [file.size for file in site._nrp.files.upload_many(draft, sources, progress=gone())] == [900_000, 200_000]
    with PerseusClient(site.server.perseus.url, api_key=site.server.perseus.api_key, **ONE) as client:
        assert [file.name for file in client.file.upload_many(sources, progress=gone())] == list(FILES)
