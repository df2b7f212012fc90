"""Write the code blocks of README.rst and of docs/ as modules, and run a type checker on what users paste.

    python tests/typing/pages.py DIRECTORY COMMAND...

The command runs in the directory, so that it finds the installed package and not the source.
The blocks of a page that build on earlier blocks are one module; each block of README.rst and of docs/index.rst
is a module of its own.
What a ``diff`` block of a page about coming from another package shows as the new program is a module of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Iterator, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
#: Pages whose blocks have nothing to do with each other.
SEPARATE = {"README", "index"}
#: Pyright's own rules; a line that must not type-check has to be an error for it, too.
_PYRIGHT = {
    "typeCheckingMode": "standard",
    "pythonVersion": "3.10",
    "enableTypeIgnoreComments": True,
    "reportUnnecessaryTypeIgnoreComment": "error",
}
_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. (?:code-block:: python|testcode::|testsetup::|testcleanup::)[^\n]*\n"
    r"(?:(?P=indent) +:[^\n]*\n)*"
    r"(?P<code>(?:(?P=indent) +[^\n]*\n|\s*\n)+)",
    re.MULTILINE,
)


_DIFF = re.compile(r"^\.\. code-block:: diff\n\n(?P<code>(?:   .*\n|\n)+)", re.MULTILINE)
#: What the tests give to programs on these pages.
_GIVEN = 'URL, USERNAME, API_KEY = "https://files.example.org", "me", "key"'


def pages() -> List[Path]:
    """Return the pages that users read."""
    return [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]


def blocks(text: str) -> Iterator[Tuple[int, str]]:
    """Yield the number of the first line of each block of Python, and the block."""
    for found in _BLOCK.finditer(text):
        code = found["code"]
        blank = len(code) - len(code.lstrip("\n"))
        yield text.count("\n", 0, found.start("code") + blank) + 1, textwrap.dedent(code).strip("\n") + "\n"


def modules(page: Path) -> Iterator[Tuple[str, str]]:
    """Yield name and text of each module of a page; each line has the number that it has on the page."""
    name = "_".join(page.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
    lines: List[str] = []
    for start, code in blocks(page.read_text(encoding="utf-8")):
        lines += [""] * (start - 1 - len(lines)) + code.splitlines()
        if page.stem in SEPARATE:
            yield f"{name}_{start}", "\n".join(lines) + "\n"
            lines = []
    if lines:
        yield name, "\n".join(lines) + "\n"


def programs(page: Path) -> Iterator[Tuple[str, str]]:
    """Yield name and text of the new side of each change that a page shows; each line has its number there."""
    text = page.read_text(encoding="utf-8")
    for found in _DIFF.finditer(text):
        start = text.count("\n", 0, found.start("code"))
        lines = [line[3:] for line in found["code"].split("\n")]
        new = ["" if line.startswith("-") else line[1:] for line in lines]
        name = f"{page.stem}_{start}".replace("-", "_")
        yield name, "\n".join([_GIVEN, *[""] * (start - 1), *new]) + "\n"


def main(directory: str, command: List[str]) -> int:
    """Write all modules and the programs of this directory; return the exit code of a command that runs there."""
    place = Path(directory)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    texts = {name: text for page in pages() for name, text in modules(page)}
    texts.update((name, text) for page in pages() if "migration" in page.stem for name, text in programs(page))
    assert len(texts) > 20, "the blocks were not found"
    texts.update((path.stem, path.read_text(encoding="utf-8")) for path in Path(__file__).parent.glob("must*.py"))
    for name, text in texts.items():
        (place / f"{name}.py").write_text(text, encoding="utf-8")
    (place / "pyrightconfig.json").write_text(json.dumps(_PYRIGHT), encoding="utf-8")
    return subprocess.run(command, cwd=place, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
