"""Perseus: 256 MiB up, beside upstream's perseus-client, and sha256sum with curl."""

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional

from benchmarks.measure import Figures, command, median, python, take_turns
from benchmarks.tables import Verdict, table
from smartxfer.perseus import PerseusClient

MIB = 1024 * 1024
OURS, THEIRS = "smartxfer_perseus", "perseus_upstream"
#: The sides, as the table names them.
MINE, HIS, CURL = "smartxfer", "perseus-client", "sha256sum + curl"
UPSTREAM = "perseus-client==1.0.0rc24"
#: An interpreter that has the upstream client, where ours has not: it wants other packages than we do.
PYTHON = "PERSEUS_CLIENT_PYTHON"
#: Most growth of our process, MiB.
MOST_GROWTH = 16
#: Most time, as a share of that of each other side.
MOST_OF_HIS, MOST_OF_CURL = 0.8, 1.3


@contextlib.contextmanager
def _server(data: Path) -> Iterator[Dict[str, str]]:
    """A server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sides.perseus_server", str(data)],
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
        self.client = PerseusClient(site["url"], api_key=site["key"])
        self.large = room / "large.bin"
        self.digest = _fill(self.large, size)
        self.given = {**site, "file": str(self.large), "room": str(room)}

    def up(self, side: str, interpreter: str = sys.executable) -> Figures:
        """A client's side: reckons the SHA-256, has a record made, sends the content."""
        figures = python(side, "up", self.given, interpreter)
        self._arrived()
        return figures

    def curl(self) -> Figures:
        """The sum and the sending; the record is made before the clock runs."""
        address = self.client.file.create_file(self.large.name, self.digest)["upload_url"]
        file = str(self.large)
        send = ["curl", "-sf", "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", file]
        lines = [["sha256sum", file], [*send, address]]
        script = "; ".join(" ".join(map(shlex.quote, line)) for line in lines)
        figures = command(["sh", "-c", f"set -e; {script}"])
        self._arrived()
        return figures

    def _arrived(self) -> None:
        """It is there, whole: the server compared the sum.  Then it makes place."""
        [record] = self.client.file.find_files(source_hashes=[self.digest])
        if record.status != "uploaded":
            raise RuntimeError(f"what came is {record.status}")
        self.client.file.delete_file(record)


def _fill(path: Path, size: int) -> str:
    block, state = os.urandom(MIB), hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(size // MIB):
            piece = number.to_bytes(8, "big") + block[8:]
            state.update(piece)
            file.write(piece)
    return state.hexdigest()


def _interpreter() -> Optional[str]:
    """One that has the upstream client of the release that is meant, or None."""
    name = shutil.which(os.environ.get(PYTHON) or sys.executable)
    if name is None:
        return None
    look = "from importlib.metadata import version; print('perseus-client==' + version('perseus-client'))"
    done = subprocess.run([name, "-c", look], capture_output=True, text=True, check=False)
    return name if done.stdout.strip() == UPSTREAM else None


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    if shutil.which("curl") is None or shutil.which("sha256sum") is None:
        print("this benchmark needs curl and sha256sum", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        with _server(room / "data") as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    sides: Dict[str, Callable[[], Figures]] = {MINE: lambda: bench.up(OURS), CURL: bench.curl}
    upstream = _interpreter()
    if upstream is None:
        print(f"without {UPSTREAM}: install it, or name an interpreter that has it in {PYTHON}")
    else:
        sides[HIS] = lambda: bench.up(THEIRS, upstream or "")
    up: Dict[str, List[Figures]] = take_turns(sides, runs)
    table(f"{size // MIB} MiB up", up, size)
    print("\nratios")
    verdict = Verdict()
    grown = "up, growth"
    if upstream is not None:
        verdict.ratio("up, wall / perseus-client", (up[MINE], up[HIS]), "wall", MOST_OF_HIS)
        grown += f" (perseus-client: {median(up[HIS], 'growth'):.0f} MiB)"
    verdict.ratio("up, wall / (sha256sum and curl)", (up[MINE], up[CURL]), "wall", MOST_OF_CURL)
    verdict.figure(grown, median(up[MINE], "growth"), MOST_GROWTH, " MiB")
    return verdict.missed
