"""The command, which starts the workers, adds up their results and prints the table."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Counter as CounterType
from typing import Dict, Iterator, List, NoReturn, Optional, Sequence

from tests.soak.server import die_with_parent
from tests.soak.service import BAD
from tests.soak.worker import SERVICES, Result, Worker, seeds, work

#: The good columns and their headings.
GOOD = ("transfers", "runs", "kills", "server kills", "faults", "resumed")


class Table:
    """Sums of the columns by service."""

    def __init__(self, services: Sequence[str]) -> None:
        self.sums: Dict[str, CounterType[str]] = {name: Counter() for name in services}
        self.failed: List[Result] = []

    def add(self, result: Result) -> None:
        """Add a case.  Each bad column counts a case once."""
        self.sums[result.service].update(result.counts)
        self.sums[result.service].update({column for column, _ in result.findings})
        if result.findings:
            self.failed.append(result)

    def __str__(self) -> str:
        total: CounterType[str] = Counter()
        for sums in self.sums.values():
            total.update(sums)
        rows = [["", *GOOD, *BAD]]
        for name, sums in [*self.sums.items(), ("total", total)]:
            rows.append([name, *(_shown(column, sums[column]) for column in (*GOOD, *BAD))])
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def _shown(column: str, value: int) -> str:
    return f"{value / (1 << 20):.1f}M" if column == "resumed" else str(value)


def arguments(words: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long new cases are begun")
    parser.add_argument("--seed", default="1", help="any text; the cases are derived from it")
    parser.add_argument("--service", action="append", choices=SERVICES, help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="processes that carry out cases")
    parser.add_argument("--case", action="append", metavar="SEED", help="carry out this case only; may be repeated")
    parser.add_argument("--failures", type=Path, default=Path("soak-failures.txt"), help="file for failed cases")
    return parser.parse_args(words)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Run the soak and return the exit code: 1 where anything is wrong."""
    options = arguments(words)
    services = options.service or [seed.split("/")[1] for seed in options.case or ()] or list(SERVICES)
    directory = Path(tempfile.mkdtemp(prefix="smartxfer-soak-"))
    table = Table(list(dict.fromkeys(services)))
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _stop)
    workers = _start(options, list(table.sums), directory)
    broken = False
    try:
        for result in _results(workers):
            if result is None:
                broken = True
                continue
            table.add(result)
            if result.findings:
                _report(result, options.failures)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        for pid in workers.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # what it has started ends with it
            os.waitpid(pid, 0)
    print(table)
    print(f"{time.monotonic() - began:.0f} s, seed {options.seed}")
    if table.failed:
        print("\nfailed; repeat one by: python -m tests.soak --case SEED")
        for result in table.failed:
            print(f"  {result.seed}: {', '.join(sorted({column for column, _ in result.findings}))}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    if broken:
        print(f"a worker ended too early; see {directory}")
    return 1 if table.failed or broken or not any(sums["transfers"] for sums in table.sums.values()) else 0


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _start(options: argparse.Namespace, services: List[str], directory: Path) -> Dict[Connection, int]:
    """Fork the workers, and return the pipes on which they report."""
    workers: Dict[Connection, int] = {}
    jobs = 1 if options.case else max(1, options.jobs)
    for number in range(jobs):
        ours, theirs = Pipe(duplex=False)
        pid = os.fork()
        if not pid:
            for other in (ours, *workers):
                other.close()
            _be_worker(options, services, directory / f"worker-{number}", number, theirs)
        theirs.close()
        workers[ours] = pid
    return workers


def _be_worker(
    options: argparse.Namespace, services: List[str], directory: Path, number: int, pipe: Connection
) -> NoReturn:
    code = 70
    try:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        directory.mkdir()
        stream = iter(options.case) if options.case else seeds(options.seed, number, services)
        work(Worker(directory, services), stream, options.seconds, pipe.send)
        pipe.send(None)
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _results(workers: Dict[Connection, int]) -> Iterator[Optional[Result]]:
    """Yield what the workers report; None for a worker that ends without a word."""
    open_pipes = list(workers)
    while open_pipes:
        for pipe in wait(open_pipes):
            assert isinstance(pipe, Connection)
            try:
                result = pipe.recv()
            except EOFError:
                open_pipes.remove(pipe)
                yield None
                continue
            if result is None:
                open_pipes.remove(pipe)
            else:
                yield result


def _report(result: Result, failures: Path) -> None:
    """Print a failed case, and append it to the file of failures."""
    lines = [f"FAILED {result.seed} ({result.directory})"]
    lines += [f"  {column}: {text}" for column, text in result.findings]
    print("\n".join(lines), flush=True)
    with open(failures, "a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
