"""The metrics of the code, and the rule that services contain no copied logic."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from tests.code_metrics.lines import code_lines, shared_stretches
from tests.code_metrics.main import between_services
from tests.code_metrics.ways import contract_services, measure

ROOT = Path(__file__).resolve().parent.parent

_ONE = '''"""A module."""
import os  # it is needed

def name(path: str) -> str:
    """Return the name."""
    a = 1

    # a comment
    b = """
    a text
    """
    c = 3
    return f"{a}{b}{c}" + os.path.basename(path)
'''


def _written(directory: Path, *texts: str) -> List[Path]:
    paths = [directory / f"{number}.py" for number in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_text(text, encoding="utf-8")
    return paths


def test_docstrings_comments_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    [path] = _written(tmp_path, _ONE)
    assert [line.number for line in code_lines(path)] == [2, 4, 6, 9, 10, 11, 12, 13]
    assert [line.number for line in code_lines(path, logic_only=True)] == [6, 9, 10, 11, 12, 13]


@pytest.mark.parametrize(("least", "found"), [(6, [6]), (7, [])])
def test_a_copied_stretch_is_found_once_at_its_full_length(tmp_path: Path, least: int, found: List[int]) -> None:
    one, other = _written(tmp_path, _ONE, "def other(path: str) -> str:\n" + _ONE.split("\n", 4)[4])
    assert [length for _, _, length in shared_stretches([one, other], least)] == found


def test_services_share_no_logic_by_copying_it() -> None:
    assert between_services(ROOT) == []


def test_the_way_of_a_transfer() -> None:
    [up, down] = measure(contract_services(ROOT)[1])
    assert (up.service, up.verb, down.verb) == ("smartfile", "upload", "download")
    assert up.waiting[0] == "smartfile/upload_verbs.py:upload"
    assert (up.sending[0], up.sending[-1].split(":")[0]) == ("worker_pool.py:_run_thread", "transport/http_transport.py")
    assert up.frames == up.waiting + up.sending
    assert "transfer/upload.py" in up.modules
    assert "transfer/download.py" not in up.modules
    assert not [name for name in up.modules + down.modules if name.startswith("local/")]
