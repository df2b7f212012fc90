"""Names and arguments of nrp-cmd: configurations made by scripts, sources, and attributes of records."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any, Dict

import pytest
from responses import RequestsMock

from smartxfer.errors import ConfigError, NotFound, UsageError
from smartxfer.nrp import (
    Config,
    FileSource,
    MemorySource,
    Record,
    RepositoryClient,
    RepositoryConfig,
    get_client,
)
from smartxfer.nrp.errors import (
    DoesNotExistError,
    RepositoryDecodeError,
    RepositoryHTTPError,
    RepositoryJSONError,
    StructureError,
)
from tests.support import canned_records as canned
from tests.support.nrp_server import NRPServer

A = RepositoryConfig(alias="a", url="https://a.example.org/api", token="t" * 40)
B = RepositoryConfig(alias="b", url="https://b.example.org", enabled=False)


@pytest.fixture
def config() -> Config:
    return Config(repositories=[A, B])


def test_a_repository_is_found_by_alias_and_by_address(config: Config) -> None:
    assert config.find_repository("a") is A
    assert config.find_repository("https://a.example.org/records/x1") is A
    stranger = config.find_repository("https://c.example.org/records/x1")
    assert (stranger.url, stranger.token) == ("https://c.example.org", None)
    assert config.find_repository("https://b.example.org").token is None
    assert A.token not in repr(config)


@pytest.mark.parametrize("alias", ["b", "nonesuch"])
def test_a_repository_that_is_not_there_or_not_enabled(config: Config, alias: str) -> None:
    for look in (config.get_repository, config.find_repository, config.set_default_repository):
        with pytest.raises(ConfigError, match=alias):
            look(alias)
    with pytest.raises(ConfigError, match=alias):
        get_client(alias, config=config)


def test_the_default_is_the_one_that_was_set(config: Config) -> None:
    with pytest.raises(ConfigError, match="default"):
        _ = config.default_repository
    config.set_default_repository("a")
    assert config.default_repository is A
    config.remove_repository("a")
    assert config.repositories == [B]


def test_a_client_of_a_configuration(config: Config) -> None:
    with get_client("a", config=config) as client:
        assert client.base_url == "https://a.example.org"
        sources = {name: source for name, _, source in client.explain_credentials()}
        assert "argument" in sources["token"]
    with pytest.raises(UsageError, match="cannot be combined"):
        get_client("https://a.example.org", "a", config=config)


def test_the_file_of_nrp_cmd_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    entries = [{"alias": "x", "url": "https://x.example.org", "token": "secret", "verify_tls": False, "retry_count": 3}]
    path.write_text(json.dumps({"repositories": entries, "default_alias": "x"}), encoding="utf-8")
    path.chmod(0o600)
    found = Config.from_file(path).default_repository
    assert (found.alias, found.url, found.token, found.verify_tls) == ("x", "https://x.example.org", "secret", False)
    assert Config.from_file(tmp_path / "missing.json") == Config()


def test_sources_have_digests(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    for source in (FileSource(path), MemorySource(data, "text/csv")):
        assert (source.size(), source.content_type()) == (len(data), "text/csv")
        assert source.checksum() == base64.b64encode(hashlib.md5(data).digest()).decode()
        part = base64.b64encode(hashlib.sha256(data[5:1_500_000]).digest()).decode()
        assert source.checksum("sha256", 5, 1_500_000 - 5) == part
        assert "md5" in source.supported_checksums()
        with pytest.raises(UsageError, match="crc-99"):
            source.checksum("crc-99")


@pytest.mark.parametrize(
    ("data", "arguments", "sent"),
    [
        ({"title": "x"}, {}, {"metadata": {"title": "x"}, "files": {"enabled": True}}),
        ({"metadata": {"title": "x"}}, {}, {"metadata": {"title": "x"}, "files": {"enabled": True}}),
        ({"access": {"record": "public"}}, {}, {"access": {"record": "public"}, "files": {"enabled": True}}),
        ({}, {"files_enabled": False}, {"files": {"enabled": False}}),
        (
            {"metadata": {}, "files": {"enabled": True, "order": ["a"]}},
            {"files_enabled": False},
            {"metadata": {}, "files": {"enabled": False, "order": ["a"]}},
        ),
    ],
)
def test_what_a_draft_is_made_of(
    web: RequestsMock, api: RepositoryClient, data: Dict[str, Any], arguments: Dict[str, Any], sent: Any
) -> None:
    web.assert_all_requests_are_fired = False  # models are asked for only where fields stand alone
    web.add("GET", f"{canned.BASE}/.well-known/repository/models", json=[canned.model()])
    web.add("POST", f"{canned.API}/records", json=canned.draft(), status=201)
    api.records.create(data, **arguments)
    body = next(call.request.body for call in web.calls if call.request.method == "POST")
    assert json.loads(body or b"") == sent


def test_an_idempotent_creation_is_repeated_and_another_is_not(harness: NRPServer, live: RepositoryClient) -> None:
    harness.server.fault("nrp", "POST /api/records", "lose-answer")
    record = live.records.create({"metadata": canned.METADATA}, idempotent=True)
    assert record.id in harness.site.drafts()
    assert harness.site.count("POST /api/records") == 2


def test_moments_of_a_record_are_datetimes() -> None:
    record = Record.from_wire(canned.draft(created="2026-11-20T21:07:37.87+01:00", updated="some day"))
    assert record.created == dt.datetime(2026, 11, 20, 20, 7, 37, 870_000, tzinfo=dt.timezone.utc)
    assert (record.updated, record["created"]) == (None, "2026-11-20T21:07:37.87+01:00")


def test_errors_have_the_names_and_the_body_of_nrp_cmd(live: RepositoryClient) -> None:
    assert (RepositoryJSONError, StructureError) == (RepositoryHTTPError, RepositoryDecodeError)
    with pytest.raises(DoesNotExistError) as caught:
        live.records.read("nonesuch")
    assert isinstance(caught.value, NotFound)
    assert caught.value.json["status"] == 404


def test_repository_info_is_fetched_again(harness: NRPServer, live: RepositoryClient) -> None:
    assert live.get_repository_info(refresh=False) is live.repository
    before = live.repository
    assert live.get_repository_info() is not before
    assert live.repository.name == before.name


def test_what_is_not_here_is_in_nrp_cmd(live: RepositoryClient) -> None:
    with pytest.raises(AttributeError, match=r"'requests'.*submit=True.*nrp-cmd"):
        getattr(live, "requests")  # noqa: B009 - type checkers know that it is not there
    assert not hasattr(live, "no_such_thing")
