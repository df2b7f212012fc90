"""The local server of a worker: a separate process that can be killed, and that reports its content."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import signal
import socket
import time
import traceback
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional, Sequence, Tuple

from smartxfer.local import LocalServer
from smartxfer.local.server import SERVICES

#: Seconds in which a server has to start or to answer.
_PATIENCE = 60.0
#: Seconds in which the requests of a client that was killed have come to their end.
_SETTLED = 5.0
#: Below the ports that the system gives to outgoing connections: a server that is down loses none to a client.
_PORTS = range(12000, 32000)


class ServerFailed(Exception):
    """The server's process does not start, or what it was asked failed; nothing is wrong with the client."""


class Server:
    """A LocalServer in a forked process, on its own data and ports.

    :param data: directory of its data, and of its log.
    :param options: options of each service, without ports.
    """

    def __init__(self, data: Path, options: Mapping[str, Mapping[str, Any]]) -> None:
        self.data = data
        self._options = {name: dict(options.get(name, {})) for name in (service.name for service in SERVICES)}
        self._pid = 0
        self._pipe: Optional[Connection] = None
        #: Faults that took effect, of servers that are gone, too.
        self.fired = 0
        self.start(fresh=True)

    def start(self, *, fresh: bool = False) -> None:
        """Start the process, and wait until every service answers.

        :param fresh: choose new ports.
        """
        ends_at = time.monotonic() + _PATIENCE
        while True:
            if fresh:
                for options, port in zip(self._options.values(), _free_ports(len(self._options))):
                    options["port"] = port
            ours, theirs = Pipe()
            pid = os.fork()
            if not pid:
                ours.close()
                _serve(theirs, self.data, self._options)
            theirs.close()
            self._pid, self._pipe = pid, ours
            answer = self._receive()
            if answer is True:
                return
            self._reap()
            if not isinstance(answer, OSError) or time.monotonic() > ends_at:
                raise ServerFailed(f"the server does not start: {answer!r}")
            time.sleep(0.05)  # another program has the port, or a connection does not end

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call ``function(server, *arguments)`` there, and return its value.

        :raises ServerFailed: it raised.
        """
        assert self._pipe is not None
        self._pipe.send((function, arguments))
        answer = self._receive()
        if isinstance(answer, _Raised):
            raise ServerFailed(answer.text)
        return answer

    def settle(self, service: str) -> None:
        """Wait until a service handles no request any more, at most a few seconds."""
        ends_at = time.monotonic() + _SETTLED
        while self.ask(_connections, service) and time.monotonic() < ends_at:
            time.sleep(0.005)

    def plan(self, faults: Sequence[Any]) -> None:
        """Plan faults, tuples as :class:`soak.case.PlannedFault`."""
        self.ask(_plan, [tuple(fault) for fault in faults])

    def clear(self) -> None:
        """Remove all faults, and count those that took effect."""
        self.fired += self.ask(_clear)

    def kill(self) -> None:
        """End the process by SIGKILL."""
        self.fired += self.ask(_fired)
        os.kill(self._pid, signal.SIGKILL)
        self._reap()

    def _receive(self) -> Any:
        assert self._pipe is not None
        if not self._pipe.poll(_PATIENCE):
            return OSError(errno.ETIMEDOUT, "the server's process does not answer")
        try:
            return self._pipe.recv()
        except EOFError:
            raise ServerFailed(f"the server's process has ended; see {self.data}.log") from None

    def _reap(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._pid:
            os.waitpid(self._pid, 0)
            self._pid = 0

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._reap()


class _Raised:
    """A traceback, as text."""

    def __init__(self, text: str) -> None:
        self.text = text


def _connections(server: LocalServer, service: str) -> int:
    return int(getattr(server, service).listener.connections)


def _plan(server: LocalServer, faults: List[Tuple[str, str, str, int, int]]) -> None:
    for service, match, effect, times, after in faults:
        server.fault(service, match, effect, times=times, after=after)


def _fired(server: LocalServer) -> int:
    return sum(fault.fired for fault in server.faults)


def _clear(server: LocalServer) -> int:
    fired = _fired(server)
    server.clear_faults()
    return fired


def _free_ports(count: int) -> List[int]:
    """Return ports that nothing is bound to."""
    found: List[int] = []
    while len(found) < count:
        port = random.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _serve(pipe: Connection, data: Path, options: Dict[str, Dict[str, Any]]) -> NoReturn:
    """Be the server's process, until it is killed."""
    try:
        die_with_parent()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        log = os.open(f"{data}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        close_others(log, pipe.fileno())
        try:
            server = LocalServer(data=data, **options).start()
        except Exception as error:  # noqa: BLE001 - reported to the worker
            pipe.send(error if isinstance(error, OSError) else OSError(errno.EADDRINUSE, repr(error)))
            return os._exit(1)
        pipe.send(True)
        while True:
            function, arguments = pipe.recv()
            try:
                answer = function(server, *arguments)
            except Exception:  # noqa: BLE001 - reported to the worker
                answer = _Raised(traceback.format_exc())
            pipe.send(answer)
    except EOFError:
        pass
    finally:
        os._exit(0)


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Have this process killed when its parent ends, even where it is stopped (Linux)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def close_others(*kept: int) -> None:
    """Close every descriptor above 2 that a fork has inherited, but for some."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)
