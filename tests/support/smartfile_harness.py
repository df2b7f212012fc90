"""A client of SmartFile and a local server between them: for tests of its faults."""

from __future__ import annotations

import contextlib
import io
from typing import Any, Callable, Dict, Iterator, List

from smartxfer.smartfile import BasicClient
from tests.support.service_harness import MIB, Polling, ServiceHarness, pieces, piped

__all__ = ["CHECKSUM", "DOWNLOAD", "INFO", "MIB", "SHAPES", "TASK", "UPLOAD", "Polling", "SmartFileHarness", "shaped"]

UPLOAD = "POST /api/2/path/data/*"
DOWNLOAD = "GET /api/2/path/data/*"
INFO = "GET /api/2/path/info/*"
CHECKSUM = "POST /api/2/path/oper/checksum/"
TASK = "GET /api/2/task/*"


class SmartFileHarness(ServiceHarness):
    """A running SmartFile, and clients of it."""

    name = "smartfile"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.out.mkdir()
        self._throttles: List[Any] = []

    def _new_client(self, url: str, **options: Any) -> BasicClient:
        return BasicClient(self.site.key, self.site.password, url=url, **options)

    def throttle(self, times: int, seconds: float, style: str = "503", match: str = "* *") -> None:
        """Turn calls away; the test fails when there are fewer of them."""
        self._throttles.append(self.site.throttle(times, seconds, style=style, match=match))

    def problems(self) -> List[str]:
        spared = [throttle for throttle in self._throttles if throttle.remaining]
        return super().problems() + ["fewer calls were turned away than planned" for _ in spared]

    def stored(self) -> Dict[str, bytes]:
        """Return the content of the files on the server, by path."""
        return {path: self.site.read(path) for path in self.site.files()}


def _in_the_middle(data: bytes) -> Any:
    """An open file whose position is not its start."""
    file = io.BytesIO(b"head" + data)
    file.seek(4)
    return file


#: What is sent, in every shape in which it may be given.
SHAPES: Dict[str, Callable[[SmartFileHarness, bytes], Any]] = {
    "path": lambda harness, data: harness.file(data),
    "bytes": lambda harness, data: data,
    "open file": lambda harness, data: open(harness.file(data), "rb"),
    "open file in the middle": lambda harness, data: _in_the_middle(data),
    "pipe": lambda harness, data: piped(data),
    "generator": lambda harness, data: pieces(data),
}


@contextlib.contextmanager
def shaped(harness: SmartFileHarness, shape: str, data: bytes) -> Iterator[Any]:
    """Yield the data in this shape; it is closed at the end."""
    thing = SHAPES[shape](harness, data)
    yield thing
    if hasattr(thing, "close"):
        thing.close()
