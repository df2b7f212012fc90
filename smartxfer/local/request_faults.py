"""The planned faults of one request, applied at each step of receiving it and responding."""

import threading
import time
from typing import Callable, Iterator, List, Optional

import attrs

from smartxfer.local.fault_grammar import Effect

#: Largest piece in bytes while a rate limit applies.
RATE_LIMITED_PIECE = 16 << 10


class Reset(Exception):
    """The connection is to be reset now."""


class Hang(Exception):
    """The connection is to be left open and silent.

    :param cleared: set when the fault is removed.
    """

    def __init__(self, cleared: threading.Event) -> None:
        super().__init__()
        self.cleared = cleared


class TokenBucket:
    """A rate limit shared by several connections.

    :param rate: bytes per second.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._free = 0.0
        self._lock = threading.Lock()

    def take(self, count: int, stop: threading.Event) -> None:
        """Wait until ``count`` bytes may have passed.

        :param stop: ends the wait immediately.
        """
        with self._lock:
            self._free = max(self._free, time.monotonic()) + count / self.rate
            wait = self._free - time.monotonic()
        if wait > 0:
            stop.wait(wait)


@attrs.define(eq=False)
class PlannedFault:
    """One reserved firing of a fault.

    :param effect: its effect.
    :param on_outcome: called once with True if the fault took effect, else with False.
    :param cleared: set when the fault is removed.
    :param bucket: rate limit that the fault's firings share, for ``rate``.
    """

    effect: Effect
    _on_outcome: Callable[[bool], None]
    cleared: threading.Event
    bucket: Optional[TokenBucket] = None
    is_settled: bool = False

    def fire(self, fired: bool = True) -> None:
        """Record once that the fault took effect."""
        if not self.is_settled:
            self.is_settled = True
            self._on_outcome(fired)

    def release(self) -> None:
        """Cancel the reservation, if the fault did not take effect."""
        self.fire(False)


class RequestFaults:
    """The faults that matched one request.

    :param faults: their reserved firings.
    """

    def __init__(self, faults: List[PlannedFault]) -> None:
        self._faults = faults
        self._receive_faults = [s for s in faults if s.effect.kind in ("reset-after", "stall-after")]
        self._flips = [s for s in faults if s.effect.kind == "flip-in"]
        self._rates = [s for s in faults if s.effect.kind == "rate"]

    def find(self, *kinds: str) -> Optional[PlannedFault]:
        """Return the first fault of one of these kinds, or None."""
        for fault in self._faults:
            if fault.effect.kind in kinds:
                return fault
        return None

    def find_all(self, kind: str) -> Iterator[PlannedFault]:
        """Return every fault of this kind."""
        return (fault for fault in self._faults if fault.effect.kind == kind)

    @property
    def limits_buffers(self) -> bool:
        """True if large socket buffers would hide the effect from the client."""
        return any(
            s.effect.kind in ("rate", "drip", "stall", "stall-after", "reset-after") for s in self._faults
        )

    def before_receiving(self, offset: int, count: int) -> int:
        """Return the number of bytes that may be read next.

        :param offset: bytes read so far.
        :param count: requested number of bytes.
        :raises Reset: the connection is to be reset here.
        :raises Hang: nothing more is to be read.
        """
        if self._rates:
            count = min(count, RATE_LIMITED_PIECE)
        for fault in self._receive_faults:
            left = fault.effect.amount - offset
            if left <= 0:
                fault.fire()
                if fault.effect.kind == "reset-after":
                    raise Reset
                raise Hang(fault.cleared)
            count = min(count, left)
        return count

    def after_receiving(self, offset: int, view: memoryview) -> None:
        """Apply faults to received bytes: flip a bit, or wait for the rate limit.

        :param offset: position of the first of them in the body.
        :param view: the bytes, writable.
        """
        for fault in self._flips:
            position = fault.effect.amount - offset
            if 0 <= position < len(view):
                view[position] ^= 1
                fault.fire()
        self.limit_rate(len(view))

    def limit_rate(self, count: int) -> None:
        """Wait until ``count`` more bytes are within the rate limit."""
        for fault in self._rates:
            if fault.bucket is not None:
                fault.fire()
                fault.bucket.take(count, fault.cleared)

    def after_body(self, length: int) -> None:
        """Apply faults whose offset is the end of the body.

        :param length: bytes of the body.
        """
        if length:
            self.before_receiving(length, 1)

    def before_sending(self, length: int) -> None:
        """Cancel the faults that cannot take effect any more, before the client can send another request.

        :param length: bytes of the response's body.
        """
        for fault in self._faults:
            kind, amount = fault.effect.kind, fault.effect.amount
            reachable = kind in ("truncate", "reset-after-sent", "flip") and amount < length
            if not reachable and kind not in ("no-length", "drip", "rate", "interim"):
                fault.release()

    def release_unused(self) -> None:
        """Cancel the faults that did not take effect."""
        for fault in self._faults:
            fault.release()
