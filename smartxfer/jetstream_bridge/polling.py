"""Waits with an end: the package's own block for as long as it takes, so the bridge asks again and again.

Source: JetStream protocol, section 9.4.
"""

import threading
import time
from typing import Any, Mapping, Tuple

from smartxfer.jetstream_bridge.connection import VendorConnection
from smartxfer.local.jsonrpc import RpcError

__all__ = ["WAIT_METHODS", "poll_until_done"]

#: Most seconds that a wait lasts, whatever it asks for.
MAX_WAIT = 25.0
#: Seconds between two looks: the first, the factor, the most.
FIRST_DELAY, DELAY_FACTOR, MAX_DELAY = 0.05, 1.5, 1.0

#: Waits: the method that tells how far it is, and the parameter that names the object.
WAIT_METHODS = {
    "getRequestResult": ("getRequestStatus", "requestId"),
    "send.waitForManifest": ("send.getManifest", "manifestId"),
    "send.waitForTransfer": ("send.getTransfer", "transferId"),
}


def poll_until_done(
    connection: VendorConnection, method: str, params: Mapping[str, Any], stop_event: threading.Event
) -> Any:
    """Wait for a manifest, a transfer, or the result of a request.

    Between two looks the connection is free for other calls.

    :param method: one of :data:`WAITS`.
    :param params: the object's id, and ``timeoutSeconds``.
    :param stop_event: ends the wait at once.
    :return: the structure, ``processing`` where it is not done yet; the result of the request.
    :raises RpcError: the request is not done yet (StillProcessing), or a call failed.
    """
    asked, named = WAIT_METHODS[method]
    seconds, who = _parse_wait_params(params, named)
    ends_at = time.monotonic() + seconds
    delay = FIRST_DELAY
    while True:
        seen = connection.call(asked, who)
        at_work = isinstance(seen, Mapping) and bool(seen.get("processing"))
        left = ends_at - time.monotonic()
        if not at_work or left <= 0 or stop_event.wait(min(delay, left)):
            break
        delay = min(delay * DELAY_FACTOR, MAX_DELAY)
    if method != "getRequestResult":
        return seen
    if at_work:
        raise RpcError("StillProcessing", "the request is still being processed")
    return connection.call(method, who)


def _parse_wait_params(params: Mapping[str, Any], id_param: str) -> Tuple[float, Mapping[str, Any]]:
    seconds = params.get("timeoutSeconds")
    seconds = MAX_WAIT if seconds is None else seconds
    # Written so that NaN is refused, too.
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise RpcError("InvalidParams", "timeoutSeconds is a number of seconds, 0 or more")
    unknown = sorted(set(params) - {id_param, "timeoutSeconds"})
    if unknown:
        raise RpcError("InvalidParams", "no such parameter: " + ", ".join(unknown))
    if id_param not in params:
        raise RpcError("InvalidParams", f"{id_param} is missing")
    return min(seconds, MAX_WAIT), {id_param: params[id_param]}
