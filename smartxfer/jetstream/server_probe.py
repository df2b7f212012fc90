"""The first request to a server, which may not speak HTTP.

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

#: Seconds for which the first answer of a server is waited for: what speaks no HTTP may stay silent.
_PROBE_READ_TIMEOUT = 10.0


def _fail_on_read_timeout(context: RetryContext) -> RetryDecision:
    """Give up on what accepts a request and does not answer: it speaks another protocol."""
    return RetryDecision.FAIL if isinstance(context.error, ReadTimeout) else RetryDecision.NO_DECISION


def probe_server(rpc: JsonRpcClient, retry: RetryPolicy, limits: RateLimits) -> ServerInfo:
    """Return what the server says of itself.

    A server that accepts the request and does not answer is not asked again.

    :raises NotAnHTTPServer: it does not speak HTTP, as JetStream's own control port.
    """

    def fetch(call: RequestSpec) -> BufferedResponse:
        tries = RetryState(
            retry,
            rpc.clock,
            call.description,
            rate_limits=limits,
            error_family=ERRORS,
            rules=[_fail_on_read_timeout],
        )
        patient = attrs.evolve(call, read_timeout=_PROBE_READ_TIMEOUT)
        attempts = tries.attempts(rpc.http.attempt)
        while True:
            with next(attempts):
                return rpc.http.request_once(patient)

    failed: CommunicationError
    try:
        return parse_model(
            ServerInfo, "getServerInfo", attrs.evolve(rpc, send_request=fetch).call("getServerInfo")
        )
    except CommunicationError as error:
        failed = add_connect_hint(error)
    raise failed
