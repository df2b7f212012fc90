"""A client and a local server between them, for tests of faults: what the harnesses of all services have in common."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, Iterator, List, Optional, Tuple, TypeVar

from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault, compile_match
from smartxfer.local.handler import Handler
from smartxfer.transport import RetryPolicy
from tests.support.fake_clock import FakeClock

MIB = 1 << 20
#: Tries without waits.
AT_ONCE = RetryPolicy(backoff=0)

Self = TypeVar("Self", bound="ServiceHarness")


class ServiceHarness:
    """A running server, and clients of it; as a context manager it checks at the end that all planned faults fired.

    :param files: what the server holds at first, by path.
    :param site: options of the local service.
    """

    #: The service, as the local server calls it.
    name: ClassVar[str]
    #: Options of the local service, unless a test gives others.
    defaults: ClassVar[Dict[str, Any]] = {}
    #: Requests that are answered with 201.
    created: ClassVar[Tuple[str, ...]] = ()

    def __init__(self, directory: Path, files: Optional[Dict[str, bytes]] = None, **site: Any) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.server = self._start({**self.defaults, **site})
        self.site: Any = getattr(self.server, self.name)
        self.url: str = self.site.url
        self._clients: List[Any] = []
        self._heads: List[Tuple[str, str, Dict[str, str]]] = []
        for listener in self.listeners():
            listener._server.RequestHandlerClass = _noting(listener._server.RequestHandlerClass, self._heads)
        for path, data in (files or {}).items():
            self.site.write(path, data)

    def _start(self, site: Dict[str, Any]) -> LocalServer:
        return LocalServer(services=[self.name], **{self.name: site}).start()

    def _new_client(self, url: str, **options: Any) -> Any:
        raise NotImplementedError

    def _empty(self) -> None:
        """Remove what an earlier test left."""

    def listeners(self) -> List[Any]:
        """The service's, and that of its storage."""
        return list(self.site._listeners)

    def client(self, url: Optional[str] = None, **options: Any) -> Any:
        """A client of the server, of its first user, that retries without waits."""
        self._clients.append(self._new_client(url or self.url, **{"retry": AT_ONCE, "timeout": 10.0, **options}))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; the test fails when it does not fire."""
        return self.server.fault(self.name, match, effect, times=times, after=after)

    def answer(self, match: str, content: bytes, times: int = 1, after: int = 0) -> Fault:
        """Answer such requests with success and these bytes as JSON, in place of the server."""
        code = 201 if match in self.created else 200
        path = self.directory / f"answer{len(self.server.faults)}"
        path.write_bytes(content)
        return self.fault(match, f"status {code} 'body=file:{path}'", times=times, after=after)

    def file(self, data: bytes, name: str = "a.bin") -> Path:
        """A local file with these bytes."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def count(self, match: str, status: Optional[int] = None) -> int:
        """Return the number of such requests to the service and to its storage."""
        return int(self.site.count(match, status))

    def forget(self) -> None:
        """Empty the accounts."""
        self._heads.clear()
        for listener in self.listeners():
            listener.clear_log()

    def heads(self, match: str) -> List[Dict[str, str]]:
        """Headers of each such request, names in lower case; those that a fault answered too."""
        pattern = compile_match(match)
        return [head for what, _, head in list(self._heads) if pattern.fullmatch(what)]

    def targets(self, match: str) -> List[str]:
        """Path and query of each such request."""
        pattern = compile_match(match)
        return [target for what, target, _ in list(self._heads) if pattern.fullmatch(what)]

    def sent(self, match: str) -> List[int]:
        """Bytes of each answer to such requests, once all of them have gone."""
        pattern = compile_match(match)
        records = [record for listener in self.listeners() for record in listener.records]
        return [one.sent for one in records if pattern.fullmatch(f"{one.request.method} {one.request.path}")]

    def left(self) -> List[str]:
        """The names of the files in the directory of downloads."""
        if not self.out.exists():
            return []
        return sorted(path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if not path.is_dir())

    def problems(self) -> List[str]:
        """Return the problems at the end of a test: faults that did not fire, and bugs of the server."""
        found = [f"planned, but never seen: {fault}" for fault in self.server.unfired()]
        found += [f"the server has a bug: {crash}" for listener in self.listeners() for crash in listener.crashes]
        return found

    def close_clients(self) -> None:
        """Close every client."""
        while self._clients:
            self._clients.pop().close()

    def close(self) -> None:
        """End clients and server."""
        self.close_clients()
        self.server.stop()

    @contextlib.contextmanager
    def reuse(self: Self, directory: Path) -> Iterator[Self]:
        """The running server, emptied, for one more test; the checks at the end are those of a server of its own.

        :param directory: of the test.
        """
        self._empty()
        self.directory, self.out = directory, directory / "out"
        self.forget()
        failed = True
        try:
            yield self
            failed = False
        finally:
            problems = self.problems()
            self.close_clients()
            self.server.clear_faults()
            for listener in self.listeners():
                listener.crashes.clear()
        if not failed:
            assert not problems

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        problems = self.problems()
        self.close()
        if error[0] is None:
            assert not problems


def _noting(base: Any, heads: List[Tuple[str, str, Dict[str, str]]]) -> Any:
    """A handler that notes the headers of each request before anything is done with it."""
    assert issubclass(base, Handler)

    class Noting(base):  # type: ignore[misc]
        def _respond(self, listener: Any, request: Any, faults: Any) -> Any:
            heads.append((f"{request.method} {request.path}", request.target, dict(request.headers)))
            return super()._respond(listener, request, faults)

    return Noting


class Polling(FakeClock):
    """Waits pass at once; what ``then`` says happens in the wait of that number."""

    def __init__(self, **then: Callable[[], Any]) -> None:
        super().__init__(wall=time.time(), chance=0.0)
        self._then = then

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._then.get(f"wait{len(self.waits)}", lambda: None)()


def on_retry(act: Callable[[], Any]) -> Callable[[Any], None]:
    """A progress callback that acts whenever something is tried again."""

    def progress(event: Any) -> None:
        if event.state == "retrying":
            act()

    return progress


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
