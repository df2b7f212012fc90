"""The modules of the client side, parsed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict

PACKAGE = Path(__file__).resolve().parents[2] / "smartxfer"
#: The other side of the wire, and what users test with.
_LEFT_OUT = {"local", "testing"}


def client_modules() -> Dict[str, ast.Module]:
    """Return the modules of the client side by their path below the package."""
    paths = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    return {
        path.as_posix(): ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        for path in paths
        if path.parts[0] not in _LEFT_OUT
    }


def last_word(node: ast.AST) -> str:
    """Return the last word of a name with dots."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
