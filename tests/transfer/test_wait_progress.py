"""``progress=`` of a wait takes None, True, a label or a callable, in every service."""

from __future__ import annotations

import io
import sys
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from smartxfer import BasicClient, PerseusClient
from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.transfer.progress import WaitReporter

Wait = Callable[[Any], Any]
SERVICES = ["smartfile", "nrp", "perseus", "perseus-several"]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["smartfile", "nrp", "perseus"]) as running:
        yield running


@pytest.fixture
def wait(server: LocalServer, service: str) -> Iterator[Tuple[Wait, str]]:
    """A wait that ends at its first look, and what its line says."""
    if service == "smartfile":
        with BasicClient(server.smartfile.key, server.smartfile.password, url=server.smartfile.url) as smartfile:
            smartfile.upload(("a.txt", b"abc"))
            task = smartfile.post("path/oper/checksum", path="/a.txt", algorithm="MD5")
            yield lambda progress: smartfile.wait(task, progress=progress), f"task {task['uuid'][:8]}: success"
    elif service == "nrp":
        with get_client(server.nrp.url, token=server.nrp.token) as nrp:
            file = nrp.files.upload(server.nrp.create(), "a.txt", None, b"abc")
            yield lambda progress: nrp.files.wait_fetch(file, progress=progress), "a.txt: completed"
    else:
        with PerseusClient(server.perseus.url, api_key=server.perseus.api_key) as perseus:
            ids = [server.perseus.write(f"{service}-{n}", f"{service}{n}".encode(), status="uploaded") for n in (1, 2)]
            if service == "perseus":
                yield (
                    lambda progress: perseus.file.wait_for_file_upload(ids[0], progress=progress),
                    "perseus-1: uploaded",
                )
            else:
                yield (
                    lambda progress: perseus.file.wait_for_file_uploads(ids, progress=progress),
                    "2 files: 2 uploaded",
                )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("service", SERVICES)
def test_every_form(wait: Tuple[Wait, str], service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if True or a label is called as if it were a callable."""
    call, line = wait
    shown: Dict[Any, str] = {}
    for form in (None, False, True, "my wait"):
        monkeypatch.setattr(sys, "stderr", Terminal())
        call(form)
        shown[form] = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert (shown[None], shown[False]) == ("", "")
    assert line in shown[True]
    assert f"my wait: {line.partition(': ')[2]}" in shown["my wait"]
    assert line not in shown["my wait"]
    seen: List[Any] = []
    call(seen.append)
    assert len(seen) == (2 if service == "perseus-several" else 1)
    assert all(hasattr(state, "status") for state in seen)


@pytest.mark.parametrize("service", SERVICES)
def test_another_form_is_refused(wait: Tuple[Wait, str], service: str) -> None:
    with pytest.raises(UsageError, match="None, True, a label or a callable, not int"):
        wait[0](5)


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_written_without_a_terminal(
    wait: Tuple[Wait, str], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    wait[0](True)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_a_name_of_the_server_is_shown_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with WaitReporter(True, lambda state: (state, "pending\x1b[2K")) as seen:
        seen("a\r\x1b[2Kall done")
    written = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "all done" in written
    assert all(line.isprintable() for line in written.replace("\r", "\n").split("\n"))


def test_a_terminal_that_goes_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with WaitReporter(True, lambda state: (state, "pending")) as seen:
        seen("a")
        terminal.close()
        seen("b")


def test_several_states_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with WaitReporter(True, lambda state: ("x", state)) as seen:
        seen("pending", "done", "pending")
    assert "3 files: 2 pending, 1 done" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_what_the_callable_raises_ends_the_wait() -> None:
    def broken(state: str) -> None:
        raise KeyError(state)

    with pytest.raises(KeyError), WaitReporter(broken, lambda state: (state, "")) as seen:
        seen("a")
