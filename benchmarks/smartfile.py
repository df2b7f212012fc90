"""Benchmark of SmartFile: 256 MiB up and down, compared with the smartfile package and curl."""

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

from benchmarks.measure import Metrics, median, run_command, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer import BasicClient

MIB = 1024 * 1024
OUR_SCRIPT, UPSTREAM_SCRIPT = "smartxfer_smartfile", "smartfile_upstream"
#: File for the downloads, which is sent before the measurement.
DOWNLOAD_NAME = "download.bin"
#: Maximum memory growth of an upload in MiB.
MAX_GROWTH = 16


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, str]]:
    """Run a server process."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripts.smartfile_server", str(data)],
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
        self.work_dir = work_dir
        self.site = site
        self.client = BasicClient(site["key"], site["password"], url=site["url"])
        self.large_file = work_dir / "large.bin"
        self.target_directory = work_dir / "into"
        _write_random_file(self.large_file, size)
        self.client.upload(self.large_file, "/" + DOWNLOAD_NAME)
        self.digest = self.client.checksum("/" + DOWNLOAD_NAME, "SHA256")
        self.data_url = f"{site['url']}/api/2/path/data/"
        self.credentials = f"{site['key']}:{site['password']}"

    def upload(self, script: str) -> Metrics:
        return self._run(script, "up", file=str(self.large_file), name=f"{script}.bin")

    def download(self, script: str) -> Metrics:
        self.empty_target()
        return self._run(script, "down", name=DOWNLOAD_NAME, into=str(self.target_directory))

    def _run(self, script: str, operation: str, **settings: str) -> Metrics:
        return run_python(script, operation, {**self.site, "work_dir": str(self.work_dir), **settings})

    def curl_upload(self) -> Metrics:
        form = f"file=@{self.large_file};filename=curl.bin"
        return run_command(
            ["curl", "-sf", "-u", self.credentials, "-H", "Expect:", "-F", form, self.data_url]
        )

    def curl_download(self) -> Metrics:
        self.empty_target()
        return run_command(
            [
                "curl",
                "-sf",
                "-u",
                self.credentials,
                "-o",
                str(self.target_directory / DOWNLOAD_NAME),
                self.data_url + DOWNLOAD_NAME,
            ]
        )

    def empty_target(self) -> None:
        """Check the previous download, and delete it."""
        self.verify_download()
        shutil.rmtree(self.target_directory, ignore_errors=True)
        self.target_directory.mkdir()

    def verify_download(self) -> None:
        """Check that the download, if there is one, equals the file on the server."""
        target = self.target_directory / DOWNLOAD_NAME
        if target.exists() and not filecmp.cmp(str(target), str(self.large_file), shallow=False):
            raise RuntimeError("the downloaded file differs from the file on the server")

    def verify_uploads(self) -> None:
        """Check the SHA-256 of the uploads of all clients."""
        for name in (OUR_SCRIPT, UPSTREAM_SCRIPT, "curl"):
            if self.client.checksum(f"/{name}.bin", "SHA256") != self.digest:
                raise RuntimeError(f"the upload of {name} differs from the file that was sent")


def _write_random_file(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code."""
    if importlib.util.find_spec("smartfile") is None or shutil.which("curl") is None:
        # One of its dependencies cannot be built on current systems; only its sync needs it.
        commands = "pip install six && pip install --no-deps smartfile==2.19"
        print(f"this benchmark needs curl and: {commands}", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        work_dir = Path(name)
        with _run_server(work_dir / "data") as site:
            failure_count = _measure(_Bench(work_dir, site, size), runs, size)
    print(f"\n{time.monotonic() - started:.0f} s in total")
    return 1 if failure_count else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    up = run_interleaved(
        {
            "smartxfer": lambda: bench.upload(OUR_SCRIPT),
            "smartfile": lambda: bench.upload(UPSTREAM_SCRIPT),
            "curl": bench.curl_upload,
        },
        runs,
    )
    bench.verify_uploads()
    print_table(f"{size // MIB} MiB up", up, size)
    down = run_interleaved(
        {
            "smartxfer": lambda: bench.download(OUR_SCRIPT),
            "smartfile": lambda: bench.download(UPSTREAM_SCRIPT),
            "curl": bench.curl_download,
        },
        runs,
    )
    bench.verify_download()
    print_table(f"{size // MIB} MiB down", down, size)
    print("\nratios")
    checker = LimitChecker()
    ours, theirs, curl = "smartxfer", "smartfile", "curl"
    checker.check_ratio("up, wall / smartfile", (up[ours], up[theirs]), "wall", 1.0)
    checker.check_ratio("down, wall / smartfile", (down[ours], down[theirs]), "wall", 1.0)
    checker.check_ratio("down, wall / curl", (down[ours], down[curl]), "wall", 1.3)
    growth, their_growth = median(up[ours], "growth"), median(up[theirs], "growth")
    checker.check_value(f"up, growth (smartfile: {their_growth:.0f} MiB)", growth, MAX_GROWTH, " MiB")
    return checker.failure_count
