"""Benchmark of FileSender: 256 MiB up and down, encrypted compared with unencrypted."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from benchmarks.filesender import CHUNK_SIZE, MIB, run_server, write_random_file
from benchmarks.measure import Metrics, median, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer import FileSenderClient, UserAuth

#: PBKDF2 iterations of the site.  They are few, so that the transfer dominates: the default of 4,096,000
#: takes one or two seconds for any size of the file.
ITERATIONS = 1000
PASSWORD = "Benchmark of 256 MiB!"
SCRIPT = "smartxfer_filesender"


class _Bench:
    """One file, in an encrypted and in an unencrypted transfer."""

    def __init__(self, work_dir: Path, site: Dict[str, Any], size: int) -> None:
        self.site = site
        self.target_directory = work_dir / "into"
        self.large_file = work_dir / "large.bin"
        write_random_file(self.large_file, size)
        auth = UserAuth(site["username"], site["api_key"])
        self.client = FileSenderClient(site["url"], auth=auth, signing_host=site["url"][7:])
        plain = self.client.upload_workflow([self.large_file], link=True)
        encrypted = self.client.upload_workflow([self.large_file], link=True, password=PASSWORD)
        self.download_transfer_ids = {plain.id, encrypted.id}
        self.tokens = {False: plain.token, True: encrypted.token}

    def upload(self, encrypted: bool) -> Metrics:
        """Send the file, and delete the transfer afterwards."""
        try:
            return self._run("up", encrypted, files=[str(self.large_file)])
        finally:
            for entry in self.client.get("/transfer"):
                if entry["id"] not in self.download_transfer_ids:
                    self.client.transfers.delete(entry["id"])

    def download(self, encrypted: bool) -> Metrics:
        """Download the file into an empty directory."""
        shutil.rmtree(self.target_directory, ignore_errors=True)
        self.target_directory.mkdir()
        return self._run("down", encrypted, token=self.tokens[encrypted], into=str(self.target_directory))

    def verify_download(self) -> None:
        """Check that the last download equals the sent file."""
        target = self.target_directory / "large.bin"
        with open(self.large_file, "rb") as sent, open(target, "rb") as downloaded:
            for block in iter(lambda: sent.read(MIB), b""):
                assert downloaded.read(len(block)) == block
            assert not downloaded.read(1)

    def _run(self, operation: str, encrypted: bool, **settings: Any) -> Metrics:
        password = {"password": PASSWORD} if encrypted else {}
        return run_python(SCRIPT, operation, {**self.site, **settings, **password})


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        work_dir = Path(name)
        with run_server(work_dir / "data", encryption_iterations=ITERATIONS) as site:
            failure_count = _measure(_Bench(work_dir, site, size), runs, size)
    print(f"\n{time.monotonic() - started:.0f} s in total")
    return 1 if failure_count else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    print(
        f"AES-256-GCM (key version 3).  The times include the derivation of the key with {ITERATIONS} PBKDF2"
        "\niterations; the default of 4096000 adds one or two seconds to any transfer."
    )
    measured: Dict[str, Dict[str, List[Metrics]]] = {}
    for direction, run_transfer in (("up", bench.upload), ("down", bench.download)):
        functions = {
            "unencrypted": lambda run_transfer=run_transfer: run_transfer(False),  # type: ignore[misc]
            "encrypted": lambda run_transfer=run_transfer: run_transfer(True),  # type: ignore[misc]
        }
        measured[direction] = run_interleaved(functions, runs)
        print_table(f"{size // MIB} MiB {direction}", measured[direction], size)
    bench.verify_download()
    print("\nratios")
    checker = LimitChecker()
    for direction, workers in (("up", 2), ("down", 4)):
        encrypted, plain = measured[direction]["encrypted"], measured[direction]["unencrypted"]
        checker.check_ratio(f"{direction}, wall, encrypted / unencrypted", (encrypted, plain), "wall", 1.3)
        limit = workers * 2 * CHUNK_SIZE / MIB + 16
        label = f"{direction}, growth ({workers} workers x 2 chunks + 16 MiB)"
        checker.check_value(label, median(encrypted, "growth"), limit, " MiB")
    return checker.failure_count
