"""Programs of the original clients' users, and how one becomes a program for smartxfer.

``programs/SERVICE.txt`` holds them, each with what it prints when the original package runs it::

    === what the program does
    ~ a line that changes => what it becomes
    ! why the original cannot run it
    the program
    ---
    what it prints

What changes in every program (imports, names) is read from the first table of ``docs/SERVICE-migration.rst``; the
lines with a tilde are changes that a row of another table of that page documents.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("smartfile", "filesender", "nrp", "perseus")

_ROW = re.compile(r"^   \* - (?P<old>.*(?:\n     (?! *- ).*)*)\n     - (?P<new>.*(?:\n       .*)*)", re.MULTILINE)
_DIFF = re.compile(
    r"^\.\. code-block:: diff\n\n(?P<diff>(?:   .*\n|\n)+)Both print::\n\n(?P<printed>(?:    .*\n)+)", re.MULTILINE
)
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
#: What disappears with the event loop.
_ASYNC = [
    (re.compile(r"^(?:import asyncio|from asyncio import run)\n", re.MULTILINE), ""),
    (re.compile(r"^import asyncio, ", re.MULTILINE), "import "),
    (re.compile(r"\basync (?=def|with|for)"), ""),
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\basyncio\.run\((.*)\)$", re.MULTILINE), r"\1"),
    (re.compile(r"\brun\((main\(\))\)"), r"\1"),
]

#: What lies in the directory of every program.
FILES = {"report.csv": b"1,2\n3,4\n\n", "reads.fastq": b"@read\nACGT\n+\nIIII\n" * 100}

Pairs = List[Tuple[str, str]]


class Usage(NamedTuple):
    """A program as users of the original package write it, and what it prints.

    ``as_shown`` is the program for smartxfer on the page that has it.
    """

    service: str
    name: str
    changes: Pairs
    text: str
    printed: str
    as_shown: str = ""
    ours_only: str = ""

    @property
    def ours(self) -> str:
        """The program for smartxfer."""
        return migrated(self.service, self.text, self.changes)


def usages(service: str) -> List[Usage]:
    """Return the programs of one service."""
    path = ROOT / "tests" / "usages" / "programs" / f"{service}.txt"
    found = []
    for block in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        text, _, printed = rest.partition("\n---\n")
        lines = text.split("\n")
        changes = [(old, new) for line in lines if line[:2] == "~ " for old, _, new in [line[2:].partition(" => ")]]
        ours_only = "; ".join(line[2:] for line in lines if line.startswith("! "))
        program = "\n".join(line for line in lines if not line.startswith(("~ ", "! ")))
        seen = printed.rstrip("\n") + "\n"
        found.append(Usage(service, name, changes, program + "\n", seen, ours_only=ours_only))
    return found


def page(service: str) -> str:
    """Return the text of the page about coming from the original package."""
    return (ROOT / "docs" / f"{service}-migration.rst").read_text(encoding="utf-8")


def tables(service: str) -> List[Pairs]:
    """Return the rows of two or more columns of each list-table of the page."""
    found = []
    for part in re.split(r"^\.\. list-table::.*\n", page(service), flags=re.MULTILINE)[1:]:
        table = re.split(r"^(?=\S)", part, maxsplit=1, flags=re.MULTILINE)[0]
        found.append([(row["old"], row["new"]) for row in _ROW.finditer(table)][1:])
    return found


def rewrites(service: str) -> Pairs:
    """Return what changes in every program: the literals of the first table, the longest first."""
    pairs = []
    for old, new in tables(service)[0]:
        before, after = _LITERAL.findall(old), _LITERAL.findall(new)
        assert len(before) == len(after) == 1, (old, new)
        pairs.append((before[0], after[0]))
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def documented(service: str) -> List[Tuple[List[str], List[str]]]:
    """Return the literals of both columns of every row of the other tables."""
    rows = [row for table in tables(service)[1:] for row in table]
    return [(_LITERAL.findall(old), _LITERAL.findall(new)) for old, new in rows]


def migrated(service: str, text: str, changes: Pairs) -> str:
    """Return a program for smartxfer: imports changed, ``async`` and ``await`` dropped."""
    for old, new in changes:
        assert old in text, f"{old!r} is not in the program"
        text = text.replace(old, new)
    for old, new in rewrites(service):
        text = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", lambda _, new=new: new, text)
    for pattern, replacement in _ASYNC:
        text = pattern.sub(replacement, text)
    return text


def replay(text: str, names: Dict[str, Any], directory: Path) -> str:
    """Run a program in an empty directory; return what it prints.

    :param names: what the program finds defined; ``ENVIRONMENT`` and ``FILES`` are made before it runs.
    """
    screen = io.StringIO()
    for name, data in FILES.items():
        (directory / name).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(screen):
        for name, value in {**os.environ, **names["ENVIRONMENT"]}.items():  # what a program sets is undone
            patch.setenv(name, value)
        patch.chdir(directory)
        exec(compile(text, "program", "exec"), {"__name__": "__main__", **names})
    return screen.getvalue().replace(names["URL"].rstrip("/"), "<URL>")


def shown(service: str) -> List[Usage]:
    """Return the programs that the page shows as a change of lines, with what both print."""
    found = []
    for number, block in enumerate(_DIFF.finditer(page(service)), start=1):
        lines = [line[3:] for line in block["diff"].rstrip("\n").split("\n")]
        old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        printed = "".join(line[4:] + "\n" for line in block["printed"].splitlines())
        name = f"the page's program {number}"
        found.append(Usage(service, name, [], old + "\n", printed, new + "\n"))
    return found
