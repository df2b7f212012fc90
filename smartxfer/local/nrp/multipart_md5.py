"""md5 of multipart files, computed during the upload, so that the commit is fast.

Source: NRP protocol, section 6 (multipart).
"""

import hashlib
import threading
from typing import Set

from smartxfer.local.background_jobs import BackgroundJobs
from smartxfer.local.nrp.file_storage import hash_file


class MultipartMD5:
    """md5 of a file whose parts are received in any order.

    :param path: path of the file.
    :param part_size: bytes of each part but the last.
    """

    def __init__(self, path: str, part_size: int) -> None:
        self._path = path
        self._part_size = part_size
        self._digest = hashlib.md5()
        self._next_part = 0
        self._arrived: Set[int] = set()
        self._restart = False
        self._is_running = False
        #: Protects the attributes above.
        self._lock = threading.Lock()
        #: Held by the thread that reads the file.
        self._reading = threading.Lock()

    def part_started(self, part: int) -> None:
        """Invalidate a part that is about to be written.

        :param part: its number, from 1.
        """
        with self._lock:
            if part in self._arrived:
                self._arrived.discard(part)
                self._restart = self._restart or (part - 1) * self._part_size <= self._next_part

    def part_stored(self, part: int, jobs: BackgroundJobs) -> None:
        """Add a stored part, which is read once all parts before it are.

        :param part: its number, from 1; not the last one, whose length is not checked.
        """
        with self._lock:
            self._arrived.add(part)
            if self._is_running or not self._next():
                return
            self._is_running = True
        jobs.start("local-nrp-md5", lambda: self._advance(jobs))

    def _next(self) -> int:
        """Return the number of the next readable part, or 0."""
        part = self._next_part // self._part_size + 1
        return part if part in self._arrived and not self._restart else 0

    def _advance(self, jobs: BackgroundJobs) -> None:
        with self._reading:
            while not jobs.stopping.is_set():
                with self._lock:
                    if not self._next():
                        self._is_running = False
                        return
                    start = self._next_part
                end = hash_file(self._path, self._digest.update, start, start + self._part_size)
                with self._lock:
                    self._next_part = end

    def finish(self) -> str:
        """Return the md5 of the whole file in hex."""
        with self._reading:
            if self._restart:
                self._digest, self._next_part, self._restart = hashlib.md5(), 0, False
            digest = self._digest.copy()
            hash_file(self._path, digest.update, self._next_part)
            return digest.hexdigest()
