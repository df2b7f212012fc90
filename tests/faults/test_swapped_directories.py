"""A directory below the target is swapped for a symbolic link while files come: nothing is written outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from smartxfer import FileSenderClient, UserAuth, delta
from smartxfer.local import LocalServer
from tests.support.amounts import amount
from tests.support.filesender_harness import noise
from tests.support.service_harness import AT_ONCE

#: The second file is large enough for a delta.
OLD = noise(40_000)
FILES = {"swapdir/one.bin": b"one", "swapdir/two.bin": OLD[:20_000] + b"edited" + OLD[20_000:]}

#: Seconds that a busy machine may need for one run of the program; an idle one needs 10.
PATIENCE = 400

pytestmark = pytest.mark.timeout(PATIENCE + 20)

PROGRAM = str(Path(__file__).parent.parent / "support" / "symlink_swapper.py")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[str, Tuple[str, List[str]]]]:
    """Address, and what else is needed to fetch the files, by the way that they are fetched."""
    with LocalServer(
        nrp={"rate_limit": 1_000_000, "rate_limit_guest": 1_000_000}
    ) as server:
        site = server.filesender
        auth = UserAuth(site.username, site.api_key)
        with FileSenderClient(site.url, auth=auth, retry=AT_ONCE) as client:
            sent: Any = client.upload_workflow(list(FILES.items()), link=True)
        record = server.nrp.create(files=FILES)
        for name, data in FILES.items():
            server.smartfile.write(f"/d/{name}", data)
        smartfile = (server.smartfile.url, [server.smartfile.key, server.smartfile.password])
        yield {
            "filesender": (site.url, [sent.token]),
            "nrp": (server.nrp.url, [server.nrp.token, record]),
            "smartfile": smartfile,
            "sync": smartfile,
        }


def swapped(servers: Any, tmp_path: Path, way: str, how: str, number: int) -> Dict[str, int]:
    """Return the number of swaps by outcome."""
    if not hasattr(sys, "addaudithook"):
        pytest.skip("no audit hooks")
    url, words = servers[way]
    old = tmp_path / "old"
    old.write_bytes(OLD)
    command = [sys.executable, PROGRAM, way, url, str(tmp_path / "room"), how, str(number), str(old), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: Dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("way", ["filesender", "smartfile", "nrp", "sync"])
def test_nothing_is_written_outside(servers: Any, tmp_path: Path, way: str) -> None:
    """Swapped before every third call that a download makes for these files."""
    if way == "sync" and not delta.available():
        pytest.skip("needs librsync")
    outcomes = swapped(servers, tmp_path, way, "planned", 3)
    assert sum(outcomes.values()) >= 13, outcomes
    assert set(outcomes) <= {"UnsafeName", "LocalError", "BatchError", "done"}, outcomes


@pytest.mark.slow
@pytest.mark.parametrize("way", ["filesender", "smartfile", "nrp", "sync"])
def test_nothing_is_written_outside_whatever_the_moment(servers: Any, tmp_path: Path, way: str) -> None:
    assert sum(swapped(servers, tmp_path, way, "planned", amount(2, 1)).values()) >= amount(20, 40)
    swaps = amount(75, 150)
    assert swapped(servers, tmp_path, way, "random", swaps)["swap"] >= swaps // 3
