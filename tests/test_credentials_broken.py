"""Places of credentials that cannot be read: a warning names the place, and the next place is used."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest

from smartxfer import FileSenderClient, PerseusClient
from smartxfer.credentials import get_config_path
from smartxfer.errors import ConfigError, CredentialError
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client
from smartxfer.smartfile import BasicClient, OAuthClient
from tests.support.credential_services import SERVICES, URL, USERS, secret_of, warnings_of
from tests.support.raw_server import RawServer, answering, status

pwd = pytest.importorskip("pwd")

KEY = "0123456789abcdef0123456789abcdef"
ALL = pytest.mark.parametrize("service", SERVICES)


class BackendError(Exception):
    """An error of a keyring's backend, which derives from no class of the package keyring."""


class Ring:
    """A replacement for the package ``keyring`` that raises an error, or knows one password."""

    def __init__(self, error: Optional[BaseException] = None) -> None:
        self.error = error
        self.asked: List[Tuple[str, str]] = []

    def get_password(self, service: str, user: str) -> str:
        self.asked.append((service, user))
        if self.error is not None:
            raise self.error
        return KEY


@pytest.fixture(autouse=True)
def users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in USERS:
        monkeypatch.setenv(name, "ann")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "keyring", None)


# -- the keyring -----------------------------------------------------------------------------------------


@ALL
def test_the_keyring_is_asked(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken for services that have no user names."""
    ring = Ring()
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert secret_of(service) == (KEY, f"keyring (smartxfer:127.0.0.1:9), for {URL}")
    assert ring.asked == [("smartxfer:127.0.0.1:9", SERVICES[service][3])]


@ALL
@pytest.mark.parametrize(
    "error",
    [
        BackendError(f"no {KEY}"), RuntimeError("No recommended backend was available"), OSError(5, "D-Bus is gone"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), ImportError("cannot import name 'x'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_keyring_with_errors_of_its_own(
    service: str, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if an error leaves the client as it is, or as a failure of the site's connection."""
    monkeypatch.setitem(sys.modules, "keyring", Ring(error))
    assert secret_of(service) == (None, "not found")
    [said] = warnings_of(caplog)
    assert "keyring (smartxfer:127.0.0.1:9) is ignored" in said
    assert type(error).__name__ in said
    assert KEY not in said


def test_a_keyring_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("import secretstorage_that_is_missing\n")
    monkeypatch.delitem(sys.modules, "keyring")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert secret_of("perseus") == (None, "not found")
    assert "is ignored: ModuleNotFoundError" in caplog.text


def test_it_is_not_reported_as_the_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request needs the key: the error is about credentials, and nothing is sent."""
    monkeypatch.setitem(sys.modules, "keyring", Ring(OSError(5, "D-Bus is gone")))
    with RawServer(answering(status(200, b"[]", "Content-Type: application/json"))) as server:
        with PerseusClient(server.url) as client, pytest.raises(CredentialError) as caught:
            client.file.find_files()
        assert "keyring" in str(caught.value)
        assert server.requests == []


# -- files -----------------------------------------------------------------------------------------------


#: By service: a file of its own with credentials.
OWN_FILES = {"filesender": "~/.filesender/filesender.py.ini", "nrp": "~/.nrp/invenio-config.json", "perseus": ".env"}


@ALL
@pytest.mark.parametrize("place", ["profile", "netrc", "own"])
def test_a_file_that_cannot_be_read(service: str, place: str, monkeypatch: Any, caplog: Any) -> None:
    """Fails if one bad file hides the values of every other place."""
    places = {"profile": str(get_config_path()), "netrc": "~/.netrc", "own": OWN_FILES.get(service, "")}
    if not places[place]:
        return  # the service has none
    path = Path(places[place]).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\xff\xfe\x00" + KEY.encode())
    assert secret_of(service) == (None, "not found")
    assert "is ignored" in caplog.text
    assert path.name in caplog.text
    assert KEY not in caplog.text
    monkeypatch.setenv(SERVICES[service][1], "from-environment")
    assert secret_of(service)[0] == "from-environment"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_a_file_of_another_users(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login ann password x\n")
    (home / ".netrc").chmod(0)
    assert secret_of("filesender") == (None, "not found")
    assert "PermissionError" in caplog.text


def test_a_variable_that_is_not_utf8(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PERSEUS_API_KEY", os.fsdecode(b"key-\xff"))
    monkeypatch.setenv("LETTRIA_API_KEY", "the-other")
    assert secret_of("perseus")[0] == "the-other"
    assert "environment (PERSEUS_API_KEY) is ignored" in caplog.text


@pytest.mark.parametrize(
    ("variable", "make"),
    [
        ("FILESENDER_BASE_URL", FileSenderClient.from_environment), ("SMARTFILE_API_URL", BasicClient),
        ("PERSEUS_API_HOST", PerseusClient), ("NRP_REPOSITORY_URL", get_client),
        ("JETSTREAM_API_HOST", lambda: JetStream().api()),
    ],
)
@pytest.mark.parametrize("value", ["http://", "ftp://x", "http://[::1", "http://h:99999999", "\u00e9 \x01"])
def test_an_invalid_address_of_the_environment(
    variable: str, make: Callable[[], Any], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=variable), contextlib.closing(make()) as client:
        client.base_url  # noqa: B018 - it is looked up here


# -- no home ---------------------------------------------------------------------------------------------


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No HOME, and no entry in the password database, as in many containers."""

    def unknown(uid: int) -> Any:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "SMARTXFER_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    yield
    assert not Path("~").exists(), "a directory of that name was made"


@ALL
def test_no_home(service: str, homeless: None, monkeypatch: Any, caplog: Any) -> None:
    assert secret_of(service) == (None, "not found")
    assert "~/.netrc is ignored: no home directory" in caplog.text
    assert "config.ini is ignored: no home directory" in caplog.text
    monkeypatch.setenv(SERVICES[service][1], "from-environment")
    assert secret_of(service)[0] == "from-environment"


def test_no_home_for_a_named_file(homeless: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", "~/netrc")
    with pytest.raises(ConfigError, match="~/netrc"):
        secret_of("filesender")
    monkeypatch.delenv("NETRC")
    with get_client(alias="demo") as client, pytest.raises(ConfigError, match="no home directory"):
        client.explain_credentials()
    monkeypatch.setenv("SMARTXFER_PROFILE", "work")
    with pytest.raises(ConfigError, match="no home directory"):
        secret_of("filesender")


# -- misspelt --------------------------------------------------------------------------------------------


def _profile(text: str) -> None:
    path = get_config_path()
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


@ALL
def test_an_unknown_key_of_a_profile(service: str, caplog: pytest.LogCaptureFixture) -> None:
    name = SERVICES[service][2]
    _profile(f"[DEFAULT]\nowner = us\n[{service}]\n{name}s = {KEY}\n")
    assert secret_of(service) == (None, "not found")
    [said] = warnings_of(caplog)
    assert f"unknown key '{name}s' in [{service}] is ignored (write '{name}')" in said
    assert str(get_config_path()) in said


def test_a_key_that_resembles_none(caplog: pytest.LogCaptureFixture) -> None:
    _profile("[perseus]\nzzz = 1\n")
    secret_of("perseus")
    assert "unknown key 'zzz' in [perseus] is ignored (known keys: api_key, base_url)" in caplog.text


def test_keys_of_the_services_other_client_are_known(caplog: pytest.LogCaptureFixture) -> None:
    fields = ["base_url", "key", "password", "client_token", "client_secret", "access_token", "access_secret"]
    _profile("[smartfile]\n" + "".join(f"{name} = {URL}\n" for name in fields))
    for make in (BasicClient, OAuthClient):
        with make() as client:
            client.explain_credentials()
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("section", ["filesendr", "FileSender", "file-sender:work"])
def test_a_misspelt_section(section: str, caplog: pytest.LogCaptureFixture) -> None:
    _profile(f"[{section}]\napi_key = {KEY}\n")
    assert secret_of("filesender") == (None, "not found")
    assert f"section [{section}] is ignored (write 'filesender')" in caplog.text


def test_other_sections_are_no_concern(caplog: pytest.LogCaptureFixture) -> None:
    _profile("".join(f"[{service}]\n[{service}:work]\n" for service in SERVICES) + "[notes]\n")
    for service in SERVICES:
        secret_of(service)
    assert warnings_of(caplog) == []


