"""One try of one request, as seen by whoever must be able to end it.

A worker thread enters an :class:`Attempt`; the watched connections (``connection.py``) tell it their socket;
the watcher, another thread, reads how many bytes moved and may end the attempt by shutting that socket.
"""

import contextlib
import functools
import socket
import threading
from typing import Any, Callable, ContextManager, Iterator, Optional, Tuple

from smartxfer._system import MAX_WAIT, Clock
from smartxfer.errors import SmartxferError, Stalled
from smartxfer.transport.time_limits import TimeLimits

__all__ = ["Attempt", "AttemptContext", "current_attempt", "limit_timeout", "sleep_in_attempt"]

_thread_local = threading.local()


class Attempt:
    """One try: its socket, its byte count, and why it was ended.

    ``moved`` counts bytes of the body in either direction; ``guarded`` is True while a body is in motion, so
    that a server thinking over its answer is not taken for a stalled line.

    :param time_limits: how long it may take; without them the time-outs of each step are all there is.
    :param monitored: another thread applies the stall rule to the request body, and ends the attempt in time.
    """

    __slots__ = (
        "_aborted",
        "_lock",
        "_socket",
        "_timer",
        "abort_error",
        "body_in_flight",
        "bytes_moved",
        "checkpoint_bytes",
        "checkpoint_time",
        "max_timeout",
        "monitored",
        "send_timeout",
        "sleep_function",
        "time_limits",
    )

    def __init__(
        self,
        send_timeout: Optional[float] = None,
        time_limits: Optional[TimeLimits] = None,
        *,
        monitored: bool = False,
    ) -> None:
        self.time_limits = time_limits
        self.monitored = monitored
        self._timer: Optional[threading.Timer] = None
        self.bytes_moved = 0
        self.body_in_flight = False
        self.checkpoint_bytes = 0
        self.checkpoint_time: Optional[float] = None
        self.send_timeout = None if send_timeout is None else min(send_timeout, MAX_WAIT)
        #: Most seconds of every time-out; None: as the client has them.
        self.max_timeout: Optional[float] = None
        self.abort_error: Optional[SmartxferError] = None
        #: Waits that many seconds in place of the clock, where no other thread ends a wait.
        self.sleep_function: Optional[Callable[[float], Any]] = None
        self._socket: Optional[socket.SocketType] = None
        #: Set by the end; only made for an attempt that pauses.
        self._aborted: Optional[threading.Event] = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Attempt, {self.bytes_moved} bytes moved{', ended' if self.abort_error is not None else ''}>"

    def limit_timeouts(self, seconds: float) -> None:
        """Shorten every time-out to what is left of a deadline: no other thread ends this attempt in time."""
        self.max_timeout = max(seconds, 0.05)
        self.send_timeout = (
            self.max_timeout if self.send_timeout is None else min(self.send_timeout, self.max_timeout)
        )

    @contextlib.contextmanager
    def activate(self) -> Iterator["Attempt"]:
        """Make this the calling thread's current attempt."""
        before = current_attempt()
        _thread_local.attempt = self
        try:
            yield self
        finally:
            _thread_local.attempt = before
            self._replace_socket(None)
            if self._timer is not None:
                self._timer.cancel()

    def start_budget_timer(self) -> None:
        """Have another thread end the attempt with its budget, where its own thread cannot see the time.

        That is so within the libraries that speak SOCKS, and TLS through a proxy that speaks TLS itself.
        """
        left = None if self.time_limits is None else self.time_limits.remaining()
        if self.monitored or self._timer is not None or self.time_limits is None or left is None:
            return
        self._timer = threading.Timer(
            max(0.0, left), self.abort, [Stalled(self.time_limits.budget_message())]
        )
        self._timer.daemon = True
        with contextlib.suppress(RuntimeError):  # the interpreter is about to end: no more threads
            self._timer.start()

    def attach_socket(self, sock: socket.socket) -> None:
        """Take note of the connection that the request goes over.

        A duplicate is kept: TLS detaches the socket it wraps, and its handshake may be what has to be ended.
        """
        make = functools.partial(socket.SocketType, sock.family, sock.type, sock.proto)
        # By C code alone: Ctrl-C between the two calls would leave the duplicate open.
        [second] = map(make, map(socket.dup, [sock.fileno()]))
        self._replace_socket(second)

    def _replace_socket(self, sock: Optional[socket.SocketType]) -> None:
        with self._lock:
            before, self._socket = self._socket, sock
            if sock is not None and self.abort_error is not None:
                _shutdown_socket(sock)
        if before is not None:
            before.close()

    def abort(self, error: SmartxferError) -> None:
        """End the attempt from another thread: its blocking call fails, and ``error`` is the reason."""
        with self._lock:
            if self.abort_error is None:
                self.abort_error = error
            if self._socket is not None:
                _shutdown_socket(self._socket)
            if self._aborted is not None:
                self._aborted.set()

    def sleep(self, clock: Clock, seconds: float) -> None:
        """Wait, no longer than the attempt lasts.

        :raises SmartxferError: the attempt was ended; it is the reason.
        """
        with self._lock:
            ended = self._aborted = self._aborted or threading.Event()
            if self.abort_error is None:
                ended.clear()
            else:
                ended.set()
        if self.time_limits is not None:
            self.time_limits.pause()
        if self.sleep_function is None:
            clock.wait_for_event(ended, seconds)
        else:
            self.sleep_function(seconds)
        if self.time_limits is not None:
            self.time_limits.resume()
        if self.abort_error is not None:
            raise self.abort_error


#: Makes what an attempt is made within, such as a connection that has to be waited for.
AttemptContext = Callable[[Attempt], ContextManager[Any]]


def current_attempt() -> Optional[Attempt]:
    """The calling thread's attempt, or None outside of one."""
    return getattr(_thread_local, "attempt", None)


def sleep_in_attempt(clock: Clock, seconds: float) -> None:
    """Wait, no longer than the calling thread's attempt lasts, where there is one."""
    now = current_attempt()
    if now is None:
        clock.sleep(seconds)
    else:
        now.sleep(clock, seconds)


def limit_timeout(timeout: Tuple[float, float]) -> Tuple[float, float]:
    """Shorten (connect, read) seconds to what the current attempt may take."""
    most = getattr(current_attempt(), "max_timeout", None)
    return timeout if most is None else (min(timeout[0], most), min(timeout[1], most))


def _shutdown_socket(sock: socket.SocketType) -> None:
    with contextlib.suppress(OSError):  # not connected yet, or no longer
        sock.shutdown(socket.SHUT_RDWR)
