"""Benchmark of Perseus: 256 MiB up, compared with perseus-client, and with curl and sha256sum."""

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
#: Labels of the compared clients in the table.
OUR_LABEL, UPSTREAM_LABEL, CURL_LABEL = "smartxfer", "perseus-client", "sha256sum + curl"
UPSTREAM_REQUIREMENT = "perseus-client==1.0.0rc24"
#: Environment variable with an interpreter that has the upstream client, whose dependencies may conflict with
#: those of smartxfer.
PYTHON_VARIABLE = "PERSEUS_CLIENT_PYTHON"
#: Maximum memory growth of smartxfer in MiB.
MAX_GROWTH = 16
#: Maximum time as a fraction of that of the other clients.
MAX_UPSTREAM_RATIO, MAX_CURL_RATIO = 0.8, 1.3


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, str]]:
    """Run a server process."""
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
    """The compared clients, with the same server and file."""

    def __init__(self, work_dir: Path, site: Dict[str, str], size: int) -> None:
        self.client = PerseusClient(site["url"], api_key=site["key"])
        self.large_file = work_dir / "large.bin"
        self.digest = _write_random_file(self.large_file, size)
        self.settings = {**site, "file": str(self.large_file), "work_dir": str(work_dir)}

    def upload(self, script: str, interpreter: str = sys.executable) -> Metrics:
        """Send the file with a client, which computes the SHA-256 and creates a record."""
        metrics = run_python(script, "up", self.settings, interpreter)
        self._verify_upload()
        return metrics

    def curl_upload(self) -> Metrics:
        """Compute the SHA-256 and send the file with curl; the record is created before the measurement."""
        url = self.client.file.create_file(self.large_file.name, self.digest)["upload_url"]
        file = str(self.large_file)
        send = ["curl", "-sf", "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", file]
        commands = [["sha256sum", file], [*send, url]]
        script = "; ".join(" ".join(map(shlex.quote, command)) for command in commands)
        metrics = run_command(["sh", "-c", f"set -e; {script}"])
        self._verify_upload()
        return metrics

    def _verify_upload(self) -> None:
        """Check that the server has verified the SHA-256, and delete the file."""
        [record] = self.client.file.find_files(source_hashes=[self.digest])
        if record.status != "uploaded":
            raise RuntimeError(f"the uploaded file has the status {record.status}")
        self.client.file.delete_file(record)


def _write_random_file(path: Path, size: int) -> str:
    random_block, digest = os.urandom(MIB), hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(size // MIB):
            block = number.to_bytes(8, "big") + random_block[8:]
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _find_interpreter() -> Optional[str]:
    """Return an interpreter that has the required release of the upstream client, or None."""
    path = shutil.which(os.environ.get(PYTHON_VARIABLE) or sys.executable)
    if path is None:
        return None
    code = "from importlib.metadata import version; print('perseus-client==' + version('perseus-client'))"
    process = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return path if process.stdout.strip() == UPSTREAM_REQUIREMENT else None


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code."""
    if shutil.which("curl") is None or shutil.which("sha256sum") is None:
        print("this benchmark needs curl and sha256sum", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        work_dir = Path(name)
        with _run_server(work_dir / "data") as site:
            failure_count = _measure(_Bench(work_dir, site, size), runs, size)
    print(f"\n{time.monotonic() - started:.0f} s in total")
    return 1 if failure_count else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    functions: Dict[str, Callable[[], Metrics]] = {
        OUR_LABEL: lambda: bench.upload(OUR_SCRIPT),
        CURL_LABEL: bench.curl_upload,
    }
    upstream = _find_interpreter()
    if upstream is None:
        print(
            f"{UPSTREAM_REQUIREMENT} is not measured: install it, or set {PYTHON_VARIABLE} to a Python "
            "interpreter that has it"
        )
    else:
        functions[UPSTREAM_LABEL] = lambda: bench.upload(UPSTREAM_SCRIPT, upstream or "")
    up: Dict[str, List[Metrics]] = run_interleaved(functions, runs)
    print_table(f"{size // MIB} MiB up", up, size)
    print("\nratios")
    checker = LimitChecker()
    growth_label = "up, growth"
    if upstream is not None:
        checker.check_ratio(
            "up, wall / perseus-client", (up[OUR_LABEL], up[UPSTREAM_LABEL]), "wall", MAX_UPSTREAM_RATIO
        )
        growth_label += f" (perseus-client: {median(up[UPSTREAM_LABEL], 'growth'):.0f} MiB)"
    checker.check_ratio(
        "up, wall / (sha256sum and curl)", (up[OUR_LABEL], up[CURL_LABEL]), "wall", MAX_CURL_RATIO
    )
    checker.check_value(growth_label, median(up[OUR_LABEL], "growth"), MAX_GROWTH, " MiB")
    return checker.failure_count
