"""The first request to a server, which may not speak HTTP.

Source: JetStream protocol, section 3.
"""

import attrs

from smartxfer.errors import CommunicationError, ReadTimeout
from smartxfer.jetstream.errors import ERRORS, explained
from smartxfer.jetstream.models import ServerInfo, made
from smartxfer.jetstream.rpc import Rpc
from smartxfer.transport import Answer, Call, RetryPolicy, Tries
from smartxfer.transport.checks import Decision, RetryContext
from smartxfer.transport.limits import Limits

__all__ = ["first_contact"]

#: Seconds for which the first answer of a server is waited for: what speaks no HTTP may stay silent.
_FIRST_ANSWER = 10.0


def _is_silent(context: RetryContext) -> Decision:
    """Give up on what accepts a request and does not answer: it speaks another protocol."""
    return Decision.FAIL if isinstance(context.error, ReadTimeout) else Decision.PASS


def first_contact(rpc: Rpc, retry: RetryPolicy, limits: Limits) -> ServerInfo:
    """Return what the server says of itself.

    A server that accepts the request and does not answer is not asked again.

    :raises NotHTTP: it does not speak HTTP, as JetStream's own control port.
    """

    def fetch(call: Call) -> Answer:
        tries = Tries(retry, rpc.clock, call.what, limits=limits, errors=ERRORS, checks=[_is_silent])
        patient = attrs.evolve(call, patience=_FIRST_ANSWER)
        attempts = tries.attempts(rpc.wire.attempt)
        while True:
            with next(attempts):
                return rpc.wire.once(patient)

    failed: CommunicationError
    try:
        return made(ServerInfo, "getServerInfo", attrs.evolve(rpc, make=fetch).call("getServerInfo"))
    except CommunicationError as error:
        failed = explained(error)
    raise failed
