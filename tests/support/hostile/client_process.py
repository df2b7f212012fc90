"""A process of clients of hostile servers: makes the requested calls, and reports what went wrong with each.

Standard input has one JSON object (:class:`Plan`); standard output gets one JSON object for each call.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import pickle
import queue
import resource
import socket
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit

from smartxfer import RetryPolicy
from smartxfer.errors import DeadlineExceeded, SmartxferError, UsageError
from smartxfer.nrp import transfer_modes
from tests.support.hostile import peak_memory
from tests.support.hostile.file_services import FETCHED, OLD, PART, Work
from tests.support.hostile.services import SERVICES
from tests.support.stopwatch import Stopwatch

#: Seconds of the budget and of a deadline, and what each may be passed by.
BUDGET, BEYOND_BUDGET = 0.8, 2.0
DEADLINE, BEYOND_DEADLINE = 0.5, 1.0
#: Seconds after which a call is said never to end.
NEVER = 10.0
#: Bytes that a call may need.
MEMORY = 64 << 20
#: Calls at a time of those that take much peak_memory.
FEW = 6
#: Bytes that a process keeps of each call that it has made: names of secrets, arenas of its threads.
KEPT = 48 << 10
#: Bytes more for each of several that are made at once: the parts of a file in its threads.
EACH = 4 << 20
#: Longest text of an error.
TEXT = 4300

HASTY = RetryPolicy(
    attempts=4, backoff=0.02, backoff_cap=0.05, retry_after_cap=0.3, budget=BUDGET, limit_budget=BUDGET, stall_speed=1024, stall_window=0.3
)
PATIENT = RetryPolicy(attempts=1000, backoff=0.05, backoff_cap=0.1, budget=60, stall_window=30, retry_after_cap=30)
_UNMADE = "the request that was to be spoilt was never made"
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Task(NamedTuple):
    """One call.

    :param may_pass: it may come to a good end.
    :param deadline: it is made with ``deadline=`` and much patience.
    :param scale: by how much less is sent of what needs much peak_memory.
    """

    behaviour: str
    phase: str
    may_pass: bool = False
    deadline: bool = False
    scale: int = 1

    @property
    def name(self) -> str:
        return f"{self.behaviour} | {self.phase}" + (" | deadline" if self.deadline else "")


def _unprintable(text: str) -> bool:
    return any((ord(c) < 32 and c not in "\t") or 127 <= ord(c) < 160 or c in _BIDI for c in text)


class _Log(logging.Handler):
    """Keeps the messages that a terminal should not get."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.bad: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if _unprintable(message) or len(message) > TEXT:
            self.bad.append(f"{record.name}: {message!r:.300}")


class Caller:
    """Makes calls of one service.

    :param facts: what its server reported of itself.
    """

    def __init__(self, service: str, facts: Dict[str, Any], directory: Path) -> None:
        self.service = SERVICES[service]
        self.facts = facts
        self.directory = directory
        self._lock = threading.Lock()
        self._number = 0

    def work(self, wait: float, **options: Any) -> Work:
        with self._lock:
            self._number += 1
            directory = self.directory / str(self._number)
        directory.mkdir()
        return Work(directory, self.facts, wait, **options)

    def run(self, task: Task, gate: str, alone: bool) -> Dict[str, Any]:
        """Make a call; return its result.

        :param alone: make no other call at the same time, and leave the load of the machine out of its time.
        """
        phase = self.service.phases[task.phase]
        policy, timeout = (PATIENT, 30.0) if task.deadline else (HASTY, 0.5)
        work = self.work(BUDGET, **({"deadline": DEADLINE} if task.deadline else {}))
        limit = DEADLINE + BEYOND_DEADLINE if task.deadline else BUDGET + BEYOND_BUDGET
        client = self.service.client(gate, self.facts, retry=policy, timeout=timeout)
        if task.phase != "discovery" and hasattr(client, "repository"):
            client.repository  # noqa: B018 - what it knows before the server turns hostile
        _order(gate, "ARM " + json.dumps({"match": phase.match, "behaviour": task.behaviour, "scale": task.scale}))
        wrong, error, result = [], None, None
        watch, began = Stopwatch() if alone else None, time.monotonic()
        try:
            result = phase.call(client, work)
        except SmartxferError as failure:
            error = failure
        except BaseException as failure:  # noqa: BLE001 - that is what is looked for
            error = failure
            wrong.append("not typed: " + "".join(traceback.format_exception(type(failure), failure, failure.__traceback__)[-3:]))
        took = time.monotonic() - began
        seconds = took if watch is None else watch.seconds()
        fired = _order(gate, "CALM")["fired"]
        if seconds > limit:
            wrong.append(f"took {took:.2f} s ({seconds:.2f} s of its own), the limit is {limit} s")
        if not fired and not isinstance(error, DeadlineExceeded):  # on a busy machine it may pass before
            wrong.append(_UNMADE)
        wrong += self._judged(task, error)
        if error is None and not (task.may_pass or (phase.looks is not None and phase.looks(client, work, result))):
            wrong.append("taken for success")
        wrong += _left_behind(work, task.behaviour)
        wrong += self._usable(client, work, gate)
        client.close()
        wrong += _sockets(gate)
        return {"task": task.name, "seconds": took, "error": _shown(error), "wrong": wrong}

    def _judged(self, task: Task, error: Optional[BaseException]) -> List[str]:
        if error is None:
            return []
        wrong = []
        for one in [error, *(getattr(error, "errors", None) or [])]:
            if not isinstance(one, SmartxferError):
                continue
            if isinstance(one, UsageError):
                wrong.append(f"the server's fault is called the caller's: {one!r:.300}")
            text = str(one)
            if not text.strip() or len(text) > TEXT:
                wrong.append(f"a text of {len(text)} characters: {text!r:.200}")
            if _unprintable(text) or _unprintable(one.hint):
                wrong.append(f"unprintable: {text!r:.400}")
            pickle.loads(pickle.dumps(one))
        return wrong

    def _usable(self, client: Any, work: Work, gate: str) -> List[str]:
        try:
            self.service.again(client, work)
        except BaseException as failure:  # noqa: BLE001
            return [f"afterwards not usable: {_shown(failure)}"]
        return []


def _shown(error: Optional[BaseException]) -> str:
    return "success" if error is None else f"{type(error).__name__}: {str(error)[:700]!r}"


def _left_behind(work: Work, behaviour: str) -> List[str]:
    """Return the files with final names that are incomplete, as far as this can be known."""
    wrong = []
    for path in work.out.rglob("*") if work.out.exists() else ():
        if not path.is_file() or ".part" in path.name or path.name.startswith("."):
            continue
        data = path.read_bytes()
        if path.suffix in (".zip", ".tar"):
            whole = _archived(path)
        else:
            # FileSender publishes no checksum: a size of 0 that the site tells is believed.
            whole = data in (*FETCHED.values(), OLD) or (behaviour == "sizes: 0" and not data)
        if not whole:
            wrong.append(f"{path.name}: {len(data)} bytes of no known file")
    return wrong


def _archived(path: Path) -> bool:
    import tarfile
    import zipfile

    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as file:
                return file.testzip() is None
        with tarfile.open(path) as tar:
            return sorted(tar.getnames()) == sorted(FETCHED)
    except (zipfile.BadZipFile, tarfile.TarError, OSError):
        return False


def _order(gate: str, line: str) -> Dict[str, Any]:
    """Tell a gate something."""
    parts = urlsplit(gate)
    with socket.create_connection((parts.hostname, parts.port), 10) as sock:
        sock.sendall(line.encode() + b"\n")
        found: Dict[str, Any] = json.loads(sock.makefile("rb").readline())
        return found


def _sockets(gate: str) -> List[str]:
    """Sockets of this process that still lead to a gate, as the system tells."""
    ours = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            ours.add(os.readlink(f"/proc/self/fd/{name}"))
    with open("/proc/net/tcp", encoding="ascii") as file:
        sockets = [line.split() for line in list(file)[1:]]
    port = f":{urlsplit(gate).port:04X}"
    return ["a socket is left open" for found in sockets if found[2].endswith(port) and f"socket:[{found[9]}]" in ours]


def _threads(before: Collection[threading.Thread] = ()) -> List[str]:
    """Threads of the engine that were not there before, and still are a moment later."""
    ends = time.monotonic() + 5.0  # a thread may still be parsing an answer whose call has ended
    while True:
        new = [thread for thread in threading.enumerate() if thread not in before]
        left = [thread.name for thread in new if thread.name.startswith("smartxfer")]
        if not left or time.monotonic() > ends:
            return left
        time.sleep(0.02)


def _worker(
    caller: Caller, tasks: queue.Queue[Task], gates: queue.Queue[str], done: Any, alone: bool
) -> None:
    while True:
        try:
            task = tasks.get_nowait()
        except queue.Empty:
            return
        gate = gates.get()
        done.put((task, None, threading.get_ident(), gate))
        try:
            found = caller.run(task, gate, alone)
        except BaseException:  # noqa: BLE001 - reported as a bug of the test
            found = {"task": task.name, "seconds": 0.0, "error": "", "wrong": [f"the test broke: {traceback.format_exc()}"]}
        gates.put(gate)
        done.put((task, found, threading.get_ident(), gate))


def _together(caller: Caller, tasks: List[Task], gates: List[str]) -> Iterator[Tuple[Task, Dict[str, Any]]]:
    """Make calls side by side, as many as there are gates."""
    waiting: queue.Queue[Task] = queue.Queue()
    free: queue.Queue[str] = queue.Queue()
    done: queue.Queue[Any] = queue.Queue()
    for task in tasks:
        waiting.put(task)
    for gate in gates:
        free.put(gate)
        threading.Thread(target=_worker, args=(caller, waiting, free, done, len(tasks) == 1), daemon=True, name="caller").start()
    under_way: Dict[Task, Tuple[float, int, str]] = {}
    missing = set(tasks)
    while missing:
        with contextlib.suppress(queue.Empty):
            task, found, ident, gate = done.get(timeout=0.5)
            if found is None:
                under_way[task] = (time.monotonic(), ident, gate)
            elif task in missing:
                under_way.pop(task)
                missing.remove(task)
                yield task, found
        for task, (began, ident, gate) in list(under_way.items()):
            if time.monotonic() - began > NEVER:
                stack = "".join(traceback.format_stack(sys._current_frames().get(ident))[-12:])
                del under_way[task]
                missing.remove(task)
                _order(gate, "CALM")  # which usually ends the call; its thread continues with the next
                yield task, {"task": task.name, "seconds": NEVER, "error": "", "wrong": [f"does not end:\n{stack}"]}


def _alone(caller: Caller, task: Task, spare: List[str], tries: int = 3) -> Dict[str, Any]:
    """Make a call by itself; again where a busy machine kept it from the request that is spoilt."""
    found = _measured(caller, task, spare)
    if tries > 1 and _UNMADE in found["wrong"]:
        return _alone(caller, task, spare, tries - 1)
    return found


def _measured(caller: Caller, task: Task, spare: List[str]) -> Dict[str, Any]:
    """Make a call by itself, and measure its peak_memory.

    :param spare: gates; one that a call does not let go of is not used again.
    """
    before = threading.enumerate()
    with peak_memory.Peak() as peak:
        [(_, found)] = _together(caller, [task], spare[-1:])
    if found["seconds"] >= NEVER and len(spare) > 1:
        spare.pop()
    if peak.growth > MEMORY:
        found["wrong"].append(f"needed {peak.growth >> 20} MiB more")
    left = _threads(before)
    if left:
        found["wrong"].append(f"threads are left: {left}")
    found["memory"] = peak.growth
    return found


def main() -> None:
    plan = json.loads(sys.stdin.read())
    log = _Log()
    logger = logging.getLogger("smartxfer")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(log)
    faulthandler.enable()
    # The bound is S3's; the local storage takes smaller parts.
    transfer_modes.MIN_PART_SIZE = PART
    with tempfile.TemporaryDirectory() as directory:
        caller = Caller(plan["service"], plan["facts"], Path(directory))
        _main(caller, plan, log)


def _main(caller: Caller, plan: Dict[str, Any], log: _Log) -> None:
    gates = plan["gates"]
    tell = lambda found: print(json.dumps(found), flush=True)  # noqa: E731
    light = [Task(*task) for task in plan["light"]]
    heavy = [Task(*task) for task in plan["heavy"]]
    # What is loaded on first use is not counted for any call.
    with caller.service.client(gates[0], caller.facts) as client:
        caller.service.again(client, caller.work(5.0))
    with peak_memory.Peak() as peak:
        again = []
        for task, found in _together(caller, light, gates):
            if found["wrong"]:
                again.append(task)  # the load of the others may have been too much: it counts alone
            else:
                tell(found)
    left = _threads()
    growth = peak.growth
    alone = len(again)
    for task in again:
        tell(_alone(caller, task, plan["spare"]))
    with peak_memory.Peak() as peak:
        for task, found in _together(caller, [Task(*task, scale=FEW) for task in plan["few"]], plan["spare"][:FEW]):
            again += [task] if found["wrong"] else []
            if not found["wrong"]:
                tell(found)
    heavy += again[alone:]
    if peak.growth > FEW * MEMORY // 2:
        tell({"task": "a few", "seconds": 0.0, "error": "", "wrong": [f"needed {peak.growth >> 20} MiB more"]})
    for task in heavy:
        tell(_alone(caller, task, plan["spare"]))
    wrong = [f"logged: {message}" for message in log.bad[:5]]
    if growth > MEMORY + len(gates) * EACH + len(light) * KEPT:
        wrong.append(f"all at once needed {growth >> 20} MiB more")
    if left:
        wrong.append(f"threads are left: {left}")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    tell({"task": "all of them", "seconds": usage.ru_utime + usage.ru_stime, "error": "", "wrong": wrong, "memory": growth})


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a call that does not end has been reported by now
