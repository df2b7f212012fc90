"""Threads for the work of one call; where none can be started, the calling thread does it.

Python refuses new threads once its main thread has ended (3.9 and newer), and the system refuses them at its
limits.  The work waits in a queue of our own, so that neither loses any of it: the threads that there are
take it, or :meth:`WorkerPool.run_in_calling_thread` does.
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

    #: Set by the workers once a thread does it.
    started: bool

    def run(self) -> None:
        """Do the work.  Its exceptions are kept, not raised."""

    def finish(self) -> None:
        """Deal with the outcome.  Jobs added here may be done by the same thread."""


class WorkerPool:
    """A thread pool that has no item without a thread, or tells the caller to do it.

    :param max_threads: threads at a time.
    :param name: start of their names.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._pool: Optional[concurrent.futures.ThreadPoolExecutor] = None
        #: Only used in single steps (``with``): where Ctrl-C falls between two, a lock is never free again.
        self._lock = threading.RLock()
        self._queued: Deque[Any] = collections.deque()
        #: Threads that take items, or are about to; True while one does an item.
        self._busy_by_thread: Dict[object, bool] = {}
        #: The calling thread, while it does an item.
        self._helping_thread_id: Optional[int] = None
        self._warned = False
        self._exited: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def is_calling_thread_working(self) -> bool:
        """Whether this is the calling thread, at work on an item because no worker can be started."""
        return self._helping_thread_id == threading.get_ident()

    def submit(self, item: WorkItem) -> None:
        """Queue an item, and start a thread for it if one more is needed and can be had."""
        with self._lock:
            self._queued.append(item)
            free = sum(not busy for busy in self._busy_by_thread.values())
            if len(self._queued) > free and len(self._busy_by_thread) < self._max_threads:
                self._start_thread()

    def run_in_calling_thread(self) -> Optional[Any]:
        """Do one item in the calling thread if there is no worker to do it.

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
            item.started = False  # Ctrl-C broke it off
            raise
        finally:
            self._helping_thread_id = None
        return item

    def discard_queued(self) -> None:
        """Forget the items that no thread has taken."""
        with self._lock:
            self._queued.clear()

    def close(self, timeout: Optional[float] = None) -> None:
        """Take no more items, and wait for the threads.

        :param timeout: most seconds to wait; None: until all have ended.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        try:
            while self._busy_by_thread and (ends_at is None or time.monotonic() < ends_at):
                with contextlib.suppress(queue.Empty):
                    self._exited.get(timeout=_POLL_INTERVAL)
        finally:  # after Ctrl-C, too: else idle threads stay until the pool is collected
            pool = self._pool
            if pool is not None:
                pool.shutdown(wait=not self._busy_by_thread)

    def _start_thread(self) -> None:
        loop = object()
        try:
            self._busy_by_thread[loop] = False
            if self._pool is None:  # its module cannot be loaded any more once the main thread has ended
                self._pool = concurrent.futures.ThreadPoolExecutor(self._max_threads, self._name)
            self._pool.submit(self._run_thread, loop)
        except BaseException as error:
            # The executor may have queued the call all the same: without its entry it does nothing.
            self._busy_by_thread.pop(loop, None)
            if not isinstance(error, (RuntimeError, MemoryError)):
                raise  # Ctrl-C: close() would wait for a thread that was never started
            if not self._warned:
                self._warned = True
                log.info("no further thread, going on with %d: %s", len(self._busy_by_thread), error)

    def _run_thread(self, loop: object) -> None:
        try:
            while True:
                with self._lock:
                    if loop not in self._busy_by_thread or not self._queued:
                        self._busy_by_thread.pop(loop, None)  # in one step with the look: add() counts on it
                        return
                    item = self._queued.popleft()
                    item.started = self._busy_by_thread[loop] = True
                item.run()
                with self._lock:
                    self._busy_by_thread[loop] = False  # free for what the end of this item adds
                item.finish()
                del item
        finally:
            self._busy_by_thread.pop(loop, None)
            self._exited.put(None)


def run_in_daemon_thread(function: Callable[[], T], raise_if_aborted: Callable[[], Any]) -> T:
    """Do what nothing can interrupt in a daemon thread, where one can be started.

    :param raise_if_aborted: called now and then; when it raises, nothing waits for the thread any more.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            outcome.set_exception(error)

    try:
        threading.Thread(target=work, name="smartxfer-aside", daemon=True).start()
    except (RuntimeError, MemoryError):
        return function()
    while not concurrent.futures.wait([outcome], timeout=_POLL_INTERVAL).done:
        raise_if_aborted()
    return outcome.result()
