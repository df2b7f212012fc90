"""What is to go wrong with one request, asked at each step of receiving and answering it."""

import threading
import time
from typing import Callable, Iterator, List, Optional

import attrs

from smartxfer.local.fault_grammar import Effect

#: Bytes moved at a time while a rate is imposed.
PACED_PIECE = 16 << 10


class Reset(Exception):
    """The connection is to be reset now."""


class Held(Exception):
    """The connection is to be left open and silent.

    :param cleared: set when the fault that holds it up is no longer planned.
    """

    def __init__(self, cleared: threading.Event) -> None:
        super().__init__()
        self.cleared = cleared


class Bucket:
    """A pace shared by several connections.

    :param rate: bytes a second.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._free = 0.0
        self._lock = threading.Lock()

    def take(self, count: int, stop: threading.Event) -> None:
        """Wait until ``count`` bytes may have passed.

        :param stop: ends the wait at once.
        """
        with self._lock:
            self._free = max(self._free, time.monotonic()) + count / self.rate
            wait = self._free - time.monotonic()
        if wait > 0:
            stop.wait(wait)


@attrs.define(eq=False)
class Shot:
    """One reserved firing of a fault.

    :param effect: what goes wrong.
    :param settle: told once whether it took effect.
    :param cleared: set when the fault is no longer planned.
    :param bucket: pace that the fault's firings share, for ``rate``.
    """

    effect: Effect
    _settle: Callable[[bool], None]
    cleared: threading.Event
    bucket: Optional[Bucket] = None
    settled: bool = False

    def fire(self, fired: bool = True) -> None:
        """Count it as having taken effect; once only."""
        if not self.settled:
            self.settled = True
            self._settle(fired)

    def release(self) -> None:
        """Give it back when it did not take effect."""
        self.fire(False)


class Plan:
    """The faults that matched one request.

    :param shots: their reserved firings.
    """

    def __init__(self, shots: List[Shot]) -> None:
        self._shots = shots
        self._entry = [s for s in shots if s.effect.kind in ("reset-after", "stall-after")]
        self._flips = [s for s in shots if s.effect.kind == "flip-in"]
        self._rates = [s for s in shots if s.effect.kind == "rate"]

    def find(self, *kinds: str) -> Optional[Shot]:
        """The first fault of one of these kinds."""
        for shot in self._shots:
            if shot.effect.kind in kinds:
                return shot
        return None

    def all(self, kind: str) -> Iterator[Shot]:
        """Every fault of this kind."""
        return (shot for shot in self._shots if shot.effect.kind == kind)

    @property
    def slows(self) -> bool:
        """Whether a full socket buffer would hide the effect from the client."""
        return any(
            s.effect.kind in ("rate", "drip", "stall", "stall-after", "reset-after") for s in self._shots
        )

    def before_receiving(self, offset: int, count: int) -> int:
        """How many bytes of the body may be read next.

        :param offset: bytes read so far.
        :param count: bytes wanted.
        :raises Reset: the connection is to be reset here.
        :raises Held: nothing more is to be read.
        """
        if self._rates:
            count = min(count, PACED_PIECE)
        for shot in self._entry:
            left = shot.effect.amount - offset
            if left <= 0:
                shot.fire()
                if shot.effect.kind == "reset-after":
                    raise Reset
                raise Held(shot.cleared)
            count = min(count, left)
        return count

    def received(self, offset: int, view: memoryview) -> None:
        """Do to the bytes just read what is planned: flip a bit, take time.

        :param offset: position of the first of them in the body.
        :param view: the bytes, writable.
        """
        for shot in self._flips:
            at = shot.effect.amount - offset
            if 0 <= at < len(view):
                view[at] ^= 1
                shot.fire()
        self.pace(len(view))

    def pace(self, count: int) -> None:
        """Wait as a ``rate`` wants before ``count`` more bytes pass."""
        for shot in self._rates:
            if shot.bucket is not None:
                shot.fire()
                shot.bucket.take(count, shot.cleared)

    def end_of_body(self, length: int) -> None:
        """The body has come whole: what was to happen right at its end happens.

        :param length: bytes of the body.
        """
        if length:
            self.before_receiving(length, 1)

    def before_sending(self, promised: int) -> None:
        """Give back what can no longer take effect, before the client can ask again.

        :param promised: bytes of the answer's body.
        """
        for shot in self._shots:
            kind, amount = shot.effect.kind, shot.effect.amount
            reachable = kind in ("truncate", "reset-after-sent", "flip") and amount < promised
            if not reachable and kind not in ("no-length", "drip", "rate", "interim"):
                shot.release()

    def settle(self) -> None:
        """Give back what did not take effect."""
        for shot in self._shots:
            shot.release()
