"""Annotations that are text, because their types are loaded on first use, as the types that they mean."""

from __future__ import annotations

import ast
import inspect
import sys
from typing import Any, Callable, Dict


def _known(function: Callable[..., Any]) -> Dict[str, Any]:
    """Return the names that a type checker knows in the module of a function."""
    module = sys.modules[inspect.unwrap(function).__module__]
    names = dict(vars(module))
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            exec(compile(ast.Module(node.body, type_ignores=[]), "<imports>", "exec"), names)
    return names


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature with the types that its annotations mean."""
    found = inspect.signature(function)
    names = _known(function.__init__ if isinstance(function, type) else function)

    def meant(annotation: Any) -> Any:
        return eval(annotation, names) if isinstance(annotation, str) else annotation

    parameters = [one.replace(annotation=meant(one.annotation)) for one in found.parameters.values()]
    return found.replace(parameters=parameters, return_annotation=meant(found.return_annotation))
