"""JetStream client: control servers that send files to each other.

JetStream's own control protocol is not public and does not use HTTP.  This client sends JSON-RPC over HTTP
with the documented names, to the local server, or to a JetStream server through ``smartxfer
jetstream-bridge``.

Source: JetStream protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.jetstream.async_requests import Request
    from smartxfer.jetstream.client import API, JetStreamClient
    from smartxfer.jetstream.factory import JetStream
    from smartxfer.jetstream.models import (
        Connection,
        Destination,
        Event,
        Manifest,
        ReceiveTransfer,
        RequestStatus,
        ServerInfo,
        Source,
        Status,
        Token,
        Transfer,
    )
    from smartxfer.jetstream.workflows import Share

__all__ = [
    "API",
    "Connection",
    "Destination",
    "Event",
    "JetStream",
    "JetStreamClient",
    "Manifest",
    "ReceiveTransfer",
    "Request",
    "RequestStatus",
    "ServerInfo",
    "Share",
    "Source",
    "Status",
    "Token",
    "Transfer",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "async_requests": "Request",
            "client": "API JetStreamClient",
            "factory": "JetStream",
            "models": "Connection Destination Event Manifest ReceiveTransfer RequestStatus ServerInfo "
            "Source Status Token Transfer",
            "workflows": "Share",
        },
    )
