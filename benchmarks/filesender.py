"""FileSender: 256 MiB up and down, and 500 small files, beside filesender-client and curl."""

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
    """A server process that signs with its port, as filesender-client does.

    :param options: more options of the local server.
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
    """The sides, over one server and one set of files."""

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
        given = {**self.site, "files": [str(path) for path in files], "options": options}
        try:
            return run_python(script, "up", given)
        finally:
            self.delete_transfers()

    def download(self, script: str, **options: Any) -> Metrics:
        into = self.work_dir / "into"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        given = {**self.site, "token": self.token, "into": str(into), "options": options}
        return run_python(script, "down", given)

    def curl_upload(self) -> Metrics:
        """The same chunks with curl, over one connection, without signatures."""
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
        """Delete every transfer but the one for downloads: a disk is not endless."""
        found = [entry["id"] for entry in self.client.get("/transfer")]
        for transfer_id in {*found, *ids}:
            if transfer_id != self.download_transfer_id:
                self.client.transfers.delete(transfer_id)


def write_random_file(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    if importlib.util.find_spec("filesender") is None or shutil.which("curl") is None:
        print("this benchmark needs curl and: pip install filesender-client==2.1.2", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        with run_server(room / "data") as site:
            missed = _measure(Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: Bench, runs: int, size: int) -> int:
    ours, theirs = "smartxfer_filesender", "filesender_client"
    up = run_interleaved(
        {
            "smartxfer": lambda: bench.upload(ours, [bench.large_file]),
            "filesender-client": lambda: bench.upload(theirs, [bench.large_file]),
            "curl": bench.curl_upload,
        },
        runs,
    )
    print_table(f"{size // MIB} MiB up", up, size)
    down = run_interleaved(
        {
            "smartxfer": lambda: bench.download(ours),
            "filesender-client": lambda: bench.download(theirs),
            "curl": bench.curl_download,
        },
        runs,
    )
    print_table(f"{size // MIB} MiB down", down, size)
    small = run_interleaved(
        {
            "smartxfer": lambda: bench.upload(ours, [bench.small_directory]),
            "filesender-client": lambda: bench.upload(theirs, [bench.small_directory]),
        },
        runs,
    )
    print_table("500 files of 1 KiB up", small, 500 * 1024)
    sparse = _measure_sparse(bench)
    print("\n2 GiB sparse file")
    for name, figures in sparse.items():
        print(f"  {name:<20}{figures['wall']:>9.3f} s{figures['growth']:>12.1f} MiB growth")
    print("\nratios")
    verdict = LimitChecker()
    mine, his, curl = "smartxfer", "filesender-client", "curl"
    verdict.check_ratio("up, CPU / filesender-client", (up[mine], up[his]), "cpu", 0.5)
    verdict.check_ratio("up, wall / filesender-client", (up[mine], up[his]), "wall", 0.9)
    verdict.check_ratio("down, wall / filesender-client", (down[mine], down[his]), "wall", 0.25)
    verdict.check_ratio("down, wall / curl", (down[mine], down[curl]), "wall", 1.3)
    verdict.check_ratio("500 files, wall / filesender-client", (small[mine], small[his]), "wall", 0.7)
    most_up, most_down = 2 * CHUNK_SIZE / MIB + 16, 4 * CHUNK_SIZE / MIB + 16
    grown_up, grown_down = median(up[mine], "growth"), median(down[mine], "growth")
    verdict.check_value("up, growth (2 workers x chunk + 16 MiB)", grown_up, most_up, " MiB")
    verdict.check_value("down, growth (4 workers x chunk + 16 MiB)", grown_down, most_down, " MiB")
    verdict.check_value("up, growth, 2 GiB sparse", sparse["up"]["growth"], most_up, " MiB")
    verdict.check_value("down, growth, 2 GiB sparse", sparse["down"]["growth"], most_down, " MiB")
    return verdict.failure_count


def _measure_sparse(bench: Bench) -> Dict[str, Metrics]:
    path = bench.work_dir / "sparse.bin"
    with open(path, "wb") as file:
        file.truncate(2 * 1024 * MIB)
    side = "smartxfer_filesender"
    given = {**bench.site, "files": [str(path)], "options": {}}
    up = run_python(side, "up", given)
    newest = max(bench.client.get("/transfer"), key=lambda entry: int(entry["id"]))
    kept, bench.token = bench.token, newest["recipients"][0]["token"]
    down = bench.download(side)
    bench.token = kept
    bench.delete_transfers()
    shutil.rmtree(bench.work_dir / "into")
    return {"up": up, "down": down}
