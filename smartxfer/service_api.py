"""The base of the requests of every service: in which way a call is tried."""

from typing import TYPE_CHECKING, Any, Callable

import attrs

from smartxfer.seams import Clock
from smartxfer.transfer.operation import Operation
from smartxfer.transport import Answer, Call, Wire

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ServiceApi"]


@attrs.frozen
class ServiceApi:
    """The requests of a service: its own class has a method for each.

    A call is made in the calling thread by the client's policy, unless :meth:`watched` or :meth:`untried`
    change that.

    :param wire: the way to the server.
    :param make: makes a call, tried in whatever way.
    :param pause: waits for some seconds.
    """

    wire: Wire
    make: Callable[[Call], Answer] = attrs.field(
        default=attrs.Factory(lambda self: self.wire.fetch, takes_self=True), kw_only=True
    )
    pause: Callable[[float], Any] = attrs.field(
        default=attrs.Factory(lambda self: self.wire.clock.sleep, takes_self=True), kw_only=True
    )

    @property
    def clock(self) -> Clock:
        """The client's clock."""
        return self.wire.clock

    def watched(self, operation: Operation) -> "Self":
        """The same calls, made in an operation's threads, by its policy and under its watch."""

        def make(call: Call) -> Answer:
            attempts = operation.attempts(call.what, call.repeatable)
            while True:
                with next(attempts):
                    return self.wire.once(call)

        return attrs.evolve(self, make=make, pause=operation.pause)

    def untried(self, operation: Operation) -> "Self":
        """The same calls, each tried once, within a try of the operation's."""
        return attrs.evolve(self, make=self.wire.once, pause=operation.pause)
