"""Output of the command: no control characters, and no typed password."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from smartxfer.cli import exit_codes, filesender, output
from smartxfer.cli.logging_setup import show_warnings
from smartxfer.errors import BatchError, LocalError
from smartxfer.transfer.result import FileResult

NAME = "a\r\x1b[2Kall 7 files verified\n\u202egpj\u2028\x9b1m"


class Terminal(io.TextIOWrapper):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_path_on_a_terminal_and_in_a_pipe(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    """Fails if a name writes its own line; a pipe gets the exact name."""
    output.print_path(Path(f"out/{NAME}"))
    assert capfdbinary.readouterr().out == os.fsencode(f"out/{NAME}\n")
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(held, "utf-8"))
    output.print_path(Path(f"out/{NAME} blåbær"))
    sys.stdout.flush()
    assert held.getvalue().decode("utf-8") == (
        "out/a\\r\\x1b[2Kall 7 files verified\\n\\u202egpj\\u2028\\x9b1m blåbær\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        LocalError(f"{NAME} is in the way", hint=f"remove {NAME}"),
        OSError(f"{NAME} is in the way"),
        ValueError(f"{NAME} is in the way"),
        BatchError("1 of 2 failed", results=[FileResult(NAME, error=LocalError(f"{NAME}!")), FileResult("b")]),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_a_failure(capsys: Any, error: Exception, debug: bool) -> None:
    """Detect a message that is printed as it came, or a traceback."""
    context = click.Context(click.Command("smartxfer"))
    context.params = {"debug": debug}
    with context:
        exit_codes.print_error(error)
        if isinstance(error, BatchError):
            filesender._print_failures(error)
    _one_by_one(capsys.readouterr().err)


def test_warnings_of_the_package(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a bar, and without one."""
    import logging

    monkeypatch.setattr(logging.getLogger("smartxfer"), "handlers", [])
    show_warnings()
    for modules in (dict(sys.modules), {k: v for k, v in sys.modules.items() if k.partition(".")[0] != "tqdm"}):
        monkeypatch.setattr(sys, "modules", modules)
        logging.getLogger("smartxfer.nrp").warning("%s is left out", NAME)
        logging.getLogger("smartxfer.of_a_test").warning("%s is left out", NAME)
    shown = capsys.readouterr().err
    assert shown.count("is left out") == 4
    _one_by_one(shown)


def _one_by_one(shown: str) -> None:
    assert "all 7 files verified" in shown
    for line in shown.split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("all 7 files"), line


def test_no_password_is_asked_for_without_a_terminal(tmp_path: Path) -> None:
    """Fails if a password is shown while it is typed, below a warning of getpass."""
    program = (
        "from smartxfer.cli.filesender import _get_download_password\n"
        "from smartxfer.errors import UsageError\n"
        "try:\n    print('typed', _get_download_password())\n"
        "except UsageError as error:\n    print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "SMARTXFER_PASSWORD"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="typed-in-the-clear\n", capture_output=True, text=True, timeout=60, check=False,
        env=environment, start_new_session=True,  # no controlling terminal
    )  # fmt: skip
    assert "set SMARTXFER_PASSWORD or use a terminal" in done.stdout
    assert "typed" not in done.stdout.replace("is typed", "")
    assert "GetPassWarning" not in done.stderr
