"""One try of one request, as seen by whoever must be able to end it.

A worker thread enters an :class:`Attempt`; the watched connections (``connection.py``) tell it their socket;
the watcher, another thread, reads how many bytes moved and may end the attempt by shutting that socket.
"""

import contextlib
import functools
import socket
import threading
from typing import Any, Callable, ContextManager, Iterator, Optional, Tuple

from smartxfer.errors import SmartxferError, Stalled
from smartxfer.seams import LONGEST_WAIT, Clock
from smartxfer.transport.time_limits import TimeLimits

__all__ = ["Attempt", "Within", "current", "limited", "pause"]

_local = threading.local()


class Attempt:
    """One try: its socket, its byte count, and why it was ended.

    ``moved`` counts bytes of the body in either direction; ``guarded`` is True while a body is in motion, so
    that a server thinking over its answer is not taken for a stalled line.

    :param time_limits: how long it may take; without them the time-outs of each step are all there is.
    :param watched: another thread applies the stall rule to the request body, and ends the attempt in time.
    """

    __slots__ = (
        "_ended",
        "_lock",
        "_socket",
        "_timer",
        "guarded",
        "mark",
        "marked_at",
        "most",
        "moved",
        "send_timeout",
        "time_limits",
        "verdict",
        "wait",
        "watched",
    )

    def __init__(
        self,
        send_timeout: Optional[float] = None,
        time_limits: Optional[TimeLimits] = None,
        *,
        watched: bool = False,
    ) -> None:
        self.time_limits = time_limits
        self.watched = watched
        self._timer: Optional[threading.Timer] = None
        self.moved = 0
        self.guarded = False
        self.mark = 0
        self.marked_at: Optional[float] = None
        self.send_timeout = None if send_timeout is None else min(send_timeout, LONGEST_WAIT)
        #: Most seconds of every time-out; None: as the client has them.
        self.most: Optional[float] = None
        self.verdict: Optional[SmartxferError] = None
        #: Waits that many seconds in place of the clock, where no other thread ends a wait.
        self.wait: Optional[Callable[[float], Any]] = None
        self._socket: Optional[socket.SocketType] = None
        #: Set by the end; only made for an attempt that pauses.
        self._ended: Optional[threading.Event] = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Attempt, {self.moved} bytes moved{', ended' if self.verdict is not None else ''}>"

    def limit(self, seconds: float) -> None:
        """Shorten every time-out to what is left of a deadline: no other thread ends this attempt in time."""
        self.most = max(seconds, 0.05)
        self.send_timeout = self.most if self.send_timeout is None else min(self.send_timeout, self.most)

    @contextlib.contextmanager
    def entered(self) -> Iterator["Attempt"]:
        """Make this the calling thread's current attempt."""
        before = current()
        _local.attempt = self
        try:
            yield self
        finally:
            _local.attempt = before
            self._keep(None)
            if self._timer is not None:
                self._timer.cancel()

    def end_with_budget(self) -> None:
        """Have another thread end the attempt with its budget, where its own thread cannot see the time.

        That is so within the libraries that speak SOCKS, and TLS through a proxy that speaks TLS itself.
        """
        left = None if self.time_limits is None else self.time_limits.left()
        if self.watched or self._timer is not None or self.time_limits is None or left is None:
            return
        self._timer = threading.Timer(max(0.0, left), self.end, [Stalled(self.time_limits.spent())])
        self._timer.daemon = True
        with contextlib.suppress(RuntimeError):  # the interpreter is about to end: no more threads
            self._timer.start()

    def hold(self, sock: socket.socket) -> None:
        """Take note of the connection that the request goes over.

        A duplicate is kept: TLS detaches the socket it wraps, and its handshake may be what has to be ended.
        """
        make = functools.partial(socket.SocketType, sock.family, sock.type, sock.proto)
        # By C code alone: Ctrl-C between the two calls would leave the duplicate open.
        [second] = map(make, map(socket.dup, [sock.fileno()]))
        self._keep(second)

    def _keep(self, sock: Optional[socket.SocketType]) -> None:
        with self._lock:
            before, self._socket = self._socket, sock
            if sock is not None and self.verdict is not None:
                _shut(sock)
        if before is not None:
            before.close()

    def end(self, verdict: SmartxferError) -> None:
        """End the attempt from another thread: its blocking call fails, and ``verdict`` is the reason."""
        with self._lock:
            if self.verdict is None:
                self.verdict = verdict
            if self._socket is not None:
                _shut(self._socket)
            if self._ended is not None:
                self._ended.set()

    def pause(self, clock: Clock, seconds: float) -> None:
        """Wait, no longer than the attempt lasts.

        :raises SmartxferError: the attempt was ended; it is the reason.
        """
        with self._lock:
            ended = self._ended = self._ended or threading.Event()
            if self.verdict is None:
                ended.clear()
            else:
                ended.set()
        if self.time_limits is not None:
            self.time_limits.pause()
        if self.wait is None:
            clock.wait(ended, seconds)
        else:
            self.wait(seconds)
        if self.time_limits is not None:
            self.time_limits.resume()
        if self.verdict is not None:
            raise self.verdict


#: Makes what an attempt is made within, such as a connection that has to be waited for.
Within = Callable[[Attempt], ContextManager[Any]]


def current() -> Optional[Attempt]:
    """The calling thread's attempt, or None outside of one."""
    return getattr(_local, "attempt", None)


def pause(clock: Clock, seconds: float) -> None:
    """Wait, no longer than the calling thread's attempt lasts, where there is one."""
    now = current()
    if now is None:
        clock.sleep(seconds)
    else:
        now.pause(clock, seconds)


def limited(timeout: Tuple[float, float]) -> Tuple[float, float]:
    """Shorten (connect, read) seconds to what the current attempt may take."""
    most = getattr(current(), "most", None)
    return timeout if most is None else (min(timeout[0], most), min(timeout[1], most))


def _shut(sock: socket.SocketType) -> None:
    with contextlib.suppress(OSError):  # not connected yet, or no longer
        sock.shutdown(socket.SHUT_RDWR)
