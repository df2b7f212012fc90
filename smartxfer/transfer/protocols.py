"""The shapes that users may bring themselves: progress, cancel, source, sink, storage."""

from typing import Any, Dict, Iterable, Optional, Protocol, Tuple, Union

from smartxfer.transfer.progress import ProgressEvent

__all__ = ["Cancel", "ProgressCallback", "Sink", "Source", "Storage"]

Extent = Tuple[int, int]
"""Half-open byte range: start, stop."""


class ProgressCallback(Protocol):
    """Called with each :class:`~smartxfer.transfer.progress.ProgressEvent`, one call at a time.

    Mostly from a worker thread.
    """

    def __call__(self, event: ProgressEvent) -> Any:
        """Take note of the event; an exception cancels the transfer."""


class Cancel(Protocol):
    """Anything with ``is_set()``, such as a ``threading.Event``; asked often, mostly from worker threads."""

    def is_set(self) -> bool:
        """Whether the transfer should stop."""


class Source(Protocol):
    """Bytes of known size that can be read at any offset, from several threads.

    One that holds them in memory may also have ``view_at(offset, count)``, which gives a memoryview of them;
    one that reads a file, ``place(offset)``: its descriptor and the offset in it, or None.
    """

    name: str
    size: int

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``; returns how many bytes, 0 at the end."""

    def check_unchanged(self) -> None:
        """Raise SourceChanged when the bytes are no longer those that were opened."""

    def close(self) -> None:
        """Give up what was opened by us."""


class Sink(Protocol):
    """Where a download goes: told the size, given bytes, and committed or left."""

    sequential: bool
    """True when bytes must come in order, from the start."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Get ready for ``size`` bytes of the object ``identity``; returns extents that are there already."""

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data`` at ``offset``; its buffer is used again once this returns."""

    def restart(self) -> None:
        """Forget all bytes: the object comes again from its start."""

    def digest(self, algorithm: str) -> str:
        """Hex digest of all bytes written."""

    def commit(self) -> None:
        """All bytes are there and verified: put them under the final name."""

    def suspend(self) -> None:
        """Stop for now, keeping what a re-run can go on from."""


class Storage(Protocol):
    """Where journals live between runs: text under a key."""

    def load(self, key: str) -> Optional[str]:
        """The text under ``key``, or None."""

    def save(self, key: str, text: str) -> None:
        """Keep ``text`` under ``key``, whole or not at all."""

    def remove(self, key: str) -> None:
        """Forget ``key``."""
