"""Every client class has an example in its docstring, and it runs unchanged against the local server."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from typing import Any, Iterator

import pytest

import smartxfer
from smartxfer.client import BaseClient
from smartxfer.jetstream import API
from smartxfer.local import LocalServer

NAMES = "FileSenderClient BasicClient OAuthClient SyncClient RepositoryClient PerseusClient JetStream"
CLASSES = [*(getattr(smartxfer, name) for name in NAMES.split()), API]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A server that the environment points at; the working directory has one file."""
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").write_bytes(b"%PDF- a report")
    with LocalServer() as running:
        for name, value in running.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SMARTFILE_CLIENT_TOKEN", running.smartfile.client_token)
        monkeypatch.setenv("SMARTFILE_CLIENT_SECRET", running.smartfile.client_secret)
        yield running


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_example_of_a_class(kind: Any, server: LocalServer) -> None:
    text = inspect.cleandoc(kind.__doc__)
    names = {name: getattr(smartxfer, name) for name in smartxfer.__all__}
    example = doctest.DocTestParser().get_doctest(text, {**names, "API": API}, kind.__name__, None, 0)
    assert example.examples
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failed = runner.run(example, out=said.append).failed
    assert not failed, "".join(said)


def test_no_client_is_without_one() -> None:
    exported = [getattr(smartxfer, name) for name in smartxfer.__all__]
    clients = [thing for thing in exported if isinstance(thing, type) and issubclass(thing, BaseClient)]
    assert set(clients) <= set(CLASSES)
