"""NRP / Invenio: 256 MiB up, in one piece and in parts, and down, beside curl and md5sum."""

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
#: The sides, as the tables name them.
SINGLE_LABEL, MULTIPART_LABEL, DOWNLOAD_LABEL, CURL_LABEL = (
    "smartxfer, L",
    "smartxfer, M",
    "smartxfer",
    "curl + md5sum",
)
#: How a file is sent in parts.
PART_SIZE, WORKERS = 16 * MIB, 4
#: What is fetched; it was put there before the clock runs.
DOWNLOAD_KEY = "kept.bin"
#: Most time, as a share of that of curl and md5sum.
MAX_WALL_RATIO = 1.2
#: Growth of our process that is granted beside a mebibyte for each worker.
MEMORY_MARGIN = 16
#: For how long the server may go on reckoning the MD5 of a file that came in parts, in seconds.
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
    """A server in a process of its own."""
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
    """The sides, over one server, one draft and one file."""

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
        """Our side: start, content or parts, commit; the MD5 is reckoned on the way."""
        figures = run_python(OUR_SCRIPT, "up", self._build_settings(key, self.large_file, options))
        self._verify_upload(key)
        return figures

    def download(self) -> Metrics:
        """Our side: fetched, compared with the server's MD5, and named."""
        self._delete_target()
        figures = run_python(OUR_SCRIPT, "down", self._build_settings(DOWNLOAD_KEY, self.target_file, {}))
        self._verify_download()
        return figures

    def _build_settings(self, key: str, file: Path, upload_options: Dict[str, Any]) -> Dict[str, Any]:
        options = {"max_workers": WORKERS}
        given = {"record": str(self.draft.id), "key": key, "file": str(file), "room": str(self.work_dir)}
        return {**self.site, **given, "options": options, "how": upload_options}

    def curl_upload(self) -> Metrics:
        """The same three requests over one connection, and the sum that they would be checked with."""
        key, at = "curl.bin", f"{self.files_url}/curl.bin"
        body = self.work_dir / "start.json"
        body.write_text(json.dumps([{"key": key, "size": self.large_file.stat().st_size}]), encoding="utf-8")
        requests = [
            [*self._build_header_options("application/json"), "--data-binary", f"@{body}", self.files_url],
            [
                *self._build_header_options("application/octet-stream"),
                "-T",
                str(self.large_file),
                f"{at}/content",
            ],
            [*self._build_header_options("application/json"), "-X", "POST", f"{at}/commit"],
        ]
        figures = self._run_with_md5sum(["curl", *_chain_requests(requests)], self.large_file)
        self._verify_upload(key)
        return figures

    def curl_download(self) -> Metrics:
        """One request, and the sum of what came."""
        self._delete_target()
        options = [*self._build_header_options("application/octet-stream"), "-o", str(self.target_file)]
        figures = self._run_with_md5sum(
            ["curl", "-sf", *options, f"{self.files_url}/{DOWNLOAD_KEY}/content"], self.target_file
        )
        self._verify_download()
        return figures

    def _build_header_options(self, content_type: str) -> List[str]:
        lines = [f"Authorization: Bearer {self.site['token']}", f"Content-Type: {content_type}", "Expect:"]
        return [word for line in lines for word in ("-H", line)]

    @staticmethod
    def _run_with_md5sum(words: List[str], file: Path) -> Metrics:
        line = " ".join(map(shlex.quote, words))
        return run_command(["sh", "-c", f"set -e; {line}; md5sum {shlex.quote(str(file))}"])

    def _delete_target(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.target_file.unlink()

    def _verify_download(self) -> None:
        if not filecmp.cmp(str(self.target_file), str(self.large_file), shallow=False):
            raise RuntimeError("a download is not the file that was sent")

    def _verify_upload(self, key: str) -> None:
        """It is there, whole; then it makes place."""
        ends_at = time.monotonic() + MD5_TIMEOUT
        while self.client.files.read(self.draft, key).md5 != self.digest:
            if time.monotonic() > ends_at:
                raise RuntimeError(f"{key} is not the file that was sent")
            time.sleep(0.1)
        self.client.files.delete(self.draft, key)


def _chain_requests(requests: List[List[str]]) -> List[str]:
    """Arguments with which one curl makes several requests."""
    words: List[str] = []
    for request in requests:
        words += ["--next"] if words else []
        words += ["-sf", "-o", "/dev/null", *request]
    return words


def _write_random_file(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def _compute_md5(path: Path) -> str:
    state = hashlib.md5()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(MIB), b""):
            state.update(block)
    return state.hexdigest()


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    if shutil.which("curl") is None or shutil.which("md5sum") is None:
        print("this benchmark needs curl and md5sum", file=sys.stderr)
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
        SINGLE_LABEL: lambda: bench.upload("whole.bin", transfer_type="local-file"),
        MULTIPART_LABEL: lambda: bench.upload("parts.bin", transfer_type="multipart", part_size=PART_SIZE),
        CURL_LABEL: bench.curl_upload,
    }
    up = run_interleaved(sides, runs)
    print_table(f"{size // MIB} MiB up; M: parts of {PART_SIZE // MIB} MiB, {WORKERS} threads", up, size)
    down = run_interleaved({DOWNLOAD_LABEL: bench.download, CURL_LABEL: bench.curl_download}, runs)
    print_table(f"{size // MIB} MiB down", down, size)
    print("\nratios")
    verdict = LimitChecker()
    verdict.check_ratio(
        "up as L, wall / (curl and md5sum)", (up[SINGLE_LABEL], up[CURL_LABEL]), "wall", MAX_WALL_RATIO
    )
    verdict.check_ratio("up as M, wall / up as L", (up[MULTIPART_LABEL], up[SINGLE_LABEL]), "wall", 1.0)
    verdict.check_ratio(
        "down, wall / (curl and md5sum)", (down[DOWNLOAD_LABEL], down[CURL_LABEL]), "wall", MAX_WALL_RATIO
    )
    for what, measured, workers in (
        ("up as L", up[SINGLE_LABEL], 1),
        ("up as M", up[MULTIPART_LABEL], WORKERS),
        ("down", down[DOWNLOAD_LABEL], 1),
    ):
        verdict.check_value(f"{what}, growth", median(measured, "growth"), workers + MEMORY_MARGIN, " MiB")
    return verdict.failure_count
