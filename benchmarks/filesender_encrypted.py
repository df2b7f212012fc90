"""FileSender: 256 MiB up and down, encrypted beside unencrypted, over one server."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from benchmarks.filesender import CHUNK, MIB, fill, running_site
from benchmarks.measure import Figures, median, python, take_turns
from benchmarks.tables import Verdict, table
from smartxfer import FileSenderClient, UserAuth

#: Rounds of PBKDF2 that the site asks for: so few that the transfer is measured, and not the one or two
#: seconds that the stock 4,096,000 take, whatever the size of the file.
ROUNDS = 1000
PASSWORD = "Benchmark of 256 MiB!"
SIDE = "smartxfer_filesender"


class _Bench:
    """One file, as two transfers: one encrypted, one not."""

    def __init__(self, room: Path, site: Dict[str, Any], size: int) -> None:
        self.site = site
        self.into = room / "into"
        self.large = room / "large.bin"
        fill(self.large, size)
        auth = UserAuth(site["username"], site["api_key"])
        self.client = FileSenderClient(site["url"], auth=auth, signing_host=site["url"][7:])
        plain = self.client.upload_workflow([self.large], link=True)
        sealed = self.client.upload_workflow([self.large], link=True, password=PASSWORD)
        self.kept = {plain.id, sealed.id}
        self.tokens = {False: plain.token, True: sealed.token}

    def up(self, encrypted: bool) -> Figures:
        """Send it, and delete it from the site again."""
        try:
            return self._run("up", encrypted, files=[str(self.large)])
        finally:
            for entry in self.client.get("/transfer"):
                if entry["id"] not in self.kept:
                    self.client.transfers.delete(entry["id"])

    def down(self, encrypted: bool) -> Figures:
        """Fetch it into an empty directory."""
        shutil.rmtree(self.into, ignore_errors=True)
        self.into.mkdir()
        return self._run("down", encrypted, token=self.tokens[encrypted], into=str(self.into))

    def check(self) -> None:
        """See that what was fetched last is what was sent."""
        with open(self.large, "rb") as one, open(self.into / "large.bin", "rb") as other:
            for block in iter(lambda: one.read(MIB), b""):
                assert other.read(len(block)) == block
            assert not other.read(1)

    def _run(self, work: str, encrypted: bool, **given: Any) -> Figures:
        sealed = {"password": PASSWORD} if encrypted else {}
        return python(SIDE, work, {**self.site, **given, **sealed})


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        room = Path(name)
        with running_site(room / "data", encryption_iterations=ROUNDS) as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    print(
        f"AES-256-GCM (key version 3).  The derivation of the key counts, with {ROUNDS} rounds of PBKDF2"
        "\nset on the site: a stock one asks for 4096000, which add one or two seconds to any transfer."
    )
    measured: Dict[str, Dict[str, List[Figures]]] = {}
    for way, work in (("up", bench.up), ("down", bench.down)):
        sides = {
            "unencrypted": lambda work=work: work(False),  # type: ignore[misc]
            "encrypted": lambda work=work: work(True),  # type: ignore[misc]
        }
        measured[way] = take_turns(sides, runs)
        table(f"{size // MIB} MiB {way}", measured[way], size)
    bench.check()
    print("\nratios")
    verdict = Verdict()
    for way, workers in (("up", 2), ("down", 4)):
        sealed, plain = measured[way]["encrypted"], measured[way]["unencrypted"]
        verdict.ratio(f"{way}, wall, encrypted / unencrypted", (sealed, plain), "wall", 1.3)
        most = workers * 2 * CHUNK / MIB + 16
        what = f"{way}, growth ({workers} workers x 2 chunks + 16 MiB)"
        verdict.figure(what, median(sealed, "growth"), most, " MiB")
    return verdict.missed
