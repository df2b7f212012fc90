"""Two JetStream servers that are killed and started again in the midst of it, and many who wait for them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from smartxfer.errors import TaskSuspended
from smartxfer.jetstream import API, JetStream
from tests.support.client_program import digest_of
from tests.support.jetstream_harness import MIB, JetStreamHarness, until
from tests.support.stopwatch import Stopwatch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FILES = 200
SIZE = 256 * MIB
#: Bytes a second of the destination, and what it is called in kilobits a second.
RATE = 64 * MIB
KILOBITS = RATE * 8 // 1000
#: Seconds for which many wait.
WAITING = float(os.environ.get("SMARTXFER_TEST_WAITING", "10"))

_PROGRAM = "import sys; from smartxfer.cli import main; sys.exit(main())"


class Pair:
    """Both servers, as ``smartxfer serve`` runs them, in a process of their own.

    :param directory: of data and ports, which outlive the process.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports: List[str] = ["0", "0"]
        self.env: Dict[str, str] = {}
        self._process: Any = None

    def start(self) -> None:
        """Start, on the same data and ports as before, and wait until they answer."""
        export = self.directory / "env.sh"
        export.unlink(missing_ok=True)
        words = ["serve", "--data", str(self.directory / "data"), "--export", str(export)]
        words += ["--jetstream-port", self.ports[0], "--jetstream-peer-port", self.ports[1]]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", _PROGRAM, *words]
        output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=environment, **output)  # type: ignore[call-overload]
        until(lambda: export.exists() or self._process.poll() is not None, "the servers")
        assert self._process.poll() is None, self._process.stderr.read()
        for line in export.read_text("utf-8").splitlines():
            name, _, value = line[len("export ") :].partition("=")
            self.env[name] = value.strip("'")
        self.ports = [self.env["JETSTREAM_API_PORT"], self.env["JETSTREAM_PEER_HOST"].rpartition(":")[2]]

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.communicate()

    def root(self, name: str) -> Path:
        """The files of a server on disk."""
        return self.directory / "data" / name / "root"

    def api(self) -> API:
        """A client of the first."""
        login = {name: self.env[f"JETSTREAM_API_{name.upper()}"] for name in ("user", "password")}
        return JetStream().api(f"127.0.0.1:{self.ports[0]}", **login)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    servers = Pair(tmp_path)
    servers.start()
    yield servers
    servers.kill()


def _fill(folder: Path) -> Dict[str, str]:
    """A folder of 200 files; the digest of each by its path."""
    chance = random.Random(6)
    for number in range(FILES):
        path = folder / f"{number % 7}" / f"{number:03}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = SIZE // FILES + (number - FILES // 2) * 100
        with path.open("wb") as file:
            file.write(b"%d" % number)
            for _ in range(8):
                file.seek(chance.randrange(size - 5000))
                file.write(chance.getrandbits(8 * 4096).to_bytes(4096, "little"))
            file.truncate(size)
    return _digests(folder)


def _digests(folder: Path) -> Dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def digests(pair: Pair) -> Dict[str, str]:
    """The files that are sent."""
    return _fill(pair.root("jetstream") / "run")


def _arrived(pair: Pair) -> Dict[str, str]:
    return _digests(pair.root("jetstream_peer") / "run")


def _destination(pair: Pair, api: API) -> Any:
    return api.send.createDestination("127.0.0.1", int(pair.ports[1]), KILOBITS)


def test_suspended_then_the_servers_are_killed(pair: Pair, digests: Dict[str, str]) -> None:
    """The same call continues the transfer. Fails if there is a second transfer, repeated data or a wrong file."""
    events: List[Any] = []
    with pair.api() as api, pair.api() as other:
        to = _destination(pair, api)

        def progress(event: Any) -> None:
            events.append(event)
            if event.state == "moving" and event.done >= SIZE // 5:
                [transfer] = other.send.getTransfers()
                if transfer.status == "sending":
                    other.send.suspendTransfer(transfer)

        with pytest.raises(TaskSuspended) as caught:
            api.send_files(["/run"], to, progress=progress, timeout=60)
        suspended = caught.value.task
        assert SIZE // 5 <= suspended.bytes_acked < suspended.total_bytes
        assert [event.done for event in events] == sorted(event.done for event in events)
        pair.kill()
        arrived = _arrived(pair)
        assert 0 < len(arrived) < FILES
        assert arrived.items() <= digests.items(), "whole files only"
        pair.start()
        again = api.send.getTransfer(suspended)
        assert (again.status, again.blocks_acked) == ("suspended", suspended.blocks_acked)
        events.clear()
        ended = api.send_files(["/run"], to, progress=events.append, timeout=60)
        assert (ended.transfer_id, ended.status) == (suspended.transfer_id, "complete")
        assert events[0].done >= suspended.bytes_acked
        assert (events[-1].state, events[-1].done) == ("done", ended.total_bytes)
        assert ended.blocks_sent - ended.total_blocks <= 4096, "what was under way is sent again, no more"
        assert len(api.send.getTransfers()) == 1
    assert _arrived(pair) == digests


def test_killed_while_it_is_sent(pair: Pair, digests: Dict[str, str]) -> None:
    """One call of send_files lives through it: a new login, the same transfer, the right files."""
    moving = threading.Event()

    def progress(event: Any) -> None:
        if event.done >= SIZE // 5:
            moving.set()

    with pair.api() as api, ThreadPoolExecutor(1) as threads:
        sent = threads.submit(api.send_files, ["/run"], _destination(pair, api), progress=progress, timeout=100)
        assert moving.wait(30), sent
        pair.kill()
        pair.start()
        assert sent.result(100).status == "complete"
        [transfer] = api.send.getTransfers()
        assert transfer.blocks_acked == transfer.total_blocks
    assert _arrived(pair) == digests


# -- many who wait --------------------------------------------------------------------------------------------


def _counted() -> Tuple[int, List[str]]:
    names = sorted(thread.name for thread in threading.enumerate())
    return len(names), names


def test_64_who_wait(tmp_path: Path) -> None:
    """No error, one answer for each as soon as there is one, and every thread gone, of client and server."""
    with JetStreamHarness(tmp_path, wait_ceiling=3.0) as harness:
        harness.site.write("/a.bin", b"1")
        before = _counted()
        with harness.api(max_workers=64) as api, harness.api(max_workers=64) as crowd:
            nowhere = api.send.createDestination("127.0.0.1", 1)
            stuck = api.send.createTransfer(nowhere, harness.manifest(api))
            with ThreadPoolExecutor(33) as threads:
                waiting = [threads.submit(api.send.waitForTransfer, stuck, timeout=100) for _ in range(32)]
                crowded = threads.submit(crowd.wait_all, [stuck] * 32, timeout=100)
                time.sleep(WAITING)  # this long nothing is to happen
                assert not any(one.done() for one in (*waiting, crowded))
                assert harness.count("POST /jsonrpc/send.waitForTransfer") >= 64 * 2
                watch = Stopwatch()
                api.send.failTransfer(stuck, "enough")
                ended = [*(one.result(20) for one in waiting), *crowded.result(20)]
                assert watch.seconds() < 3
        assert [one.status for one in ended] == ["error"] * 64
        until(lambda: _counted()[0] <= before[0], f"the end of the threads: {_counted()}, before {before}")
        assert [seen for seen in harness.site.requests if seen.status >= 400] == []
