"""Canned responses: the methods of every client accept them as those of a server."""

from __future__ import annotations

import operator
from typing import Any, Set

import pytest
import responses

from smartxfer import JetStream, RetryPolicy, errors
from smartxfer.testing import canned
from tests.support.canned_calls import TABLES
from tests.support.canned_calls.table import Table

EACH = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
EACH_METHOD = pytest.mark.parametrize(
    ("table", "method"),
    [pytest.param(table, method, id=f"{name}-{method}") for name, table in TABLES.items() for method in table.rows],
)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def mock() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@EACH
def test_every_case_is_called_here(table: Table) -> None:
    more = {("send_files", "suspended")} if table.service == "jetstream" else set()
    assert set(table.cases) == {(name, case) for name in table.rows for case in ("default", "failure")} | more
    with table.client() as client:
        assert [name for name in table.rows if not callable(operator.attrgetter(name)(client))] == []


def _public(thing: Any, prefix: str = "") -> Set[str]:
    named = vars(type(thing)).items()
    return {prefix + name for name, value in named if not name.startswith("_") and not isinstance(value, property)}


def test_every_method_of_jetstream_and_perseus_has_a_case() -> None:
    api = JetStream().api(canned.JETSTREAM_URL)
    methods = _public(api).union(*(_public(getattr(api, part), f"{part}.") for part in ("server", "send", "recv")))
    assert set(TABLES["jetstream"].rows) == methods - {"from_uri", "disconnect", "close"}
    with TABLES["perseus"].client() as client:
        methods = {f"file.{name}" for name in dir(client.file) if not name.startswith("_")}
    verbs = {"upload", "upload_many", "upload_tree", "list", "info", "exists", "remove", "sync"}
    assert set(TABLES["perseus"].rows) - {"post", "delete"} == methods | verbs


@EACH_METHOD
def test_default(mock: Any, tmp_path: Any, table: Table, method: str) -> None:
    case = canned.load(method, mock=mock, service=table.service)
    assert (case.expected, case.base_url) == (None, table.base_url)
    with table.client(retry=ONCE) as client:
        assert table.is_right(method, table.call(client, method, tmp_path))
        if table.service == "jetstream":
            client.disconnect()


@EACH_METHOD
def test_failure(mock: Any, tmp_path: Any, table: Table, method: str) -> None:
    case = canned.load(method, "failure", mock=mock, service=table.service)
    assert case.expected is not None
    with table.client(retry=ONCE) as client, pytest.raises(getattr(errors, case.expected)) as raised:
        table.call(client, method, tmp_path)
    assert type(raised.value) is table.errors.class_for(getattr(errors, case.expected))
    assert not any((tmp_path / "out" / name).exists() for name in table.files)


@pytest.mark.parametrize(
    ("name", "method", "base_url", "last"),
    [
        ("filesender", "get_server_info", "https://send.example.net/fs", "/rest.php/info"),
        ("filesender", "transfers.get", "https://send.example.net", "/rest.php/transfer/42"),
        ("smartfile", "stat", "https://files.example.net", "/api/2/path/info/docs/report.csv/"),
        ("nrp", "files.download", "https://data.example.net", "/content"),
        ("perseus", "file.find_files", "https://files.example.com", "/api/v0/file/find"),
        ("jetstream", "send.getManifests", "https://files.example.com:9000", "/jsonrpc"),
    ],
)
@responses.activate
def test_the_decorators_mock_the_method_itself_and_another_address(
    name: str, method: str, base_url: str, last: str, tmp_path: Any
) -> None:
    table = TABLES[name]
    with table.client(base_url) as client:
        case = canned.load(operator.attrgetter(method)(client), base_url=base_url, service=name)
        assert (case.method, case.base_url, client.base_url) == (method, base_url, base_url)
        assert table.is_right(method, table.call(client, method, tmp_path))
    assert [call for call in responses.calls if not str(call.request.url).startswith(f"{base_url}/")] == []
    assert str(responses.calls[-1].request.url).partition("?")[0].endswith(last)


@pytest.mark.parametrize("method", ["list", "upload", "files.upload"])
def test_the_verbs_are_known_by_the_methods_themselves(method: str, mock: Any) -> None:
    with TABLES["nrp"].client() as client:
        assert canned.load(operator.attrgetter(method)(client), mock=mock, service="nrp").method == method


@pytest.mark.parametrize(
    ("service", "method", "case"),
    [
        ("filesender", "teleport", "default"), ("filesender", "prepare", "maybe"),
        ("smartfile", "prepare", "default"), ("smartfile", "stat", "maybe"), ("dropbox", "stat", "default"),
        ("nrp", "read", "default"), ("nrp", "files.read", "maybe"), ("perseus", "upload_file", "default"),
        ("perseus", "file.exists", "maybe"), ("jetstream", "createManifest", "default"),
        ("jetstream", "send_files", "maybe"),
    ],
)
def test_no_such_case(service: str, method: str, case: str) -> None:
    with pytest.raises(errors.UsageError, match="no canned"):
        canned.load(method, case, service=service)
