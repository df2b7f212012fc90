"""md5 of files that come in parts: reckoned beside the sending, so that the commit need not wait.

Source: NRP protocol, section 6 (multipart).
"""

import hashlib
import threading
from typing import Set

from smartxfer.local.background import Jobs
from smartxfer.local.nrp.stored import hashed


class PartSum:
    """md5 of one file whose parts come in any order.

    :param path: where the file lies.
    :param part_size: bytes of each part but the last.
    """

    def __init__(self, path: str, part_size: int) -> None:
        self._path = path
        self._part_size = part_size
        self._digest = hashlib.md5()
        self._at = 0
        self._there: Set[int] = set()
        self._again = False
        self._busy = False
        #: Guards what stands above.
        self._lock = threading.Lock()
        #: Held by whom reads the file.
        self._reading = threading.Lock()

    def begins(self, part: int) -> None:
        """A part is about to be written: what was read of it, or is being read, no longer holds.

        :param part: its number, from 1.
        """
        with self._lock:
            if part in self._there:
                self._there.discard(part)
                self._again = self._again or (part - 1) * self._part_size <= self._at

    def arrived(self, part: int, jobs: Jobs) -> None:
        """A part is there; it is read as soon as all before it are.

        :param part: its number, from 1; not the last one, whose length nobody checks.
        """
        with self._lock:
            self._there.add(part)
            if self._busy or not self._next():
                return
            self._busy = True
        jobs.start("local-nrp-md5", lambda: self._advance(jobs))

    def _next(self) -> int:
        """Number of the part that can be read now, 0 where there is none."""
        part = self._at // self._part_size + 1
        return part if part in self._there and not self._again else 0

    def _advance(self, jobs: Jobs) -> None:
        with self._reading:
            while not jobs.stopping.is_set():
                with self._lock:
                    if not self._next():
                        self._busy = False
                        return
                    start = self._at
                end = hashed(self._path, self._digest.update, start, start + self._part_size)
                with self._lock:
                    self._at = end

    def finish(self) -> str:
        """The md5 of the whole file as it lies there, hex."""
        with self._reading:
            if self._again:
                self._digest, self._at, self._again = hashlib.md5(), 0, False
            digest = self._digest.copy()
            hashed(self._path, digest.update, self._at)
            return digest.hexdigest()
