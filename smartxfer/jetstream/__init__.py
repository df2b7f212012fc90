"""JetStream: servers that send files to each other, told what to send.

JetStream's own control protocol is not public and is no HTTP.  This client speaks JSON-RPC over HTTP with the
documented names, to the local server, or to a JetStream server by way of ``smartxfer jetstream-bridge``.

Source: JetStream protocol.
"""

from smartxfer.jetstream.client import API
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

#: Another name of :class:`API`, which is the vendor's.
JetStreamClient = API

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
