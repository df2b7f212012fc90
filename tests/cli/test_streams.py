"""Standard streams that are closed, or whose reader has gone."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from typing import Any, List

import pytest

from smartxfer.cli import output
from smartxfer.cli.logging_setup import show_warnings


class Broken(io.StringIO):
    """A stream whose reader has gone."""

    error: Exception = BrokenPipeError()

    def write(self, text: str) -> int:
        raise self.error


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Standard streams to replace, and no memory of those that were closed."""
    monkeypatch.setattr(output, "_closed_streams", set())
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    return monkeypatch


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("how", ["None", "closed"])
def test_a_closed_stream_is_the_null_device(streams: Any, name: str, how: str) -> None:
    gone = None if how == "None" else io.StringIO()
    if gone is not None:
        gone.close()
    streams.setattr(sys, name, gone)
    output.ensure_streams()
    made = getattr(sys, name)
    assert made.read() == "" if name == "stdin" else made.write("x") == 1
    assert output.is_output_closed() is (name == "stdout")
    made.close()


def test_open_streams_are_left(streams: Any) -> None:
    before = [sys.stdin, sys.stdout, sys.stderr]
    output.ensure_streams()
    assert [sys.stdin, sys.stdout, sys.stderr] == before


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError("EIO"), ValueError("closed")])
def test_an_error_on_a_broken_stream(streams: Any, error: Exception) -> None:
    broken = Broken()
    broken.error = error
    streams.setattr(sys, "stderr", broken)
    output.print_stderr("a line")


def test_warnings_on_a_broken_stream(streams: Any) -> None:
    """Fails if a warning that cannot be written raises, because worker threads log warnings."""
    show_warnings()
    for stream in (Broken(), None):
        streams.setattr(sys, "stderr", stream)
        logging.getLogger("smartxfer.test").warning("a retry")


def test_without_a_standard_error_warnings_do_not_go_to_the_output(streams: Any, capsys: Any) -> None:
    import tqdm  # noqa: F401 - its write() takes standard output in its place

    show_warnings()
    streams.setattr(sys, "stderr", None)
    logging.getLogger("smartxfer.test").warning("a retry")
    assert capsys.readouterr().out == ""


def test_a_line_whose_reader_has_gone() -> None:
    """Fails if data left in the buffer of a broken pipe causes an error at the exit of Python."""
    program = "from smartxfer.cli.output import print_line\nfor n in range(3): print_line('x' * 70000)\n"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", [["send", "--generate-password", "."], ["--help"], ["send", "/no/such"]])
def test_the_command_with_closed_streams(words: List[str]) -> None:
    """Fails if a file is encrypted with a new password that cannot be shown."""
    code = "import sys; from smartxfer.cli import main; sys.exit(main())"
    command = ["/bin/sh", "-c", 'exec "$@" >&- 2>&- <&-', "sh", sys.executable, "-c", code, *words]
    done = subprocess.run(command, timeout=60)
    assert done.returncode == (0 if words == ["--help"] else 2)
