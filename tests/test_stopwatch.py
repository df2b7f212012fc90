"""The stopwatch of the other tests: it leaves out the load of the machine, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any, Iterator, List, Tuple

import pytest

from tests.support import stopwatch
from tests.support.stopwatch import Spans, Stopwatch, union

COUNTED = pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the system counts no waits")
#: Competitors for each core, and seconds after which they end by themselves.
RIVALS, LIFETIME = 2, 60


@pytest.fixture
def busy() -> Iterator[None]:
    """Processes that keep all cores busy."""
    program = f"import time\nends_at = time.monotonic() + {LIFETIME}\nwhile time.monotonic() < ends_at: pass"
    cores = len(os.sched_getaffinity(0))
    rivals: List[subprocess.Popen[bytes]] = []
    try:
        rivals += [subprocess.Popen([sys.executable, "-S", "-c", program]) for _ in range(RIVALS * cores)]
        yield
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()


def compute(seconds: float) -> None:
    """Use a core for some seconds, however long it takes to get it."""
    ends_at = time.thread_time() + seconds
    while time.thread_time() < ends_at:
        pass


def in_a_thread(work: Any, *arguments: Any) -> None:
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()



# -- what counts -------------------------------------------------------------------------------------------


_HANG = """
import sys, threading, time
from tests.support.stopwatch import Stopwatch

seconds = float(sys.argv[3])
wait = {"asleep": lambda: time.sleep(seconds), "blocked": lambda: threading.Event().wait(seconds)}[sys.argv[1]]
watch = Stopwatch()
if sys.argv[2] == "in a thread":
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
else:
    wait()
print(watch.seconds(), watch.elapsed())
"""


@pytest.mark.parametrize("wait", ["asleep", "blocked"])
@pytest.mark.parametrize(
    ("where", "hang"),
    # When exactly each of two threads waited for its core at the start is not known: some 0.05 s can be missing.
    [("here", 1.0), ("in a thread", 3.0)],
)
def test_a_hang_counts_fully_on_a_busy_machine(where: str, hang: float, wait: str, busy: None) -> None:
    """Only the time that a woken thread waits for a core is left out."""
    seconds, elapsed = measured(wait, where, hang)
    assert 0.95 * hang < seconds <= elapsed


def measured(wait: str, where: str, hang: float) -> Tuple[float, float]:
    """Run a hang in a process of its own, because threads of other tests in this process may wait for a core."""
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(stopwatch.__file__)}
    command = [sys.executable, "-c", _HANG, wait, where, str(hang)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    seconds, elapsed = map(float, done.stdout.split())
    return seconds, elapsed


def test_almost_nothing_is_left_out_of_a_wait() -> None:
    seconds, _ = measured("asleep", "here", 0.5)
    assert seconds > 0.5 * 0.95


# -- what is left out --------------------------------------------------------------------------------------


@COUNTED
@pytest.mark.parametrize("call", [lambda *work: work[0](*work[1:]), in_a_thread], ids=["here", "in a thread"])
def test_the_wait_for_a_core_is_left_out(call: Any, busy: None) -> None:
    watch = Stopwatch()
    call(compute, 0.3)
    seconds, elapsed = watch.seconds(), watch.elapsed()
    print(f"{seconds=:.4f} {elapsed=:.4f}")
    assert elapsed > 0.45, "the machine was not busy"
    assert 0.27 < seconds < 0.3 + 0.3 * (elapsed - 0.3)  # a virtual machine may get no core itself


# -- the sum -----------------------------------------------------------------------------------------------


def test_a_wait_reaches_back_beyond_the_last_look_and_never_before_the_start() -> None:
    spans = Spans(began_at=10.0)
    spans.add(0.5, 11.0)
    assert spans.spans == [(10.5, 11.0)]
    spans.add(0.25, 12.0)
    assert spans.spans == [(10.5, 11.0), (11.75, 12.0)]
    spans.add(1.25, 12.5)  # 0.5 since the last look, 0.75 between the two
    assert spans.spans == [(10.5, 11.0), (11.0, 12.5)]
    spans.add(9.0, 13.0)
    assert spans.spans == [(10.0, 13.0)]


def test_a_wait_ends_where_the_thread_was_last_seen_asleep() -> None:
    spans = Spans(began_at=10.0)
    spans.asleep(10.75)
    spans.add(1.0, 11.0)  # the kernel counts a sleep as a wait
    assert spans.spans == [(10.75, 11.0)]


def test_waits_of_several_threads_at_the_same_time_count_once() -> None:
    assert union([]) == 0.0
    assert union([(1.0, 2.0), (1.5, 3.0), (1.0, 1.25), (4.0, 5.0)]) == 3.0


# -- what is left ------------------------------------------------------------------------------------------


@COUNTED
def test_it_leaves_no_thread_and_no_descriptor() -> None:
    def left() -> Any:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    before, threads = left(), threading.enumerate()
    watch = Stopwatch()
    assert threading.enumerate() == threads
    assert left()[0] == before[0] + 1
    watch.seconds()
    unread = Stopwatch()
    del unread
    ends_at = time.monotonic() + 60
    while left() != before:
        assert time.monotonic() < ends_at, (left(), before)
        time.sleep(0.01)


def test_a_system_that_counts_no_waits(monkeypatch: pytest.MonkeyPatch, busy: None) -> None:
    monkeypatch.setattr(stopwatch, "_threads", lambda processes: {})
    watch = Stopwatch()
    compute(0.1)
    assert watch.seconds() == watch.elapsed() >= 0.1
