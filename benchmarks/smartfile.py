"""SmartFile: 256 MiB up and down, beside upstream's smartfile and curl."""

import contextlib
import filecmp
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator

from benchmarks.measure import Figures, command, median, python, take_turns
from benchmarks.tables import Verdict, table
from smartxfer import BasicClient

MIB = 1024 * 1024
OURS, THEIRS = "smartxfer_smartfile", "smartfile_upstream"
#: What is fetched; it was put there before the clock runs.
KEPT = "kept.bin"
#: Most growth of our process on the way up.
MOST_GROWTH = 16


@contextlib.contextmanager
def _server(data: Path) -> Iterator[Dict[str, str]]:
    """A server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sides.smartfile_server", str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


class _Bench:
    """The sides, over one server and one file."""

    def __init__(self, room: Path, site: Dict[str, str], size: int) -> None:
        self.room = room
        self.site = site
        self.client = BasicClient(site["key"], site["password"], url=site["url"])
        self.large = room / "large.bin"
        self.into = room / "into"
        _fill(self.large, size)
        self.client.upload(self.large, "/" + KEPT)
        self.digest = self.client.checksum("/" + KEPT, "SHA256")
        self.address = f"{site['url']}/api/2/path/data/"
        self.pair = f"{site['key']}:{site['password']}"

    def up(self, side: str) -> Figures:
        return python(side, "up", {**self.site, "room": str(self.room), **self._sent(side)})

    def _sent(self, side: str) -> Dict[str, str]:
        return {"file": str(self.large), "name": f"{side}.bin"}

    def down(self, side: str) -> Figures:
        self.empty()
        given = {"room": str(self.room), "name": KEPT, "into": str(self.into)}
        return python(side, "down", {**self.site, **given})

    def curl_up(self) -> Figures:
        form = f"file=@{self.large};filename=curl.bin"
        return command(["curl", "-sf", "-u", self.pair, "-H", "Expect:", "-F", form, self.address])

    def curl_down(self) -> Figures:
        self.empty()
        return command(["curl", "-sf", "-u", self.pair, "-o", str(self.into / KEPT), self.address + KEPT])

    def empty(self) -> None:
        """What the side before fetched is looked at, and makes place."""
        self.check_down()
        shutil.rmtree(self.into, ignore_errors=True)
        self.into.mkdir()

    def check_down(self) -> None:
        """What is there was fetched whole."""
        fetched = self.into / KEPT
        if fetched.exists() and not filecmp.cmp(str(fetched), str(self.large), shallow=False):
            raise RuntimeError("a download is not the file that was sent")

    def check_up(self) -> None:
        """Every side's upload arrived whole."""
        for name in (OURS, THEIRS, "curl"):
            if self.client.checksum(f"/{name}.bin", "SHA256") != self.digest:
                raise RuntimeError(f"the upload by {name} is not the file that was sent")


def _fill(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    if importlib.util.find_spec("smartfile") is None or shutil.which("curl") is None:
        # One of its dependencies does not build on a machine of today, and only its sync needs that.
        wanted = "pip install six && pip install --no-deps smartfile==2.19"
        print(f"this benchmark needs curl and: {wanted}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        with _server(room / "data") as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    up = take_turns(
        {
            "smartxfer": lambda: bench.up(OURS),
            "smartfile": lambda: bench.up(THEIRS),
            "curl": bench.curl_up,
        },
        runs,
    )
    bench.check_up()
    table(f"{size // MIB} MiB up", up, size)
    down = take_turns(
        {
            "smartxfer": lambda: bench.down(OURS),
            "smartfile": lambda: bench.down(THEIRS),
            "curl": bench.curl_down,
        },
        runs,
    )
    bench.check_down()
    table(f"{size // MIB} MiB down", down, size)
    print("\nratios")
    verdict = Verdict()
    mine, his, curl = "smartxfer", "smartfile", "curl"
    verdict.ratio("up, wall / smartfile", (up[mine], up[his]), "wall", 1.0)
    verdict.ratio("down, wall / smartfile", (down[mine], down[his]), "wall", 1.0)
    verdict.ratio("down, wall / curl", (down[mine], down[curl]), "wall", 1.3)
    grown, his_growth = median(up[mine], "growth"), median(up[his], "growth")
    verdict.figure(f"up, growth (smartfile: {his_growth:.0f} MiB)", grown, MOST_GROWTH, " MiB")
    return verdict.missed
