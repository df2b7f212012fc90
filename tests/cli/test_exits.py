"""Messages and exit codes of the command when something fails."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from smartxfer import errors
from smartxfer.cli import exit_codes
from tests.support.python_program import run_python

#: Exit codes, and the errors of the package that have them.
CODES = {
    1: ["TLSError", "LimitExceeded", "DecodeError", "PasswordRequired", "SmartxferError"],
    2: ["UsageError", "ConfigError"],
    3: ["NotFound"],
    4: ["AuthError", "Forbidden", "CredentialError"],
    5: ["NetworkError", "ReadTimeout", "Stalled", "Truncated", "RateLimited", "ServerError"],
    6: ["ChecksumMismatch", "SourceChanged"],
    7: ["BatchError"],
    8: ["DiskFull", "UnsafeName", "TargetExists", "AlreadyInProgress"],
    124: ["WaitTimeout", "DeadlineExceeded"],
    130: ["Cancelled"],
}
CASES = [(getattr(errors, name)("x"), code) for code, names in CODES.items() for name in names]
CASES += [(KeyboardInterrupt(), 130), (exit_codes.Terminated(), 143), (RuntimeError("x"), 1)]
CASES += [(PermissionError(13, "x"), 8), (FileNotFoundError(2, "x"), 8)]


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda case: type(case).__name__)
def test_codes(error: BaseException, code: int) -> None:
    assert exit_codes.get_exit_code(error) == code


def test_no_error_of_the_package_is_hidden_behind_another() -> None:
    """Each row of the table can be reached: none comes after one of its base classes."""
    for place, (kind, _) in enumerate(exit_codes.EXIT_CODES):
        above = [earlier for earlier, _ in exit_codes.EXIT_CODES[:place] if issubclass(kind, earlier)]
        assert above == []


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes ``smartxfer serve`` fail with an error."""
    from smartxfer.cli import serve

    def fail_with(error: BaseException) -> None:
        def broken(*arguments: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr(serve, "make_server", broken)

    return fail_with


def test_an_error_is_a_line_and_a_hint(run: Any, failing: Any) -> None:
    failing(errors.NotFound("no such thing", hint="look elsewhere"))
    done = run("serve")
    assert (done.exit_code, done.err) == (3, "smartxfer: no such thing\nhint: look elsewhere\n")


def test_a_local_error_of_python(run: Any, failing: Any) -> None:
    failing(PermissionError(13, "Permission denied", "/srv/data"))
    assert run("serve").fails(8).err == "smartxfer: [Errno 13] Permission denied: '/srv/data'\n"


def test_an_unexpected_error_shows_its_place_with_debug_only(run: Any, failing: Any) -> None:
    failing(RuntimeError("boom"))
    quiet, loud = run("serve"), run("--debug", "serve")
    assert quiet.exit_code == loud.exit_code == 1
    assert quiet.err.startswith("smartxfer: unexpected RuntimeError: boom\nhint: ")
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


def test_termination_that_is_ignored_stays_ignored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    code = (
        "import signal; from smartxfer.cli import exit_codes;"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_DFL);"
        "exit_codes.watch_for_termination();"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN;"
        "assert callable(signal.getsignal(signal.SIGTERM))"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the exception is raised again by a timer")
@pytest.mark.parametrize(("name", "kind"), [("SIGTERM", "Terminated"), ("SIGINT", "KeyboardInterrupt")])
def test_a_signal_during_a_finalizer_ends_the_command(name: str, kind: str) -> None:
    code = (
        "import signal, sys, threading\n"
        "from smartxfer.cli.exit_codes import Terminated, watch_for_termination\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "watch_for_termination()\n"
        "class Finalized:\n"
        "    def __del__(self):\n"
        f"        signal.raise_signal(signal.{name})\n"
        "        sys.exit('the handler did not run in the finalizer')\n"
        "Finalized()\n"
        "try:\n"
        "    threading.Event().wait(60)\n"
        f"except {kind}:\n"
        "    print('raised again')\n"
    )
    done = run_python(code, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("raised again\n", "", 0)


def test_other_exceptions_of_finalizers_are_reported_as_usual() -> None:
    code = (
        "import signal\n"
        "from smartxfer.cli.exit_codes import watch_for_termination\n"
        "watch_for_termination()\n"
        "class Finalized:\n"
        "    def __del__(self):\n"
        "        raise ValueError('dropped')\n"
        "Finalized()\n"
    )
    done = run_python(code, timeout=120)
    assert done.returncode == 0
    assert "ValueError: dropped" in done.stderr
