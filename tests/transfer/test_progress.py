"""Progress: events, bars with safe names and useful estimates; ``progress=`` of a wait in every service."""

from __future__ import annotations

import concurrent.futures
import io
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import attrs
import pytest
from tqdm import tqdm

from smartxfer import BasicClient, PerseusClient
from smartxfer.errors import Cancelled, UsageError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.transfer import progress
from smartxfer.transfer.progress import ProgressEvent, ProgressReporter, WaitReporter
from tests.support.fake_clock import FakeClock
from tests.support.sinks import raising


def as_tuples(events: List[ProgressEvent]) -> List[Tuple[str, int, Any, str]]:
    return [attrs.astuple(event) for event in events]  # type: ignore[misc]


def test_an_event_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ProgressEvent("a", 1, 2, "moving").done = 3  # type: ignore[misc]


def test_the_course_of_a_file() -> None:
    events: List[ProgressEvent] = []
    clock = FakeClock()
    reporter = ProgressReporter(events.append, clock)
    reporter.queue("a", 100)
    reporter.start("a", 100, 10)
    reporter.advance("a", 20)
    reporter.advance("a", 5)  # too soon to be reported
    clock.advance(0.06)
    reporter.advance("a", 5)
    reporter.advance("a", -30)  # a step back is always reported
    reporter.advance("a", 0, "retrying")
    reporter.advance("a", 90)
    reporter.finish("a", "done")
    assert as_tuples(events) == [
        ("a", 0, 100, "queued"),
        ("a", 10, 100, "moving"),
        ("a", 30, 100, "moving"),
        ("a", 40, 100, "moving"),
        ("a", 10, 100, "moving"),
        ("a", 10, 100, "retrying"),
        ("a", 100, 100, "done"),
    ]


def test_calls_are_serialised() -> None:
    inside = threading.Lock()
    overlaps = []

    def callback(event: ProgressEvent) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(event)
            return
        inside.release()

    reporter = ProgressReporter(callback)
    reporter.queue("a", None)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: reporter.advance("a", -1), range(1200)))
    assert overlaps == []


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_a_callback_raises_is_kept_and_it_is_not_called_again(kind: Any) -> None:
    calls = []

    def callback(event: ProgressEvent) -> None:
        calls.append(event)
        raise kind("mine")

    reporter = ProgressReporter(callback)
    reporter.queue("a", 10)
    with pytest.raises(Cancelled) as caught:
        reporter.advance("a", 1)
    assert isinstance(caught.value.__cause__, kind)
    reporter.finish("a", "failed")
    assert len(calls) == 1


@pytest.mark.parametrize("progress", [None, False])
def test_silence(progress: Any) -> None:
    reporter = ProgressReporter(progress)
    reporter.queue("a", 1)
    reporter.advance("a", 1)
    reporter.finish("a", "done")
    reporter.close()
    assert reporter.failure is None


@pytest.mark.parametrize("progress", [1, 2.5, object()])
def test_nonsense(progress: Any) -> None:
    with pytest.raises(UsageError, match="progress must be"):
        ProgressReporter(progress)


class Terminal(io.StringIO):
    """A standard error that is a terminal; it may be gone."""

    gone: Any = None

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone is not None:
            raise self.gone
        return super().write(text)


@pytest.mark.parametrize(("progress", "label"), [(True, "b.bin"), ("sending", "sending")])
def test_a_bar(monkeypatch: pytest.MonkeyPatch, progress: Any, label: str) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    reporter = ProgressReporter(progress)
    reporter.queue("a.bin", 2048)
    reporter.queue("b.bin", 2048)
    reporter.start("b.bin", 2048, 1024)
    reporter.advance("a.bin", 2048)
    reporter.finish("a.bin", "done")
    reporter.advance("b.bin", -1024)
    reporter.advance("b.bin", 2048)
    reporter.finish("b.bin", "done")
    reporter.close()
    last = stream.getvalue().strip().split("\r")[-1]
    assert "100%" in last
    assert "4.00k/4.00k" in last
    assert label in stream.getvalue()


def test_a_reporter_without_a_callback_is_disabled() -> None:
    assert ProgressReporter(lambda event: None).enabled
    assert not ProgressReporter(None).enabled


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, io.StringIO(), closed(), object()], ids=["None", "pipe", "closed", "odd"])
@pytest.mark.parametrize("progress", [True, "label"])
def test_without_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch, stream: Any, progress: Any) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    reporter = ProgressReporter(progress)
    assert not reporter.enabled
    reporter.queue("a.bin", 10)
    reporter.advance("a.bin", 10)
    reporter.finish("a.bin", "done")
    reporter.close()
    if isinstance(stream, io.StringIO) and not stream.closed:
        assert stream.getvalue() == ""


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file"), OSError("EIO")])
@pytest.mark.parametrize("when", ["first", "later"])
def test_a_terminal_that_goes_ends_the_bar_only(monkeypatch: pytest.MonkeyPatch, error: Exception, when: str) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    if when == "first":
        stream.gone = error
    reporter = ProgressReporter(True)
    reporter.queue("a.bin", 4096)
    stream.gone = error
    for state in ("moving", "retrying", "moving"):
        reporter.advance("a.bin", 1024, state)
    reporter.finish("a.bin", "done")
    reporter.close()
    assert reporter.failure is None
    other = threading.Thread(target=tqdm.write, args=("a warning",), kwargs={"file": io.StringIO()}, daemon=True)
    other.start()
    other.join(5)
    assert not other.is_alive(), "another thread waits for tqdm's lock"
    error.__traceback__ = None  # the bar is in its frames, and would keep a line of the terminal


def test_a_bar_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    before = threading.enumerate()
    reporter = ProgressReporter("label")
    reporter.queue("a.bin", 10)
    assert threading.enumerate() == before
    reporter.close()


# -- names and estimates ----------------------------------------------------------------------------------


NAME = "a\r\x1b[2Kall 7 files verified\n\u202egpj"


@pytest.mark.parametrize("label", [None, NAME])
def test_a_name_in_a_bar(monkeypatch: pytest.MonkeyPatch, label: Optional[str]) -> None:
    """Fails if a name goes to the terminal as it came."""
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    bar = progress._ProgressBar(progress._build_bar_class(), label)
    bar(ProgressEvent(NAME + "x" * 100, 5, 10, "moving"))
    bar.close()
    for line in shown.getvalue().replace("\r", "\n").split("\n"):
        assert line.isprintable(), line
    assert "all 7 files" in shown.getvalue()
    assert "x" * 41 not in shown.getvalue()


@pytest.mark.parametrize(
    ("rate", "left", "estimated"), [(10.0, 100, True), (1.0, 24 * 3600, True), (1.0, 90_000, False), (0.0, 1, False)]
)
def test_an_estimate(rate: float, left: int, estimated: bool) -> None:
    """Detect ``3785:41:10``, worked out from the first few bytes."""
    facts = {"rate": rate, "elapsed": 1.0, "n": 5, "initial": 5, "total": 5 + left}
    assert progress._has_usable_estimate(facts) is estimated


def test_a_bar_without_an_estimate() -> None:
    held = io.StringIO()
    bar = progress._build_bar_class()(total=10**15, unit="B", file=held, mininterval=0)
    bar.start_t -= 10
    bar.update(100)
    bar.refresh()
    assert "<?" in held.getvalue().split("\r")[-1]
    bar.update(10**15 // 2)
    bar.refresh()
    assert "<00:" in held.getvalue().split("\r")[-1]
    bar.close()


# -- progress of a wait -----------------------------------------------------------------------------------


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
            one, several = perseus.file.wait_for_file_upload, perseus.file.wait_for_file_uploads
            if service == "perseus":
                yield lambda progress: one(ids[0], progress=progress), "perseus-1: uploaded"
            else:
                yield lambda progress: several(ids, progress=progress), "2 files: 2 uploaded"


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
    with pytest.raises(KeyError), WaitReporter(raising(KeyError), lambda state: (state, "")) as seen:
        seen("a")
