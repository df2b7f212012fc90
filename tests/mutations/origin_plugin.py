"""Pytest plugin: end the run if the package under test is not the one in the copy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: Unlike every exit code of pytest.
WRONG_PACKAGE = 97


def pytest_sessionstart() -> None:
    import smartxfer

    found = Path(smartxfer.__file__).resolve()
    if found.parent.parent != Path(os.environ["MUTATED_COPY"]):
        pytest.exit(f"smartxfer is imported from {found}", returncode=WRONG_PACKAGE)
