"""HTTP transport: sessions, retries, credentials bound to an origin, redirects, redaction.

These modules do not depend on a service.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.transport.attempt import Attempt
    from smartxfer.transport.http_transport import HTTPTransport
    from smartxfer.transport.origin import Origin, strip_query
    from smartxfer.transport.request_spec import RequestSpec
    from smartxfer.transport.response import BufferedResponse
    from smartxfer.transport.retry_policy import RetryPolicy
    from smartxfer.transport.retry_state import RetryState
    from smartxfer.transport.success import Body, Success

__all__ = [
    "Attempt",
    "Body",
    "BufferedResponse",
    "HTTPTransport",
    "Origin",
    "RequestSpec",
    "RetryPolicy",
    "RetryState",
    "Success",
    "strip_query",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "attempt": "Attempt",
            "http_transport": "HTTPTransport",
            "origin": "Origin strip_query",
            "request_spec": "RequestSpec",
            "response": "BufferedResponse",
            "retry_policy": "RetryPolicy",
            "retry_state": "RetryState",
            "success": "Body Success",
        },
    )
