"""Waits with a time limit, implemented by polling because the waits of the package have no limit.

Source: JetStream protocol, section 9.4.
"""

import threading
import time
from typing import Any, Mapping, Tuple

from smartxfer.jetstream_bridge.connection import VendorConnection
from smartxfer.local.jsonrpc import RpcError

__all__ = ["WAIT_METHODS", "poll_until_done"]

#: Maximum seconds of a wait.
MAX_WAIT = 25.0
#: Seconds between two polls: first delay, factor, maximum.
FIRST_DELAY, DELAY_FACTOR, MAX_DELAY = 0.05, 1.5, 1.0

#: For each wait method, the method that returns the status, and the parameter with the object's id.
WAIT_METHODS = {
    "getRequestResult": ("getRequestStatus", "requestId"),
    "send.waitForManifest": ("send.getManifest", "manifestId"),
    "send.waitForTransfer": ("send.getTransfer", "transferId"),
}


def poll_until_done(
    connection: VendorConnection, method: str, params: Mapping[str, Any], stop_event: threading.Event
) -> Any:
    """Wait for a manifest, a transfer, or the result of a request.

    Between two polls other calls can use the connection.

    :param method: a key of :data:`WAIT_METHODS`.
    :param params: the object's id, and ``timeoutSeconds``.
    :param stop_event: ends the wait immediately.
    :return: the manifest or transfer, which may still be processing; or the result of the request.
    :raises RpcError: the request is still being processed (StillProcessing), or a call failed.
    """
    status_method, id_param = WAIT_METHODS[method]
    seconds, id_params = _parse_wait_params(params, id_param)
    end_time = time.monotonic() + seconds
    delay = FIRST_DELAY
    while True:
        status = connection.call(status_method, id_params)
        processing = isinstance(status, Mapping) and bool(status.get("processing"))
        remaining = end_time - time.monotonic()
        if not processing or remaining <= 0 or stop_event.wait(min(delay, remaining)):
            break
        delay = min(delay * DELAY_FACTOR, MAX_DELAY)
    if method != "getRequestResult":
        return status
    if processing:
        raise RpcError("StillProcessing", "the request is still being processed")
    return connection.call(method, id_params)


def _parse_wait_params(params: Mapping[str, Any], id_param: str) -> Tuple[float, Mapping[str, Any]]:
    seconds = params.get("timeoutSeconds")
    seconds = MAX_WAIT if seconds is None else seconds
    # "not seconds >= 0" is true for NaN, too.
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise RpcError("InvalidParams", "timeoutSeconds must be a non-negative number of seconds")
    unknown = sorted(set(params) - {id_param, "timeoutSeconds"})
    if unknown:
        raise RpcError("InvalidParams", "unknown parameter: " + ", ".join(unknown))
    if id_param not in params:
        raise RpcError("InvalidParams", f"{id_param} is missing")
    return min(seconds, MAX_WAIT), {id_param: params[id_param]}
