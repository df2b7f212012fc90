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

from benchmarks.measure import Metrics, median, run_command, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer import BasicClient

MIB = 1024 * 1024
OUR_SCRIPT, UPSTREAM_SCRIPT = "smartxfer_smartfile", "smartfile_upstream"
#: What is fetched; it was put there before the clock runs.
DOWNLOAD_NAME = "kept.bin"
#: Most growth of our process on the way up.
MAX_GROWTH = 16


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, str]]:
    """A server in a process of its own."""
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
    """The sides, over one server and one file."""

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
        return run_python(
            script, "up", {**self.site, "room": str(self.work_dir), **self._build_upload_settings(script)}
        )

    def _build_upload_settings(self, script: str) -> Dict[str, str]:
        return {"file": str(self.large_file), "name": f"{script}.bin"}

    def download(self, script: str) -> Metrics:
        self.empty_target()
        given = {"room": str(self.work_dir), "name": DOWNLOAD_NAME, "into": str(self.target_directory)}
        return run_python(script, "down", {**self.site, **given})

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
        """What the side before fetched is looked at, and makes place."""
        self.verify_download()
        shutil.rmtree(self.target_directory, ignore_errors=True)
        self.target_directory.mkdir()

    def verify_download(self) -> None:
        """What is there was fetched whole."""
        fetched = self.target_directory / DOWNLOAD_NAME
        if fetched.exists() and not filecmp.cmp(str(fetched), str(self.large_file), shallow=False):
            raise RuntimeError("a download is not the file that was sent")

    def verify_uploads(self) -> None:
        """Every side's upload arrived whole."""
        for name in (OUR_SCRIPT, UPSTREAM_SCRIPT, "curl"):
            if self.client.checksum(f"/{name}.bin", "SHA256") != self.digest:
                raise RuntimeError(f"the upload by {name} is not the file that was sent")


def _write_random_file(path: Path, size: int) -> None:
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
        with _run_server(room / "data") as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


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
    verdict = LimitChecker()
    mine, his, curl = "smartxfer", "smartfile", "curl"
    verdict.check_ratio("up, wall / smartfile", (up[mine], up[his]), "wall", 1.0)
    verdict.check_ratio("down, wall / smartfile", (down[mine], down[his]), "wall", 1.0)
    verdict.check_ratio("down, wall / curl", (down[mine], down[curl]), "wall", 1.3)
    grown, his_growth = median(up[mine], "growth"), median(up[his], "growth")
    verdict.check_value(f"up, growth (smartfile: {his_growth:.0f} MiB)", grown, MAX_GROWTH, " MiB")
    return verdict.failure_count
