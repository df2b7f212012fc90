"""Lines of code: the lines of a file without docstrings, comments and blank lines."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

_IGNORED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Line(NamedTuple):
    """A line of code.

    :param number: counted from 1.
    :param text: without the white space around it.
    """

    number: int
    text: str


class Place(NamedTuple):
    """The start of a stretch of lines."""

    path: Path
    number: int


def code_lines(path: Path, *, logic_only: bool = False) -> List[Line]:
    """Return the lines of code of a file.

    :param logic_only: leave out imports, decorators and the heads of functions and classes.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    left_out = _docstrings(tree) | (_declarations(tree) if logic_only else set())
    used: Set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _IGNORED:
            used.update(range(token.start[0], token.end[0] + 1))
    texts = source.splitlines()
    return [Line(number, texts[number - 1].strip()) for number in sorted(used - left_out) if texts[number - 1].strip()]


def shared_stretches(paths: List[Path], least: int) -> Iterator[Tuple[Place, Place, int]]:
    """Yield two places and the number of lines of logic that both have, for each stretch of at least so many."""
    files = {path: code_lines(path, logic_only=True) for path in paths}
    starts: Dict[Tuple[str, ...], List[Tuple[Path, int]]] = {}
    for path, lines in files.items():
        for index in range(len(lines) - least + 1):
            starts.setdefault(tuple(line.text for line in lines[index : index + least]), []).append((path, index))
    seen: Set[Tuple[Path, int, Path, int]] = set()
    for found in starts.values():
        for number, (path, index) in enumerate(found):
            for other, place in found[number + 1 :]:
                if (path, index, other, place) in seen or (path == other and place - index < least):
                    continue
                length = _common(files[path][index:], files[other][place:])
                seen.update((path, index + step, other, place + step) for step in range(length - least + 1))
                yield Place(path, files[path][index].number), Place(other, files[other][place].number), length


def _common(one: List[Line], other: List[Line]) -> int:
    for count, (left, right) in enumerate(zip(one, other)):
        if left.text != right.text:
            return count
    return min(len(one), len(other))


def _docstrings(tree: ast.AST) -> Set[int]:
    """Return the numbers of the lines of all texts that stand alone as a statement."""
    found: Set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update(range(node.lineno, _end(node) + 1))
    return found


def _declarations(tree: ast.AST) -> Set[int]:
    found: Set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(range(node.lineno, _end(node) + 1))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found.update(range(first, node.body[0].lineno))
    return found


def _end(node: ast.AST) -> int:
    return int(node.end_lineno)  # type: ignore[attr-defined]
