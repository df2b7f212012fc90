"""Work in the background, which ends when its service does."""

import logging
import threading
from typing import Callable, List

log = logging.getLogger("smartxfer.local")


class BackgroundJobs:
    """Jobs of one service, each in a thread of its own.

    :param max_running: number of jobs that run at the same time; the others wait.
    """

    def __init__(self, max_running: int = 16) -> None:
        #: Set when the jobs are to end.
        self.stopping = threading.Event()
        self._slots = threading.Semaphore(max_running)
        self._lock = threading.Lock()
        self._threads: List[threading.Thread] = []
        self._stop_callbacks: List[Callable[[], None]] = []

    def start(self, name: str, work: Callable[[], None], delay: float = 0.0) -> None:
        """Run a function in a background thread; does nothing once the service stops.

        :param name: name of the thread.
        :param work: the function.
        :param delay: seconds to wait first.
        """

        def run() -> None:
            try:
                if not self.stopping.wait(delay):
                    with self._slots:
                        if not self.stopping.is_set():
                            work()
            except OSError as error:
                # The file or the peer no longer exists: its entry was deleted, or the server has stopped.
                log.debug("%s ended: %s", name, error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            if self.stopping.is_set():
                return
            self._threads = [
                running for running in self._threads if running.is_alive() or running.ident is None
            ]
            self._threads.append(thread)
            thread.start()

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Register a callback for the end of the jobs, such as one that wakes a waiting read.

        :return: function that removes the callback.
        """
        with self._lock:
            self._stop_callbacks.append(callback)
        if self.stopping.is_set():
            callback()

        def forget() -> None:
            with self._lock:
                self._stop_callbacks.remove(callback)

        return forget

    def stop(self) -> None:
        """End every job, wait for every thread."""
        self.stopping.set()
        with self._lock:
            endings, threads = list(self._stop_callbacks), list(self._threads)
        for ending in endings:
            ending()
        for thread in threads:
            thread.join(10)
