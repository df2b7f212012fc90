"""A client of SmartFile and a local server between them: for tests of its faults."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault, compile_match
from smartxfer.smartfile import BasicClient
from smartxfer.transport import RetryPolicy
from tests.support.fake_clock import FakeClock

UPLOAD = "POST /api/2/path/data/*"
DOWNLOAD = "GET /api/2/path/data/*"
INFO = "GET /api/2/path/info/*"
CHECKSUM = "POST /api/2/path/oper/checksum/"
TASK = "GET /api/2/task/*"

MIB = 1 << 20
#: Tries without waits.
AT_ONCE = RetryPolicy(backoff=0)


class SmartFileHarness:
    """A running server, and clients of it; as a context manager it asks in the end whether all that was planned came.

    :param site: options of the local SmartFile.
    """

    def __init__(self, directory: Path, **site: Any) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.server = LocalServer(services=["smartfile"], smartfile=site).start()
        self.site = self.server.smartfile
        self.url = self.site.url
        self._clients: List[BasicClient] = []
        self._throttles: List[Any] = []

    def client(self, url: Optional[str] = None, **options: Any) -> BasicClient:
        """A client of the server that retries without waits."""
        settings = {"url": url or self.url, "retry": AT_ONCE, "timeout": 10.0, **options}
        self._clients.append(BasicClient(self.site.key, self.site.password, **settings))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; the test fails when it does not fire."""
        return self.server.fault("smartfile", match, effect, times=times, after=after)

    def throttle(self, times: int, seconds: float, style: str = "503", match: str = "* *") -> None:
        """Turn calls away; the test fails when there are fewer of them."""
        self._throttles.append(self.site.throttle(times, seconds, style=style, match=match))

    def answer(self, match: str, content: bytes, times: int = 1, after: int = 0) -> Fault:
        """Answer such requests with 200 and these bytes as JSON, in place of the server."""
        path = self.directory / f"answer{len(self.server.faults)}"
        path.write_bytes(content)
        return self.fault(match, f"status 200 'body=file:{path}'", times=times, after=after)

    def file(self, data: bytes, name: str = "a.bin") -> Path:
        """A local file with these bytes."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def stored(self) -> Dict[str, bytes]:
        """What the server holds, by path."""
        return {path: self.site.read(path) for path in self.site.files()}

    def count(self, match: str, status: Optional[int] = None) -> int:
        """How many such requests came."""
        return self.site.count(match, status)

    def sent(self, match: str) -> List[int]:
        """Bytes of each answer to such requests, once all of them have gone."""
        pattern = compile_match(match)
        return [
            record.sent
            for record in self.site.account
            if pattern.fullmatch(f"{record.seen.method} {record.seen.path}")
        ]

    def left(self) -> List[str]:
        """The names of the files that stand where downloads go."""
        if not self.out.exists():
            return []
        return sorted(path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if not path.is_dir())

    def __enter__(self) -> SmartFileHarness:
        return self

    def __exit__(self, *error: Any) -> None:
        unfired = self.server.unfired()
        spared = [throttle for throttle in self._throttles if throttle.left]
        crashes = self.site.listener.crashes
        for client in self._clients:
            client.close()
        self.server.stop()
        if error[0] is None:
            assert not unfired, f"planned, but never seen: {unfired}"
            assert not spared, "fewer calls were turned away than planned"
            assert not crashes, f"the server has a bug: {crashes}"


class Polling(FakeClock):
    """Waits pass at once; what ``then`` says happens in the wait of that number."""

    def __init__(self, **then: Callable[[], Any]) -> None:
        super().__init__(wall=time.time(), chance=0.0)
        self._then = then

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._then.get(f"wait{len(self.waits)}", lambda: None)()


def piped(data: bytes) -> Any:
    """The reading end of a pipe that a thread fills."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(data)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "rb")


def pieces(data: bytes) -> Iterator[bytes]:
    """The bytes by a generator: they come once."""
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]
