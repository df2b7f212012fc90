from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smartxfer.local import LocalServer
from tests.support.contract.services import SERVICES, VARIANTS


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask each service in turn; what a variant only repeats is slow."""
    if "service" not in metafunc.fixturenames:
        return
    test = metafunc.function.__name__
    every = [pytest.param(kind, id=kind.name) for kind in SERVICES]
    for kind in VARIANTS:
        marks = () if test in kind.fast else pytest.mark.slow
        every.append(pytest.param(kind, id=kind.label, marks=marks))
    metafunc.parametrize("service", every, indirect=True)


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each service in turn, on a server of its own; a planned fault that did not fire is a failure."""
    kind = request.param
    asked = getattr(kind, "asked", None)
    if asked is not None and request.node.originalname not in asked:
        pytest.skip(kind.cannot["upload"])
    peers = ["jetstream_peer"] if kind.name == "jetstream" else []
    with LocalServer(services=[kind.name, *peers], **{kind.name: kind.site_options}) as server:
        service = kind(server)
        yield service
        assert server.unfired() == []
        assert service.site.listener.crashes == []


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, int], Path]:
    """``make("name", size)``: a file of random bytes."""
    folder = tmp_path / "sources"
    folder.mkdir()

    def build(name: str, size: int) -> Path:
        path = folder / name
        path.write_bytes(os.urandom(size))
        return path

    return build


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the directory of downloads."""
    return tmp_path / "out"


@pytest.fixture
def left_behind(out: Path) -> Callable[[], List[str]]:
    """The names of the files that stand below ``out``."""

    def names() -> List[str]:
        return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir())

    return names
