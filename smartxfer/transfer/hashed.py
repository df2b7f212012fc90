"""A source whose checksum is reckoned while its bytes are sent, by a thread beside those that send."""

import threading
from pathlib import Path
from typing import Optional

from smartxfer.errors import SmartxferError, SourceChanged
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.protocols import Source

__all__ = ["HashedSource"]

_BLOCK = 1024 * 1024


class HashedSource:
    """Another source's bytes, and their digest; closing it closes the other and ends the thread.

    :param algorithm: ``"md5"``, ``"sha256"``, ...
    """

    def __init__(self, source: Source, algorithm: str) -> None:
        self.name = source.name
        self.size = source.size
        self.path: Optional[Path] = getattr(source, "path", None)
        self._source = source
        self._running = new_hash(algorithm)
        self._failure: Optional[BaseException] = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._reckon, name="smartxfer-digest", daemon=True)
        self._thread.start()

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``."""
        return self._source.read_at(buffer, offset)

    def check_unchanged(self) -> None:
        """Raise SourceChanged when the bytes are no longer those that were opened."""
        self._source.check_unchanged()

    def digest(self) -> str:
        """Hex digest of all bytes, once the thread is through with them.

        :raises SourceChanged: there were fewer than at first.
        """
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return str(self._running.hexdigest())

    def close(self) -> None:
        """End the thread, and close the other source."""
        self._closing.set()
        self._thread.join()
        self._source.close()

    def _reckon(self) -> None:
        view = memoryview(bytearray(min(_BLOCK, max(1, self.size))))
        at = 0
        try:
            while at < self.size and not self._closing.is_set():
                count = self._source.read_at(view[: min(_BLOCK, self.size - at)], at)
                if not count:
                    raise SourceChanged(f"{self.name} became shorter while it was sent")
                self._running.update(view[:count])
                at += count
        except (OSError, SmartxferError) as error:
            self._failure = error
