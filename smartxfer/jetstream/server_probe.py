"""First request to a server, which checks that it is an HTTP server.

Source: JetStream protocol, section 3.
"""

import attrs

from smartxfer.errors import CommunicationError, ReadTimeout
from smartxfer.jetstream.errors import ERRORS, add_connect_hint
from smartxfer.jetstream.models import ServerInfo, parse_model
from smartxfer.jetstream.rpc import JsonRpcClient
from smartxfer.transport import BufferedResponse, RequestSpec, RetryPolicy, RetryState
from smartxfer.transport.rate_limits import RateLimits
from smartxfer.transport.retry_checks import RetryContext, RetryDecision

__all__ = ["probe_server"]

#: Read timeout of the first request; it is short because a server of another protocol may never respond.
_PROBE_READ_TIMEOUT = 10.0


def _fail_on_read_timeout(context: RetryContext) -> RetryDecision:
    """Do not retry after a read timeout: such a server uses another protocol."""
    return RetryDecision.FAIL if isinstance(context.error, ReadTimeout) else RetryDecision.NO_DECISION


def probe_server(rpc: JsonRpcClient, retry: RetryPolicy, limits: RateLimits) -> ServerInfo:
    """Request the identity and settings of a server.

    A request that is accepted and not responded to is not repeated.

    :raises NotAnHTTPServer: the server does not use HTTP, such as JetStream's own control port.
    """

    def send_request(request: RequestSpec) -> BufferedResponse:
        retry_state = RetryState(
            retry,
            rpc.clock,
            request.description,
            rate_limits=limits,
            error_family=ERRORS,
            rules=[_fail_on_read_timeout],
        )
        probe = attrs.evolve(request, read_timeout=_PROBE_READ_TIMEOUT)
        attempts = retry_state.attempts(rpc.http.attempt)
        while True:
            with next(attempts):
                return rpc.http.request_once(probe)

    connect_error: CommunicationError
    try:
        return parse_model(
            ServerInfo, "getServerInfo", attrs.evolve(rpc, send_request=send_request).call("getServerInfo")
        )
    except CommunicationError as error:
        connect_error = add_connect_hint(error)
    raise connect_error
