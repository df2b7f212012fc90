"""Costs and side effects of ``import smartxfer``."""

from __future__ import annotations

import json
import statistics
from typing import List

from tests.support.python_program import run_python

LAZY = [
    "click", "tqdm", "werkzeug", "responses", "pytest", "platformdirs", "keyring", "cryptography",
    "requests_oauthlib",
]


def test_optional_and_heavy_packages_stay_unimported() -> None:
    done = run_python(
        "import json, sys; import smartxfer;"
        "print(json.dumps([name for name in sys.argv[1:] if name in sys.modules]))",
        *LAZY,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_importing_writes_nothing() -> None:
    done = run_python("import smartxfer")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _seconds_to_import(names: str) -> float:
    # CPU seconds: what the import itself costs, whatever else the machine is doing.
    done = run_python(
        f"import time; start = time.process_time(); import {names};"
        "print(time.process_time() - start)"
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_import_costs_at_most_1_4_of_its_libraries() -> None:
    ours: List[float] = []
    libraries: List[float] = []
    for _ in range(9):
        libraries.append(_seconds_to_import("requests, attrs, cattrs"))
        ours.append(_seconds_to_import("smartxfer"))
    ratio = statistics.median(ours[1:]) / statistics.median(libraries[1:])  # the first compiles
    assert ratio <= 1.4, f"ours {ours}, libraries {libraries}"


_WITHOUT_CLICK = """
import sys
sys.modules["click"] = None  # makes `import click` raise ImportError
from smartxfer.cli import main
sys.argv = ["smartxfer", "demo"]
sys.exit(main())
"""


def test_console_script_without_click_names_the_extra() -> None:
    done = run_python(_WITHOUT_CLICK)
    assert done.returncode not in (0, None)
    assert 'pip install "smartxfer[cli]"' in done.stderr
    assert "Traceback" not in done.stderr
