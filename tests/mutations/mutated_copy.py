"""Copy the tree to a temporary directory, change one line of it, and run commands there."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional

from .mutation import Mutation

ROOT = Path(__file__).resolve().parents[2]

#: What the tests read of the tree; everything else (environments, caches, ``.git``) is left out.
_DIRECTORIES = ("smartxfer", "tests", "docs", "examples", "benchmarks")
_PATTERNS = ("*.toml", "*.cfg", "*.ini", "*.rst", "*.in", "LICENSE")

_PRINT_ORIGIN = "import smartxfer; print(smartxfer.__file__)"


class StaleMutation(Exception):
    """The line that a mutation replaces does not occur exactly once."""


class WrongPackage(Exception):
    """The commands would import another smartxfer than the one in the copy."""


class Outcome(NamedTuple):
    """End of a command: the exit code is None if it ran out of time."""

    exit_code: Optional[int]
    output: str


def mutated_text(mutation: Mutation, text: str) -> str:
    """Return the text of a file with the one line replaced.

    :raises StaleMutation: the line does not occur exactly once.
    """
    lines = text.split("\n")
    found = [number for number, line in enumerate(lines) if line.strip() == mutation.old]
    if len(found) != 1:
        raise StaleMutation(f"the line occurs {len(found)} times in {mutation.file}: {mutation.old}")
    line = lines[found[0]]
    lines[found[0]] = line[: len(line) - len(line.lstrip())] + mutation.new
    return "\n".join(lines)


class Copy:
    """A copy of the tree in a temporary directory, which commands run in and import from."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def apply(self, mutation: Mutation) -> None:
        """Change the line.

        :raises StaleMutation: the line does not occur exactly once.
        :raises SyntaxError: the changed file cannot be compiled.
        """
        file = self.root / mutation.file
        text = mutated_text(mutation, file.read_text(encoding="utf-8"))
        compile(text, mutation.file, "exec")
        # Its compiled form was copied, too. Python would take it for current if size and seconds were equal.
        with contextlib.suppress(FileNotFoundError):
            Path(importlib.util.cache_from_source(str(file))).unlink()
        file.write_text(text, encoding="utf-8")

    def check_origin(self) -> None:
        """Check that Python imports the package of the copy, from any working directory.

        :raises WrongPackage: it imports another one.
        """
        expected = self.root / "smartxfer" / "__init__.py"
        for place in (self.root, self.root.parent):
            command = [sys.executable, "-c", _PRINT_ORIGIN]
            found = subprocess.check_output(command, cwd=place, env=self.environment(), text=True).strip()
            if Path(found).resolve() != expected:
                raise WrongPackage(f"in {place}, smartxfer is imported from {found}, not from {expected}")

    def environment(self) -> Dict[str, str]:
        """Return an environment in which the copy is imported and this interpreter is found as ``python``."""
        search = [str(self.root), os.environ.get("PYTHONPATH", "")]
        path = [os.path.dirname(sys.executable), os.environ.get("PATH", "")]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, search)),
            "PATH": os.pathsep.join(filter(None, path)),
            "MUTATED_COPY": str(self.root),
        }

    def pytest(self, arguments: List[str], seconds: float) -> Outcome:
        """Run pytest in the copy; it checks itself that it imported the package of the copy."""
        options = ["-q", "-p", "no:cacheprovider", "-p", "tests.mutations.origin_plugin"]
        command = [sys.executable, "-m", "pytest", *options, *arguments]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                exit_code: Optional[int] = process.wait(seconds)
            except subprocess.TimeoutExpired:
                exit_code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what the tests started, too
                process.wait()
            output.seek(0)
            return Outcome(exit_code, output.read().decode("utf-8", "replace"))

    def run(self, command: str) -> int:
        """Run a shell command in the copy and return its exit code."""
        return subprocess.call(command, shell=True, cwd=self.root, env=self.environment())


@contextlib.contextmanager
def copy_tree() -> Iterator[Copy]:
    """Give a copy of the tree that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        root = Path(directory).resolve() / "tree"
        root.mkdir()
        for name in _DIRECTORIES:
            # Times are kept, so that the compiled files are still current.
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("_build"))
        for pattern in _PATTERNS:
            for file in ROOT.glob(pattern):
                shutil.copy2(file, root)
        yield Copy(root)
