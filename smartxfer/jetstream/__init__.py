"""JetStream: servers that send files to each other, told what to send.

JetStream's own control protocol is not public and is no HTTP.  This client speaks JSON-RPC over HTTP with the
documented names, to the local server, or to a JetStream server by way of ``smartxfer jetstream-bridge``.

Source: JetStream protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_names import lazy_names

if TYPE_CHECKING:
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
    from smartxfer.jetstream.requests import Request
    from smartxfer.jetstream.sending import Share

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
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "client": "API JetStreamClient",
            "factory": "JetStream",
            "models": "Connection Destination Event Manifest ReceiveTransfer RequestStatus ServerInfo Source "
            "Status Token Transfer",
            "requests": "Request",
            "sending": "Share",
        },
    )
