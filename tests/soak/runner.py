"""The runner of a case, which prepares it, disturbs its runs, repeats them until they succeed and compares the files."""

from __future__ import annotations

import base64
import contextlib
import importlib
import operator
import random
import re
import signal
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Tuple
from typing import Counter as CounterType
from urllib.parse import quote

from tests.soak.case import Case
from tests.soak.child import Order
from tests.soak.disturbance import Disturbance
from tests.soak.runs import ALLOWANCE, LONGEST, SIGNAL_SECONDS, Run
from tests.soak.server import Server
from tests.soak.service import Findings, Service, digests_in

#: Runs with faults that are left of the plan, before all faults are removed; runs without any.
_FAULTY, _CLEAN = 2, 3
#: Errors after which a write may have taken effect.
_UNKNOWN = "OutcomeUnknown"
_UNDISTURBED = Order()


#: What Python prints where Ctrl-C falls into the constructor of the file that it makes of a socket.
_PYTHONS_OWN = re.compile(
    r"Exception ignored in: <socket\.SocketIO object[^\n]*\nTraceback[^\n]*\n(?:  [^\n]*\n)*"
    r"AttributeError: 'SocketIO' object has no attribute '_sock'\n"
)


class Runner:
    """One case on its way; ``findings`` and ``counts`` are what came of it.

    :param service: the adapter.
    :param case: not prepared yet.
    :param server: the worker's server, which is killed at times.
    """

    def __init__(self, service: Service, case: Case, server: Server) -> None:
        self.service, self.case, self.server = service, case, server
        self.findings = Findings()
        #: Good columns.
        self.counts: CounterType[str] = Counter()
        self._chance = random.Random(f"{case.seed}/runner")
        self._number = 0

    def go(self) -> None:
        """Carry the case out; an error of the soak itself is a finding, too."""
        fired = self.server.fired
        try:
            if self.case.kind in self.service.sources:
                self.case.write_sources()
            self.service.prepare(self.case)
            self.server.plan(self.case.plan.faults)
            done = any(map(self._disturbed, self.case.plan.disturbances))
            if done or self._until_done():
                self.server.clear()
                self._check()
        except Exception:  # noqa: BLE001 - no case ends the soak
            self.findings.add("untyped", f"the soak itself failed: {traceback.format_exc()}")
        self.counts["faults"] = self.server.fired - fired

    # -- runs -------------------------------------------------------------------------------------------

    def _start(self, order: Order = _UNDISTURBED) -> Run:
        self._number += 1
        return Run(self.service, self.case, order, str(self._number))

    def _disturbed(self, what: Disturbance) -> bool:
        """Make a run and disturb it; return True when the transfer is done nevertheless."""
        stops = what.kind == "twin" and what.variant[0]
        order = Order(
            what.event,
            "kill" if what.kind == "kill" else "stop" if stops else "report",
            what.room if what.kind == "full" else None,
            handler=what.variant[0],
        )
        run = self._start(order)
        came = "end" if what.kind == "full" else run.wait(LONGEST if what.event else what.seconds)
        if came == "end" or (came == "time" and what.event):
            pass  # it is over already, or hangs
        elif what.kind == "kill":
            run.signal(signal.SIGKILL)
        elif what.kind == "int":
            run.interrupt(signal.SIGINT)
        elif what.kind == "term":
            run.interrupt(signal.SIGTERM)
        elif what.kind == "stop":
            run.pause(what.pause)
        elif what.kind == "twin":
            return self._twin(run, stopped=stops)
        elif what.kind == "server":
            self._kill_server(what.pause)
        elif what.kind == "change":
            return self._change(run)
        return bool(self._end(run)["result"] == "ok")

    def _twin(self, first: Run, *, stopped: bool) -> bool:
        """Make the same call in a second process, while the first one is stopped or at the same time."""
        began = time.monotonic()
        second = self._start()
        outcomes = []
        if stopped:
            outcomes.append(self._end(second))
            first.resume(time.monotonic() - began)
            outcomes.append(self._end(first))
        else:
            outcomes += [self._end(first), self._end(second)]
        a, b = (outcome.get("spans", {}) for outcome in outcomes)
        for name in sorted(set(a) & set(b)):
            if max(a[name][0], b[name][0]) < min(a[name][1], b[name][1]):
                self.findings.add("duplicates", f"two processes did this at the same time: {name}")
        # One that was broken is run again: it may have begun something that is not finished.
        done = [outcome["result"] == "ok" for outcome in outcomes]
        refused = ["AlreadyInProgress" in outcome.get("bases", ()) for outcome in outcomes]
        return any(done) and all(map(operator.or_, done, refused))

    def _kill_server(self, pause: float) -> None:
        self.counts["server kills"] += 1
        self.server.kill()
        time.sleep(pause)
        self.server.start()

    def _change(self, run: Run) -> bool:
        """Change a source in mid-run; a run that succeeds nevertheless must have sent a consistent whole."""
        before, first = list(self.case.items), self.counts["runs"] == 0
        if not first:
            # An earlier run may have completed the old state, and lost the answer; no later run continues it.
            self.case.most_objects += 1
        self.case.change_source(self._chance)
        outcome = self._end(run)
        if outcome["result"] != "ok":
            if first:  # so may this run, before the change
                self.case.most_objects += 1
                if not self._is_complete(before):
                    self.case.most_objects -= 1
            return False
        if not self._is_complete(self.case.items) and not self._is_complete(before):
            self.service.check(self.case, self.findings)
            self.findings.add("wrong", "the run succeeded while a source changed, and sent neither state")
        return False

    def _is_complete(self, items: List[Any]) -> bool:
        """Return True if the service has these items."""
        current, self.case.items = self.case.items, items
        findings = Findings()
        try:
            self.service.check(self.case, findings)
        finally:
            self.case.items = current
        return not findings.all

    def _until_done(self) -> bool:
        """Run again until it succeeds; the last times without faults."""
        for attempt in range(_FAULTY + _CLEAN):
            if attempt == _FAULTY:
                self.server.clear()
            # What a killed run has sent may undo what the next one does, if the server handles it late.
            self.server.settle(self.service.name)
            run = self._start()
            outcome = self._end(run)
            if outcome["result"] == "ok":
                return True
        self.findings.add("lost", f"no success without faults: {outcome.get('error')}: {outcome.get('message')}")
        return False

    def _end(self, run: Run) -> Dict[str, Any]:
        """Wait for the end of a run, judge it, and return its outcome."""
        run.finish()
        outcome = run.outcome()
        for module in outcome.get("modules", ()):  # the next child need not import them again
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        self.counts["runs"] += 1
        result, sent = outcome["result"], list(run.sent)
        if run.order.action == "kill" and outcome.get("signal") == "SIGKILL" and not sent:
            sent.append("SIGKILL")
        # One that came too late ended nothing.
        self.counts["kills"] += sent.count("SIGSTOP") if result == "ok" else len(sent)
        self.counts["resumed"] += int(outcome.get("resumed") or 0)
        if run.hung:
            self.findings.add("hangs", f"run {run.number} did not end in {LONGEST:.0f} s; {outcome}")
            return outcome
        if result == "ok" or run.forgot or _UNKNOWN in outcome.get("bases", []) + outcome.get("errors", []):
            self.case.most_objects += 1
        for column, text in _list_problems(outcome, sent):
            self.findings.add(column, f"run {run.number}: {text}")
        interrupted = outcome.get("signalled") or result == "signal"
        if run.slow is not None and interrupted and run.slow > SIGNAL_SECONDS + ALLOWANCE:
            self.findings.add("hangs", f"run {run.number} took {run.slow:.1f} s to end after {sent[-1]}")
        self._output(run)
        return outcome

    def _output(self, run: Run) -> None:
        path = Path(f"{run.stem}.err")  # missing where the process was killed at once
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        text = _PYTHONS_OWN.sub("", text)
        if "Traceback" in text or "Exception ignored" in text:
            self.findings.add("untyped", f"run {run.number} wrote to stderr: {text[-1500:]}")

    # -- the end ----------------------------------------------------------------------------------------

    def _check(self) -> None:
        self.counts["transfers"] += 1
        self.service.check(self.case, self.findings)
        self._leaks()
        for name in digests_in(self.case.source):
            if name not in {item.name for item in self.case.items}:
                self.findings.add("left", f"source: {name}")
        for directory in ("tmp", "home"):
            for name in digests_in(self.case.directory / directory):
                self.findings.add("left", f"{directory}: {name}")
        for name in digests_in(self.case.state):
            if not self._may_remain(name):
                self.findings.add("left", f"state directory: {name}")

    def _may_remain(self, name: str) -> bool:
        """Return True for what the client keeps on purpose.

        That is locks, and the record of what it wrote where.  After a change of a source, also the journal of
        the upload that was begun before: it is another request, which no run finishes, and it expires.
        """
        return name == "id" or name.startswith(("locks/", "written/", *["journals/"] * self.case.changed))

    def _leaks(self) -> None:
        """Look for the secrets in everything that the client wrote."""
        forms = [form for secret in self.case.secrets for form in _forms(secret)]
        if not forms:
            return
        for path in sorted(self.case.directory.rglob("*")):
            if path.is_dir() or self.case.source in path.parents:
                continue
            data = path.read_bytes()
            for form in forms:
                if form in data:
                    name = path.relative_to(self.case.directory)
                    self.findings.add("leaked", f"a secret is in {name}")
                    break


def _list_problems(outcome: Dict[str, Any], sent: List[str]) -> List[Tuple[str, str]]:
    """Return what is wrong with the end of one run, as (column, text)."""
    found = []
    result, error = outcome["result"], outcome.get("error")
    expected = {"KeyboardInterrupt": "SIGINT", "Terminated": "SIGTERM"}
    if result == "crash":
        found.append(("untyped", f"the process ended with exit code {outcome['code']}"))
    elif result == "signal" and outcome["signal"] not in sent:
        found.append(("untyped", f"the process ended by {outcome['signal']}"))
    elif result == "error" and not outcome["typed"]:
        found.append(("untyped", f"{error}: {outcome['message']}"))
    elif error in expected and expected[error] not in sent:
        found.append(("untyped", f"{error} without a signal"))
    elif result == "error" and outcome["signalled"] and error not in expected:
        found.append(("untyped", f"a signal ended in {error}: {outcome['message']}"))
    elif result == "ok" and outcome["signalled"]:
        found.append(("untyped", "a signal was swallowed"))
    left = [what for what in ("threads", "descriptors") if outcome.get(what)]
    return found + [("left", f"{what} {outcome[what]} after {error or result}") for what in left]


def _forms(secret: str) -> List[bytes]:
    """Return a secret as it is, and as it may be in an address or a header."""
    plain = secret.encode("utf-8")
    return list({plain, quote(secret, safe="").encode("ascii"), base64.b64encode(plain).rstrip(b"=")})
