"""Planned faults: their effect, the requests that they match, how often they apply, and how often they did.

A fault has a service, a match, an effect, a number of times and a number of matches to skip::

    fault = server.fault("filesender", "PUT /rest.php/file/*/chunk/*", "reset-after 256K", times=2)
    ...
    assert fault.fired == 2

**Match**: a method (or ``*``), a space, and a path without the base path of the service. ``*``
matches any text, slashes included. Where the pattern has a ``?``, path and query string are
compared, else the path alone.

**Effect**, with sizes as ``1000``, ``256K``, ``4M`` or ``1G`` (powers of 1024):

``status CODE [retry-after=V] [body=empty|html|json:MESSAGE|file:PATH]``
    respond with this status without handling the request. V is seconds, a date in quotes,
    ``date+SECONDS``, ``date-SECONDS``, or anything else as it is. The bytes of a file go as JSON.
``replace CODE [retry-after=V] [body=empty|html|json:MESSAGE|file:PATH]``
    the request is handled, then this response replaces the service's, as from a gateway
``interim CODE [N]``
    N responses (1 by default) with this status, of 100 to 199, precede the final one
``redirect URL [CODE]``
    respond with 302 (or CODE); ``{target}`` in URL is the path and query of the request
``reset-before``
    the connection is reset before the body is read
``reset-after N``
    the connection is reset after N bytes of the request's body
``reset-after-sent N``
    the connection is reset after N bytes of the response's body
``truncate N``
    the full ``Content-Length``, N bytes of body, and a regular end of the connection
``no-length [chunked|close] [truncate N]``
    no ``Content-Length``: HTTP chunks, or a body that ends with the connection; ``truncate``
    closes the connection after N bytes
``extra-byte``
    one byte more, also in ``Content-Length``
``flip N``
    one bit of byte N of the response's body is flipped
``flip-in N``
    one bit of byte N of the request's body is flipped when it is received
``drip BYTES/SECONDS``
    the response's body is sent in blocks of BYTES bytes, with SECONDS seconds between them
``rate N``
    N bytes per second in each direction, for all connections together that the fault matches
``stall``
    the body is not read and no response is sent
``stall-after N``
    nothing is read after N bytes of the body
``lose-answer``
    the request is handled, then the connection is reset instead of a response
``no-answer``
    the request is handled, but no response is sent
``ignore-range``
    the ``Range`` header is ignored
``wrong-range [start|total]``
    the start (or the total) in ``Content-Range`` is one too large

A fault that matched but had no effect (a body shorter than N) is not counted and can match again.
Several faults may match the same request; all of them apply.
"""

import re
import threading
from typing import Any, List, Optional, Pattern

from smartxfer.errors import UsageError
from smartxfer.local.fault_grammar import Effect, parse_effect
from smartxfer.local.request_faults import PlannedFault, RequestFaults, TokenBucket

__all__ = ["Fault", "FaultRegistry", "compile_match"]


class Fault:
    """A planned fault, and how often it took effect.

    :param service: name of the service, ``"filesender"``.
    :param match: method and path pattern.
    :param effect: its effect.
    :param times: how often it takes effect; None for always.
    :param after: number of matches to skip before the first one.
    """

    def __init__(self, service: str, match: str, effect: Effect, *, times: Optional[int], after: int) -> None:
        self.service = service
        self.match = match
        self.effect = effect
        self.times = times
        self.after = after
        #: How often it took effect.
        self.fired = 0
        #: Set when the fault is removed; connections that it holds up then continue.
        self.cleared = threading.Event()
        #: Rate limit that all matching connections share, for ``rate``.
        self.bucket = TokenBucket(effect.amount) if effect.kind == "rate" else None
        self._pattern = compile_match(match)
        self._skipped = 0
        self._claimed = 0
        self._changed = threading.Condition()

    def __repr__(self) -> str:
        return "<Fault {} {!r:.60} {!r:.60} fired {} of {}>".format(
            self.service, self.match, self.effect.text, self.fired, self.times or "always"
        )

    @property
    def remaining(self) -> Optional[int]:
        """Number of times it can still take effect; None if unlimited."""
        return None if self.times is None else self.times - self.fired

    def claim(self, method: str, target: str) -> Optional[PlannedFault]:
        """Reserve one firing for a request, if the fault matches it.

        :param method: HTTP method.
        :param target: path without base path, with ``?`` and the query string.
        """
        subject = target if "?" in self.match else target.split("?", 1)[0]
        if not self._pattern.fullmatch(method + " " + subject):
            return None
        with self._changed:
            if self._skipped < self.after:
                self._skipped += 1
                return None
            if self.times is not None and self._claimed >= self.times:
                return None
            self._claimed += 1
        return PlannedFault(self.effect, self.record_outcome, self.cleared, self.bucket)

    def record_outcome(self, fired: bool) -> None:
        """Record whether a reserved firing took effect."""
        with self._changed:
            if fired:
                self.fired += 1
                self._changed.notify_all()
            else:
                self._claimed -= 1

    def wait(self, timeout: float = 10.0, times: int = 1) -> bool:
        """Block until the fault fired.

        :param timeout: seconds to wait at most.
        :param times: firings to wait for.
        :return: whether it fired that often.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self.fired >= times, timeout)


class FaultRegistry:
    """All planned faults of a server, in the order of planning."""

    def __init__(self) -> None:
        self._faults: List[Fault] = []
        self._lock = threading.Lock()

    def plan(
        self, service: str, match: str, effect: str, *, times: Optional[int] = 1, after: int = 0
    ) -> Fault:
        """Plan a fault; see the module's description for the language.

        :raises UsageError: invalid match or effect.
        """
        if times is not None and times < 1:
            raise UsageError(
                f"times must be 1 or more, or None for always, not {times!r}", hint="pass times=1 or more"
            )
        if after < 0:
            raise UsageError(
                f"after must be 0 or more, not {after!r}", hint="pass the number of matches to skip: after=1"
            )
        fault = Fault(service, match, parse_effect(effect), times=times, after=after)
        with self._lock:
            # A new list each time: requests read it without the lock.
            self._faults = [*self._faults, fault]
        return fault

    @property
    def faults(self) -> List[Fault]:
        """The planned faults."""
        return list(self._faults)

    def clear(self) -> None:
        """Remove every fault and release the connections that one holds up."""
        with self._lock:
            removed, self._faults = self._faults, []
        for fault in removed:
            fault.cleared.set()

    def unfired(self) -> List[Fault]:
        """Return the faults that took effect fewer times than planned, or never if without a count."""
        return [fault for fault in self._faults if fault.fired < (fault.times or 1)]

    def claim(self, service: str, method: str, target: str) -> Optional[RequestFaults]:
        """Return the faults that match a request, or None."""
        faults = self._faults
        if not faults:
            return None
        claims = [fault.claim(method, target) for fault in faults if fault.service == service]
        planned = [claim for claim in claims if claim is not None]
        return RequestFaults(planned) if planned else None


def compile_match(match: Any) -> Pattern[str]:
    """Compile a match to a regular expression over method, space and path.

    :raises UsageError: it does not consist of a method and a path.
    """
    method, space, path = match.partition(" ") if isinstance(match, str) else ("", "", "")
    if not space or not path.startswith(("/", "*")) or not re.fullmatch(r"[A-Z]+|\*", method):
        raise UsageError(
            f"match must be a method and a path, not {match!r}",
            hint="pass 'PUT /rest.php/file/*/chunk/*', for example",
        )
    return re.compile(".*".join(re.escape(piece) for piece in match.split("*")), re.DOTALL)
