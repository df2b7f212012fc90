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

from benchmarks.measure import Metrics, median, run_command, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer.perseus import PerseusClient

MIB = 1024 * 1024
OUR_SCRIPT, UPSTREAM_SCRIPT = "smartxfer_perseus", "perseus_upstream"
#: The sides, as the table names them.
OUR_LABEL, UPSTREAM_LABEL, CURL_LABEL = "smartxfer", "perseus-client", "sha256sum + curl"
UPSTREAM_REQUIREMENT = "perseus-client==1.0.0rc24"
#: An interpreter that has the upstream client, where ours has not: it wants other packages than we do.
PYTHON_VARIABLE = "PERSEUS_CLIENT_PYTHON"
#: Most growth of our process, MiB.
MAX_GROWTH = 16
#: Most time, as a share of that of each other side.
MAX_UPSTREAM_RATIO, MAX_CURL_RATIO = 0.8, 1.3


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, str]]:
    """A server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripts.perseus_server", str(data)],
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

    def __init__(self, work_dir: Path, site: Dict[str, str], size: int) -> None:
        self.client = PerseusClient(site["url"], api_key=site["key"])
        self.large_file = work_dir / "large.bin"
        self.digest = _write_random_file(self.large_file, size)
        self.settings = {**site, "file": str(self.large_file), "room": str(work_dir)}

    def upload(self, script: str, interpreter: str = sys.executable) -> Metrics:
        """A client's side: reckons the SHA-256, has a record made, sends the content."""
        figures = run_python(script, "up", self.settings, interpreter)
        self._verify_upload()
        return figures

    def curl_upload(self) -> Metrics:
        """The sum and the sending; the record is made before the clock runs."""
        address = self.client.file.create_file(self.large_file.name, self.digest)["upload_url"]
        file = str(self.large_file)
        send = ["curl", "-sf", "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", file]
        lines = [["sha256sum", file], [*send, address]]
        script = "; ".join(" ".join(map(shlex.quote, line)) for line in lines)
        figures = run_command(["sh", "-c", f"set -e; {script}"])
        self._verify_upload()
        return figures

    def _verify_upload(self) -> None:
        """It is there, whole: the server compared the sum.  Then it makes place."""
        [record] = self.client.file.find_files(source_hashes=[self.digest])
        if record.status != "uploaded":
            raise RuntimeError(f"what came is {record.status}")
        self.client.file.delete_file(record)


def _write_random_file(path: Path, size: int) -> str:
    block, state = os.urandom(MIB), hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(size // MIB):
            piece = number.to_bytes(8, "big") + block[8:]
            state.update(piece)
            file.write(piece)
    return state.hexdigest()


def _find_interpreter() -> Optional[str]:
    """One that has the upstream client of the release that is meant, or None."""
    name = shutil.which(os.environ.get(PYTHON_VARIABLE) or sys.executable)
    if name is None:
        return None
    look = "from importlib.metadata import version; print('perseus-client==' + version('perseus-client'))"
    done = subprocess.run([name, "-c", look], capture_output=True, text=True, check=False)
    return name if done.stdout.strip() == UPSTREAM_REQUIREMENT else None


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    if shutil.which("curl") is None or shutil.which("sha256sum") is None:
        print("this benchmark needs curl and sha256sum", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        with _run_server(room / "data") as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    sides: Dict[str, Callable[[], Metrics]] = {
        OUR_LABEL: lambda: bench.upload(OUR_SCRIPT),
        CURL_LABEL: bench.curl_upload,
    }
    upstream = _find_interpreter()
    if upstream is None:
        print(
            f"without {UPSTREAM_REQUIREMENT}: install it, or set {PYTHON_VARIABLE} to a Python that has it"
        )
    else:
        sides[UPSTREAM_LABEL] = lambda: bench.upload(UPSTREAM_SCRIPT, upstream or "")
    up: Dict[str, List[Metrics]] = run_interleaved(sides, runs)
    print_table(f"{size // MIB} MiB up", up, size)
    print("\nratios")
    verdict = LimitChecker()
    grown = "up, growth"
    if upstream is not None:
        verdict.check_ratio(
            "up, wall / perseus-client", (up[OUR_LABEL], up[UPSTREAM_LABEL]), "wall", MAX_UPSTREAM_RATIO
        )
        grown += f" (perseus-client: {median(up[UPSTREAM_LABEL], 'growth'):.0f} MiB)"
    verdict.check_ratio(
        "up, wall / (sha256sum and curl)", (up[OUR_LABEL], up[CURL_LABEL]), "wall", MAX_CURL_RATIO
    )
    verdict.check_value(grown, median(up[OUR_LABEL], "growth"), MAX_GROWTH, " MiB")
    return verdict.failure_count
