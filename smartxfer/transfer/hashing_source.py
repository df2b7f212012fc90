"""Source whose digest is computed in a separate thread while its bytes are sent."""

import threading
from pathlib import Path
from typing import Optional

from smartxfer.errors import SmartxferError
from smartxfer.transfer.buffers import iter_blocks
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.protocols import Source

__all__ = ["HashingSource"]

#: Seconds that close() waits for the thread.
_CLOSE_TIMEOUT = 0.5


class HashingSource:
    """Wrapper of a source that also computes its digest; closing it closes the source and ends the thread.

    The thread starts with the first read, because another upload may use the file before.  If no thread can
    be started, :meth:`digest` computes the digest.

    :param algorithm: ``"md5"``, ``"sha256"``, ...
    """

    def __init__(self, source: Source, algorithm: str) -> None:
        self.name = source.name
        self.size = source.size
        self.path: Optional[Path] = getattr(source, "path", None)
        self._source = source
        self._hash = new_hash(algorithm)
        self._failure: Optional[BaseException] = None
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread_started = self._closed = self._hashing_done = False
        self._thread: Optional[threading.Thread] = None

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``."""
        if not self._thread_started:
            self._start_thread()
        return self._source.read_at(buffer, offset)

    def check_unchanged(self) -> None:
        """Raise SourceChanged if the bytes have changed since the source was opened."""
        self._source.check_unchanged()

    def digest(self) -> str:
        """Wait for the thread, and return the hex digest of all bytes.

        :raises SourceChanged: the source was truncated.
        """
        self._start_thread()
        if self._thread is not None:
            self._thread.join()
        elif not self._hashing_done:
            self._work()
        if self._failure is not None:
            raise self._failure
        return str(self._hash.hexdigest())

    def close(self) -> None:
        """End the thread and close the source; a thread that is still reading closes it later."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_TIMEOUT)
        with self._lock:
            self._closed = True
            busy = self._thread is not None and not self._hashing_done
        if not busy:
            self._source.close()

    def _start_thread(self) -> None:
        """Start the thread, unless it was started before."""
        with self._lock:
            if self._thread_started or self._closed:
                return
            self._thread_started = True
            thread = threading.Thread(target=self._work, name="smartxfer-digest", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # interpreter shutdown, or too many threads
                return
            self._thread = thread

    def _work(self) -> None:
        try:
            self._hash_source()
        finally:
            with self._lock:
                self._hashing_done, closed = True, self._closed
            if closed:  # close() did not wait for this thread
                self._source.close()

    def _hash_source(self) -> None:
        try:
            for block in iter_blocks(self._source):
                self._hash.update(block)
                if self._closing.is_set():
                    return
        except (OSError, SmartxferError) as error:
            self._failure = error
