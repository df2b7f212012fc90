"""Canned answers: the client's methods accept them as a site's."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import responses

from smartxfer import FileSenderClient, UserAuth, errors
from smartxfer.filesender.errors import ERRORS
from smartxfer.testing import canned

KEY = "0123456789abcdef" * 4


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@pytest.fixture
def client() -> Iterator[FileSenderClient]:
    with FileSenderClient(canned.BASE_URL, auth=UserAuth("ann@example.org", KEY)) as made:
        yield made


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.csv"
    path.write_bytes(canned.load("prepare", mock=responses.RequestsMock()).facts["content"])
    return path


FILE = {"id": 107, "transfer_id": 42, "puid": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "name": "report.csv"}
TOKEN = "a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6"
TRANSFER = {"recipients": ["bob@example.net"], "from": "ann@example.org"}
GUEST = {"recipient": "bob@example.net", "from": "ann@example.org"}

#: How each method is called; the arguments are (client, a file of the canned size, a directory).
CALLS: Dict[str, Callable[[FileSenderClient, Path, Path], Any]] = {
    "prepare": lambda c, f, d: c.prepare(),
    "get_server_info": lambda c, f, d: c.get_server_info(),
    "create_transfer": lambda c, f, d: c.create_transfer(
        {**TRANSFER, "files": [{"name": "report.csv", "size": 19}]}  # type: ignore[typeddict-item]
    ),
    "transfers.get": lambda c, f, d: c.transfers.get(42),
    "update_transfer": lambda c, f, d: c.update_transfer(42, {"complete": True}),
    "transfers.delete": lambda c, f, d: c.transfers.delete(42),
    "update_file": lambda c, f, d: c.update_file({**FILE, "size": 19}, {"complete": True}),  # type: ignore[arg-type]
    "upload_file": lambda c, f, d: c.upload_file({**FILE, "size": 19}, f),  # type: ignore[arg-type]
    "upload_complete": lambda c, f, d: c.upload_complete({**FILE, "size": 19}, f),  # type: ignore[arg-type]
    "upload_workflow": lambda c, f, d: c.upload_workflow([f], {"recipients": ["bob@example.net"]}),
    "upload": lambda c, f, d: c.upload(f, "bob@example.net"),
    "upload_many": lambda c, f, d: c.upload_many([f], "bob@example.net"),
    "upload_tree": lambda c, f, d: c.upload_tree(f.parent, "bob@example.net", include=f.name),
    "list": lambda c, f, d: c.list(TOKEN),
    "info": lambda c, f, d: c.info(TOKEN),
    "exists": lambda c, f, d: c.exists(TOKEN),
    "download": lambda c, f, d: c.download(TOKEN, d / "report.csv"),
    "download_many": lambda c, f, d: c.download_many([TOKEN], d),
    "download_tree": lambda c, f, d: c.download_tree(TOKEN, d),
    "create_guest": lambda c, f, d: c.create_guest(GUEST),  # type: ignore[arg-type]
    "list_files": lambda c, f, d: c.list_files(TOKEN),
    "download_file": lambda c, f, d: c.download_file(TOKEN, 107, d),
    "download_files": lambda c, f, d: c.download_files(TOKEN, d),
}


def test_every_case_is_called_here() -> None:
    assert set(canned.CASES) == {(name, case) for name in CALLS for case in ("default", "failure")}
    with FileSenderClient("https://filesender.example.org") as client:
        assert [name for name in CALLS if not callable(operator.attrgetter(name)(client))] == []


@pytest.mark.parametrize("method", CALLS)
def test_default(
    mock: responses.RequestsMock, client: FileSenderClient, report: Path, tmp_path: Path, method: str
) -> None:
    case = canned.load(method, mock=mock)
    got = CALLS[method](client, report, tmp_path / "out")
    assert case.expected is None
    if method == "get_server_info":
        assert got.upload_chunk_size == 5242880
    elif method.endswith("transfer") and method != "transfers.delete":
        assert (got.id, got.files[0].name) == (case.facts["transfer_id"], case.facts["file_name"])
    elif method == "upload_workflow":
        assert got.download_url.endswith(case.facts["token"])
        assert got.results[0].bytes == len(case.facts["content"])
    elif method == "create_guest":
        assert got.token == case.facts["vid"]
    elif method == "list_files":
        assert [(file.id, file.size) for file in got] == [(107, 19)]
    elif method.startswith("download"):
        fetched = tmp_path / "out" / "report.csv"
        assert fetched.read_bytes() == case.facts["content"]


@pytest.mark.parametrize("method", CALLS)
def test_failure(
    mock: responses.RequestsMock, client: FileSenderClient, report: Path, tmp_path: Path, method: str
) -> None:
    case = canned.load(method, "failure", mock=mock)
    assert case.expected is not None
    with pytest.raises(getattr(errors, case.expected)) as raised:
        CALLS[method](client, report, tmp_path / "out")
    assert type(raised.value) is ERRORS.class_for(getattr(errors, case.expected))
    assert not (tmp_path / "out" / "report.csv").exists()


@responses.activate
def test_the_decorators_mock_and_the_method_itself(client: FileSenderClient) -> None:
    canned.load(client.transfers.get)
    assert client.transfers.get(42).token == TOKEN
    assert len(responses.calls) >= 1


def test_another_address(mock: responses.RequestsMock) -> None:
    case = canned.load("get_server_info", base_url="https://send.example.net/fs", mock=mock)
    with FileSenderClient(case.base_url) as other:
        assert other.get_server_info().name == "FileSender"
    assert mock.calls[0].request.url == "https://send.example.net/fs/rest.php/info"


@pytest.mark.parametrize(("method", "case"), [("teleport", "default"), ("prepare", "maybe")])
def test_no_such_case(method: str, case: str) -> None:
    with pytest.raises(errors.UsageError, match="no canned case"):
        canned.load(method, case)


def test_canned_answers_know_what_the_local_server_says(tmp_path: Path) -> None:
    """The keys are the same as those of the local server's answers."""
    from smartxfer.local import LocalServer

    with LocalServer(services=["filesender"]) as server, responses.RequestsMock(
        assert_all_requests_are_fired=False
    ) as mock:
        canned.load("transfers.get", mock=mock)
        canned.load("create_guest", mock=mock)
        with FileSenderClient(canned.BASE_URL, auth=UserAuth("ann@example.org", KEY)) as client:
            ours = [client.transfers.get(42), client.create_guest(GUEST)]  # type: ignore[arg-type]
        mock.add_passthru(server.filesender.url)
        site = server.filesender
        with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
            sent = client.upload_workflow([("report.csv", b"x")], {"recipients": ["bob@example.net"]})
            theirs = [client.transfers.get(sent.id), client.create_guest(GUEST)]  # type: ignore[arg-type]
    for canned_answer, answer in zip(ours, theirs):
        assert set(canned_answer) == set(answer)
    assert set(ours[0]["files"][0]) == set(theirs[0]["files"][0])
    assert set(ours[0]["recipients"][0]) == set(theirs[0]["recipients"][0])
