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

from benchmarks.measure import Figures, command, median, python, take_turns
from benchmarks.tables import Verdict, table
from smartxfer.nrp import get_client

MIB = 1024 * 1024
OURS = "smartxfer_nrp"
#: The sides, as the tables name them.
WHOLE, PARTS, DOWN, CURL = "smartxfer, L", "smartxfer, M", "smartxfer", "curl + md5sum"
#: How a file is sent in parts.
PART_SIZE, WORKERS = 16 * MIB, 4
#: What is fetched; it was put there before the clock runs.
KEPT = "kept.bin"
#: Most time, as a share of that of curl and md5sum.
MOST_WALL = 1.2
#: Growth of our process that is granted beside a mebibyte for each worker.
SPARE = 16
#: For how long the server may go on reckoning the MD5 of a file that came in parts, in seconds.
PATIENCE = 60

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
def _server(data: Path) -> Iterator[Dict[str, str]]:
    """A server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sides.nrp_server", str(data)],
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

    def __init__(self, room: Path, site: Dict[str, str], size: int) -> None:
        self.room = room
        self.site = site
        self.client = get_client(site["url"], token=site["token"])
        self.large, self.fetched = room / "large.bin", room / "fetched.bin"
        _fill(self.large, size)
        self.digest = _md5(self.large)
        self.draft = self.client.records.create(RECORD)
        self.files = str(self.draft.links.files)
        self.client.files.upload(self.draft, KEPT, {}, self.large)

    def up(self, key: str, **how: Any) -> Figures:
        """Our side: start, content or parts, commit; the MD5 is reckoned on the way."""
        figures = python(OURS, "up", self._given(key, self.large, how))
        self._arrived(key)
        return figures

    def down(self) -> Figures:
        """Our side: fetched, compared with the server's MD5, and named."""
        self._make_place()
        figures = python(OURS, "down", self._given(KEPT, self.fetched, {}))
        self._came_back()
        return figures

    def _given(self, key: str, file: Path, how: Dict[str, Any]) -> Dict[str, Any]:
        options = {"max_workers": WORKERS}
        given = {"record": str(self.draft.id), "key": key, "file": str(file), "room": str(self.room)}
        return {**self.site, **given, "options": options, "how": how}

    def curl_up(self) -> Figures:
        """The same three requests over one connection, and the sum that they would be checked with."""
        key, at = "curl.bin", f"{self.files}/curl.bin"
        body = self.room / "start.json"
        body.write_text(json.dumps([{"key": key, "size": self.large.stat().st_size}]), encoding="utf-8")
        requests = [
            [*self._headers("application/json"), "--data-binary", f"@{body}", self.files],
            [*self._headers("application/octet-stream"), "-T", str(self.large), f"{at}/content"],
            [*self._headers("application/json"), "-X", "POST", f"{at}/commit"],
        ]
        figures = self._shell(["curl", *_one_after_another(requests)], self.large)
        self._arrived(key)
        return figures

    def curl_down(self) -> Figures:
        """One request, and the sum of what came."""
        self._make_place()
        options = [*self._headers("application/octet-stream"), "-o", str(self.fetched)]
        figures = self._shell(["curl", "-sf", *options, f"{self.files}/{KEPT}/content"], self.fetched)
        self._came_back()
        return figures

    def _headers(self, kind: str) -> List[str]:
        lines = [f"Authorization: Bearer {self.site['token']}", f"Content-Type: {kind}", "Expect:"]
        return [word for line in lines for word in ("-H", line)]

    @staticmethod
    def _shell(words: List[str], file: Path) -> Figures:
        line = " ".join(map(shlex.quote, words))
        return command(["sh", "-c", f"set -e; {line}; md5sum {shlex.quote(str(file))}"])

    def _make_place(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.fetched.unlink()

    def _came_back(self) -> None:
        if not filecmp.cmp(str(self.fetched), str(self.large), shallow=False):
            raise RuntimeError("a download is not the file that was sent")

    def _arrived(self, key: str) -> None:
        """It is there, whole; then it makes place."""
        ends_at = time.monotonic() + PATIENCE
        while self.client.files.read(self.draft, key).md5 != self.digest:
            if time.monotonic() > ends_at:
                raise RuntimeError(f"{key} is not the file that was sent")
            time.sleep(0.1)
        self.client.files.delete(self.draft, key)


def _one_after_another(requests: List[List[str]]) -> List[str]:
    """Arguments with which one curl makes several requests."""
    words: List[str] = []
    for request in requests:
        words += ["--next"] if words else []
        words += ["-sf", "-o", "/dev/null", *request]
    return words


def _fill(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "big") + block[8:])


def _md5(path: Path) -> str:
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
        with _server(room / "data") as site:
            missed = _measure(_Bench(room, site, size), runs, size)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


def _measure(bench: _Bench, runs: int, size: int) -> int:
    sides: Dict[str, Callable[[], Figures]] = {
        WHOLE: lambda: bench.up("whole.bin", transfer_type="local-file"),
        PARTS: lambda: bench.up("parts.bin", transfer_type="multipart", part_size=PART_SIZE),
        CURL: bench.curl_up,
    }
    up = take_turns(sides, runs)
    table(f"{size // MIB} MiB up; M: parts of {PART_SIZE // MIB} MiB, {WORKERS} threads", up, size)
    down = take_turns({DOWN: bench.down, CURL: bench.curl_down}, runs)
    table(f"{size // MIB} MiB down", down, size)
    print("\nratios")
    verdict = Verdict()
    verdict.ratio("up as L, wall / (curl and md5sum)", (up[WHOLE], up[CURL]), "wall", MOST_WALL)
    verdict.ratio("up as M, wall / up as L", (up[PARTS], up[WHOLE]), "wall", 1.0)
    verdict.ratio("down, wall / (curl and md5sum)", (down[DOWN], down[CURL]), "wall", MOST_WALL)
    for what, measured, workers in (
        ("up as L", up[WHOLE], 1),
        ("up as M", up[PARTS], WORKERS),
        ("down", down[DOWN], 1),
    ):
        verdict.figure(f"{what}, growth", median(measured, "growth"), workers + SPARE, " MiB")
    return verdict.missed
