"""Worker threads of one call; if no thread can be started, the calling thread does the work.

Python starts no new threads once its main thread has ended (3.9 and newer), and the system limits their
number.  Items wait in a separate queue, so that none is lost in these cases: existing threads or
:meth:`WorkerPool.run_in_calling_thread` process them.
"""

import collections
import concurrent.futures
import contextlib
import logging
import queue
import threading
import time
from typing import Any, Callable, Deque, Dict, Optional, Protocol, TypeVar

__all__ = ["WorkItem", "WorkerPool", "run_in_daemon_thread"]

log = logging.getLogger("smartxfer.worker_pool")

_POLL_INTERVAL = 0.1

T = TypeVar("T")


class WorkItem(Protocol):
    """One piece of work."""

    #: Set by the pool when a thread starts the item.
    started: bool

    def run(self) -> None:
        """Do the work; store its exceptions instead of raising them."""

    def finish(self) -> None:
        """Process the outcome.  Items that are submitted here may be run by the same thread."""


class WorkerPool:
    """A thread pool that lets the caller run the items if no thread can be started.

    :param max_threads: maximum number of threads.
    :param name: prefix of the thread names.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._pool: Optional[concurrent.futures.ThreadPoolExecutor] = None
        #: Acquired only by ``with``: Ctrl-C between two statements would leave it locked.
        self._lock = threading.RLock()
        self._queued: Deque[Any] = collections.deque()
        #: Threads that process items; True while a thread runs an item.
        self._busy_by_thread: Dict[object, bool] = {}
        #: The calling thread, while it runs an item.
        self._helping_thread_id: Optional[int] = None
        self._warned = False
        self._exited: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def is_calling_thread_working(self) -> bool:
        """True in the calling thread while it runs an item, because no worker can be started."""
        return self._helping_thread_id == threading.get_ident()

    def submit(self, item: WorkItem) -> None:
        """Queue an item, and start a thread for it if necessary and possible."""
        with self._lock:
            self._queued.append(item)
            free = sum(not busy for busy in self._busy_by_thread.values())
            if len(self._queued) > free and len(self._busy_by_thread) < self._max_threads:
                self._start_thread()

    def run_in_calling_thread(self) -> Optional[Any]:
        """Run one item in the calling thread if all workers are missing.

        :return: the item, or None.
        """
        with self._lock:
            if self._busy_by_thread or not self._queued:
                return None
            item = self._queued.popleft()
        try:
            self._helping_thread_id = threading.get_ident()
            item.started = True
            item.run()
            item.finish()
        except BaseException:
            item.started = False  # interrupted by Ctrl-C
            raise
        finally:
            self._helping_thread_id = None
        return item

    def discard_queued(self) -> None:
        """Discard the items that no thread has started."""
        with self._lock:
            self._queued.clear()

    def close(self, timeout: Optional[float] = None) -> None:
        """Wait for the threads, and end the pool.

        :param timeout: maximum seconds to wait; None waits until all threads have ended.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        try:
            while self._busy_by_thread and (ends_at is None or time.monotonic() < ends_at):
                with contextlib.suppress(queue.Empty):
                    self._exited.get(timeout=_POLL_INTERVAL)
        finally:  # also after Ctrl-C: otherwise idle threads exist until the pool is garbage collected
            pool = self._pool
            if pool is not None:
                pool.shutdown(wait=not self._busy_by_thread)

    def _start_thread(self) -> None:
        loop = object()
        try:
            self._busy_by_thread[loop] = False
            if self._pool is None:  # raises RuntimeError once the main thread has ended
                self._pool = concurrent.futures.ThreadPoolExecutor(self._max_threads, self._name)
            self._pool.submit(self._run_thread, loop)
        except BaseException as error:
            # The executor may have queued the call anyway; without an entry here it ends immediately.
            self._busy_by_thread.pop(loop, None)
            if not isinstance(error, (RuntimeError, MemoryError)):
                raise  # Ctrl-C: close() would wait for a thread that was never started
            if not self._warned:
                self._warned = True
                log.info("cannot start another thread, using %d: %s", len(self._busy_by_thread), error)

    def _run_thread(self, loop: object) -> None:
        try:
            while True:
                with self._lock:
                    if loop not in self._busy_by_thread or not self._queued:
                        self._busy_by_thread.pop(
                            loop, None
                        )  # within the lock, because submit() depends on it
                        return
                    item = self._queued.popleft()
                    item.started = self._busy_by_thread[loop] = True
                item.run()
                with self._lock:
                    self._busy_by_thread[loop] = False  # available for items that finish() submits
                item.finish()
                del item
        finally:
            self._busy_by_thread.pop(loop, None)
            self._exited.put(None)


def run_in_daemon_thread(function: Callable[[], T], raise_if_aborted: Callable[[], Any]) -> T:
    """Call a function that cannot be interrupted in a daemon thread, if one can be started.

    :param raise_if_aborted: called repeatedly; if it raises, the thread is left behind.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised by outcome.result()
            outcome.set_exception(error)

    try:
        threading.Thread(target=work, name="smartxfer-aside", daemon=True).start()
    except (RuntimeError, MemoryError):
        return function()
    while not concurrent.futures.wait([outcome], timeout=_POLL_INTERVAL).done:
        raise_if_aborted()
    return outcome.result()
