"""The wire: sessions, retries, origin-bound credentials, redirects, redaction.

Nothing here knows a service.
"""

from smartxfer.transport.answer import Answer
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.call import Call
from smartxfer.transport.origin import Origin, without_query
from smartxfer.transport.retry import RetryPolicy, Tries
from smartxfer.transport.success import Body, Success
from smartxfer.transport.wire import Wire

__all__ = [
    "Answer",
    "Attempt",
    "Body",
    "Call",
    "Origin",
    "RetryPolicy",
    "Success",
    "Tries",
    "Wire",
    "without_query",
]
