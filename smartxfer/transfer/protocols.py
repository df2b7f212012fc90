"""Protocols of objects that callers may implement: progress, cancel, source, sink, storage."""

from typing import Any, Dict, Iterable, Optional, Protocol, Tuple, Union

from smartxfer.transfer.progress import ProgressEvent

__all__ = ["Cancel", "ProgressCallback", "Sink", "Source", "Storage"]

Extent = Tuple[int, int]
"""Half-open byte range: start, stop."""


class ProgressCallback(Protocol):
    """Callback for each :class:`~smartxfer.transfer.progress.ProgressEvent`.

    It is called by one thread at a time, usually a worker thread.
    """

    def __call__(self, event: ProgressEvent) -> Any:
        """Process the event; an exception cancels the transfer."""


class Cancel(Protocol):
    """An object with ``is_set()``, such as a ``threading.Event``; called often, usually by worker threads."""

    def is_set(self) -> bool:
        """Return True if the transfer should stop."""


class Source(Protocol):
    """Bytes of known size that can be read at any offset, from several threads.

    A source in memory may also have ``view_at(offset, count)``, which returns a memoryview.  A source that
    reads a file may have ``descriptor_at(offset)``, which returns its descriptor and the offset in it, or
    None.
    """

    name: str
    size: int

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Read bytes at ``offset`` into ``buffer``; return their number, 0 at the end."""

    def check_unchanged(self) -> None:
        """Raise SourceChanged if the bytes have changed since the source was opened."""

    def close(self) -> None:
        """Close the source; a file of the caller stays open."""


class Sink(Protocol):
    """Target of a download: it is begun with the size, receives the bytes, and is committed or suspended."""

    sequential: bool
    """True if bytes must be written in order from the start."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Prepare for ``size`` bytes of the object ``identity``; return the extents that are complete."""

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data`` at ``offset``; the caller reuses the buffer after this returns."""

    def restart(self) -> None:
        """Discard all bytes, because the download restarts from the beginning."""

    def digest(self, algorithm: str) -> str:
        """Return the hex digest of all written bytes."""

    def commit(self) -> None:
        """Rename the complete and verified file to its final name."""

    def suspend(self) -> None:
        """Close the sink, and keep the bytes for a later run if possible."""


class Storage(Protocol):
    """Store of journals between runs: text by key."""

    def load(self, key: str) -> Optional[str]:
        """Return the text of ``key``, or None."""

    def save(self, key: str, text: str) -> None:
        """Store the text of ``key`` atomically."""

    def remove(self, key: str) -> None:
        """Remove the text of ``key``."""
