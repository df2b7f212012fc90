"""``smartxfer jetstream-bridge``, with a stand-in of the vendor's package."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
import requests

from tests.support.python_program import exports

STAND_IN = Path(__file__).resolve().parent.parent / "support" / "stand_in"
LAST = r"# python: .*\n"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that finds the stand-in."""
    paths = [str(STAND_IN), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture
def not_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever has that name is looked for afresh."""
    monkeypatch.delitem(sys.modules, "jetstream", raising=False)
    yield
    sys.modules.pop("jetstream", None)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_bridge_answers_at_its_address_and_ends_on_a_signal(launch: Any, number: int, code: int) -> None:
    running = launch("jetstream-bridge", "--host", "far.example.org", "--port", "9886")
    text = running.wait_for(LAST)
    assert " to far.example.org port 9886\n" in text
    env = exports(text)
    assert set(env) == {"JETSTREAM_API_HOST", "JETSTREAM_API_PORT"}
    assert [line for line in text.splitlines() if not line.startswith(("export ", "# "))] == []
    url = "http://{JETSTREAM_API_HOST}:{JETSTREAM_API_PORT}/jsonrpc".format(**env)
    call = {"jsonrpc": "2.0", "id": 1, "method": "getServerInfo"}
    info = requests.post(url, json=call, timeout=10).json()["result"]
    assert (info["serverName"], info["apiControlPort"]) == ("stand-in", 9886)
    running.ends(number, code, seconds=2.0)


@pytest.mark.usefixtures("not_imported")
def test_without_the_package(run: Any) -> None:
    done = run("jetstream-bridge").fails(2)
    assert done.out == ""
    assert done.err.startswith("smartxfer: the vendor's Python package jetstream is not installed\nhint: ")


@pytest.mark.usefixtures("not_imported")
def test_with_another_package_of_that_name(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jetstream.py").write_text("VERSION = '0.1.0'\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    run("jetstream-bridge").fails(2, f"{tmp_path / 'jetstream.py'} is not the vendor's", "PyPI")


@pytest.mark.parametrize("listen", ["0.0.0.0", "192.0.2.1", "::"])
def test_what_is_not_loopback_is_refused(run: Any, listen: str) -> None:
    done = run("jetstream-bridge", "--listen", listen).fails(2)
    assert done.err.startswith(f"smartxfer: {listen} is not a loopback address")
    assert "--allow-remote" in done.err
