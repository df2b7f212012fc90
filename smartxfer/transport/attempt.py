"""Attempts of requests, which another thread can abort.

A worker thread activates an :class:`Attempt`, and its connection (``connection.py``) attaches the socket.
The monitoring thread reads how many bytes were transferred, and may abort the attempt by shutting the socket
down.
"""

import contextlib
import functools
import socket
import threading
from typing import Any, Callable, ContextManager, Iterator, Optional, Tuple

from smartxfer._system import MAX_WAIT, Clock
from smartxfer.errors import SmartxferError, Stalled
from smartxfer.transport.time_limits import TimeLimits

__all__ = [
    "Attempt",
    "AttemptContext",
    "current_attempt",
    "lift_time_budget",
    "limit_timeout",
    "sleep_in_attempt",
]

_thread_local = threading.local()


class Attempt:
    """One attempt of a request: its socket, its byte count, and the reason why it was aborted.

    ``bytes_moved`` counts bytes of the body in either direction.  ``body_in_flight`` is True while a body is
    being transferred: a server that takes long to respond is not a stalled connection.

    :param send_timeout: seconds that one send may block.
    :param time_limits: of the attempt; without them only the timeouts of single operations apply.
    :param monitored: True if another thread applies the stall rule and the time limits to this attempt.
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
        #: Upper limit of every timeout in seconds; None for the client's own timeouts.
        self.max_timeout: Optional[float] = None
        self.abort_error: Optional[SmartxferError] = None
        #: Replaces the sleep of the clock if no other thread can interrupt a wait.
        self.sleep_function: Optional[Callable[[float], Any]] = None
        self._socket: Optional[socket.SocketType] = None
        #: Set by :meth:`abort`; only created for an attempt that sleeps.
        self._aborted: Optional[threading.Event] = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        state = ", aborted" if self.abort_error is not None else ""
        return f"<Attempt, {self.bytes_moved} bytes moved{state}>"

    def limit_timeouts(self, seconds: float) -> None:
        """Limit every timeout to the time until a deadline, for an attempt that no other thread aborts."""
        self.max_timeout = max(seconds, 0.05)
        self.send_timeout = (
            self.max_timeout if self.send_timeout is None else min(self.send_timeout, self.max_timeout)
        )

    @contextlib.contextmanager
    def activate(self) -> Iterator["Attempt"]:
        """Make this the current attempt of the calling thread while the block lasts."""
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
        """Start a timer that aborts the attempt at the end of its time budget, if no thread monitors it.

        It is needed within the libraries for SOCKS and for TLS through an HTTPS proxy, which do not check the
        budget.
        """
        left = None if self.time_limits is None else self.time_limits.remaining()
        if self.monitored or self._timer is not None or self.time_limits is None or left is None:
            return
        self._timer = threading.Timer(
            max(0.0, left), self.abort, [Stalled(self.time_limits.budget_message())]
        )
        self._timer.daemon = True
        with contextlib.suppress(RuntimeError):  # no threads can be started at interpreter shutdown
            self._timer.start()

    def attach_socket(self, sock: socket.socket) -> None:
        """Store a duplicate of the socket of the connection, so that :meth:`abort` can shut it down.

        TLS detaches the socket that it wraps, and the handshake must be abortable, too.
        """
        make = functools.partial(socket.SocketType, sock.family, sock.type, sock.proto)
        # Only C code runs between the two calls: Ctrl-C there would leave the duplicate open.
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
        """Abort the attempt from another thread: its blocking call fails, and ``error`` is the reason."""
        with self._lock:
            if self.abort_error is None:
                self.abort_error = error
            if self._socket is not None:
                _shutdown_socket(self._socket)
            if self._aborted is not None:
                self._aborted.set()

    def sleep(self, clock: Clock, seconds: float) -> None:
        """Sleep until the time is over or the attempt is aborted.

        :raises SmartxferError: the reason, if the attempt was aborted.
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


#: Returns a context manager that surrounds an attempt, for example to wait for a free connection.
AttemptContext = Callable[[Attempt], ContextManager[Any]]


def current_attempt() -> Optional[Attempt]:
    """Return the current attempt of the calling thread, or None."""
    return getattr(_thread_local, "attempt", None)


def sleep_in_attempt(clock: Clock, seconds: float) -> None:
    """Sleep; raise if the current attempt of the calling thread is aborted."""
    attempt = current_attempt()
    if attempt is None:
        clock.sleep(seconds)
    else:
        attempt.sleep(clock, seconds)


def limit_timeout(timeout: Tuple[float, float]) -> Tuple[float, float]:
    """Limit (connect, read) seconds to what the current attempt may take."""
    limit = getattr(current_attempt(), "max_timeout", None)
    return timeout if limit is None else (min(timeout[0], limit), min(timeout[1], limit))


def lift_time_budget() -> None:
    """End the time budget of the current attempt, because a file arrives."""
    attempt = current_attempt()
    if attempt is not None and attempt.time_limits is not None:
        attempt.time_limits.lift_budget()


def _shutdown_socket(sock: socket.SocketType) -> None:
    with contextlib.suppress(OSError):  # not connected yet, or no longer
        sock.shutdown(socket.SHUT_RDWR)
