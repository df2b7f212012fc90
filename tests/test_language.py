"""Retired words and sentence patterns: none of them is left in the package, the documentation and the tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("smartxfer", "docs", "tests", "benchmarks", "examples")
#: Data of servers and other projects, recorded as it was, and this list itself.
EXCLUDED = ("tests/data/", "docs/_build/", "tests/test_language.py", "tests/usages/programs/")

#: Retired words, with what to write instead. They are searched in prose, names and file names alike.
RETIRED_WORDS = {
    r"lanes?": "job",
    r"bells?": "wakeup",
    r"verdicts?": "abort error, result, decision",
    r"(un)?seal(s|ed|ing|er|ers)?": "encrypt",
    r"vouch(es|ed|ing)?": "verify, authenticate",
    r"shel(f|ves)": "storage backend",
    r"crews?": "worker pool",
    r"complaints?": "error",
    r"told": "reported, returned, sent",
    r"heed(s|ed|ing)?": "check, follow",
    r"reckon(s|ed|ing)?": "compute",
    r"(some|no|every|any)body": "another client, the caller, or the passive",
    r"whoever": "the caller",
    r"anew": "again",
    r"stands": "is, exists, is stored",
    r"stood": "was, existed, was stored",
    r"tidings": "event",
}
#: Retired phrases of prose.
RETIRED_PHRASES = {
    r"\b([Ii]s|[Aa]re) no\s": "is not a, invalid, missing",
    r"\b([Tt]here (is|are) none|is none)\b": "is missing, does not exist",
    r"\b[Gg]o(es|ne|ing)? on\b": "continue, resume",
    r"\b[Bb]y way of\b": "via, through",
}
#: In these paths "opening" and "opened" mean decryption, for which there is a word.
OPENING = re.compile(r"encrypt|decrypt|cipher")
DOCSTRING_START = re.compile(r"(What|Whether|Who|Whose|Where|How|It)\b")

#: Path, text of the line, and the reason for which it may stay.
ALLOWED: Tuple[Tuple[str, str, str], ...] = (
    (
        "smartxfer/filesender/upload_journal.py", 'ENCRYPTION_STATE_KEY = "sealing"',
        "a key of state files, which earlier versions wrote",
    ),
    ("tests/faults/test_encrypted_secrets.py", '["state"]["sealing"]', "that key"),
    ("tests/filesender/test_planted_journals.py", '"sealing"', "that key"),
    ("CHANGELOG.rst", "transfers.list(everybody=)", "the name before, in the table of renames"),
)


class Finding(NamedTuple):
    """A retired word or pattern in a file."""

    path: str
    line: int
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text.strip()[:100]!r} (write: {self.advice})"


_WORD = re.compile(r"(?<![A-Za-z])(" + "|".join(f"(?:{word})" for word in RETIRED_WORDS) + r")(?![A-Za-z])", re.IGNORECASE)
_PHRASES = [(re.compile(phrase), advice) for phrase, advice in RETIRED_PHRASES.items()]


def split_names(text: str) -> str:
    """Return the text with the words of CamelCase and snake_case names apart."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).replace("_", " ")


def advice_for(word: str) -> str:
    """Return what to write in place of a retired word."""
    return next(advice for pattern, advice in RETIRED_WORDS.items() if re.fullmatch(pattern, word, re.IGNORECASE))


def find_in_text(path: str, text: str) -> Iterator[Finding]:
    """Yield the retired words and phrases of a text, line by line; phrases also across the end of a line."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in _WORD.finditer(split_names(line)):
            yield Finding(path, number, line, advice_for(match[1]))
        if OPENING.search(path) and re.search(r"\b(opening|opened)\b", split_names(line), re.IGNORECASE):
            yield Finding(path, number, line, "decrypt")
    joined = re.sub(r"\n[ \t]*(#:?[ \t]*)?", lambda match: "\n" + " " * (len(match[0]) - 1), text)
    for pattern, advice in _PHRASES:
        for match in pattern.finditer(re.sub(r"\n +", lambda m: " " * len(m[0]), joined)):
            number = text.count("\n", 0, match.start()) + 1
            yield Finding(path, number, text.split("\n")[number - 1], advice)


def find_in_docstrings(path: str, source: str) -> Iterator[Finding]:
    """Yield the docstrings that begin like a question or a riddle."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text and DOCSTRING_START.match(text):
                line = 1 if isinstance(node, ast.Module) else node.lineno
                yield Finding(path, line, text.split("\n")[0], "an imperative verb or a noun phrase")


def find_all(path: str, text: str) -> List[Finding]:
    """Return every finding in a file and in its name that is not allowed."""
    found = [Finding(path, 0, path, advice_for(match[1])) for match in _WORD.finditer(split_names(path))]
    found += find_in_text(path, text)
    if path.endswith(".py"):
        found += find_in_docstrings(path, text)
    return [f for f in found if not any(f.path == path and part in f.text for path, part, _ in ALLOWED)]


def checked_files() -> List[Path]:
    """Return the files of the package, the documentation and the tests."""
    files = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", ROOT / "CHANGELOG.rst", ROOT / "tox.ini", ROOT / "pyproject.toml"]
    for folder in FOLDERS:
        files += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".rst", ".txt", ".ini", ".toml")]
    return sorted(p for p in files if not p.relative_to(ROOT).as_posix().startswith(EXCLUDED))


def test_no_retired_word_is_left() -> None:
    found: List[Finding] = []
    for path in checked_files():
        found += find_all(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert not found, f"{len(found)} findings:\n" + "\n".join(map(str, found[:200]))


def test_each_exception_is_needed() -> None:
    for path, part, reason in ALLOWED:
        assert reason
        assert part in (ROOT / path).read_text(encoding="utf-8"), f"{path}: {part!r} is not there any more"


@pytest.mark.parametrize(
    "text",
    [
        "class UploadLane:", "self._bell.set()", "# The verdict of the server.", "def sealed_size():",
        '"""Seal the data."""', "What vouches for the bytes.", "object_shelf = 1", "delta/crew.py",
        "it is told to the server", "error: this is no file", "there are no\n    files", "there is none",
        "the transfer goes on", "the file stands there", "somebody else's file", "Whoever calls it",
        "computed anew", '"""What it is."""', 'def f():\n    """Whether it is."""',
    ],
)
def test_a_retired_word_is_found(text: str) -> None:
    found = list(find_in_text("smartxfer/example.py", text))
    if '"""' in text:
        found += find_in_docstrings("smartxfer/example.py", text)
    assert found


@pytest.mark.parametrize(
    "text",
    ["planes = 1", "labelled", "the standard library", "Sealand", "understand", "nothing is lost", "it is not a file", "wholesale", "retold"],
)
def test_other_words_are_not_found(text: str) -> None:
    assert not list(find_in_text("smartxfer/example.py", text))


def test_decryption_is_not_called_opening() -> None:
    assert list(find_in_text("smartxfer/filesender/encryption.py", "opened = cipher.opening"))
    assert not list(find_in_text("smartxfer/filesender/download.py", "opening the file"))
