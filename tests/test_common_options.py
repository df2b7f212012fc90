"""The settings that every client takes are parameters of their own in every public signature, everywhere the same."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import requests

import smartxfer
from smartxfer import (
    BasicClient,
    FileSenderClient,
    JetStream,
    OAuthClient,
    PerseusClient,
    RepositoryClient,
    RetryPolicy,
    SyncClient,
)
from smartxfer.client import BaseClient
from smartxfer.client_options import ClientOptions
from smartxfer.jetstream import API
from smartxfer.nrp import get_client
from tests.support.annotations import signature_of
from tests.support.fake_clock import FakeClock

URL = "http://127.0.0.1:9"
NAMES = [
    "timeout", "retry", "session", "verify", "cert", "cert_origins", "proxies", "max_workers", "profile", "netrcfile",
    "clock",
]  # fmt: skip

#: What makes a client, and the arguments that it cannot do without.
MAKERS: Dict[str, Any] = {
    "FileSenderClient": (FileSenderClient, [URL]),
    "FileSenderClient.from_environment": (FileSenderClient.from_environment, []),
    "BasicClient": (BasicClient, []),
    "BasicClient.from_environment": (BasicClient.from_environment, []),
    "OAuthClient": (OAuthClient, []),
    "OAuthClient.from_environment": (OAuthClient.from_environment, []),
    "SyncClient.from_environment": (SyncClient.from_environment, []),
    "RepositoryClient": (RepositoryClient, [URL]),
    "RepositoryClient.from_environment": (RepositoryClient.from_environment, []),
    "get_client": (get_client, [URL]),
    "PerseusClient": (PerseusClient, []),
    "PerseusClient.from_environment": (PerseusClient.from_environment, []),
    "API": (API, []),
    "API.from_environment": (API.from_environment, []),
    "API.from_uri": (API.from_uri, ["jetstream://127.0.0.1:9/connect"]),
    "JetStream.api": (JetStream().api, []),
    "JetStream.from_uri": (JetStream.from_uri, ["jetstream://127.0.0.1:9/connect"]),
}
EACH = pytest.mark.parametrize(("make", "args"), [pytest.param(*made, id=name) for name, made in MAKERS.items()])


def _common(thing: Callable[..., Any]) -> List[inspect.Parameter]:
    return [found for name, found in signature_of(thing).parameters.items() if name in NAMES]


@EACH
def test_names_order_kinds_defaults_and_annotations(make: Any, args: Any) -> None:
    """Fails if a client lacks one, orders them in another way, or gives one another default or type."""
    found = _common(make)
    assert [parameter.name for parameter in found] == NAMES
    assert found == _common(FileSenderClient)
    assert {parameter.kind for parameter in found} == {inspect.Parameter.KEYWORD_ONLY}
    assert all(parameter.annotation is not parameter.empty for parameter in found)
    assert list(inspect.signature(make).parameters)[-len(NAMES) :] == NAMES


@EACH
def test_nothing_takes_whatever_it_is_given(make: Any, args: Any) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(make).parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    with pytest.raises(TypeError, match="tiemout"):
        make(*args, tiemout=3)


def test_the_defaults_are_those_of_the_settings_object() -> None:
    settings = inspect.signature(ClientOptions).parameters
    assert list(settings) == NAMES
    assert {parameter.name: parameter.default for parameter in _common(FileSenderClient)} == {
        name: parameter.default for name, parameter in settings.items()
    }


@EACH
def test_each_setting_arrives(make: Any, args: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if two of them are passed on in the wrong order, or one is not passed on."""
    monkeypatch.setenv("FILESENDER_BASE_URL", URL)
    given: Dict[str, Any] = {
        "timeout": (3.0, 4.0), "retry": RetryPolicy(attempts=7), "session": requests.Session(),
        "verify": "bundle.pem", "cert": ("client.pem", "client.key"),
        "cert_origins": ["https://s3.example.org"], "proxies": {"http": "http://proxy:3128"},
        "max_workers": 5, "profile": "work", "netrcfile": tmp_path / "netrc", "clock": FakeClock(),
    }
    made = make(*args, **given)
    client = made.api if isinstance(made, SyncClient) else made
    assert client._options.to_kwargs() == given
    assert (client._timeout, client._retry, client._max_workers) == ((3.0, 4.0), given["retry"], 5)
    assert client._clock is given["clock"]


def test_every_public_client_is_in_the_table() -> None:
    exported = [getattr(smartxfer, name) for name in smartxfer.__all__]
    clients = {thing for thing in exported if isinstance(thing, type) and issubclass(thing, BaseClient)}
    assert clients == {make for make, _ in MAKERS.values() if isinstance(make, type)}


@pytest.mark.parametrize("name", [name for name in MAKERS if name.endswith("from_environment")])
def test_from_environment_is_of_the_class_that_is_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILESENDER_BASE_URL", URL)
    owner = getattr(MAKERS[name][0], "__self__")  # noqa: B009 - a bound class method

    class Own(owner):  # type: ignore[misc, valid-type]
        pass

    assert type(Own.from_environment()) is Own


def test_the_top_lists_its_public_names_only() -> None:
    assert dir(smartxfer) == sorted(smartxfer.__all__)
    assert smartxfer.get_client is get_client
    assert smartxfer.JetStreamClient is API


def test_secrets_of_proxies_are_not_shown() -> None:
    assert "hunter2" not in repr(ClientOptions(proxies={"https": "http://me:hunter2@proxy"}))


@pytest.mark.parametrize(
    ("owner", "name"),
    [(RepositoryClient, "records"), (RepositoryClient, "files"), (PerseusClient, "file"), (API, "server"),
     (API, "send"), (API, "recv")],
)  # fmt: skip
def test_help_shows_the_namespaces(owner: Any, name: str) -> None:
    namespace = inspect.getattr_static(owner, name)
    assert isinstance(namespace, property)
    assert namespace.__doc__
    assert inspect.signature(namespace.fget).return_annotation is not inspect.Parameter.empty  # type: ignore[arg-type]


def test_a_sync_client_closes_the_client_that_it_works_with(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    api = BasicClient("key", "password")
    monkeypatch.setattr(api, "close", lambda: closed.append(True))
    with SyncClient(api) as client:
        assert client.api is api
        assert closed == []
    assert closed == [True]
