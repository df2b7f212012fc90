"""Base class for the requests of a service."""

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
    """Requests of a service; its subclass has a method for each request.

    A request is sent in the calling thread, with retries by the client's policy, unless :meth:`with_runner`
    or :meth:`without_retries` changed that.

    :param http: transport of the client.
    :param send_request: sends a request, with or without retries.
    :param sleep: sleeps for some seconds.
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
        """Return a copy whose requests use the retries and the monitoring of a runner."""

        def send(request: RequestSpec) -> BufferedResponse:
            attempts = runner.attempts(request.description, request.retry_after_lost_response)
            while True:
                with next(attempts):
                    return self.http.request_once(request)

        return attrs.evolve(self, send_request=send, sleep=runner.sleep)

    def without_retries(self, runner: TransferRunner) -> "Self":
        """Return a copy whose requests are sent once, within an attempt of a runner."""
        return attrs.evolve(self, send_request=self.http.request_once, sleep=runner.sleep)
