"""The layers of the package, the imports that they allow, and the limits on the size of files and functions."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "smartxfer"

# From top to bottom. A package imports only from lower layers; packages of one layer never import each other.
LAYERS = (
    ("cli", "testing"),
    ("demo", "jetstream_bridge"),
    ("smartxfer",),  # the public API: smartxfer/__init__.py and __main__.py
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
    ("error_hints", "missing_attributes", "file_descriptors", "lazy_imports", "reprs", "terminal_text", "secret_text", "weak"),
)
RANK = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
# The local server implements the other side of the protocols and is not part of the layers.
IMPORTS_OF_LOCAL = {"errors", "delta"}
IMPORTERS_OF_LOCAL = {"cli", "demo", "jetstream_bridge", "testing"}

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


def package_of(module: str, name: Optional[str] = None) -> Optional[str]:
    """Return the top-level package or module that ``from module import name`` imports; None for other libraries."""
    parts = module.split(".")
    if parts[0] != "smartxfer":
        return None
    if len(parts) > 1:
        return "smartxfer" if parts[1] == "__main__" else parts[1]
    if name == "__version__":
        return None  # a constant, not a package
    if name is not None and (name in RANK or name == "local"):
        return name
    return "smartxfer"


def explain_violation(source: str, target: str) -> Optional[str]:
    """Return the reason why the package ``source`` may not import the package ``target``; None if it may."""
    for package in (source, target):
        if package not in RANK and package != "local":
            return f"{package!r} is in no layer: add it to LAYERS and to docs/architecture.rst"
    if source == target:
        return None
    if source == "local":
        return None if target in IMPORTS_OF_LOCAL else "the local server shares no code with the clients"
    if target == "local":
        return None if source in IMPORTERS_OF_LOCAL else "a client does not import the local server"
    if RANK[source] == RANK[target]:
        return "packages of one layer never import each other"
    return None if RANK[source] < RANK[target] else "imports run downward only"


def find_violations(source: str, module: str, is_package: bool = False) -> List[str]:
    """Return every import of ``source`` that the layers do not allow, with its line."""
    package = package_of(module)
    assert package is not None
    found = []
    for line, target, name in imports_of(source, module, is_package):
        target_package = package_of(target, name)
        problem = explain_violation(package, target_package) if target_package is not None else None
        if problem:
            imported = f"{target}.{name}" if name else target
            found.append(f"{module}:{line} imports {imported}: {problem}")
    return found


def build_import_graph(sources: Dict[Tuple[str, bool], str]) -> Dict[str, Set[str]]:
    """Return the modules that each module imports; ``from package import name`` imports the module ``package.name`` if it exists.

    :param sources: source texts by dotted name and the information if it is a package.
    """
    modules = {module for module, _ in sources}
    graph: Dict[str, Set[str]] = {module: set() for module in modules}
    for (module, is_package), source in sources.items():
        for _, package, name in imports_of(source, module, is_package):
            target = f"{package}.{name}"
            if target not in modules:
                target = package
            if target in modules and (package, name) != ("smartxfer", "__version__"):
                graph[module].add(target)
    return graph


def find_cycles(graph: Dict[str, Set[str]]) -> Dict[str, Set[str]]:
    """Return the graph without the modules that import nothing, and without those that nothing imports, repeatedly.

    The rest are cycles, and the modules between two of them.
    """
    while True:
        imported = set().union(*graph.values())
        remaining = {module: targets & graph.keys() for module, targets in graph.items() if module in imported}
        remaining = {module: targets for module, targets in remaining.items() if targets}
        if remaining == graph:
            return remaining
        graph = remaining


def module_of(path: Path) -> Tuple[str, bool]:
    """Return the dotted name of a source file, and True if it is the ``__init__.py`` of a package."""
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    if parts[-1] == "__init__":
        return ".".join(parts[:-1]), True
    return ".".join(parts), False


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_imports_run_downward_only() -> None:
    assert SOURCES
    found = []
    for path in SOURCES:
        module, is_package = module_of(path)
        found += find_violations(path.read_text(encoding="utf-8"), module, is_package)
    assert not found, "\n".join(found)


def test_no_import_cycles() -> None:
    graph = build_import_graph({module_of(path): path.read_text(encoding="utf-8") for path in SOURCES})
    assert sum(map(len, graph.values())) > len(graph)
    assert find_cycles(graph) == {}


def test_a_cycle_is_found() -> None:
    graph = build_import_graph(
        {
            ("smartxfer.local", True): "from smartxfer.local.server import LocalServer",
            ("smartxfer.local.server", False): "from smartxfer.local import handler",
            ("smartxfer.local.handler", False): "from . import request_body\nimport smartxfer.local.response_writer",
            ("smartxfer.local.response_writer", False): "if TYPE_CHECKING:\n    from .handler import Handler",
            ("smartxfer.local.request_body", False): "import socket",
        }
    )
    assert graph["smartxfer.local.server"] == {"smartxfer.local.handler"}
    assert find_cycles(graph) == {
        "smartxfer.local.handler": {"smartxfer.local.response_writer"},
        "smartxfer.local.response_writer": {"smartxfer.local.handler"},
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
        ("smartxfer.unknown", "import os\nimport smartxfer.errors"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(find_violations(source, module)) == 1


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
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert find_violations(source, module) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert find_violations("from . import models", "smartxfer.filesender", is_package=True) == []
    assert find_violations("from ..nrp import x", "smartxfer.filesender", is_package=True) != []


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
