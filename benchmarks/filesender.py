"""Benchmark of FileSender: 256 MiB and 500 small files, compared with filesender-client and curl."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from benchmarks.measure import Metrics, median, run_command, run_interleaved, run_python
from benchmarks.tables import LimitChecker, print_table
from smartxfer import FileSenderClient, UserAuth

CHUNK_SIZE = 5 * 1024 * 1024
MIB = 1024 * 1024


@contextlib.contextmanager
def run_server(data: Path, **options: Any) -> Iterator[Dict[str, Any]]:
    """Run a server process whose host name for signatures includes the port, as filesender-client needs.

    :param options: further options of the local server.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "port": port,
        "server_name": f"127.0.0.1:{port}",
        "max_transfer_files": 1000,
        "upload_chunk_size": CHUNK_SIZE,
        **options,
    }
    arguments = json.dumps({"data": str(data), "filesender": settings})
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripts.server", arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


class Bench:
    """The compared clients, with the same server and files."""

    def __init__(self, work_dir: Path, site: Dict[str, Any], size: int) -> None:
        self.work_dir = work_dir
        self.site = site
        self.client = FileSenderClient(
            site["url"], auth=UserAuth(site["username"], site["api_key"]), signing_host=site["url"][7:]
        )
        self.large_file = work_dir / "large.bin"
        write_random_file(self.large_file, size)
        self.small_directory = work_dir / "small"
        self.small_directory.mkdir()
        for number in range(500):
            (self.small_directory / f"{number:03}.bin").write_bytes(os.urandom(1024))
        transfer = self.client.upload_workflow([self.large_file], {"from": "me@example.org"})
        self.download_transfer_id = transfer.id
        self.token = transfer.token

    def upload(self, script: str, files: List[Path], **options: Any) -> Metrics:
        settings = {**self.site, "files": [str(path) for path in files], "options": options}
        try:
            return run_python(script, "up", settings)
        finally:
            self.delete_transfers()

    def download(self, script: str, **options: Any) -> Metrics:
        directory = self.work_dir / "into"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        settings = {**self.site, "token": self.token, "into": str(directory), "options": options}
        return run_python(script, "down", settings)

    def curl_upload(self) -> Metrics:
        """Send the same chunks with curl, over one connection, without signatures."""
        size = self.large_file.stat().st_size
        body = {"from": "me@example.org", "files": [{"name": "large.bin", "size": size}]}
        transfer = self.client.create_transfer(body)  # type: ignore[typeddict-item]
        [file] = transfer.files
        lines = []
        for offset in range(0, size, CHUNK_SIZE):
            part = self.work_dir / f"part-{offset}"
            if not part.exists():
                with open(self.large_file, "rb") as source:
                    source.seek(offset)
                    part.write_bytes(source.read(CHUNK_SIZE))
            url = f"{self.site['url']}/rest.php/file/{file.id}/chunk/{offset}?key={file.puid}"
            lines.append(
                f'url = "{url}"\nupload-file = "{part}"\nheader = "Content-Type: application/octet-stream"\n'
                f'header = "X-Filesender-Chunk-Size: {part.stat().st_size}"\nheader = "Expect:"\n'
                'output = "/dev/null"\nfail\nsilent\n'
            )
        (self.work_dir / "curl.conf").write_text("next\n".join(lines))
        try:
            return run_command(["curl", "-K", str(self.work_dir / "curl.conf")])
        finally:
            self.delete_transfers(transfer.id)

    def curl_download(self) -> Metrics:
        [file] = self.client.list_files(self.token)
        url = f"{self.site['url']}/download.php?token={self.token}&files_ids={file.id}"
        identity = "&transaction_id=11111111-2222-3333-4444-555555555555"
        target = self.work_dir / "curl.out"
        target.unlink(missing_ok=True)
        return run_command(["curl", "-sf", "-o", str(target), url + identity])

    def delete_transfers(self, *ids: int) -> None:
        """Delete all transfers except that for downloads, to limit the disk space."""
        available = [entry["id"] for entry in self.client.get("/transfer")]
        for transfer_id in {*available, *ids}:
            if transfer_id != self.download_transfer_id:
                self.client.transfers.delete(transfer_id)


def write_random_file(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code."""
    if importlib.util.find_spec("filesender") is None or shutil.which("curl") is None:
        print("this benchmark needs curl and: pip install filesender-client==2.1.2", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        work_dir = Path(name)
        with run_server(work_dir / "data") as site:
            failure_count = _measure(Bench(work_dir, site, size), runs, size)
    print(f"\n{time.monotonic() - started:.0f} s in total")
    return 1 if failure_count else 0


def _measure(bench: Bench, runs: int, size: int) -> int:
    our_script, their_script = "smartxfer_filesender", "filesender_client"
    up = run_interleaved(
        {
            "smartxfer": lambda: bench.upload(our_script, [bench.large_file]),
            "filesender-client": lambda: bench.upload(their_script, [bench.large_file]),
            "curl": bench.curl_upload,
        },
        runs,
    )
    print_table(f"{size // MIB} MiB up", up, size)
    down = run_interleaved(
        {
            "smartxfer": lambda: bench.download(our_script),
            "filesender-client": lambda: bench.download(their_script),
            "curl": bench.curl_download,
        },
        runs,
    )
    print_table(f"{size // MIB} MiB down", down, size)
    small = run_interleaved(
        {
            "smartxfer": lambda: bench.upload(our_script, [bench.small_directory]),
            "filesender-client": lambda: bench.upload(their_script, [bench.small_directory]),
        },
        runs,
    )
    print_table("500 files of 1 KiB up", small, 500 * 1024)
    sparse = _measure_sparse(bench)
    print("\n2 GiB sparse file")
    for name, metrics in sparse.items():
        print(f"  {name:<20}{metrics['wall']:>9.3f} s{metrics['growth']:>12.1f} MiB growth")
    print("\nratios")
    checker = LimitChecker()
    ours, theirs, curl = "smartxfer", "filesender-client", "curl"
    checker.check_ratio("up, CPU / filesender-client", (up[ours], up[theirs]), "cpu", 0.5)
    checker.check_ratio("up, wall / filesender-client", (up[ours], up[theirs]), "wall", 0.9)
    checker.check_ratio("down, wall / filesender-client", (down[ours], down[theirs]), "wall", 0.25)
    checker.check_ratio("down, wall / curl", (down[ours], down[curl]), "wall", 1.3)
    checker.check_ratio("500 files, wall / filesender-client", (small[ours], small[theirs]), "wall", 0.7)
    up_limit, down_limit = 2 * CHUNK_SIZE / MIB + 16, 4 * CHUNK_SIZE / MIB + 16
    up_growth, down_growth = median(up[ours], "growth"), median(down[ours], "growth")
    checker.check_value("up, growth (2 workers x chunk + 16 MiB)", up_growth, up_limit, " MiB")
    checker.check_value("down, growth (4 workers x chunk + 16 MiB)", down_growth, down_limit, " MiB")
    checker.check_value("up, growth, 2 GiB sparse", sparse["up"]["growth"], up_limit, " MiB")
    checker.check_value("down, growth, 2 GiB sparse", sparse["down"]["growth"], down_limit, " MiB")
    return checker.failure_count


def _measure_sparse(bench: Bench) -> Dict[str, Metrics]:
    path = bench.work_dir / "sparse.bin"
    with open(path, "wb") as file:
        file.truncate(2 * 1024 * MIB)
    script = "smartxfer_filesender"
    settings = {**bench.site, "files": [str(path)], "options": {}}
    up = run_python(script, "up", settings)
    newest = max(bench.client.get("/transfer"), key=lambda entry: int(entry["id"]))
    large_file_token, bench.token = bench.token, newest["recipients"][0]["token"]
    down = bench.download(script)
    bench.token = large_file_token
    bench.delete_transfers()
    shutil.rmtree(bench.work_dir / "into")
    return {"up": up, "down": down}
