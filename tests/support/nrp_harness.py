"""A client of a repository and a local server between them: for tests of its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault, compile_match
from smartxfer.local.handler import Handler
from smartxfer.nrp import get_client
from tests.support.filesender_harness import PATIENCE, noise
from tests.support.smartfile_harness import AT_ONCE, MIB, Polling, pieces, piped

__all__ = [
    "API",
    "AT_ONCE",
    "COMMIT",
    "CONTENT",
    "CREATE",
    "DATA",
    "DISCOVERY",
    "DOWNLOAD",
    "ENTRY",
    "INIT",
    "LIST",
    "MIB",
    "PART",
    "PATIENCE",
    "SMALL",
    "STORAGE_GET",
    "STORAGE_PART",
    "NRPHarness",
    "Polling",
    "Served",
    "pieces",
    "piped",
]  # fmt: skip

DISCOVERY = "GET /.well-known/repository*"
API = "* /api/*"
CREATE = "POST /api/records"
INIT = "POST /api/records/*/files"
#: The content of a file in one piece; ``*`` stands for slashes too, but no part ends so.
CONTENT = "PUT /api/records/*/content"
COMMIT = "POST /api/records/*/commit"
#: A part that goes to the repository, and one that goes to its storage.
PART = "PUT /api/records/*/content/*"
STORAGE_PART = "PUT /storage/*"
LIST = "GET /api/records/*/files"
#: What is known of a file; its bytes match too.
ENTRY = "GET /api/records/*/files/*"
#: The bytes of a file, from the repository or from its storage.
DOWNLOAD = "GET /api/records/*/content"
STORAGE_GET = "GET /storage/*"

SMALL = noise(1000)
DATA = noise(3 * MIB)


class NRPHarness:
    """A running server, and clients of it; as a context manager it asks in the end whether all that was planned came.

    :param site: options of the local repository; calls are not limited unless it says so.
    """

    def __init__(self, directory: Path, **site: Any) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.server = LocalServer(
            services=["nrp"], nrp={"rate_limit": 100_000, "rate_limit_guest": 100_000, **site}
        ).start()
        self.site = self.server.nrp
        self.url = self.site.url
        self._clients: List[Any] = []
        self._heads: List[Tuple[str, str, Dict[str, str]]] = []
        for listener in self.listeners():
            listener._server.RequestHandlerClass = _listening_in(listener._server.RequestHandlerClass, self._heads)

    def listeners(self) -> List[Any]:
        """The repository's, and that of its storage."""
        storage = getattr(self.site, "storage", None) or getattr(self.site.backend, "storage", None)
        return [part.listener for part in (self.site, storage) if part is not None]

    def client(self, url: Optional[str] = None, **options: Any) -> Any:
        """A client of the server, of its first user, that retries without waits."""
        settings = {"token": self.site.token, "retry": AT_ONCE, "timeout": 10.0, **options}
        self._clients.append(get_client(url or self.url, **settings))
        return self._clients[-1]

    def record(self, data: bytes, key: str = "a.bin", **options: Any) -> str:
        """The id of a record that holds one file; a draft, unless ``published=True``."""
        made: str = self.site.create(files={key: data}, **options)
        return made

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; the test fails when it does not fire."""
        return self.server.fault("nrp", match, effect, times=times, after=after)

    def answer(self, match: str, content: bytes, times: int = 1, after: int = 0) -> Fault:
        """Answer such requests with success and these bytes as JSON, in place of the server."""
        code = 201 if match in (CREATE, INIT) else 200
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
        """How many such requests came, to the repository and to its storage."""
        return sum(listener.count(match, status) for listener in self.listeners())

    def forget(self) -> None:
        """Empty the accounts."""
        self._heads.clear()
        for listener in self.listeners():
            listener.forget()

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
        return [
            record.sent
            for listener in self.listeners()
            for record in listener.records
            if pattern.fullmatch(f"{record.seen.method} {record.seen.path}")
        ]

    def left(self) -> List[str]:
        """The names of the files that stand where downloads go."""
        if not self.out.exists():
            return []
        return sorted(path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if not path.is_dir())

    def __enter__(self) -> NRPHarness:
        return self

    def __exit__(self, *error: Any) -> None:
        unfired = self.server.unfired()
        crashes = [crash for listener in self.listeners() for crash in listener.crashes]
        for client in self._clients:
            client.close()
        self.server.stop()
        if error[0] is None:
            assert not unfired, f"planned, but never seen: {unfired}"
            assert not crashes, f"the server has a bug: {crashes}"


class Served(NRPHarness):
    """A repository with two published records of one file each.

    :param storage: "local", "proxy" or "s3".
    """

    def __init__(self, directory: Path, storage: str) -> None:
        super().__init__(directory, storage=storage)
        self.storage = storage
        self.out.mkdir()
        self.id: str = self.record(DATA, published=True)
        self.small = self.record(SMALL, "small.bin", published=True)
        #: The requests that carry bytes.
        self.bytes = STORAGE_GET if storage == "s3" else DOWNLOAD
        self.ranges = storage != "local"

    def fetch(self, record: str, **options: Any) -> Any:
        """The result of the only file of a record."""
        client = {name: options.pop(name) for name in ("retry", "timeout") if name in options}
        [result] = self.client(**client).files.download_many(record, self.out, **options)
        return result

    def other(self, data: bytes) -> Any:
        """A callback that puts another file under the same key once something is tried again."""
        self.id = self.record(DATA)

        def change(event: Any) -> None:
            if event.state == "retrying":
                self.put(data)

        return change

    def put(self, data: bytes) -> None:
        """Another file under the same key of a draft."""
        self.client().files.upload(self.id, "a.bin", None, data, replace=True)


def _listening_in(base: Any, heads: List[Tuple[str, str, Dict[str, str]]]) -> Any:
    """A handler that notes the headers of each request before anything is done with it."""
    assert issubclass(base, Handler)

    class Noting(base):  # type: ignore[misc]
        def _answer(self, listener: Any, exchange: Any, plan: Any) -> Any:
            heads.append((f"{exchange.method} {exchange.path}", exchange.target, dict(exchange.headers)))
            return super()._answer(listener, exchange, plan)

    return Noting
