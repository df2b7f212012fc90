"""Two processes with one target and two state directories: users, cron jobs, containers."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.support.amounts import amount
from tests.support.smartfile_harness import DOWNLOAD, MIB, SmartFileHarness

pytestmark = pytest.mark.slow

SIZE = 2 * MIB
ROUNDS = amount(40, 200)

#: Forks two downloads a round, and kills some of them; prints what became of each round.
_PROGRAM = """
import hashlib, json, os, random, signal, sys, time
from smartxfer.errors import AlreadyInProgress
from smartxfer.smartfile import BasicClient

target, states, rounds, seed = sys.argv[1], sys.argv[2:4], int(sys.argv[4]), int(sys.argv[5])
chance = random.Random(seed)

def start(which):
    pid = os.fork()
    if pid:
        return pid
    code = 4
    try:
        os.environ["SMARTXFER_STATE_DIR"] = states[which]
        with BasicClient() as api:
            api.download(f"/{which}", target)
        code = 0
    except AlreadyInProgress:
        code = 3
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)

def wait(pid):
    status = os.waitpid(pid, 0)[1]
    return "killed" if os.WIFSIGNALED(status) else {0: "ok", 3: "busy"}.get(os.WEXITSTATUS(status), "failed")

def held():
    try:
        with open(target, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None

for number in range(rounds):
    if chance.random() < 0.5 and os.path.exists(target):
        os.remove(target)
    before, order, ends = held(), chance.sample([0, 1], 2), {}
    for which in order:
        ends[which] = start(which), (chance.uniform(0, 0.3) if chance.random() < 0.5 else None)
        time.sleep(chance.uniform(0, 0.05))
    began = time.monotonic()
    for pid, moment in sorted(ends.values(), key=lambda end: end[1] or 0):
        if moment is not None:
            time.sleep(max(0, began + moment - time.monotonic()))
            os.kill(pid, signal.SIGKILL)
    became = {which: wait(pid) for which, (pid, _) in ends.items()}
    print(json.dumps({"before": before, "after": held(), "became": [became[0], became[1]]}), flush=True)
print(json.dumps({"quiet": [[wait(start(which)), held()] for which in (0, 1)]}), flush=True)
"""


FRESH = SmartFileHarness


def test_two_objects_of_one_size_never_mix(harness: SmartFileHarness, tmp_path: Path) -> None:
    objects = [random.Random(which).getrandbits(8 * SIZE).to_bytes(SIZE, "big") for which in (0, 1)]
    for which, data in enumerate(objects):
        harness.site.write(f"/{which}", data)
    harness.fault(DOWNLOAD, "rate 16M", times=None)
    digests = [hashlib.sha256(data).hexdigest() for data in objects]
    states = [str(tmp_path / f"state{which}") for which in (0, 1)]
    command = [sys.executable, "-c", _PROGRAM, str(harness.out / "target"), *states, str(ROUNDS), "13"]
    environment: Dict[str, str] = {**os.environ, **harness.site.env}
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=True)
    *rounds, last = (json.loads(line) for line in done.stdout.splitlines())
    assert len(rounds) == ROUNDS
    for one in rounds:
        check_round(one, digests, done.stderr)
    seen = [end for one in rounds for end in one["became"]]
    assert min(seen.count(end) for end in ("ok", "busy", "killed")) > ROUNDS // 20, (seen, done.stderr)
    assert last == {"quiet": [["ok", digests[0]], ["ok", digests[1]]]}
    assert os.listdir(harness.out) == ["target"]
    assert time.monotonic() - began < 400


def check_round(one: Dict[str, Any], digests: List[str], log: str) -> None:
    """Check that the target holds one whole object, and that of a process that can have put it there."""
    became: List[str] = one["became"]
    assert "failed" not in became, (one, log)
    good = [which for which in (0, 1) if became[which] == "ok"]
    # A killed process may have given the file its name just before.
    able = [digests[which] for which in (0, 1) if became[which] in ("ok", "killed")]
    allowed = able if good else [*able, one["before"]]
    assert one["after"] in allowed, one
