"""JSON-RPC 2.0 over HTTP, with sessions: what the local JetStream and the bridge answer through."""

from smartxfer.local.jsonrpc.errors import CODES, RpcError
from smartxfer.local.jsonrpc.front import Front, method_of
from smartxfer.local.jsonrpc.sessions import Session, Sessions

__all__ = ["CODES", "Front", "RpcError", "Session", "Sessions", "method_of"]
