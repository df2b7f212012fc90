"""The base of the requests of every service: in which way a call is tried."""

from typing import TYPE_CHECKING, Any, Callable

import attrs

from smartxfer._system import Clock
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import BufferedResponse, HTTPTransport, RequestSpec

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

    http: HTTPTransport
    send_request: Callable[[RequestSpec], BufferedResponse] = attrs.field(
        default=attrs.Factory(lambda self: self.http.request, takes_self=True), kw_only=True
    )
    sleep: Callable[[float], Any] = attrs.field(
        default=attrs.Factory(lambda self: self.http.clock.sleep, takes_self=True), kw_only=True
    )

    @property
    def clock(self) -> Clock:
        """The client's clock."""
        return self.http.clock

    def with_runner(self, runner: TransferRunner) -> "Self":
        """The same calls, made in an operation's threads, by its policy and under its watch."""

        def make(call: RequestSpec) -> BufferedResponse:
            attempts = runner.attempts(call.description, call.retry_after_lost_response)
            while True:
                with next(attempts):
                    return self.http.request_once(call)

        return attrs.evolve(self, send_request=make, sleep=runner.sleep)

    def without_retries(self, runner: TransferRunner) -> "Self":
        """The same calls, each tried once, within a try of the operation's."""
        return attrs.evolve(self, send_request=self.http.request_once, sleep=runner.sleep)
