"""The places of credentials: their order, their sources, and their limits."""

from __future__ import annotations

import logging
import sys
import types
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import pytest

from smartxfer.credentials import Credentials, CredentialSpec, get_config_path, resolve_credentials
from smartxfer.errors import ConfigError, CredentialError

SITE = "https://fs.example.org"
KEY = "0123456789abcdef0123456789abcdef"


def names(**more: Any) -> CredentialSpec:
    given: Dict[str, Any] = {
        "service": "depot",
        "fields": {"base_url": "DEPOT_URL", "username": ("DEPOT_USER", "DEPOT_OLD_USER"), "api_key": "DEPOT_KEY"},
        "netrc": {"username": "login", "api_key": "password"},
        "secrets": frozenset({"api_key"}),
    }
    return CredentialSpec(**{**given, **more})


def look(
    given: Optional[Mapping[str, Optional[str]]] = None, environ: Optional[Mapping[str, str]] = None,
    service: Optional[CredentialSpec] = None, **more: Any,
) -> Credentials:
    return resolve_credentials(service or names(), given or {}, environ=environ or {}, **more)


def sources(found: Credentials) -> Dict[str, str]:
    return {name: source for name, _, source in found.explain()}


@pytest.fixture
def profiles() -> Path:
    path = get_config_path()
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def netrc(home: Path) -> Path:
    return home / ".netrc"


def test_the_order_of_places(home: Path, profiles: Path, netrc: Path) -> None:
    """Each place in turn is the first one with the key; the later places have the key too."""
    profiles.write_text("[depot]\napi_key = from-profile\n")
    netrc.write_text("machine fs.example.org login ann password from-netrc\n")
    own = {"api_key": "from-own-file"}
    service = names(read_config_file=lambda: own, config_file_label="~/.depot.ini")
    given: Dict[str, Optional[str]] = {"base_url": SITE, "username": "ann", "api_key": "from-argument"}
    environ = {"DEPOT_KEY": "from-environment"}
    seen = []
    for take_away in (
        lambda: given.pop("api_key"), environ.clear, own.clear, lambda: profiles.write_text(""),
        lambda: netrc.write_text(""),
    ):
        found = look(given, environ, service)
        seen.append((found.get("api_key"), sources(found)["api_key"]))
        take_away()
    assert seen == [
        ("from-argument", f"arguments, for {SITE}"),
        ("from-environment", f"environment (DEPOT_KEY), for {SITE}"),
        ("from-own-file", f"~/.depot.ini, for {SITE}"),
        ("from-profile", f"{profiles}, for {SITE}"),
        ("from-netrc", f"{netrc}, for {SITE}"),
    ]
    assert look(given, environ, service).get("api_key") is None


def test_each_value_may_come_from_another_place(netrc: Path) -> None:
    netrc.write_text(f"machine fs.example.org login ann password {KEY}\n")
    found = look({"username": "ann"}, {"DEPOT_URL": SITE})
    values = {"base_url": SITE, "username": "ann", "api_key": KEY}
    assert found.require(*values) == values
    places = ["environment (DEPOT_URL)", f"arguments, for {SITE}", f"{netrc}, for {SITE}"]
    assert list(sources(found).values()) == places


def test_variables_are_tried_in_order() -> None:
    both = {"DEPOT_OLD_USER": "old", "DEPOT_USER": "new"}
    assert look(environ=both).get("username") == "new"
    del both["DEPOT_USER"]
    assert look(environ=both).get("username") == "old"


def test_an_empty_value_is_ignored() -> None:
    assert look({"username": ""}, {"DEPOT_USER": "", "DEPOT_OLD_USER": "ann"}).get("username") == "ann"


def test_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPOT_USER", "ann")
    assert resolve_credentials(names(), {}).get("username") == "ann"


def test_a_missing_value_raises_only_when_it_is_needed_and_lists_the_places(home: Path) -> None:
    found = look({"base_url": SITE}, service=names(read_config_file=dict, config_file_label="~/.depot.ini"))
    assert found.require("base_url") == {"base_url": SITE}
    with pytest.raises(CredentialError) as caught:
        found.require("username", "api_key")
    said = str(caught.value)
    assert "no username and no api_key" in said
    places = [
        "arguments", "environment (DEPOT_USER)", "environment (DEPOT_OLD_USER)", "environment (DEPOT_KEY)",
        "~/.depot.ini", str(get_config_path()), str(home / ".netrc"),
    ]
    assert [said.index(place) for place in places] == sorted(said.index(place) for place in places)
    assert "DEPOT_USER and DEPOT_KEY" in caught.value.hint


def test_secrets_are_masked(netrc: Path) -> None:
    found = look({"base_url": SITE, "username": "ann", "api_key": KEY})
    rows = found.explain()
    assert ("username", "ann", f"arguments, for {SITE}") in rows
    assert ("api_key", "01***ef", f"arguments, for {SITE}") in rows
    assert KEY not in repr(found)
    assert "ann" not in repr(found)
    short = look({"api_key": "hunter2"})
    assert ("api_key", "***", "arguments") in short.explain()
    assert ("username", "", "not found") in short.explain()


# -- profiles --------------------------------------------------------------------------------------------


PROFILES = "[depot]\nusername = plain\n[depot:work]\nusername = worker\napi_key = 50%off\n[other:work]\nusername = x\n"


def test_profiles(profiles: Path) -> None:
    profiles.write_text(PROFILES)
    assert look().get("username") == "plain"
    work = look(profile="work")
    assert (work.get("username"), work.get("api_key")) == ("worker", "50%off")
    assert sources(work)["username"] == "profile 'work'"
    assert look(environ={"SMARTXFER_PROFILE": "work"}).get("username") == "worker"
    assert look(profile="work", environ={"SMARTXFER_PROFILE": "gone"}).get("username") == "worker"


def test_a_named_profile_must_exist(profiles: Path) -> None:
    profiles.write_text(PROFILES)
    with pytest.raises(ConfigError, match=r"no section \[depot:gone\]"):
        look(profile="gone")
    profiles.unlink()
    with pytest.raises(ConfigError, match=r"depot:work"):
        look(environ={"SMARTXFER_PROFILE": "work"})
    assert look().get("username") is None


def test_a_malformed_file_of_profiles_is_named_without_its_content(profiles: Path, caplog: Any) -> None:
    """An error if a profile of the file is named; otherwise a warning, because another place may have the values."""
    profiles.write_text(f"api_key = {KEY}\n")
    with pytest.raises(ConfigError) as caught:
        look(profile="work")
    assert str(profiles) in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert look(environ={"DEPOT_KEY": "other"}).get("api_key") == "other"
    assert str(profiles) in caplog.text
    assert KEY not in caplog.text


# -- netrc -----------------------------------------------------------------------------------------------


def entry(host: str, user: str = "ann") -> str:
    return f"machine {host} login {user} password key-of-{host}\n"


@pytest.mark.parametrize(
    ("url", "hosts", "taken"),
    [
        ("https://h.example", ["h.example"], "h.example"),
        ("https://h.example:8443", ["h.example"], "h.example"),
        ("https://h.example:8443/x", ["h.example", "h.example:8443"], "h.example:8443"),
        ("https://h.example", ["h.example", "h.example:443"], "h.example:443"),
        ("https://h.example:8443", ["h.example:443"], None),
        ("https://h.example", ["H.Example"], "H.Example"),
        ("http://[::1]:8080", ["::1", "[::1]:8080"], "[::1]:8080"),
        ("http://[::1]:8080", ["[::1]"], "[::1]"),
        ("http://[::1]:8080", ["::1"], "::1"),
        ("https://h.example", ["sub.h.example", "example"], None),
    ],
)
def test_netrc_goes_by_host_and_port(netrc: Path, url: str, hosts: List[str], taken: Optional[str]) -> None:
    netrc.write_text("".join(entry(host) for host in hosts))
    found = look({"base_url": url})
    expected = (f"key-of-{taken}", "ann") if taken else (None, None)
    assert (found.get("api_key"), found.get("username")) == expected


def test_the_default_entry_of_netrc_is_for_no_site(netrc: Path) -> None:
    netrc.write_text("default login ann password everywhere\n")
    assert look({"base_url": SITE}).get("api_key") is None


def test_the_password_of_another_user_is_not_used(netrc: Path) -> None:
    netrc.write_text(entry("fs.example.org", "bob"))
    assert look({"base_url": SITE, "username": "ann"}).get("api_key") is None
    assert look({"base_url": SITE, "username": "bob"}).get("api_key") == "key-of-fs.example.org"


def test_netrc_is_not_opened_without_a_site(netrc: Path) -> None:
    netrc.write_text("this is not a netrc")
    assert str(netrc) not in look().searched


def test_a_named_netrc_comes_before_the_variable_and_the_home(tmp_path: Path, netrc: Path) -> None:
    for at, path in enumerate((tmp_path / "named", tmp_path / "variable", netrc)):
        path.write_text(entry("fs.example.org", f"user{at}"))
    given = {"base_url": SITE}
    environ = {"NETRC": str(tmp_path / "variable")}
    assert look(given, environ, netrcfile=str(tmp_path / "named")).get("username") == "user0"
    assert look(given, environ).get("username") == "user1"
    assert look(given).get("username") == "user2"


def test_the_other_name_of_netrc(home: Path) -> None:
    (home / "_netrc").write_text(entry("fs.example.org"))
    assert look({"base_url": SITE}).get("username") == "ann"


def test_a_malformed_netrc_at_home_is_passed_over(netrc: Path, caplog: pytest.LogCaptureFixture) -> None:
    netrc.write_text(f"machine fs.example.org nonsense {KEY}\n")
    with caplog.at_level(logging.WARNING, logger="smartxfer.credentials"):
        assert look({"base_url": SITE}).get("api_key") is None
    assert str(netrc) in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("content", [None, b"machine fs.example.org nonsense " + KEY.encode(), b"\xff\xfe\x00"])
def test_a_named_netrc_must_be_one(tmp_path: Path, content: Optional[bytes]) -> None:
    path = tmp_path / "named"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        look({"base_url": SITE}, netrcfile=str(path))
    assert str(path) in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


# -- credentials stay with their site --------------------------------------------------------------------


def test_the_environment_of_another_site_is_left() -> None:
    environ = {"DEPOT_URL": "https://a.example", "DEPOT_USER": "ann", "DEPOT_KEY": KEY}
    found = look({"base_url": "https://b.example"}, environ)
    assert [found.get("api_key"), found.get("username")] == [None, None]
    with pytest.raises(CredentialError) as caught:
        found.require("api_key")
    assert "no api_key for https://b.example" in str(caught.value)
    assert "DEPOT_KEY is set, but belongs to https://a.example (DEPOT_URL)" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("written", ["https://a.example", "https://a.example/other/path", "http://a.example"])
def test_the_environment_of_the_same_site_is_taken(written: str) -> None:
    environ = {"DEPOT_URL": written, "DEPOT_KEY": KEY}
    assert look({"base_url": "https://a.example/filesender"}, environ).get("api_key") == KEY


def test_the_name_of_a_user_is_refused_with_its_secret(profiles: Path) -> None:
    """Fails if the user of one place is combined with the secret of another."""
    profiles.write_text(f"[depot]\nbase_url = https://a.example\nusername = bob\napi_key = {KEY}\n")
    found = look(environ={"DEPOT_USER": "ann", "DEPOT_KEY": "another"})
    assert (found.get("username"), found.get("api_key")) == ("bob", KEY)
    assert look(environ={"DEPOT_USER": "ann"}).get("username") == "ann"
    assert "DEPOT_USER is set, but no URL is set in the same source" in sources(found)["username"]


def test_the_environment_without_a_site_is_for_any() -> None:
    assert look({"base_url": "https://b.example"}, {"DEPOT_KEY": KEY}).get("api_key") == KEY


def test_files_that_are_for_another_site_are_left(profiles: Path) -> None:
    profiles.write_text(f"[depot]\nbase_url = https://a.example\napi_key = {KEY}\n")
    service = names(read_config_file=lambda: {"base_url": "https://c.example", "username": "ann"})
    found = look({"base_url": "https://b.example"}, service=service)
    assert [found.get(name) for name in ("api_key", "username", "base_url")] == [None, None, "https://b.example"]
    assert look(service=service).get("base_url") == "https://c.example"
    assert look({"base_url": "https://a.example"}, service=service).get("api_key") == KEY


def test_a_file_whose_site_is_none_gives_nothing() -> None:
    service = names(read_config_file=lambda: {"base_url": "ftp://x", "api_key": KEY})
    assert look({"base_url": SITE}, service=service).get("api_key") is None


def test_base_urls_are_cleaned_wherever_they_stand() -> None:
    service = names(normalize_url=lambda text: text.rstrip("/"))
    assert look(environ={"DEPOT_URL": f"{SITE}//"}, service=service).get("base_url") == SITE


# -- keyring ---------------------------------------------------------------------------------------------


class Ring(types.ModuleType):
    """A keyring that has one password, or is locked."""

    class errors:  # noqa: N801 - the package's own spelling
        class KeyringError(Exception):
            pass

    locked = False

    def __init__(self) -> None:
        super().__init__("keyring")
        self.asked: List[Any] = []

    def get_password(self, service: str, user: str) -> Optional[str]:
        self.asked.append((service, user))
        if self.locked:
            raise self.errors.KeyringError("locked")
        return KEY if user == "ann" else None


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    monkeypatch.setitem(sys.modules, "keyring", made)
    return made


def test_the_keyring_is_asked_last(ring: Ring, netrc: Path) -> None:
    found = look({"base_url": "https://fs.example.org:8443", "username": "ann"})
    assert found.get("api_key") == KEY
    assert ring.asked == [("smartxfer:fs.example.org:8443", "ann")]
    assert sources(found)["api_key"].startswith("keyring")
    netrc.write_text(entry("fs.example.org"))
    assert look({"base_url": SITE, "username": "ann"}).get("api_key") == "key-of-fs.example.org"
    assert len(ring.asked) == 1


def test_the_keyring_is_not_asked_without_a_user(ring: Ring) -> None:
    assert look({"base_url": SITE}).get("api_key") is None
    assert ring.asked == []


def test_a_locked_keyring_is_only_a_place_that_was_looked_at(ring: Ring, caplog: Any) -> None:
    ring.locked = True
    found = look({"base_url": SITE, "username": "ann"})
    assert found.get("api_key") is None
    assert found.searched[-1].startswith("keyring")
    assert "keyring (smartxfer:fs.example.org) is ignored: KeyringError" in caplog.text


def test_without_users_the_keyring_is_asked_for_the_name_of_the_value(ring: Ring) -> None:
    service = names(fields={"base_url": (), "token": ()}, netrc={"token": "password"})
    assert look({"base_url": SITE}, service=service).get("token") is None
    assert ring.asked == [("smartxfer:fs.example.org", "token")]


def test_without_the_package_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    found = look({"base_url": SITE, "username": "ann"})
    assert not any("keyring" in place for place in found.searched)
