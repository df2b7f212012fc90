"""Errors are values: no code of the package sets an attribute of an exception."""

from __future__ import annotations

import ast
import builtins
import re
from typing import Iterator, List, Set, Tuple

import pytest

from tests.support.source_code import client_modules, last_word

#: Where an error is made of another one, and where the notes are set that cattrs reads on every Python.
ALLOWED = {("error_values.py", "__cause__"), ("error_values.py", "__context__"), ("models.py", "__notes__")}
ALLOWED |= {("error_values.py", "__suppress_context__")}
#: Attributes that only exceptions have: set on anything but ``self``, they are set on an exception.
OF_ERRORS = {
    "may_have_been_processed", "errno", "expired", "hint", "retry_after", "retry_at_once", "retryable", "strerror",
    "transfer_id", "__cause__", "__context__", "__notes__", "__suppress_context__",
}  # fmt: skip

Found = Tuple[int, str]
_SETTERS = ("setattr", "__setattr__", "delattr", "__delattr__")
_ANNOTATION = re.compile(r"[A-Za-z_][\w.]*(\[[\w., \[\]]+\])?\Z")


def words(node: ast.AST | None) -> Set[str]:
    """Return the names in an annotation, those in quotes too."""
    if node is None:
        return set()
    texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    found = {last_word(one) for one in ast.walk(node)}
    return found.union(*(words(ast.parse(text, mode="eval")) for text in texts if _ANNOTATION.match(text)))


def exception_classes(modules: List[ast.Module]) -> Set[str]:
    """Return the names of exception classes: Python's, and the package's, whatever they derive from."""
    found = {
        name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    classes = [node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    grew = True
    while grew:
        new = {one.name for one in classes if found & {last_word(base) for base in one.bases}} - found
        found |= new
        grew = bool(new)
    return found


def makers(modules: List[ast.Module], kinds: Set[str]) -> Set[str]:
    """Return the names of functions that return an exception."""
    return {
        node.name
        for tree in modules
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and kinds & words(node.returns) and "Type" not in words(node.returns)
    }


def exceptions_in(function: ast.AST, kinds: Set[str], made_by: Set[str]) -> Set[str]:
    """Return the names that an exception is bound to within a function."""
    found: Set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.arg) and kinds & words(node.annotation):
            found.add(node.arg)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and kinds & words(node.annotation):
            found.add(node.target.id)
    grew = True
    while grew:
        before = len(found)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                value = node.value
                called = isinstance(value, ast.Call) and last_word(value.func) in kinds | made_by
                if called or (isinstance(value, ast.Name) and value.id in found):
                    found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        grew = len(found) > before
    return found


def targets_of(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a statement assigns to, or deletes."""
    if isinstance(node, (ast.Assign, ast.Delete)):
        for target in node.targets:
            yield from target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        yield node.target


def is_dict_of(node: ast.AST, names: Set[str]) -> bool:
    """Return True for ``error.__dict__`` and ``vars(error)``."""
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        return last_word(node.value) in names
    return isinstance(node, ast.Call) and last_word(node.func) == "vars" and bool(names & set(map(last_word, node.args)))


def faults(tree: ast.Module, kinds: Set[str], made_by: Set[str]) -> Iterator[Found]:
    """Yield (line, attribute) of each attribute that is set on an exception."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for function in [tree, *functions]:
        names = exceptions_in(function, kinds, made_by) if function is not tree else set()
        for node in ast.walk(function):
            for target in targets_of(node):
                if isinstance(target, ast.Attribute) and last_word(target.value) not in ("self", "cls"):
                    is_set = last_word(target.value) in names or target.attr in OF_ERRORS
                    yield from [(node.lineno, target.attr)] if is_set else []
                if isinstance(target, ast.Subscript) and is_dict_of(target.value, names):
                    yield node.lineno, "__dict__"
            if isinstance(node, ast.Call) and node.args and last_word(node.args[0]) in names:
                yield from [(node.lineno, "setattr()")] if last_word(node.func) in _SETTERS else []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                changes = node.func.attr in ("update", "setdefault", "pop") and is_dict_of(node.func.value, names)
                yield from [(node.lineno, "__dict__")] if changes else []


def test_no_place_sets_an_attribute_on_an_exception() -> None:
    modules = client_modules()
    kinds = exception_classes(list(modules.values()))
    made_by = makers(list(modules.values()), kinds)
    assert {"NetworkError", "RepositoryConflict", "OSError", "NotPrivate"} <= kinds
    assert {"build_http_error", "wrap_os_error", "translate_exception", "out_of_memory_error"} <= made_by
    found = {
        f"{path}:{line}: {attribute}"
        for path, tree in modules.items()
        for line, attribute in faults(tree, kinds, made_by)
        if (path.rpartition("/")[2], attribute) not in ALLOWED
    }
    assert not found, "an error's values are arguments of its class; error_values.evolve() makes another error"


#: Statements in the place where an error is caught.
_CAUGHT = [
    "e.where = 1", "del e.where", "e.where += 1", "e.where, x = 1, 2", "found = e\n    found.where = 1",
    "setattr(e, 'where', 1)", "object.__setattr__(e, 'where', 1)", "e.__dict__['where'] = 1",
    "e.__dict__.update(where=1)", "vars(e).update(where=1)",
]
_SET = [
    *(f"try: ...\n    except OSError as e: {statement}" for statement in _CAUGHT),
    "made = NotFound('x')\n    made.where = 1", "made = errors.NotFound('x')\n    made.where = 1",
    "made = make()\n    made.where = 1", "given.where = 1", "quoted.where = 1",
    "late: Optional[NotFound] = None\n    late.where = 1", "unknown.hint = 'x'", "unknown.retryable = True",
    "unknown.__cause__ = None",
]
_NOT_SET = ["self.hint = 'x'", "thing = count()\n    thing.size = 1", "kind.size = 1", "found['hint'] = 1"]


@pytest.mark.parametrize(("statement", "is_found"), [(one, one in _SET) for one in _SET + _NOT_SET])
def test_each_way_to_set_one_is_found_and_nothing_else(statement: str, is_found: bool) -> None:
    tree = ast.parse(
        "class NotFound(LookupError): ...\n"
        "def make() -> NotFound: ...\n"
        "def count() -> int: ...\n"
        "def step(self, given: NotFound, quoted: 'Optional[NotFound]', unknown, kind: Type[int], found: Dict[str, Any]):\n"
        f"    {statement}\n"
    )
    kinds = exception_classes([tree])
    assert bool(list(faults(tree, kinds, makers([tree], kinds)))) is is_found
