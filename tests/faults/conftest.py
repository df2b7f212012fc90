"""Faults between a client and its server. Each test checks that every planned fault has fired."""

from __future__ import annotations

import contextlib
import itertools
import logging
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.support.client_program import ClientProgram
from tests.support.filesender_harness import FileSenderHarness
from tests.support.nrp_harness import DATA, NRPHarness, Served
from tests.support.raw_server import RawServer, answering, ranged
from tests.support.service_harness import ServiceHarness
from tests.support.uploads import UPLOADS, Uploads

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on Python 3.8 cryptography announces that it will leave it
    import trustme  # noqa: F401 - loaded here, before tests that treat warnings as errors


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """Yield the harness that ``SHARED`` of the module describes, for all of its tests."""
    with request.module.SHARED(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceHarness]:
    """A harness as the module asks for it.

    ``SHARED``: one server for the module, emptied for each test; ``STORAGES``: a repository with each of these storages;
    ``FRESH``: a server of the test's own; else a FileSender.
    """
    if hasattr(request, "param"):
        with Served(tmp_path, request.param) as served:
            yield served
    elif hasattr(request.module, "SHARED"):
        with request.getfixturevalue("server").reuse(tmp_path) as shared:
            yield shared
    else:
        with getattr(request.module, "FRESH", FileSenderHarness)(tmp_path) as fresh:
            yield fresh


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat the tests of a module for each of its ``STORAGES``."""
    if "harness" in metafunc.fixturenames and hasattr(metafunc.module, "STORAGES"):
        metafunc.parametrize("harness", metafunc.module.STORAGES, indirect=True)


def _served(storage: str) -> Any:
    @pytest.fixture(name=storage)
    def served(tmp_path: Path) -> Iterator[Served]:
        with Served(tmp_path, storage) as harness:
            yield harness

    return served


local, proxy, s3 = _served("local"), _served("proxy"), _served("s3")


@pytest.fixture(scope="module")
def storing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NRPHarness]:
    """A repository that has a storage at another origin."""
    with NRPHarness(tmp_path_factory.mktemp("storing"), storage="s3") as started:
        yield started


@pytest.fixture
def signed(storing: NRPHarness, tmp_path: Path) -> Iterator[NRPHarness]:
    """The same, emptied for each test."""
    with storing.reuse(tmp_path) as shared:
        yield shared


@pytest.fixture(params=["harness", "signed"])
def either(request: pytest.FixtureRequest) -> NRPHarness:
    """A repository that keeps the parts of files itself, and one that has a storage at another origin."""
    made: NRPHarness = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def thief() -> Iterator[RawServer]:
    """Another origin, which answers every request with a file and remembers it."""
    with RawServer(answering(ranged(DATA))) as started:
        yield started


@pytest.fixture(params=UPLOADS)
def uploads(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Uploads]:
    """Each way of sending a file."""
    kind = UPLOADS[request.param]
    with kind.start(tmp_path) as harness:
        yield kind(harness)


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., FileSenderHarness]]:
    """``make_harness(**site)``: a FileSender with that configuration, and clients of it."""
    with contextlib.ExitStack() as stack:
        count = itertools.count()

        def make(**site: Any) -> FileSenderHarness:
            number = next(count)
            directory = tmp_path / f"harness{number}" if number else tmp_path
            directory.mkdir(exist_ok=True)
            return stack.enter_context(FileSenderHarness(directory, **site))

        yield make


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[ClientProgram]:
    """Starts ``PROGRAM`` of the module in a process of its own, as a client of the test's server."""
    name = "proxy" if "proxy" in request.fixturenames else "harness"
    environment = getattr(request.module, "ENVIRONMENT", {})
    made = ClientProgram(request.getfixturevalue(name), request.module.PROGRAM, environment)
    yield made
    made.close()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, from DEBUG on."""
    caplog.set_level(logging.DEBUG)
    return caplog
