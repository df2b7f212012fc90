"""Threads for the work of one call; where none can be started, the calling thread does it.

Python refuses new threads once its main thread has ended (3.9 and newer), and the system refuses them at its
limits.  The work waits in a queue of our own, so that neither loses any of it: the threads that there are
take it, or :meth:`Workers.help` does.
"""

import collections
import concurrent.futures
import contextlib
import logging
import queue
import threading
import time
from typing import Any, Callable, Deque, Dict, Optional, Protocol, TypeVar

__all__ = ["WorkItem", "Workers", "aside"]

log = logging.getLogger("smartxfer.workers")

_TICK = 0.1

T = TypeVar("T")


class WorkItem(Protocol):
    """One piece of work."""

    #: Set by the workers once a thread does it.
    taken: bool

    def do(self) -> None:
        """Do the work.  Its exceptions are kept, not raised."""

    def end(self) -> None:
        """Deal with the outcome.  Jobs added here may be done by the same thread."""


class Workers:
    """A thread pool that has no item without a thread, or tells the caller to do it.

    :param most: threads at a time.
    :param name: start of their names.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._pool: Optional[concurrent.futures.ThreadPoolExecutor] = None
        #: Only used in single steps (``with``): where Ctrl-C falls between two, a lock is never free again.
        self._lock = threading.RLock()
        self._ready: Deque[Any] = collections.deque()
        #: Threads that take items, or are about to; True while one does an item.
        self._loops: Dict[object, bool] = {}
        #: The calling thread, while it does an item.
        self._helper: Optional[int] = None
        self._warned = False
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def here(self) -> bool:
        """Whether this is the calling thread, at work on an item because no worker can be started."""
        return self._helper == threading.get_ident()

    def add(self, item: WorkItem) -> None:
        """Queue an item, and start a thread for it if one more is needed and can be had."""
        with self._lock:
            self._ready.append(item)
            free = sum(not busy for busy in self._loops.values())
            if len(self._ready) > free and len(self._loops) < self._most:
                self._start()

    def help(self) -> Optional[Any]:
        """Do one item in the calling thread if there is no worker to do it.

        :return: the item, or None.
        """
        with self._lock:
            if self._loops or not self._ready:
                return None
            item = self._ready.popleft()
        try:
            self._helper = threading.get_ident()
            item.taken = True
            item.do()
            item.end()
        except BaseException:
            item.taken = False  # Ctrl-C broke it off
            raise
        finally:
            self._helper = None
        return item

    def clear(self) -> None:
        """Forget the items that no thread has taken."""
        with self._lock:
            self._ready.clear()

    def close(self, patience: Optional[float] = None) -> None:
        """Take no more items, and wait for the threads.

        :param patience: most seconds to wait; None: until all have ended.
        """
        ends_at = None if patience is None else time.monotonic() + patience
        try:
            while self._loops and (ends_at is None or time.monotonic() < ends_at):
                with contextlib.suppress(queue.Empty):
                    self._ended.get(timeout=_TICK)
        finally:  # after Ctrl-C, too: else idle threads stay until the pool is collected
            pool = self._pool
            if pool is not None:
                pool.shutdown(wait=not self._loops)

    def _start(self) -> None:
        loop = object()
        try:
            self._loops[loop] = False
            if self._pool is None:  # its module cannot be loaded any more once the main thread has ended
                self._pool = concurrent.futures.ThreadPoolExecutor(self._most, self._name)
            self._pool.submit(self._work, loop)
        except BaseException as error:
            # The executor may have queued the call all the same: without its entry it does nothing.
            self._loops.pop(loop, None)
            if not isinstance(error, (RuntimeError, MemoryError)):
                raise  # Ctrl-C: close() would wait for a thread that was never started
            if not self._warned:
                self._warned = True
                log.info("no further thread, going on with %d: %s", len(self._loops), error)

    def _work(self, loop: object) -> None:
        try:
            while True:
                with self._lock:
                    if loop not in self._loops or not self._ready:
                        self._loops.pop(loop, None)  # in one step with the look: add() counts on it
                        return
                    item = self._ready.popleft()
                    item.taken = self._loops[loop] = True
                item.do()
                with self._lock:
                    self._loops[loop] = False  # free for what the end of this item adds
                item.end()
                del item
        finally:
            self._loops.pop(loop, None)
            self._ended.put(None)


def aside(step: Callable[[], T], check: Callable[[], Any]) -> T:
    """Do what nothing can interrupt in a daemon thread, where one can be started.

    :param check: called now and then; when it raises, nothing waits for the thread any more.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(step())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            outcome.set_exception(error)

    try:
        threading.Thread(target=work, name="smartxfer-aside", daemon=True).start()
    except (RuntimeError, MemoryError):
        return step()
    while not concurrent.futures.wait([outcome], timeout=_TICK).done:
        check()
    return outcome.result()
