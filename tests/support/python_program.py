"""Short programs in a Python of their own, and what a program prints for a shell."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any, Dict


def run_python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its exit code and its output, without standard input."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False, **options)


def exports(text: str) -> Dict[str, str]:
    """Return the variables of the ``export`` lines, as a shell reads them."""
    lines = [line[len("export ") :] for line in text.splitlines() if line.startswith("export ")]
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)  # type: ignore[misc]
