"""The soak itself: its plans repeat, it passes, and a bad outcome is an exit code of 1 and a seed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.soak.main import GOOD, Table
from tests.soak.service import BAD
from tests.soak.worker import SERVICES, Result, plan_of, seeds

ROOT = Path(__file__).resolve().parent.parent

#: Runs the command with an adapter that loses what it downloads.
_BROKEN = """
import sys
from tests.soak import filesender
from tests.soak.main import main

run = filesender.FileSender.run

def lose(self, case):
    resumed = run(self, case)
    for path in case.target.rglob("*"):
        path.unlink()
    return resumed

filesender.FileSender.run = lose
sys.exit(main(sys.argv[1:]))
"""


def _soak(*words: str, program: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-c", program] if program else ["-m", "tests.soak"]), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def _seed_of(kind: str) -> str:
    """Return the first seed of a quiet case of a kind of FileSender."""
    plans = (plan_of(f"test/filesender/{number}") for number in range(1000))
    return next(plan.seed for plan in plans if plan.kind == kind and not plan.faults and not plan.disturbances)


@pytest.mark.parametrize("service", SERVICES)
def test_a_seed_gives_the_same_plan_each_time(service: str) -> None:
    plans = [plan_of(f"1/{service}/{number}") for number in range(50)]
    assert plans == [plan_of(f"1/{service}/{number}") for number in range(50)]
    assert len({str(plan) for plan in plans}) == 50
    assert {len(plan.disturbances) > 0 for plan in plans} == {True, False}


def test_workers_share_the_services_and_no_case() -> None:
    streams = [seeds("1", number, SERVICES) for number in range(2)]
    taken: List[str] = [next(stream) for stream in streams for _ in range(20)]
    assert len(set(taken)) == 40
    assert {seed.split("/")[1] for seed in taken[:20]} == set(SERVICES)


def test_a_case_of_each_service(tmp_path: Path) -> None:
    cases = [word for name in SERVICES for word in ("--case", f"test/{name}/1")]
    done = _soak(*cases, "--failures", str(tmp_path / "failures"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:6]] == [[name, "1"] for name in SERVICES]
    assert not (tmp_path / "failures").exists()


def test_what_is_lost_is_an_exit_code_and_a_seed(tmp_path: Path) -> None:
    seed = _seed_of("download")
    done = _soak("--case", seed, "--failures", str(tmp_path / "failures"), program=_BROKEN)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{seed}: lost" in done.stdout
    assert f"FAILED {seed}" in (tmp_path / "failures").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", BAD)
def test_each_bad_column_is_shown(column: str) -> None:
    table = Table(["filesender"])
    table.add(Result("1/filesender/1", "filesender", 1.0, {"transfers": 1}, [(column, "text")], "/tmp"))
    head, row, total = (line.split("  ") for line in str(table).splitlines())
    assert table.failed
    assert [word.strip() for word in row if word.strip()][-len(BAD) :].count("1") == 1
    assert [word.strip() for word in total if word.strip()][-len(BAD) :][BAD.index(column)] == "1"
    assert head[-1].strip() == BAD[-1]


def test_page_of_promises_names_columns() -> None:
    page = (ROOT / "docs" / "promises.rst").read_text(encoding="utf-8")
    lines = re.findall(r"^Soak: (.+)$", page, re.MULTILINE)
    assert len(lines) == len(re.findall(r"^Mutations:", page, re.MULTILINE))
    named = {column for line in lines for column in re.findall(r"``(.+?)``", line)}
    assert set(BAD) <= named <= {*BAD, *GOOD}
