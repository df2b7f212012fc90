"""Canned responses to files of any name and size, and to failures of one service."""

from __future__ import annotations

import hashlib
from typing import Any, Iterator, List

import pytest
import responses

from smartxfer import RetryPolicy, errors
from smartxfer.testing import canned
from tests.support.canned_calls import TABLES, jetstream, nrp, perseus


class Loaded:
    """A client of a canned service, and the mock with its responses."""

    def __init__(self, service: str, mock: responses.RequestsMock, client: Any) -> None:
        self.service, self.mock, self.client = service, mock, client

    def load(self, method: str, case: str = "default") -> Any:
        canned.load(method, case, mock=self.mock, service=self.service)
        return self.client


@pytest.fixture
def loaded(request: pytest.FixtureRequest) -> Iterator[Loaded]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        with TABLES[request.param].client(retry=RetryPolicy(attempts=1)) as client:
            yield Loaded(request.param, mock, client)


def of(service: str) -> Any:
    return pytest.mark.parametrize("loaded", [service], indirect=True)


@of("smartfile")
def test_files_of_smartfile(loaded: Loaded) -> None:
    client = loaded.load("upload")
    for name, content in (("empty.dat", b""), ("blåbær.bin", bytes(100_000)), ("lines.txt", b"\r\n\r\n--\r\n")):
        assert client.upload((name, content), "/docs/").bytes == len(content)


@of("nrp")
@pytest.mark.parametrize("transfer_type", ["local-file", "multipart"])
def test_files_of_nrp(loaded: Loaded, transfer_type: str) -> None:
    client, part_size = loaded.load("files.upload"), 5 << 20 if transfer_type == "multipart" else None
    for key, content in (("empty.dat", b""), ("dir/blåbær #1%.bin", bytes(6 << 20)), ("a.txt", b"\r\n")):
        file = client.files.upload(nrp.ID, key, {"n": 1}, content, transfer_type, part_size=part_size)
        assert (file.key, file.size, file.metadata, file.result.verified) == (key, len(content), {"n": 1}, "md5")


@of("perseus")
def test_files_of_perseus(loaded: Loaded) -> None:
    client, files = loaded.load("file.upload_file"), {"empty.dat": b"", "blåbær #1%.bin": bytes(3 << 20), "a?.txt": b"\r\n"}
    for name, content in files.items():
        file = client.file.upload_file((name, content), wait=True)
        assert (file.name, file.status, file.reused, file.result.bytes) == (name, "uploaded", False, len(content))
    puts: List[Any] = [call.response for call in loaded.mock.calls if call.request.method == "PUT"]
    assert [put.headers["ETag"] for put in puts] == [f'"{hashlib.md5(data).hexdigest()}"' for data in files.values()]


@of("perseus")
def test_the_canned_content_is_known(loaded: Loaded) -> None:
    file = loaded.load("file.upload_file", "failure").file.upload_file(("copy.csv", perseus.CONTENT))
    assert (file.id, file.name, file.reused) == (perseus.ID, perseus.NAME, True)


@of("perseus")
def test_what_the_storage_says(loaded: Loaded) -> None:
    with pytest.raises(errors.StorageError) as raised:
        loaded.load("file.upload_file", "failure").file.upload_file(("new.txt", b"new"))
    error = raised.value
    assert (error.status, error.code, error.request_id) == (403, "AccessDenied", "4442587FB7D0A2F9")
    assert [call.request.method for call in loaded.mock.calls] == ["POST", "POST", "PUT", "DELETE"]


@of("jetstream")
def test_a_suspended_transfer_is_no_success(loaded: Loaded) -> None:
    with pytest.raises(errors.TaskSuspended) as raised:
        loaded.load("send_files", "suspended").send_files(jetstream.PATH, jetstream.HOST)
    assert (raised.value.task.transfer_id, raised.value.task.fraction) == (jetstream.TRANSFER, 0.4)
