"""The wire: sessions, retries, origin-bound credentials, redirects, redaction.

Nothing here knows a service.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_names import lazy_names

if TYPE_CHECKING:
    from smartxfer.transport.answer import Answer
    from smartxfer.transport.attempt import Attempt
    from smartxfer.transport.call import Call
    from smartxfer.transport.origin import Origin, without_query
    from smartxfer.transport.retry import RetryPolicy
    from smartxfer.transport.success import Body, Success
    from smartxfer.transport.tries import Tries
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "answer": "Answer",
            "attempt": "Attempt",
            "call": "Call",
            "origin": "Origin without_query",
            "retry": "RetryPolicy",
            "success": "Body Success",
            "tries": "Tries",
            "wire": "Wire",
        },
    )
