"""The rooms of the house: which may import which, and how large they may grow."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "smartxfer"

# From top to bottom. Arrows run down only; rooms on one line never import each other.
FLOORS = (
    ("cli", "testing"),
    ("demo", "jetstream_bridge"),
    ("smartxfer",),  # the face: smartxfer/__init__.py and __main__.py
    ("filesender", "jetstream", "nrp", "smartfile", "perseus"),
    ("client", "delta", "service_api"),
    ("client_options", "transfer"),
    ("credentials",),
    ("models",),
    ("transport",),
    ("local_errors",),
    ("_system", "validation", "os_text"),
    ("directories", "worker_pool"),
    ("error_families",),
    ("error_values",),
    ("errors",),
    ("missing_attributes", "file_descriptors", "lazy_imports", "reprs", "terminal_text", "secret_text", "weak"),
)
RANK = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# The local server is the other side of the wire: it stands beside the house, not in it.
LOCAL_MAY_IMPORT = {"errors", "delta"}
LOCAL_IS_IMPORTED_BY = {"cli", "demo", "jetstream_bridge", "testing"}

Import = Tuple[int, str, Optional[str]]


def imports_of(source: str, module: str, is_package: bool) -> Iterator[Import]:
    """Yield (line, imported module, name taken from it) for each import of ``source``.

    Imports inside functions and under ``TYPE_CHECKING`` count like any other.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join(base + ([node.module] if node.module else []))
            for alias in node.names:
                yield node.lineno, name, alias.name
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            target = node.args[0]
            if called in ("import_module", "__import__") and isinstance(target, ast.Constant):
                yield node.lineno, _absolute(str(target.value), package), None


def _absolute(name: str, package: List[str]) -> str:
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    return ".".join([*package[: len(package) - level + 1], bare]) if level else name


def room_of(module: str, name: Optional[str] = None) -> Optional[str]:
    """The room that ``from module import name`` enters; None for what is not ours."""
    parts = module.split(".")
    if parts[0] != "smartxfer":
        return None
    if len(parts) > 1:
        return "smartxfer" if parts[1] == "__main__" else parts[1]
    if name == "__version__":
        return None  # a constant, no room
    if name is not None and (name in RANK or name == "local"):
        return name
    return "smartxfer"


def complaint(source_room: str, target_room: str) -> Optional[str]:
    """Why ``source_room`` may not import ``target_room``; None if it may."""
    for room in (source_room, target_room):
        if room not in RANK and room != "local":
            return f"{room!r} stands on no floor: give it one in FLOORS and docs/architecture.rst"
    if source_room == target_room:
        return None
    if source_room == "local":
        return None if target_room in LOCAL_MAY_IMPORT else "the local server shares no code"
    if target_room == "local":
        return None if source_room in LOCAL_IS_IMPORTED_BY else "no client knows the local server"
    if RANK[source_room] == RANK[target_room]:
        return "rooms of one floor never import each other"
    return None if RANK[source_room] < RANK[target_room] else "arrows run down only"


def violations(source: str, module: str, is_package: bool = False) -> List[str]:
    """Every import of ``source`` that runs against the arrows, with its line."""
    here = room_of(module)
    assert here is not None
    found = []
    for line, target, name in imports_of(source, module, is_package):
        there = room_of(target, name)
        problem = complaint(here, there) if there is not None else None
        if problem:
            what = f"{target}.{name}" if name else target
            found.append(f"{module}:{line} imports {what}: {problem}")
    return found


def arrows_of(sources: Dict[Tuple[str, bool], str]) -> Dict[str, Set[str]]:
    """Which modules each module imports: ``from room import name`` is the module name, else the room itself.

    :param sources: source text by dotted name and whether it is a package.
    """
    modules = {module for module, _ in sources}
    arrows: Dict[str, Set[str]] = {module: set() for module in modules}
    for (module, is_package), source in sources.items():
        for _, room, name in imports_of(source, module, is_package):
            target = f"{room}.{name}"
            if target not in modules:
                target = room
            if target in modules and (room, name) != ("smartxfer", "__version__"):
                arrows[module].add(target)
    return arrows


def circles(arrows: Dict[str, Set[str]]) -> Dict[str, Set[str]]:
    """The arrows that are left when all modules are taken away that import nothing, or that nothing imports.

    What is left are circles and what lies between two of them.
    """
    while True:
        imported = set().union(*arrows.values())
        left = {
            module: targets & arrows.keys()
            for module, targets in arrows.items()
            if module in imported and targets & arrows.keys()
        }
        if left == arrows:
            return left
        arrows = left


def module_of(path: Path) -> Tuple[str, bool]:
    """The dotted name of a source file of the package, and whether it is a package itself."""
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    if parts[-1] == "__init__":
        return ".".join(parts[:-1]), True
    return ".".join(parts), False


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_arrows_run_down_only() -> None:
    assert SOURCES
    found = []
    for path in SOURCES:
        module, is_package = module_of(path)
        found += violations(path.read_text(encoding="utf-8"), module, is_package)
    assert not found, "\n".join(found)


def test_no_module_imports_itself_by_a_detour() -> None:
    arrows = arrows_of({module_of(path): path.read_text(encoding="utf-8") for path in SOURCES})
    assert sum(map(len, arrows.values())) > len(arrows)
    assert circles(arrows) == {}


def test_a_circle_is_found() -> None:
    arrows = arrows_of(
        {
            ("smartxfer.local", True): "from smartxfer.local.server import LocalServer",
            ("smartxfer.local.server", False): "from smartxfer.local import handler",
            ("smartxfer.local.handler", False): "from . import body\nimport smartxfer.local.sending",
            ("smartxfer.local.sending", False): "if TYPE_CHECKING:\n    from .handler import Handler",
            ("smartxfer.local.body", False): "import socket",
        }
    )
    assert arrows["smartxfer.local.server"] == {"smartxfer.local.handler"}
    assert circles(arrows) == {
        "smartxfer.local.handler": {"smartxfer.local.sending"},
        "smartxfer.local.sending": {"smartxfer.local.handler"},
    }


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("smartxfer.transfer.upload", "from smartxfer.filesender import models"),
        ("smartxfer.transfer.upload", "from ..filesender.models import File"),
        ("smartxfer.transfer.upload", "from .. import filesender"),
        ("smartxfer.transport.retry_policy", "import smartxfer.transfer.file_parts"),
        ("smartxfer.transport.retry_policy", "def f():\n    from smartxfer.client import BaseClient"),
        ("smartxfer.errors", "if TYPE_CHECKING:\n    from smartxfer.transport import retry"),
        ("smartxfer.transfer.upload", "import importlib\nimportlib.import_module('smartxfer.client')"),
        ("smartxfer.client", "from smartxfer import delta"),
        ("smartxfer.client", "from smartxfer import FileSenderClient"),
        ("smartxfer.filesender.client", "from smartxfer.nrp import get_client"),
        ("smartxfer.filesender.client", "from smartxfer.local import LocalServer"),
        ("smartxfer.local.store", "from smartxfer.transport import limits"),
        ("smartxfer.local.store", "from smartxfer import structures"),
        ("smartxfer.attic", "import os\nimport smartxfer.errors"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("smartxfer.transfer.upload", "import requests\nfrom . import plan, journal"),
        ("smartxfer.transfer.upload", "from ..transport.retry import RetryPolicy"),
        ("smartxfer.transport.session", "from smartxfer import __version__"),
        ("smartxfer.local.store", "from ..errors import UsageError\nfrom ..delta import patch"),
        ("smartxfer.cli.serve", "from smartxfer.local import LocalServer"),
    ],
)
def test_a_right_arrow_passes(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert violations("from . import models", "smartxfer.filesender", is_package=True) == []
    assert violations("from ..nrp import x", "smartxfer.filesender", is_package=True) != []


def test_no_file_is_long() -> None:
    folders = ("smartxfer", "tests", "benchmarks", "examples", "docs")
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > 400} == {}
    package = [n for name, n in lengths.items() if name.startswith("smartxfer")]
    assert statistics.median(package) < 120


def test_no_function_is_long() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 70:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} ({lines})")
    assert not found, "\n".join(found)
