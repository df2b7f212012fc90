"""Thread-local state is read only in the engine; all other code receives its context as an argument."""

from __future__ import annotations

import ast
from typing import Iterator, Set, Tuple

import pytest

from tests.support.source_code import client_modules, last_word

#: The engine: requests and urllib3 stand between its parts, and pass nothing on.
ENGINE = {"transport", "transfer"}
#: Each module with something of a thread's own, and why.
HOLDERS = {
    "transport/attempt.py": "the try under way: connections tell it their socket",
    "transfer/buffers.py": "the block that bytes are moved by",
    "_system.py": "the clock of an operation, by which a wait for a lease of a file can be ended",
}
#: What anything may call, though it looks at the clock of the operation.
OPEN_TO_ALL = {"open_when_lease_released", "open_binary"}
KINDS = {"local", "ContextVar"}

def makes_one(tree: ast.Module) -> bool:
    """Return True if a module makes a thread-local or a context variable, or names their classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and last_word(node) in KINDS and last_word(node.value) in ("threading", "contextvars"):
            return True
        if isinstance(node, ast.ImportFrom) and node.module in ("_threading_local", "contextvars"):
            return True
        named = {one.name for one in node.names} if isinstance(node, ast.ImportFrom) else set()
        if KINDS & named and node.module == "threading":
            return True
        if isinstance(node, ast.Import) and {"contextvars", "_threading_local"} & {one.name for one in node.names}:
            return True
    return False


def readers(tree: ast.Module) -> Set[str]:
    """Return the functions at the top of a module that use its thread-local, and those that call them."""
    found = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and last_word(node.value.func) in KINDS
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    grew = True
    while grew:
        new = {
            one.name
            for one in tree.body
            if isinstance(one, ast.FunctionDef) and found & {last_word(node) for node in ast.walk(one)}
        } - found
        found |= new
        grew = bool(new)
    return found


def uses(tree: ast.Module, holder: str, names: Set[str]) -> Iterator[Tuple[int, str]]:
    """Yield (line, name) of each use of a function of ``holder``, a module with dots."""
    short = holder.rpartition(".")[2]
    bound = {short}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if node.module == holder and alias.name in names:
                    yield node.lineno, alias.name
                elif f"{node.module}.{alias.name}" == holder:
                    bound.add(alias.asname or alias.name)
        elif isinstance(node, ast.Attribute) and node.attr in names and last_word(node.value) in bound:
            yield node.lineno, node.attr


def test_only_these_modules_keep_something_for_a_thread() -> None:
    assert {name for name, tree in client_modules().items() if makes_one(tree)} == set(HOLDERS)


def test_nothing_outside_the_engine_reads_it() -> None:
    every = client_modules()
    found = []
    for name in HOLDERS:
        names = readers(every[name]) - OPEN_TO_ALL
        assert names, f"{name}: nothing reads it"
        holder = "smartxfer." + name[:-3].replace("/", ".")
        for other, tree in every.items():
            if other != name and other.split("/")[0] not in ENGINE:
                found += [f"{other}:{line}: {used}" for line, used in uses(tree, holder, names)]
    assert not found, "hand the attempt on: UploadSpec.attempt_context, DownloadSpec.attempt_context, follow()"


def test_the_readers_are_known() -> None:
    every = client_modules()
    assert {"current_attempt", "sleep_in_attempt", "limit_timeout"} <= readers(every["transport/attempt.py"])
    assert {"get_thread_buffer", "pop_last_block_size"} <= readers(every["transfer/buffers.py"])
    assert {"override_sleep", "open_when_lease_released"} <= readers(every["_system.py"])


@pytest.mark.parametrize(
    "source",
    [
        "import threading\nx = threading.local()",
        "from threading import local",
        "import contextvars",
        "from contextvars import ContextVar",
        "from _threading_local import local",
        "import threading\nclass A:\n    def __init__(self):\n        self.mine = threading.local()",
    ],
)
def test_each_way_to_keep_something_is_found(source: str) -> None:
    assert makes_one(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "from smartxfer.transport.attempt import current_attempt",
        "from smartxfer.transport import attempt\nattempt.current_attempt()",
        "from smartxfer.transport import attempt as attempts\nattempts.current_attempt()",
        "import smartxfer.transport.attempt\nsmartxfer.transport.attempt.current_attempt()",
    ],
)
def test_each_way_to_read_it_is_found(source: str) -> None:
    assert list(uses(ast.parse(source), "smartxfer.transport.attempt", {"current_attempt"}))


def test_what_is_not_read() -> None:
    source = "from smartxfer.transport.attempt import Attempt\nself.attempt.moved\nthing.current_attempt()"
    assert not list(uses(ast.parse(source), "smartxfer.transport.attempt", {"current_attempt"}))
    assert not makes_one(ast.parse("import threading\nthreading.Lock()"))
