"""Benchmark of NRP / Invenio: 256 MiB up (in one request, and in parts) and down, compared with curl."""

import contextlib
import filecmp
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
from typing import Any, Callable, Dict, Iterator, List

from benchmarks.measure import Metrics, median, run_command, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer.nrp import get_client

MIB = 1024 * 1024
OUR_SCRIPT = "smartxfer_nrp"
#: Labels of the compared clients in the tables.
SINGLE_LABEL, MULTIPART_LABEL, DOWNLOAD_LABEL, CURL_LABEL = (
    "smartxfer, L",
    "smartxfer, M",
    "smartxfer",
    "curl + md5sum",
)
#: Part size and number of concurrent parts of multipart uploads.
PART_SIZE, WORKERS = 16 * MIB, 4
#: File for the downloads, which is sent before the measurement.
DOWNLOAD_KEY = "download.bin"
#: Maximum time as a fraction of that of curl and md5sum.
MAX_WALL_RATIO = 1.2
#: Allowed memory growth in MiB, in addition to 1 MiB for each worker.
MEMORY_MARGIN = 16
#: Seconds in which the server must compute the MD5 of a multipart upload.
MD5_TIMEOUT = 60

RECORD = {
    "metadata": {
        "title": "Benchmark",
        "resource_type": {"id": "dataset"},
        "publication_date": "2026-11-20",
        "publisher": "smartxfer",
        "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
    },
    "files": {"enabled": True},
}


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, str]]:
    """Run a server process."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripts.nrp_server", str(data)],
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
    """The compared clients, with the same server, draft and file."""

    def __init__(self, work_dir: Path, site: Dict[str, str], size: int) -> None:
        self.work_dir = work_dir
        self.site = site
        self.client = get_client(site["url"], token=site["token"])
        self.large_file, self.target_file = work_dir / "large.bin", work_dir / "fetched.bin"
        _write_random_file(self.large_file, size)
        self.digest = _compute_md5(self.large_file)
        self.draft = self.client.records.create(RECORD)
        self.files_url = str(self.draft.links.files)
        self.client.files.upload(self.draft, DOWNLOAD_KEY, {}, self.large_file)

    def upload(self, key: str, **options: Any) -> Metrics:
        """Send the file with smartxfer, which computes its MD5 during the upload."""
        metrics = run_python(OUR_SCRIPT, "up", self._build_settings(key, self.large_file, options))
        self._verify_upload(key)
        return metrics

    def download(self) -> Metrics:
        """Download the file with smartxfer, which verifies its MD5."""
        self._delete_target()
        metrics = run_python(OUR_SCRIPT, "down", self._build_settings(DOWNLOAD_KEY, self.target_file, {}))
        self._verify_download()
        return metrics

    def _build_settings(self, key: str, file: Path, upload_options: Dict[str, Any]) -> Dict[str, Any]:
        return {
            **self.site,
            "record": str(self.draft.id),
            "key": key,
            "file": str(file),
            "work_dir": str(self.work_dir),
            "client_options": {"max_workers": WORKERS},
            "upload_options": upload_options,
        }

    def curl_upload(self) -> Metrics:
        """Send the same three requests with curl over one connection, and compute the MD5."""
        key, url = "curl.bin", f"{self.files_url}/curl.bin"
        body = self.work_dir / "start.json"
        body.write_text(json.dumps([{"key": key, "size": self.large_file.stat().st_size}]), encoding="utf-8")
        requests = [
            [*self._build_header_options("application/json"), "--data-binary", f"@{body}", self.files_url],
            [
                *self._build_header_options("application/octet-stream"),
                "-T",
                str(self.large_file),
                f"{url}/content",
            ],
            [*self._build_header_options("application/json"), "-X", "POST", f"{url}/commit"],
        ]
        metrics = self._run_with_md5sum(["curl", *_chain_requests(requests)], self.large_file)
        self._verify_upload(key)
        return metrics

    def curl_download(self) -> Metrics:
        """Download the file with curl, and compute its MD5."""
        self._delete_target()
        options = [*self._build_header_options("application/octet-stream"), "-o", str(self.target_file)]
        metrics = self._run_with_md5sum(
            ["curl", "-sf", *options, f"{self.files_url}/{DOWNLOAD_KEY}/content"], self.target_file
        )
        self._verify_download()
        return metrics

    def _build_header_options(self, content_type: str) -> List[str]:
        headers = [f"Authorization: Bearer {self.site['token']}", f"Content-Type: {content_type}", "Expect:"]
        return [argument for header in headers for argument in ("-H", header)]

    @staticmethod
    def _run_with_md5sum(arguments: List[str], file: Path) -> Metrics:
        command = " ".join(map(shlex.quote, arguments))
        return run_command(["sh", "-c", f"set -e; {command}; md5sum {shlex.quote(str(file))}"])

    def _delete_target(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.target_file.unlink()

    def _verify_download(self) -> None:
        if not filecmp.cmp(str(self.target_file), str(self.large_file), shallow=False):
            raise RuntimeError("the downloaded file differs from the file on the server")

    def _verify_upload(self, key: str) -> None:
        """Check the MD5 on the server, and delete the file from the draft."""
        end_time = time.monotonic() + MD5_TIMEOUT
        while self.client.files.read(self.draft, key).md5 != self.digest:
            if time.monotonic() > end_time:
                raise RuntimeError(f"{key} differs from the file that was sent")
            time.sleep(0.1)
        self.client.files.delete(self.draft, key)


def _chain_requests(requests: List[List[str]]) -> List[str]:
    """Return the arguments with which one curl process sends several requests."""
    arguments: List[str] = []
    for request in requests:
        arguments += ["--next"] if arguments else []
        arguments += ["-sf", "-o", "/dev/null", *request]
    return arguments


def _write_random_file(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def _compute_md5(path: Path) -> str:
    digest = hashlib.md5()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(MIB), b""):
            digest.update(block)
    return digest.hexdigest()


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code."""
    if shutil.which("curl") is None or shutil.which("md5sum") is None:
        print("this benchmark needs curl and md5sum", file=sys.stderr)
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
        SINGLE_LABEL: lambda: bench.upload("single.bin", transfer_type="local-file"),
        MULTIPART_LABEL: lambda: bench.upload("parts.bin", transfer_type="multipart", part_size=PART_SIZE),
        CURL_LABEL: bench.curl_upload,
    }
    up = run_interleaved(functions, runs)
    print_table(f"{size // MIB} MiB up; M: parts of {PART_SIZE // MIB} MiB, {WORKERS} threads", up, size)
    down = run_interleaved({DOWNLOAD_LABEL: bench.download, CURL_LABEL: bench.curl_download}, runs)
    print_table(f"{size // MIB} MiB down", down, size)
    print("\nratios")
    checker = LimitChecker()
    checker.check_ratio(
        "up as L, wall / (curl and md5sum)", (up[SINGLE_LABEL], up[CURL_LABEL]), "wall", MAX_WALL_RATIO
    )
    checker.check_ratio("up as M, wall / up as L", (up[MULTIPART_LABEL], up[SINGLE_LABEL]), "wall", 1.0)
    checker.check_ratio(
        "down, wall / (curl and md5sum)", (down[DOWNLOAD_LABEL], down[CURL_LABEL]), "wall", MAX_WALL_RATIO
    )
    for label, measured, workers in (
        ("up as L", up[SINGLE_LABEL], 1),
        ("up as M", up[MULTIPART_LABEL], WORKERS),
        ("down", down[DOWNLOAD_LABEL], 1),
    ):
        checker.check_value(f"{label}, growth", median(measured, "growth"), workers + MEMORY_MARGIN, " MiB")
    return checker.failure_count
