"""The command as a whole: help, version, missing packages."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from smartxfer import __version__
from smartxfer.cli import main
from tests.support.python_program import run_python

_WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # makes the import raise ImportError
from smartxfer.cli import main
sys.exit(main(sys.argv[2:]))
"""

_INTO_A_CLOSED_PIPE = """
import os, sys
from smartxfer.cli import main
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
sys.exit(main(["--help"]))
"""


def without(package: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command on a machine that lacks a package."""
    return run_python(_WITHOUT, package, *words)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["serve", "--help"], ["demo", "-h"]])
def test_help(run: Any, words: Any) -> None:
    assert run(*words).works().out.startswith("Usage: smartxfer")


def test_help_names_every_command(run: Any) -> None:
    text = run("--help").out
    assert "  demo " in text
    assert "  serve " in text


def test_version(run: Any) -> None:
    done = run("--version")
    assert (done.exit_code, done.out.strip()) == (0, f"smartxfer, version {__version__}")


@pytest.mark.parametrize("words", [["frob"], ["serve", "--frob"], ["demo", "/no/such/file"]])
def test_wrong_usage(run: Any, words: Any) -> None:
    run(*words).fails(2)


def test_main_returns_the_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["frob"]) == 2
    assert "No such command" in capfd.readouterr().err


@pytest.mark.parametrize("words", [[], ["demo"], ["serve"], ["--help"]])
def test_without_click(words: Any) -> None:
    done = without("click", *words)
    assert (done.returncode, done.stderr) == (2, 'the smartxfer command needs click: pip install "smartxfer[cli]"\n')


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_without_werkzeug(command: str) -> None:
    done = without("werkzeug", command)
    assert done.returncode == 2
    assert 'pip install "smartxfer[local]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_help_works_without_werkzeug() -> None:
    assert without("werkzeug", "--help").returncode == 0


def test_a_reader_that_leaves_early_is_no_error_of_ours() -> None:
    done = run_python(_INTO_A_CLOSED_PIPE)
    assert "Traceback" not in done.stderr
