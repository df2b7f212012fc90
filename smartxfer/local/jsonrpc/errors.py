"""JSON-RPC errors, by the name in ``data.type``.

Source: JetStream protocol, section 9.3.
"""

from typing import Any, Dict

CODES: Dict[str, int] = {
    "ParseError": -32700, "InvalidRequest": -32600, "MethodNotFound": -32601, "InvalidParams": -32602,
    "InternalError": -32603, "NotAuthenticated": -32001, "AuthenticationFailed": -32002,
    "PermissionDenied": -32003, "NotFound": -32004, "InvalidState": -32005, "StillProcessing": -32006,
    "ApiVersion": -32007, "NotLicensed": -32008,
}


class RpcError(Exception):
    """Error response to a call.

    :param kind: a name of :data:`CODES`.
    :param message: error message.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def to_json(self) -> Dict[str, Any]:
        """Return the error object of the response."""
        return {"code": CODES[self.kind], "message": self.message, "data": {"type": self.kind}}
