"""A source whose checksum is reckoned while its bytes are sent, by a thread next to those that send."""

import threading
from pathlib import Path
from typing import Optional

from smartxfer.errors import SmartxferError
from smartxfer.transfer.buffers import iter_blocks
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.protocols import Source

__all__ = ["HashingSource"]

#: Seconds that closing waits for a read of the thread.
_CLOSE_TIMEOUT = 0.5


class HashingSource:
    """Another source's bytes, and their digest; closing it closes the other and ends the thread.

    The thread starts when the first bytes are read, not before: until then somebody else may have the file.
    Where no thread can be started the digest is computed when it is asked for.

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
        """Raise SourceChanged when the bytes are no longer those that were opened."""
        self._source.check_unchanged()

    def digest(self) -> str:
        """Hex digest of all bytes, once the thread is through with them.

        :raises SourceChanged: there were fewer than at first.
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
        """End the thread, and close the other source; a thread that is in a read closes it afterwards."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_TIMEOUT)
        with self._lock:
            self._closed = True
            busy = self._thread is not None and not self._hashing_done
        if not busy:
            self._source.close()

    def _start_thread(self) -> None:
        """Start the thread, unless that was done."""
        with self._lock:
            if self._thread_started or self._closed:
                return
            self._thread_started = True
            thread = threading.Thread(target=self._work, name="smartxfer-digest", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # the interpreter is ending, or too many threads run
                return
            self._thread = thread

    def _work(self) -> None:
        try:
            self._hash_source()
        finally:
            with self._lock:
                self._hashing_done, closed = True, self._closed
            if closed:  # nobody waited for this thread
                self._source.close()

    def _hash_source(self) -> None:
        try:
            for block in iter_blocks(self._source):
                self._hash.update(block)
                if self._closing.is_set():
                    return
        except (OSError, SmartxferError) as error:
            self._failure = error
