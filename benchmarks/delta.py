"""Benchmark of deltas: signature, delta and patch of 256 MiB, compared with rdiff, and a sync."""

import contextlib
import filecmp
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

from benchmarks.measure import Metrics, run_command, run_interleaved
from benchmarks.tables import LimitChecker, print_table
from smartxfer import delta
from smartxfer.local import LocalServer
from smartxfer.smartfile import BasicClient, SyncClient

MIB = 1024 * 1024
#: Number of ranges that are replaced, inserted or deleted, in turn.
EDIT_COUNT = 160
#: Block length that the service uses.
DEFAULT_BLOCK_LENGTH = 2048
STEPS = ("signature", "delta", "patch")
#: Maximum time as a fraction of rdiff's time, by step.
MAX_RATIOS = {"signature": 0.8, "delta": 0.8, "patch": 1.1}


class _WarmProcess:
    """A process that executes the steps of all runs, without a start of the interpreter for each."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._read_metrics()

    def _read_metrics(self) -> Metrics:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the smartxfer process has ended")
        metrics: Metrics = json.loads(line)
        return metrics

    def run(self, settings: Dict[str, Any]) -> Metrics:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(settings).encode() + b"\n")
        self._process.stdin.flush()
        return self._read_metrics()


@contextlib.contextmanager
def _start_warm_process() -> Iterator[_WarmProcess]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripts.smartxfer_delta"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        try:
            yield _WarmProcess(process)
        finally:
            process.stdin.close()


class _Bench:
    """The compared programs, with the same two files."""

    def __init__(self, work_dir: Path, warm: _WarmProcess, block_length: int) -> None:
        self.work_dir = work_dir
        self.warm = warm
        self.block_length = block_length
        self.basis, self.changed = work_dir / "basis.bin", work_dir / "fresh.bin"

    def get_paths(self, side: str) -> Dict[str, str]:
        return {
            "basis": str(self.basis),
            "fresh": str(self.changed),
            **{name: str(self.work_dir / f"{side}.{name}") for name in ("signature", "delta", "made")},
        }

    def run_smartxfer(self, step: str) -> Metrics:
        return self.warm.run({"step": step, "block_length": self.block_length, **self.get_paths("smartxfer")})

    def run_rdiff(self, step: str) -> Metrics:
        files = self.get_paths("rdiff")
        options = ["-R", "rollsum", "-H", "md4", "-S", "8", "-b", str(self.block_length)]
        arguments = {
            "signature": [*options, "signature", files["basis"], files["signature"]],
            "delta": ["delta", files["signature"], files["fresh"], files["delta"]],
            "patch": ["patch", files["basis"], files["delta"], files["made"]],
        }
        return run_command(["rdiff", "-f", *arguments[step]])

    def verify_outputs(self) -> None:
        """Check that both programs made equal signatures and correct patched files."""
        ours, theirs = self.get_paths("smartxfer"), self.get_paths("rdiff")
        if not filecmp.cmp(ours["signature"], theirs["signature"], shallow=False):
            raise RuntimeError("the signatures differ")
        for files in (ours, theirs):
            if not filecmp.cmp(files["made"], str(self.changed), shallow=False):
                raise RuntimeError("the patched file is not the new one")
        sizes = [Path(files["delta"]).stat().st_size for files in (ours, theirs)]
        print(f"  delta: smartxfer {sizes[0]} bytes, rdiff {sizes[1]} bytes")


def write_test_files(basis: Path, changed: Path, size: int, seed: int = 1) -> None:
    """Write a file of ``size`` random bytes, and a copy of which 1 % is changed."""
    generator = random.Random(seed)

    def random_bytes(count: int) -> bytes:
        return generator.getrandbits(8 * count).to_bytes(count, "big")

    with open(basis, "wb") as file:
        for _ in range(size // MIB):
            file.write(random_bytes(MIB))
    length = size // 100 // EDIT_COUNT
    with open(basis, "rb") as source, open(changed, "wb") as target:
        for index, position in enumerate(sorted(generator.sample(range(size - length), EDIT_COUNT))):
            for block in _read_until(source, position):
                target.write(block)
            edit = ("replace", "insert", "delete")[index % 3]
            if edit != "delete":
                target.write(random_bytes(length))
            if edit != "insert":
                source.seek(length, 1)
        shutil.copyfileobj(source, target, MIB)


def _read_until(source: Any, stop: int) -> Iterator[bytes]:
    while source.tell() < stop:
        yield source.read(min(MIB, stop - source.tell()))


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code."""
    if shutil.which("rdiff") is None or not delta.available():
        print("this benchmark needs rdiff and librsync (Debian: rdiff, librsync2)", file=sys.stderr)
        return 2
    started = time.monotonic()
    checker = LimitChecker()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        work_dir = Path(name)
        write_test_files(work_dir / "basis.bin", work_dir / "fresh.bin", size)
        checks: List[Callable[[], None]] = []
        for block_length in sorted({DEFAULT_BLOCK_LENGTH, delta.block_length_for(size)}):
            with _start_warm_process() as warm:
                checks.append(_measure(_Bench(work_dir, warm, block_length), runs, size, checker))
        checks.append(_resync(work_dir, size, checker))
        print("\nratios")
        for check_limits in checks:
            check_limits()
    print(f"\n{time.monotonic() - started:.0f} s in total")
    return 1 if checker.failure_count else 0


def _measure(bench: _Bench, runs: int, size: int, checker: LimitChecker) -> Callable[[], None]:
    """Print the tables of one block length, and return a function that checks the limits."""
    measured: Dict[str, Dict[str, List[Metrics]]] = {}
    for step in STEPS:
        functions: Dict[str, Callable[[], Metrics]] = {
            "smartxfer": lambda step=step: bench.run_smartxfer(step),  # type: ignore[misc]
            "rdiff": lambda step=step: bench.run_rdiff(step),  # type: ignore[misc]
        }
        measured[step] = run_interleaved(functions, runs)
        print_table(f"{step}, {size // MIB} MiB, blocks of {bench.block_length}", measured[step], size)
    bench.verify_outputs()

    def check_limits() -> None:
        for step, limit in MAX_RATIOS.items():
            results = measured[step]
            label = f"{step}, wall / rdiff, blocks of {bench.block_length}"
            checker.check_ratio(label, (results["smartxfer"], results["rdiff"]), "wall", limit)
        growth = max(metrics["growth"] for step in STEPS for metrics in measured[step]["smartxfer"])
        checker.check_value(f"smartxfer, growth, blocks of {bench.block_length}", growth, 32, " MiB")

    return check_limits


def _resync(work_dir: Path, size: int, checker: LimitChecker) -> Callable[[], None]:
    """Sync a file with the local server in both directions, and return a function that checks the limits."""
    transferred: Dict[str, float] = {}
    path = "/large.bin"
    with LocalServer(work_dir / "data") as server:
        site = server.smartfile
        with BasicClient(site.key, site.password, url=site.url) as api:
            print("\nsync with the local server")
            for direction in ("up", "down"):
                old, new = work_dir / "basis.bin", work_dir / "fresh.bin"
                stale = work_dir / "stale.bin"
                api.upload(old if direction == "up" else new, path)
                shutil.copyfile(str(old), str(stale))
                site.listener.clear_log()
                started = time.perf_counter()
                sync = SyncClient(api)
                result = sync.upload(new, path) if direction == "up" else sync.download(stale, path)
                wall = time.perf_counter() - started
                records = site.listener.records
                received = sum(record.received for record in records)
                sent = sum(record.sent for record in records)
                transferred[direction] = 100 * (received + sent) / size
                print(
                    f"  {direction:<6}{wall:>8.3f} s  {result.method:<6} {len(records)} requests, "
                    f"{received} bytes to the server, {sent} bytes from it"
                )
            if not filecmp.cmp(str(stale), str(new), shallow=False):
                raise RuntimeError("the downloaded file differs from the file on the server")

    def check_limits() -> None:
        for direction, share in transferred.items():
            checker.check_value(f"sync {direction}, share of the bytes transferred", share, 3, " %")

    return check_limits
