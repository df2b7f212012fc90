"""Valid code of a user, all of which type-checks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple, Union

from smartxfer import RetryPolicy, SmartxferError
from smartxfer.errors import BatchError, HTTPError, Truncated
from smartxfer.transfer import (
    BytesSource,
    Cancel,
    DirectoryStorage,
    FileResult,
    FileSink,
    Journal,
    MemorySink,
    OpenFileSource,
    PathSource,
    Progress,
    ProgressCallback,
    ProgressEvent,
    Sink,
    Source,
    Storage,
    StreamSink,
    TransferRunner,
)

# -- progress ------------------------------------------------------------------------------------------


def show(event: ProgressEvent) -> None:
    share: float = event.done / (event.total or 1)
    text: str = f"{event.name} {event.state} {share:.0%}"
    text.upper()


class Recorder:
    def __init__(self) -> None:
        self.events: List[ProgressEvent] = []

    def __call__(self, event: ProgressEvent) -> None:
        self.events.append(event)


callbacks: List[ProgressCallback] = [show, Recorder(), lambda event: event.done]
progresses: List[Progress] = [None, True, False, "label", show, Recorder()]

# -- cancel --------------------------------------------------------------------------------------------


class Switch:
    on = False

    def is_set(self) -> bool:
        return self.on


cancels: List[Cancel] = [threading.Event(), Switch()]

# -- sources and sinks ---------------------------------------------------------------------------------


class Zeros:
    """A source of a user's own."""

    def __init__(self, size: int) -> None:
        self.name = "zeros"
        self.size = size

    def read_at(self, buffer: memoryview, offset: int) -> int:
        count = max(0, min(len(buffer), self.size - offset))
        buffer[:count] = bytes(count)
        return count

    def check_unchanged(self) -> None: ...

    def close(self) -> None: ...


class Nowhere:
    """A sink of a user's own."""

    sequential = True

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Tuple[int, int]]:
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None: ...

    def restart(self) -> None: ...

    def digest(self, algorithm: str) -> str:
        return ""

    def commit(self) -> None: ...

    def suspend(self) -> None: ...


def sources(path: Path) -> List[Source]:
    with path.open("rb") as file:
        return [Zeros(5), PathSource(path), BytesSource(b""), OpenFileSource(file)]


def sinks(path: Path) -> List[Sink]:
    with path.open("w+b") as file:
        return [Nowhere(), FileSink(path), FileSink(str(path)), MemorySink(), StreamSink(file)]


# -- storage -------------------------------------------------------------------------------------------


class InMemory:
    def __init__(self) -> None:
        self.texts: Dict[str, str] = {}

    def load(self, key: str) -> Optional[str]:
        return self.texts.get(key)

    def save(self, key: str, text: str) -> None:
        self.texts[key] = text

    def remove(self, key: str) -> None:
        self.texts.pop(key, None)


storages: List[Storage] = [InMemory(), DirectoryStorage()]
journal = Journal({"service": "mine"}, "it", storage=InMemory())

# -- calls, results, errors ----------------------------------------------------------------------------


def run(cancel: Cancel, progress: Progress) -> int:
    policy = RetryPolicy(attempts=2, statuses=frozenset({503}))
    with TransferRunner(policy=policy, max_workers=2, cancel=cancel, deadline=5.0, progress=progress) as operation:
        return operation.run_one(lambda: 5)


def report(result: FileResult) -> str:
    where: Optional[Path] = result.path
    digest: Optional[str] = result.digest
    moved: int = result.bytes - result.resumed
    seconds: float = result.seconds
    wrong: Optional[BaseException] = result.error
    parts = [result.name, where, digest, result.verified, moved, seconds, result.retries, wrong, result.ok]
    return " ".join(map(str, parts))


def handle(error: SmartxferError) -> str:
    if isinstance(error, BatchError):
        return ", ".join(str(one) for one in error.errors)
    if isinstance(error, HTTPError):
        wait: Optional[float] = error.retry_after
        return f"{error.status} {error.code} {error.request_id} {error.url} {wait}"
    if isinstance(error, Truncated):
        return f"{error.got} of {error.expected}"
    as_os_error: bool = isinstance(error, OSError)
    return f"{error.hint} {error.retryable} {as_os_error}"
