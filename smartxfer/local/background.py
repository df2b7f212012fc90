"""Work in the background, which ends when its service does."""

import logging
import threading
from typing import Callable, List

log = logging.getLogger("smartxfer.local")


class Jobs:
    """Jobs of one service, each in a thread of its own.

    :param most: how many work at a time; the others wait.
    """

    def __init__(self, most: int = 16) -> None:
        #: Set when the jobs are to end.
        self.stopping = threading.Event()
        self._free = threading.Semaphore(most)
        self._lock = threading.Lock()
        self._threads: List[threading.Thread] = []
        self._endings: List[Callable[[], None]] = []

    def start(self, name: str, work: Callable[[], None], delay: float = 0.0) -> None:
        """Do something in the background; nothing is begun once the service stops.

        :param name: name of the thread.
        :param work: what to do.
        :param delay: seconds to wait first.
        """

        def run() -> None:
            try:
                if not self.stopping.wait(delay):
                    with self._free:
                        if not self.stopping.is_set():
                            work()
            except OSError as error:
                # The file or the peer is gone, with the entry or with the server.
                log.debug("%s ended: %s", name, error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            if self.stopping.is_set():
                return
            self._threads = [one for one in self._threads if one.is_alive() or one.ident is None]
            self._threads.append(thread)
            thread.start()

    def on_stop(self, ending: Callable[[], None]) -> Callable[[], None]:
        """Have something called when the jobs are to end, such as what wakes a waiting read.

        :return: what takes it back.
        """
        with self._lock:
            self._endings.append(ending)
        if self.stopping.is_set():
            ending()

        def forget() -> None:
            with self._lock:
                self._endings.remove(ending)

        return forget

    def stop(self) -> None:
        """End every job, wait for every thread."""
        self.stopping.set()
        with self._lock:
            endings, threads = list(self._endings), list(self._threads)
        for ending in endings:
            ending()
        for thread in threads:
            thread.join(10)
