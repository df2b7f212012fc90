"""A few threads for work that no call waits for; they are gone soon after there is none."""

import collections
import threading
from typing import Callable, Deque, Set

__all__ = ["Pool"]

#: Threads at most.
MOST = 16
#: Seconds without work after which a thread ends.
IDLE = 0.2


class Pool:
    """Runs jobs, the oldest first.

    :param name: start of its threads' names.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # Entered as it is: a signal cannot come between its being taken and the block, as in a condition.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._jobs: Deque[Callable[[], None]] = collections.deque()
        self._threads: Set[threading.Thread] = set()
        self._free = 0
        self._stopped = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job as soon as a thread is free; after :meth:`stop` it is dropped."""
        with self._lock:
            if self._stopped:
                return
            self._jobs.append(job)
            if self._free < len(self._jobs) and len(self._threads) < MOST:
                thread = threading.Thread(target=self._work, name=self._name + "-job", daemon=True)
                self._threads.add(thread)
                thread.start()
            else:
                self._changed.notify()

    def stop(self) -> None:
        """Drop the jobs that wait, and wait for those that run."""
        with self._lock:
            self._stopped = True
            self._jobs.clear()
            self._changed.notify_all()
            left = list(self._threads)
        for thread in left:
            thread.join()

    def _work(self) -> None:
        try:
            while True:
                with self._lock:
                    self._free += 1
                    self._changed.wait_for(lambda: self._stopped or self._jobs, IDLE)
                    self._free -= 1
                    if not self._jobs:
                        # Taken off in the same breath, so that submit() does not count on it.
                        self._threads.discard(threading.current_thread())
                        return
                    job = self._jobs.popleft()
                job()
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
