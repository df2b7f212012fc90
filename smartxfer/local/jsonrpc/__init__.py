"""JSON-RPC 2.0 over HTTP with sessions, for the local JetStream and the bridge."""

from smartxfer.local.jsonrpc.endpoint import JsonRpcEndpoint, find_method
from smartxfer.local.jsonrpc.errors import CODES, RpcError
from smartxfer.local.jsonrpc.sessions import Session, Sessions

__all__ = ["CODES", "JsonRpcEndpoint", "RpcError", "Session", "Sessions", "find_method"]
