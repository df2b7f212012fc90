"""Fixtures that run the command, in this process or as a separate process that receives signals."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import attrs
import pytest
from click.testing import CliRunner

from tests.support.process_signals import seconds_to_end


@attrs.frozen
class Done:
    """A finished command: its exit code, and what it wrote."""

    exit_code: int
    out: str
    err: str

    def fails(self, exit_code: int, *said: str) -> Done:
        """Check the exit code, and that standard error has these texts and no traceback."""
        assert self.exit_code == exit_code, self.err
        assert [text for text in said if text not in self.err] == [], self.err
        assert "Traceback" not in self.err
        return self

    def works(self) -> Done:
        """Check that the exit code is 0."""
        assert self.exit_code == 0, self.err
        return self


@pytest.fixture
def run() -> Iterator[Callable[..., Done]]:
    """The command in this process: ``run("demo", "--size", "1M")``."""
    from smartxfer.cli.app import app

    try:
        runner = CliRunner(mix_stderr=False)  # type: ignore[call-arg]  # click before 8.2 mixes them
    except TypeError:
        runner = CliRunner()

    def invoke(*words: str) -> Done:
        result = runner.invoke(app, list(words), prog_name="smartxfer")
        return Done(result.exit_code, result.stdout, result.stderr)

    names = ("SIGTERM", "SIGHUP", "SIGALRM")  # Windows has not all of them
    handlers = {
        number: signal.getsignal(number)
        for number in (getattr(signal, name, None) for name in names)
        if number is not None
    }
    hook = sys.unraisablehook
    yield invoke
    sys.unraisablehook = hook
    for number, handler in handlers.items():
        signal.signal(number, handler)


class Running:
    """The command as a process of its own."""

    def __init__(self, *words: str, env: Dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from smartxfer.cli import main; sys.exit(main())", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env},
        )
        self.text = ""

    def wait_for(self, pattern: str, timeout: float = 30.0) -> str:
        """Read standard output until ``pattern`` is in it; returns what was read so far."""
        ends_at = time.monotonic() + timeout
        assert self.process.stdout is not None
        while not re.search(pattern, self.text):
            left = ends_at - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, left))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                raise AssertionError(f"no {pattern!r} in {self.text!r}; {self.finish()}")
            self.text += piece.decode("utf-8")
        return self.text

    def stop(self, number: int) -> Tuple[int, float, str]:
        """Send a signal; the exit code, the seconds that it took, and standard error."""
        seconds = seconds_to_end(self.process, number)
        code = self.process.wait(20)
        assert self.process.stderr is not None
        return code, seconds, self.process.stderr.read().decode("utf-8")

    def ends(self, number: int, exit_code: int, *, seconds: float) -> None:
        """Send a signal, and check the exit code and the time, and that no traceback is printed."""
        code, took, stderr = self.stop(number)
        assert code == exit_code
        assert took < seconds
        assert "Traceback" not in stderr

    def finish(self) -> Any:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        return self.process.communicate(timeout=20)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start the command as a process: ``launch("serve")``; temporary files lie in ``tmp_path / "tmp"``."""
    started: List[Running] = []
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    # A signal that this process ignores would be ignored by its children, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*words: str) -> Running:
        running = Running(*words, env={"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"})
        started.append(running)
        return running

    yield start
    signal.signal(signal.SIGINT, before)
    for running in started:
        running.finish()
