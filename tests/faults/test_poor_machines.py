"""Machines that are short of something: every service works there, or says what to do."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import attrs
import pytest

from smartxfer.local import LocalServer

PROGRAM = Path(__file__).parent.parent / "support" / "low_resource_program.py"
DATA = bytes(range(256)) * 2400
STEPS = ("filesender", "smartfile", "nrp", "perseus", "jetstream", "command")
HOMES = ("HOME", "SMARTXFER_STATE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


def few_files(count: int) -> Callable[[], None]:
    """Return the function that limits the descriptors of the child process."""
    return partial(resource.setrlimit, resource.RLIMIT_NOFILE, (count, count))


@attrs.frozen
class Poor:
    """A condition.

    :param name: as the program knows it.
    :param may_fail: whether a typed error with a hint is good enough.
    :param shell: redirections of the shell.
    """

    name: str
    may_fail: bool = False
    before: Optional[Callable[[], None]] = None
    environment: Tuple[Tuple[str, str], ...] = ()
    without: Tuple[str, ...] = ()
    shell: str = ""


POSIX = (("LC_ALL", "POSIX"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"))
CONDITIONS = {
    "20 descriptors": Poor("files", before=few_files(20)),
    "10 descriptors": Poor("files", may_fail=True, before=few_files(10)),
    "little memory": Poor("memory:8", may_fail=True),
    "some memory": Poor("memory:32", may_fail=True),
    "no home": Poor("user", without=HOMES),
    "POSIX locale": Poor("plain", environment=POSIX),
    "stderr closed": Poor("plain", shell="2>&-"),
    "all streams closed": Poor("plain", shell="<&- >&- 2>&-"),
    "streams closed by the program": Poor("streams"),
    "readers gone": Poor("plain", shell="2>&1 | true"),
    "no flock": Poor("locks"),
    "no fcntl": Poor("fcntl"),
    "no threads": Poor("threads:0"),
    "one thread": Poor("threads:1"),
    "a thread that outlives the main one": Poor("late"),
    "atexit": Poor("atexit"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        running.jetstream.write("/large.bin", DATA)
        yield running


def run(poor: Poor, server: LocalServer, place: Path) -> Dict[str, Any]:
    """Run the program; what became of each step."""
    (place / "in").mkdir()
    (place / "in" / "large.bin").write_bytes(DATA)
    kept = {name: value for name, value in os.environ.items() if name not in poor.without}
    for service in server.services.values():
        kept.update(service.env)
    kept.update(dict(poor.environment), PYTHONPATH=os.pathsep.join(filter(None, sys.path)), POOR_PYTHON=sys.executable)
    words = [str(PROGRAM), poor.name, str(place), str(place / "account.json")]
    command = ["/bin/sh", "-c", f'exec "$POOR_PYTHON" "$@" {poor.shell}', "sh", *words]
    if "|" in poor.shell:
        command[2] = command[2].replace("exec ", "")
    done = subprocess.run(
        command, env=kept, cwd=str(place), capture_output=True, timeout=100, preexec_fn=poor.before
    )
    assert (place / "account.json").exists(), done.stderr.decode()[-3000:]
    account: Dict[str, Any] = json.loads((place / "account.json").read_text())
    account["stderr"] = done.stderr.decode()
    return account


#: What takes other ways through our own code than the others do; the rest is left to the full run.
QUICK = {"20 descriptors", "no home", "all streams closed", "no flock", "no threads", "atexit"}


@pytest.mark.parametrize(
    "condition", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CONDITIONS]
)
def test_it_works_or_says_what_to_do(server: LocalServer, tmp_path: Path, condition: str) -> None:
    """Each child process sends and fetches through all services, and by the command."""
    poor = CONDITIONS[condition]
    account = run(poor, server, tmp_path)
    for step in STEPS:
        outcome = account[step]
        if outcome == "ok" or (step == "command" and poor.may_fail):
            continue
        assert poor.may_fail, (step, outcome)
        assert outcome["typed"], (step, outcome)
        assert outcome["hint"], (step, outcome)
    assert "Traceback" not in account["stderr"]
    for path in (tmp_path / "out").rglob("*.bin"):  # at its final name a file is complete
        assert path.read_bytes() == DATA
