"""Operations, uploads and downloads without a service, against a raw server."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import attrs
import pytest

from smartxfer.errors import Truncated
from smartxfer.transfer.body import PartBody
from smartxfer.transfer.download import DownloadJob, DownloadSpec
from smartxfer.transfer.file_parts import Part, split_into_parts
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import open_range
from smartxfer.transfer.result import FileResult, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.source import open_source
from smartxfer.transfer.upload import UploadJob, UploadSpec
from smartxfer.transport import HTTPTransport, Origin, RequestSpec, RetryPolicy
from smartxfer.transport.http_errors import build_http_error
from smartxfer.transport.s3_response import STORED_EXPECTATION
from tests.support.fake_clock import FakeClock
from tests.support.part_store import PartStore
from tests.support.raw_server import RawServer

#: Quick, so that real waits cost nothing.
POLICY = RetryPolicy(backoff=0.001)


@attrs.define
class Engine:
    """The engine over one server, as a service would drive it."""

    wire: HTTPTransport
    url: str
    policy: RetryPolicy = POLICY
    settings: Dict[str, Any] = attrs.field(factory=dict)
    notes: List[Any] = attrs.field(factory=list)

    def operation(self, max_workers: int = 4, **settings: Any) -> TransferRunner:
        return TransferRunner(policy=self.policy, max_workers=max_workers, **{**self.settings, **settings})

    def upload_job(
        self,
        thing: Any,
        operation: TransferRunner,
        *,
        chunk: int = 4,
        acknowledged: Any = (),
        finish: Any = None,
        name: str = "file",
        **described: Any,
    ) -> UploadJob:
        """Return a job that PUTs every part to ``/name/start``."""

        def send_part(part: Part, body: Any) -> None:
            spec = RequestSpec("PUT", f"{self.url}/{name}/{part.start}", body=body, success=STORED_EXPECTATION)
            answer = self.wire.request_once(spec)
            if answer.headers.get("X-Written", str(part.size)) != str(part.size):
                raise Truncated("not all of it was written")

        upload = UploadSpec(
            name=name,
            open_source=lambda: open_source(thing, name),
            make_parts=lambda size: split_into_parts(size, chunk),
            send_part=send_part,
            complete=finish or (lambda: ("size", None)),
            completed_parts=acknowledged,
            on_part_sent=lambda part: self.notes.append(part.number),
            **described,
        )
        return UploadJob(upload, operation, 4)

    def upload(self, thing: Any, *, settings: Any = None, check: bool = True, **described: Any) -> FileResult:
        with self.operation(**(settings or {})) as doing:
            job = self.upload_job(thing, doing, **described)
            doing.run_jobs([job], 1)
        return raise_for_errors([job.result])[0] if check else job.result

    def job(
        self, sink: Sink, operation: TransferRunner, path: str = "/x", at_once: int = 4, **described: Any
    ) -> DownloadJob:
        call, size, accept = RequestSpec("GET", self.url + path), described.get("size"), described.pop("accept", lambda response: None)
        described.setdefault("name", "file")
        described.setdefault("identity", {"object": path})
        described.setdefault("open_range", lambda start, stop: open_range(self.wire, call, start, stop, size, accept))
        described.setdefault("on_complete", lambda: self.notes.append("done"))
        return DownloadJob(DownloadSpec(sink=sink, **described), operation, at_once)

    def download(self, sink: Sink, check: bool = True, operation: Any = None, **described: Any) -> FileResult:
        """GET ``/x``."""
        with self.operation(**(operation or {})) as doing:
            job = self.job(sink, doing, **described)
            doing.run_jobs([job], 1)
        return raise_for_errors([job.result])[0] if check else job.result


@pytest.fixture
def engine() -> Iterator[Callable[..., Engine]]:
    """``engine(url, policy=..., clock=...)``; its wire is closed at the end."""
    wires: List[HTTPTransport] = []

    def make(url: str, policy: RetryPolicy = POLICY, **settings: Any) -> Engine:
        clock = settings.get("clock") or FakeClock()
        wire = HTTPTransport(
            Origin.parse(url),
            build_error=lambda answer, method, where: build_http_error(
                answer, method, where, policy=policy, clock=clock
            ),
            user_agent="tests",
            policy=policy,
            timeout=(10.0, 10.0),
        )
        wires.append(wire)
        return Engine(wire, url, policy, settings)

    yield make
    for wire in wires:
        wire.close()


class Calls:
    """Downloads or uploads, each with a server of its own.

    What the latest one asked for and reported is in ``requests``, ``events`` and ``notes``.
    """

    def __init__(self, engine: Callable[..., Engine], out: Path) -> None:
        self._engine, self.out, self.store = engine, out, PartStore()

    @contextlib.contextmanager
    def _running(self, handler: Any, policy: RetryPolicy, described: Any) -> Iterator[Any]:
        """Yield the engine over a server, and the settings of its operation."""
        self.events: List[Any] = []
        settings = {"max_workers": described.pop("workers", 4), "progress": self.events.append}
        with RawServer(handler) as server:
            self.requests, made = server.requests, self._engine(server.url, policy)
            self.notes = made.notes
            yield made, settings

    def fetch(
        self, handler: Any, sink: Any = None, policy: RetryPolicy = POLICY, check: bool = True, **described: Any
    ) -> FileResult:
        """Download ``/x`` from a server with that handler, into ``out`` or another sink."""
        with self._running(handler, policy, described) as (made, settings):
            return made.download(FileSink(self.out) if sink is None else sink, check, settings, **described)

    def send(self, data: Any, handler: Any = None, policy: RetryPolicy = POLICY, **described: Any) -> FileResult:
        """Upload to a server with that handler, by default to ``store``."""
        with self._running(handler or self.store.handler, policy, described) as (made, settings):
            return made.upload(data, settings=settings, **described)

    @property
    def ranges(self) -> List[Any]:
        """Return the range of each request."""
        return [request.headers.get("range") for request in self.requests]


@pytest.fixture
def calls(engine: Callable[..., Engine], tmp_path: Path) -> Calls:
    return Calls(engine, tmp_path / "out")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


@pytest.fixture
def body_of() -> Callable[..., PartBody]:
    """The body of one part of some bytes."""

    def make(
        data: bytes, start: int, stop: int, moved: Callable[[int], Any] = lambda count: None
    ) -> PartBody:
        return PartBody(open_source(data), Part(0, start, stop), moved)

    return make


@pytest.fixture
def memory() -> Iterator[Callable[[], int]]:
    """Most bytes that the test has held at a time, so far."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
