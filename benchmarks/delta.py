"""Deltas: signature, delta and patch of 256 MiB with 1 % changed, beside Debian's rdiff; a re-sync."""

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
#: Stretches that are replaced, inserted or deleted, in turn.
EDIT_COUNT = 160
#: The service's own block length.
DEFAULT_BLOCK_LENGTH = 2048
STEPS = ("signature", "delta", "patch")
#: Most of rdiff's time, by step.
MAX_RATIOS = {"signature": 0.8, "delta": 0.8, "patch": 1.1}


class _WarmProcess:
    """Our process: it lives through all runs."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._read_metrics()

    def _read_metrics(self) -> Metrics:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("our side ended")
        figures: Metrics = json.loads(line)
        return figures

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
    """Both sides over the same two files."""

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
        kind = ["-R", "rollsum", "-H", "md4", "-S", "8", "-b", str(self.block_length)]
        words = {
            "signature": [*kind, "signature", files["basis"], files["signature"]],
            "delta": ["delta", files["signature"], files["fresh"], files["delta"]],
            "patch": ["patch", files["basis"], files["delta"], files["made"]],
        }
        return run_command(["rdiff", "-f", *words[step]])

    def verify_outputs(self) -> None:
        """Both sides did the same work, and did it right."""
        ours, theirs = self.get_paths("smartxfer"), self.get_paths("rdiff")
        if not filecmp.cmp(ours["signature"], theirs["signature"], shallow=False):
            raise RuntimeError("the signatures differ")
        for files in (ours, theirs):
            if not filecmp.cmp(files["made"], str(self.changed), shallow=False):
                raise RuntimeError("the patched file is not the new one")
        sizes = [Path(files["delta"]).stat().st_size for files in (ours, theirs)]
        print(f"  delta: smartxfer {sizes[0]} bytes, rdiff {sizes[1]} bytes")


def write_test_files(basis: Path, changed: Path, size: int, seed: int = 1) -> None:
    """Write ``size`` random bytes, and beside them the same with 1 % of them changed."""
    chance = random.Random(seed)

    def noise(count: int) -> bytes:
        return chance.getrandbits(8 * count).to_bytes(count, "big")

    with open(basis, "wb") as file:
        for _ in range(size // MIB):
            file.write(noise(MIB))
    length = size // 100 // EDIT_COUNT
    with open(basis, "rb") as source, open(changed, "wb") as target:
        for number, cut in enumerate(sorted(chance.sample(range(size - length), EDIT_COUNT))):
            for piece in _read_until(source, cut):
                target.write(piece)
            kind = ("replace", "insert", "delete")[number % 3]
            if kind != "delete":
                target.write(noise(length))
            if kind != "insert":
                source.seek(length, 1)
        shutil.copyfileobj(source, target, MIB)


def _read_until(source: Any, stop: int) -> Iterator[bytes]:
    while source.tell() < stop:
        yield source.read(min(MIB, stop - source.tell()))


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    if shutil.which("rdiff") is None or not delta.available():
        print("this benchmark needs rdiff and librsync (Debian: rdiff, librsync2)", file=sys.stderr)
        return 2
    began = time.monotonic()
    verdict = LimitChecker()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        write_test_files(room / "basis.bin", room / "fresh.bin", size)
        judgements: List[Callable[[], None]] = []
        for block_length in sorted({DEFAULT_BLOCK_LENGTH, delta.block_length_for(size)}):
            with _start_warm_process() as warm:
                judgements.append(_measure(_Bench(room, warm, block_length), runs, size, verdict))
        judgements.append(_resync(room, size, verdict))
        print("\nratios")
        for judge in judgements:
            judge()
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if verdict.failure_count else 0


def _measure(bench: _Bench, runs: int, size: int, checker: LimitChecker) -> Callable[[], None]:
    """Print the tables of one block length; returns what judges them."""
    measured: Dict[str, Dict[str, List[Metrics]]] = {}
    for step in STEPS:
        sides: Dict[str, Callable[[], Metrics]] = {
            "smartxfer": lambda step=step: bench.run_smartxfer(step),  # type: ignore[misc]
            "rdiff": lambda step=step: bench.run_rdiff(step),  # type: ignore[misc]
        }
        measured[step] = run_interleaved(sides, runs)
        print_table(f"{step}, {size // MIB} MiB, blocks of {bench.block_length}", measured[step], size)
    bench.verify_outputs()

    def judge() -> None:
        for step, most in MAX_RATIOS.items():
            sides = measured[step]
            what = f"{step}, wall / rdiff, blocks of {bench.block_length}"
            checker.check_ratio(what, (sides["smartxfer"], sides["rdiff"]), "wall", most)
        grown = max(figures["growth"] for step in STEPS for figures in measured[step]["smartxfer"])
        checker.check_value(f"growth of our process, blocks of {bench.block_length}", grown, 32, " MiB")

    return judge


def _resync(work_dir: Path, size: int, checker: LimitChecker) -> Callable[[], None]:
    """Bring one copy up to date against the local server, up and down; returns what judges the bytes."""
    moved: Dict[str, float] = {}
    path = "/large.bin"
    with LocalServer(work_dir / "data") as server:
        site = server.smartfile
        with BasicClient(site.key, site.password, url=site.url) as api:
            print("\nre-sync against the local server")
            for way in ("up", "down"):
                old, new = work_dir / "basis.bin", work_dir / "fresh.bin"
                stale = work_dir / "stale.bin"
                api.upload(old if way == "up" else new, path)
                shutil.copyfile(str(old), str(stale))
                site.listener.clear_log()
                began = time.perf_counter()
                sync = SyncClient(api)
                done = sync.upload(new, path) if way == "up" else sync.download(stale, path)
                wall = time.perf_counter() - began
                records = site.listener.records
                both = [sum(record.received for record in records), sum(record.sent for record in records)]
                moved[way] = 100 * sum(both) / size
                print(
                    f"  {way:<6}{wall:>8.3f} s  {done.method:<6} {len(records)} requests, "
                    f"{both[0]} bytes to the server, {both[1]} bytes from it"
                )
            if not filecmp.cmp(str(stale), str(new), shallow=False):
                raise RuntimeError("the file that was fetched is not the one that was there")

    def judge() -> None:
        for way, share in moved.items():
            checker.check_value(f"re-sync {way}, share of the bytes that moved", share, 3, " %")

    return judge
