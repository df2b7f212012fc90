"""nrp-cmd's configuration as a source of credentials."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from smartxfer.errors import ConfigError, CredentialError
from smartxfer.nrp import get_client
from smartxfer.nrp.config import find_entry

ENTRIES = [
    {"alias": "old", "url": "https://old.example", "token": "old-token", "enabled": False},
    {"alias": "demo", "url": "https://repo.example/api", "token": "demo-token", "retry_count": 5},
    {"alias": "test", "url": "https://test.example:8443/", "token": "test-token", "verify_tls": False},
    {"alias": "open", "url": "https://open.example", "token": None},
    {"alias": "broken"},
    {"alias": "odd", "url": "no address"},
]


@pytest.fixture
def config(home: Path) -> Path:
    """The file where nrp-cmd has it, readable by its owner in a directory that others may read."""
    path = home / ".nrp" / "invenio-config.json"
    path.parent.mkdir(mode=0o755)
    path.write_text(json.dumps({"default_alias": "demo", "repositories": ENTRIES}), encoding="utf-8")
    path.chmod(0o600)
    return path


def found(*args: Any, **options: Any) -> Tuple[Dict[str, str], List[str]]:
    """Return the address and the token of the client, and the sources of the token."""
    with get_client(*args, **options) as client:
        credentials = client._credentials
        values = {name: credentials.get(name) or "" for name in ("base_url", "token")}
        return values, [source for name, _, source in client.explain_credentials() if name == "token"]


def values_of(*args: Any, **options: Any) -> Tuple[str, str]:
    """Address and token."""
    values, _ = found(*args, **options)
    return values["base_url"], values["token"]


def test_the_default_alias(config: Path) -> None:
    values, sources = found()
    assert values == {"base_url": "https://repo.example", "token": "demo-token"}
    assert sources == [f"{config}, for https://repo.example"]


def test_an_alias_in_either_place(config: Path) -> None:
    assert values_of(alias="test") == values_of("test") == ("https://test.example:8443", "test-token")
    assert values_of(alias="open") == ("https://open.example", "")


def test_the_token_of_an_address(config: Path) -> None:
    assert values_of("https://test.example:8443/api/records") == ("https://test.example:8443", "test-token")
    assert values_of("https://repo.example:8443") == ("https://repo.example:8443", "")
    assert values_of("http://repo.example") == ("http://repo.example", "")


def test_what_is_switched_off_is_passed_over_unless_it_is_named(config: Path) -> None:
    assert values_of("https://old.example") == ("https://old.example", "")
    assert values_of(alias="old") == ("https://old.example", "old-token")


def test_the_environment_goes_before_the_file_but_not_before_an_alias(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRP_REPOSITORY_URL", "https://test.example:8443/")
    assert values_of() == ("https://test.example:8443", "test-token")
    monkeypatch.setenv("NRP_TOKEN", "environment-token")
    assert values_of() == ("https://test.example:8443", "environment-token")
    assert values_of(alias="demo") == ("https://repo.example", "demo-token")
    assert values_of(alias="open") == ("https://open.example", "")
    assert values_of(alias="demo", token="mine") == ("https://repo.example", "mine")


def test_another_file(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.json"
    entry = {"alias": "a", "url": "https://a.example", "token": "a-token"}
    other.write_text(json.dumps({"default_alias": "a", "repositories": [entry]}), encoding="utf-8")
    assert values_of(config_path=other) == ("https://a.example", "a-token")
    monkeypatch.setenv("NRP_CMD_CONFIG_PATH", str(other))
    assert values_of() == ("https://a.example", "a-token")
    with pytest.raises(ConfigError, match="'demo'"):
        found(alias="demo")
    monkeypatch.setenv("NRP_CMD_CONFIG_PATH", str(tmp_path / "nowhere.json"))
    assert values_of("https://a.example") == ("https://a.example", "")
    with pytest.raises(ConfigError, match=r"missing\.json"):
        found(config_path=tmp_path / "missing.json")


def test_an_unknown_alias_is_reported_with_the_known_ones(config: Path) -> None:
    with pytest.raises(ConfigError, match="'nope'") as caught:
        found(alias="nope")
    assert "old, demo, test, open" in caught.value.hint


@pytest.mark.parametrize("text", ["[]", "{", '{"repositories": {"a": 1}}', "\udce9"])
def test_an_invalid_file(
    config: Path, text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error where something in it is named, else a warning: another place may have the values."""
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    for named in ({"alias": "demo"}, {"config_path": config}):
        with pytest.raises(ConfigError, match=r"invenio-config\.json"):
            found(**named)
    monkeypatch.setenv("NRP_TOKEN", "environment-token")
    assert values_of("https://a.example") == ("https://a.example", "environment-token")
    assert f"{config} is ignored" in caplog.text
    monkeypatch.setenv("NRP_CMD_CONFIG_PATH", str(config))
    with pytest.raises(ConfigError, match=r"invenio-config\.json"):
        found()


def test_an_empty_or_missing_file_is_not_an_error(config: Path) -> None:
    config.write_text("", encoding="utf-8")
    assert values_of("https://a.example") == ("https://a.example", "")
    config.unlink()
    with get_client() as client, pytest.raises(CredentialError, match=r"invenio-config\.json"):
        client.whoami()


def test_the_file_is_only_read(config: Path) -> None:
    before = (config.read_bytes(), os.stat(config).st_mode, os.stat(config.parent).st_mode)
    found(alias="demo")
    assert (config.read_bytes(), os.stat(config).st_mode, os.stat(config.parent).st_mode) == before
    assert sorted(path.name for path in config.parent.iterdir()) == [config.name]


def test_certificates_may_be_left_unchecked_there(config: Path) -> None:
    entry = find_entry("test")
    assert entry is not None
    assert (entry.alias, entry.verify_tls) == ("test", False)
    assert "test-token" not in repr(entry)
