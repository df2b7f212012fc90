"""The list of mutations: every entry can still be applied, and its tests exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations.all_mutations import MUTATIONS
from tests.mutations.mutated_copy import StaleMutation, mutated_text
from tests.mutations.mutation import Mutation

ROOT = Path(__file__).resolve().parent.parent

each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)


@each_mutation
def test_mutation_applies(mutation: Mutation) -> None:
    before = (ROOT / mutation.file).read_text(encoding="utf-8")
    after = mutated_text(mutation, before)
    compile(after, mutation.file, "exec")
    changed = [pair for pair in zip(before.split("\n"), after.split("\n")) if pair[0] != pair[1]]
    assert len(changed) == 1


@each_mutation
def test_mutation_is_complete(mutation: Mutation) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", mutation.id)
    assert mutation.file.startswith("smartxfer/")
    assert mutation.why.endswith(".")
    assert mutation.tests


@each_mutation
def test_tests_of_mutation_exist(mutation: Mutation) -> None:
    for test in mutation.tests:
        path, _, function = test.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8")
        name = function.partition("[")[0].rpartition("::")[2]  # of a method: without its class
        assert not name or re.search(rf"^ *def {name}\(", source, re.M), test


@pytest.mark.parametrize("promise", range(1, 15))
def test_page_of_promises_names_the_mutations(promise: int) -> None:
    page = (ROOT / "docs" / "promises.rst").read_text(encoding="utf-8")
    section = re.split(rf"^(?:{promise}|{promise + 1})\. ", page, flags=re.M)[1]
    ids = [mutation.id for mutation in MUTATIONS if mutation.promise == promise]
    assert sorted(re.findall(r":mutation:`([^`]+)`", section)) == sorted(ids)


def test_ids_are_unique() -> None:
    assert [id for id, count in Counter(mutation.id for mutation in MUTATIONS).items() if count > 1] == []


def test_line_that_occurs_twice_is_stale() -> None:
    mutation = Mutation(id="a-b", promise=1, file="a.py", old="x = 1", new="x = 2", tests=(), why="")
    assert mutated_text(mutation, "if a:\n    x = 1\n") == "if a:\n    x = 2\n"
    for text in ("x = 1\nx = 1\n", "y = 1\n"):
        with pytest.raises(StaleMutation):
            mutated_text(mutation, text)


_COMMAND = """
import sys
from pathlib import Path
import smartxfer.transfer.download as module
text = Path(module.__file__).read_text(encoding="utf-8")
sys.exit(7 if "if actual != expected.lower():" not in text else 0)
"""


def test_command_runs_on_the_mutated_copy(tmp_path: Path) -> None:
    script = tmp_path / "look.py"
    script.write_text(_COMMAND, encoding="utf-8")
    options = ["--only", "digest-not-compared", "--run", f'python "{script}"']
    done = subprocess.run([sys.executable, "-m", "tests.mutations", *options], cwd=ROOT, timeout=100)
    assert done.returncode == 7
    assert "if actual != expected.lower():" in (ROOT / "smartxfer/transfer/download.py").read_text(encoding="utf-8")
