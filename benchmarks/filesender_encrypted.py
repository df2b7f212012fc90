"""FileSender: 256 MiB up and down, encrypted beside unencrypted, over one server."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from benchmarks.filesender import CHUNK_SIZE, MIB, run_server, write_random_file
from benchmarks.measure import Metrics, median, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer import FileSenderClient, UserAuth

#: Rounds of PBKDF2 that the site asks for: so few that the transfer is measured, and not the one or two
#: seconds that the stock 4,096,000 take, whatever the size of the file.
ITERATIONS = 1000
PASSWORD = "Benchmark of 256 MiB!"
SCRIPT = "smartxfer_filesender"


class _Bench:
    """One file, as two transfers: one encrypted, one not."""

    def __init__(self, work_dir: Path, site: Dict[str, Any], size: int) -> None:
        self.site = site
        self.target_directory = work_dir / "into"
        self.large_file = work_dir / "large.bin"
        write_random_file(self.large_file, size)
        auth = UserAuth(site["username"], site["api_key"])
        self.client = FileSenderClient(site["url"], auth=auth, signing_host=site["url"][7:])
        plain = self.client.upload_workflow([self.large_file], link=True)
        sealed = self.client.upload_workflow([self.large_file], link=True, password=PASSWORD)
        self.download_transfer_ids = {plain.id, sealed.id}
        self.tokens = {False: plain.token, True: sealed.token}

    def upload(self, encrypted: bool) -> Metrics:
        """Send it, and delete it from the site again."""
        try:
            return self._run("up", encrypted, files=[str(self.large_file)])
        finally:
            for entry in self.client.get("/transfer"):
                if entry["id"] not in self.download_transfer_ids:
                    self.client.transfers.delete(entry["id"])

    def download(self, encrypted: bool) -> Metrics:
        """Fetch it into an empty directory."""
        shutil.rmtree(self.target_directory, ignore_errors=True)
        self.target_directory.mkdir()
        return self._run("down", encrypted, token=self.tokens[encrypted], into=str(self.target_directory))

    def verify_download(self) -> None:
        """See that what was fetched last is what was sent."""
        with open(self.large_file, "rb") as one, open(self.target_directory / "large.bin", "rb") as other:
            for block in iter(lambda: one.read(MIB), b""):
                assert other.read(len(block)) == block
            assert not other.read(1)

    def _run(self, operation: str, encrypted: bool, **settings: Any) -> Metrics:
        sealed = {"password": PASSWORD} if encrypted else {}
        return run_python(SCRIPT, operation, {**self.site, **settings, **sealed})


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        with run_server(room / "data", encryption_iterations=ITERATIONS) as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    print(
        f"AES-256-GCM (key version 3).  The derivation of the key counts, with {ITERATIONS} rounds of PBKDF2"
        "\nset on the site: a stock one asks for 4096000, which add one or two seconds to any transfer."
    )
    measured: Dict[str, Dict[str, List[Metrics]]] = {}
    for way, work in (("up", bench.upload), ("down", bench.download)):
        sides = {
            "unencrypted": lambda work=work: work(False),  # type: ignore[misc]
            "encrypted": lambda work=work: work(True),  # type: ignore[misc]
        }
        measured[way] = run_interleaved(sides, runs)
        print_table(f"{size // MIB} MiB {way}", measured[way], size)
    bench.verify_download()
    print("\nratios")
    verdict = LimitChecker()
    for way, workers in (("up", 2), ("down", 4)):
        sealed, plain = measured[way]["encrypted"], measured[way]["unencrypted"]
        verdict.check_ratio(f"{way}, wall, encrypted / unencrypted", (sealed, plain), "wall", 1.3)
        most = workers * 2 * CHUNK_SIZE / MIB + 16
        what = f"{way}, growth ({workers} workers x 2 chunks + 16 MiB)"
        verdict.check_value(what, median(sealed, "growth"), most, " MiB")
    return verdict.failure_count
