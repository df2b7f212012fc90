"""A sixth service in few lines: retries, resume, progress, cancel, errors and credentials come from the engine and the base."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer import errors
from smartxfer.transfer import FileResult, ProgressEvent
from smartxfer.transport.retry_policy import RetryPolicy
from tests.toy_service import store as store_module
from tests.toy_service.store import PART, StoreClient, StoreError, StoreFile
from tests.toy_service.store_server import KEY, StoreServer

DATA = os.urandom(3 * PART + 5)
MOST_LINES = 250


@pytest.fixture
def store() -> Iterator[StoreServer]:
    with StoreServer() as server:
        yield server


@pytest.fixture
def client(store: StoreServer) -> Iterator[StoreClient]:
    with StoreClient(store.url, api_key=KEY, retry=RetryPolicy(backoff=0.01)) as client:
        yield client


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "a b.bin").write_bytes(DATA)
    return tmp_path / "a b.bin"


def test_it_takes_few_lines() -> None:
    lines = Path(store_module.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES


def test_up_list_down(client: StoreClient, store: StoreServer, source: Path, tmp_path: Path) -> None:
    events: List[ProgressEvent] = []
    sent = client.upload(source, progress=events.append)
    assert (store.files["a b.bin"], sent.verified, sent.bytes) == (DATA, "sha256", len(DATA))
    assert (events[-1].state, events[-1].done) == ("done", len(DATA))
    [file] = client.list()
    assert (file, file.sha256) == (sent.item, hashlib.sha256(DATA).hexdigest())
    (tmp_path / "copies").mkdir()
    fetched = client.download(file, tmp_path / "copies")
    assert fetched.path is not None
    assert (fetched.path.read_bytes(), fetched.verified) == (DATA, "sha256")
    assert client.get("files")["files"][0]["name"] == "a b.bin"


@pytest.mark.parametrize("fault", [503, "close"])
def test_a_part_is_sent_again(client: StoreClient, store: StoreServer, source: Path, fault: Any) -> None:
    store.faults = [("PUT /parts/", fault), ("PUT /parts/", fault)]
    assert client.upload(source).retries == 2
    assert store.files["a b.bin"] == DATA


def test_a_broken_upload_is_continued(client: StoreClient, store: StoreServer, source: Path) -> None:
    store.faults = [("POST /files/", 400)]
    with pytest.raises(errors.ClientError, match="as planned") as caught:
        client.upload(source)
    assert isinstance(caught.value, StoreError)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)
    del store.parts[hashlib.sha256(DATA).hexdigest()][PART]
    before = store.count("PUT")
    assert client.upload(source).resumed == len(DATA) - PART
    assert (store.count("PUT") - before, store.files["a b.bin"]) == (1, DATA)


@pytest.mark.parametrize("kept", [True, False])
def test_a_broken_download_is_continued(client: StoreClient, store: StoreServer, tmp_path: Path, kept: bool) -> None:
    store.files["a.bin"] = DATA
    [file] = client.list()
    store.faults = [("GET /files/a.bin", "close")]
    if kept:
        fetched = client.download(file, tmp_path / "a.bin")
        assert fetched.retries == 1
    else:
        store.faults += [("GET /files/a.bin", 400)] * 9
        with pytest.raises(StoreError):
            client.download(file, tmp_path / "a.bin")
        assert not (tmp_path / "a.bin").exists()
        store.faults.clear()
        fetched = client.download(file, tmp_path / "a.bin")
        assert fetched.resumed > 0
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_wrong_bytes_get_no_name(client: StoreClient, store: StoreServer, tmp_path: Path) -> None:
    store.files["a.bin"] = DATA
    file = StoreFile("a.bin", len(DATA), hashlib.sha256(b"other").hexdigest())
    with pytest.raises(errors.ChecksumMismatch) as caught:
        client.download(file, tmp_path / "a.bin")
    assert isinstance(caught.value, StoreError)
    assert list(tmp_path.iterdir()) == []


def test_cancel_and_deadline(client: StoreClient, store: StoreServer, source: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(errors.Cancelled):
        client.upload(source, cancel=cancel, progress=lambda event: cancel.set())
    with pytest.raises(errors.DeadlineExceeded):
        client.upload(source, deadline=0.0)
    assert store.files == {}
    assert [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")] == []
    assert client.upload(source).error is None


def test_credentials(store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with StoreClient(store.url) as client, pytest.raises(errors.CredentialError, match="STORE_API_KEY"):
        client.list()
    monkeypatch.setenv("STORE_URL", store.url)
    monkeypatch.setenv("STORE_API_KEY", KEY)
    with StoreClient.from_environment() as client:
        assert client.list() == []
        assert KEY not in repr(client) + repr(client.explain_credentials())
    with StoreClient(store.url, api_key="another-key") as client, pytest.raises(errors.AuthError) as caught:
        client.list()
    assert isinstance(caught.value, StoreError)
    assert "another-key" not in str(caught.value) + repr(caught.value.__dict__)


def test_network_errors_are_its_own() -> None:
    with StoreClient("http://127.0.0.1:9", api_key=KEY, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(errors.NetworkError) as caught:
            client.list()
    assert isinstance(caught.value, StoreError)


def test_results_are_those_of_every_client(client: StoreClient, source: Path) -> None:
    assert isinstance(client.upload(source), FileResult)
