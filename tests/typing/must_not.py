"""Invalid code of a user: each line is an error, and mypy warns about every unneeded ``type: ignore``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from smartxfer import RetryPolicy
from smartxfer.transfer import (
    BytesSource,
    Cancel,
    FileResult,
    FileSink,
    Progress,
    ProgressCallback,
    ProgressEvent,
    Sink,
    Source,
    Storage,
    TransferRunner,
)


def wrong_event(event: str) -> None: ...


def no_event() -> None: ...


def old_style(done: int, total: int) -> None: ...


callback: ProgressCallback = wrong_event  # type: ignore[assignment]
callbacks: List[ProgressCallback] = [no_event, old_style]  # type: ignore[list-item]
progress: Progress = 5  # type: ignore[assignment]
no_path: Progress = Path("label")  # type: ignore[assignment]


class CallsItDone:
    def done(self) -> bool:
        return False


class TruthInText:
    def is_set(self) -> str:
        return "no"


cancel: Cancel = CallsItDone()  # type: ignore[assignment]
other_cancel: Cancel = TruthInText()  # type: ignore[assignment]


class ReadsLikeAFile:
    name = "file"
    size = 5

    def read(self, size: int = -1) -> bytes:
        return b""


class WithoutRestart:
    sequential = True

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> List[Any]:
        return []

    def write_at(self, data: bytes, offset: int) -> None: ...

    def digest(self, algorithm: str) -> str:
        return ""

    def commit(self) -> None: ...

    def suspend(self) -> None: ...


source: Source = ReadsLikeAFile()  # type: ignore[assignment]
sink: Sink = WithoutRestart()  # type: ignore[assignment]
text_source = BytesSource("text")  # type: ignore[arg-type]
bytes_path = FileSink(b"path")  # type: ignore[arg-type]


class BytesStorage:
    def load(self, key: str) -> Optional[bytes]:
        return None

    def save(self, key: str, text: bytes) -> None: ...

    def remove(self, key: str) -> None: ...


storage: Storage = BytesStorage()  # type: ignore[assignment]


def change(event: ProgressEvent, result: FileResult, policy: RetryPolicy) -> None:
    event.done = 5  # type: ignore[misc]
    result.error = None  # type: ignore[misc]
    policy.attempts = 5  # type: ignore[misc]


without_words = TransferRunner(RetryPolicy(), 4)  # type: ignore[call-arg]
unknown_word = RetryPolicy(tries=5)  # type: ignore[call-arg]
