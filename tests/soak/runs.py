"""Runs of a case: start the client's process, break it, wait for its end, read its result."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from tests.soak.child import FORGOTTEN, Order, run_and_exit
from tests.support.process_signals import seconds_to_end

if TYPE_CHECKING:
    from tests.soak.case import Case
    from tests.soak.service import Service

#: Seconds after which a run is a hang; time for which the soak has stopped it is left out.
LONGEST = 60.0
#: Seconds after SIGINT or SIGTERM in which a run has to end, and what the machine may add.
SIGNAL_SECONDS, ALLOWANCE = 2.0, 1.0


class Run:
    """One process that makes the call of a case.

    :param number: of the run in its case.
    """

    def __init__(self, service: Service, case: Case, order: Order, number: str) -> None:
        self.number = number
        self.stem = case.directory / f"run-{number}"
        self.order = order
        self.hung = False
        #: Whether it removed a journal: what it did is done, whether it could still say so or not.
        self.forgot = False
        #: Seconds that it took to end after a signal; None without one.
        self.slow: Optional[float] = None
        #: Signals that the soak has sent, by name.
        self.sent: List[str] = []
        self._status: Optional[int] = None
        self._stopped = 0.0
        self._reports, pipe = os.pipe()
        gc.freeze()  # what the child collects at its end is its own garbage only
        self._began = time.monotonic()
        self.pid = os.fork()
        if not self.pid:
            run_and_exit(service, case, order, self.stem, pipe)
        os.close(pipe)

    def wait(self, seconds: float) -> str:
        """Wait until the process has ended, or has come to its planned event, at most so many seconds.

        :return: ``"end"``, ``"event"`` or ``"time"``.
        """
        ends_at = time.monotonic() + seconds
        while select.select([self._reports], [], [], max(0.0, ends_at - time.monotonic()))[0]:
            word = os.read(self._reports, 1)
            if word == FORGOTTEN:
                self.forgot = True
            else:
                return "event" if word else "end"
        return "time"

    @property
    def ended(self) -> bool:
        """Return True once the process has ended."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
        return self._status is not None

    def signal(self, number: int) -> None:
        """Send a signal, if the process still runs."""
        if not self.ended:
            self.sent.append(signal.Signals(number).name)
            os.kill(self.pid, number)

    def interrupt(self, number: int) -> None:
        """Send SIGINT or SIGTERM, and measure the time to the end."""
        if not self.ended:
            self.sent.append(signal.Signals(number).name)
            try:
                self.slow = seconds_to_end(self, number)  # type: ignore[arg-type]
            except AssertionError:
                self.hung = True

    def send_signal(self, number: int) -> None:
        """Send a signal, as ``seconds_to_end`` needs it."""
        os.kill(self.pid, number)

    def pause(self, seconds: float) -> None:
        """Stop the process for so many seconds."""
        self.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.resume(seconds)

    def resume(self, seconds: float) -> None:
        """Let the process continue.

        :param seconds: for which it was stopped.
        """
        self._stopped += seconds
        with contextlib.suppress(ProcessLookupError):
            if not self.ended:
                os.kill(self.pid, signal.SIGCONT)

    def finish(self) -> None:
        """Wait for the end, and end the process when it hangs; its stacks are in ``<stem>.err`` then."""
        came = ""
        while not self.hung and came != "end":
            came = self.wait(self._began + LONGEST + self._stopped - time.monotonic())
            self.hung = came == "time"
        if self.hung and not self.ended:
            for number in (signal.SIGUSR2, signal.SIGKILL):
                os.kill(self.pid, number)
                time.sleep(0.2)
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        os.close(self._reports)

    def outcome(self) -> Dict[str, Any]:
        """Return what became of it: what the child wrote, or how it ended.

        ``result`` is ``ok``, ``error``, ``signal`` or ``crash``; see ``child.py`` for the rest.
        """
        assert self._status is not None
        path = Path(f"{self.stem}.json")
        if path.exists():
            found: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
        if os.WIFSIGNALED(self._status):
            name = signal.Signals(os.WTERMSIG(self._status)).name
            return {"result": "signal", "signal": name}
        return {"result": "crash", "code": os.WEXITSTATUS(self._status)}
