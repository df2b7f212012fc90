"""Ctrl-C and kill -9 in the middle: F22, F23."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, List

import pytest

from tests.support.amounts import amount
from tests.support.client_program import (
    ENDS,
    ClientProgram,
    end_at,
    finish,
    interrupt,
    quiet,
    reached,
    written,
)
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import DOWNLOAD, MIB, UPLOAD, SmartFileHarness

pytestmark = pytest.mark.slow

SIZE = 48 * MIB
FILES = 24

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
import sys
from smartxfer.smartfile import BasicClient
api = BasicClient()
way, what, where = sys.argv[1:]
try:
    result = getattr(api, way)(what, where)
    print(result.resumed if hasattr(result, "resumed") else sum(one.resumed > 0 for one in result))
except KeyboardInterrupt:
    sys.exit(130)
"""


FRESH = SmartFileHarness


def _points(least: int, most: int) -> List[int]:
    """Points of a file of ``SIZE`` bytes: one near its middle, and others by chance."""
    chance = random.Random(17)
    return [SIZE // 3, *(chance.randrange(least, most) for _ in range(amount(2, 10)))]


@ENDS
@pytest.mark.parametrize("point", _points(1, SIZE))
def test_f23_an_upload(harness: SmartFileHarness, program: ClientProgram, end: Any, point: int) -> None:
    """Detect half a file at the final name, or an older file that is gone."""
    path = harness.file(noise(SIZE))
    harness.site.write("/a.bin", b"older")
    held = harness.fault(UPLOAD, f"stall-after {point}")
    end_at(held, program("upload", path, "/a.bin"), end, harness)
    assert harness.stored() == {"/a.bin": b"older"}
    assert finish(program("upload", path, "/a.bin")) == 0
    assert harness.stored() == {"/a.bin": path.read_bytes()}


@ENDS
@pytest.mark.parametrize("point", _points(0, SIZE - 16 * MIB))
def test_f23_a_download(harness: SmartFileHarness, program: ClientProgram, end: Any, point: int) -> None:
    """Fails if half a file has the final name, or if a re-run starts again."""
    data = noise(SIZE)
    harness.site.write("/a.bin", data)
    harness.fault(DOWNLOAD, "rate 20M", times=None)
    process = program("download", "/a.bin", harness.out)
    reached(partial(written, harness.out / "a.bin.part", point), process)
    end(process)
    harness.server.clear_faults()
    assert "a.bin" not in harness.left()
    resumed = finish(program("download", "/a.bin", harness.out))
    if end is interrupt:
        assert resumed >= point - 4 * MIB
    assert harness.left() == ["a.bin"]
    assert (harness.out / "a.bin").read_bytes() == data


@ENDS
def test_f23_a_tree_up(harness: SmartFileHarness, program: ClientProgram, end: Any) -> None:
    """Fails if a re-run sends again what had arrived."""
    for number in range(FILES):
        harness.file(noise(MIB, number), f"tree/{number:02}.bin")
    rate = harness.fault(UPLOAD, "rate 4M", times=None)
    process = program("upload_tree", harness.directory / "tree", "/t")
    reached(lambda: harness.count(UPLOAD, 200) >= FILES // 3, process)
    end(process)
    assert rate.fired
    quiet(harness)
    arrived = harness.stored()
    assert {len(data) for data in arrived.values()} == {MIB}, "no half files"
    harness.site.listener.clear_log()
    noted = finish(program("upload_tree", harness.directory / "tree", "/t"))
    # Of an interrupted run all is written down but what was under way; of a killed one what was, a moment before.
    assert (len(arrived) - 8 if end is interrupt else 1) <= noted <= len(arrived)
    assert harness.count(UPLOAD) == FILES - noted
    assert harness.stored() == {f"/t/{number:02}.bin": noise(MIB, number) for number in range(FILES)}
