"""Waits with an end: the package's own block for as long as it takes, so the bridge asks again and again.

Source: JetStream protocol, section 9.4.
"""

import threading
import time
from typing import Any, Mapping, Tuple

from smartxfer.jetstream_bridge.connection import Connection
from smartxfer.local.jsonrpc import RpcError

__all__ = ["WAITS", "wait"]

#: Most seconds that a wait lasts, whatever it asks for.
CEILING = 25.0
#: Seconds between two looks: the first, the factor, the most.
FIRST, FACTOR, MOST = 0.05, 1.5, 1.0

#: Waits: the method that tells how far it is, and the parameter that names the object.
WAITS = {
    "getRequestResult": ("getRequestStatus", "requestId"),
    "send.waitForManifest": ("send.getManifest", "manifestId"),
    "send.waitForTransfer": ("send.getTransfer", "transferId"),
}


def wait(connection: Connection, method: str, params: Mapping[str, Any], stopping: threading.Event) -> Any:
    """Wait for a manifest, a transfer, or the result of a request.

    Between two looks the connection is free for other calls.

    :param method: one of :data:`WAITS`.
    :param params: the object's id, and ``timeoutSeconds``.
    :param stopping: ends the wait at once.
    :return: the structure, ``processing`` where it is not done yet; the result of the request.
    :raises RpcError: the request is not done yet (StillProcessing), or a call failed.
    """
    asked, named = WAITS[method]
    seconds, who = _seconds_and_object(params, named)
    ends_at = time.monotonic() + seconds
    delay = FIRST
    while True:
        seen = connection.call(asked, who)
        at_work = isinstance(seen, Mapping) and bool(seen.get("processing"))
        left = ends_at - time.monotonic()
        if not at_work or left <= 0 or stopping.wait(min(delay, left)):
            break
        delay = min(delay * FACTOR, MOST)
    if method != "getRequestResult":
        return seen
    if at_work:
        raise RpcError("StillProcessing", "the request is still being processed")
    return connection.call(method, who)


def _seconds_and_object(params: Mapping[str, Any], named: str) -> Tuple[float, Mapping[str, Any]]:
    seconds = params.get("timeoutSeconds")
    seconds = CEILING if seconds is None else seconds
    # Written so that NaN is refused, too.
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise RpcError("InvalidParams", "timeoutSeconds is a number of seconds, 0 or more")
    unknown = sorted(set(params) - {named, "timeoutSeconds"})
    if unknown:
        raise RpcError("InvalidParams", "no such parameter: " + ", ".join(unknown))
    if named not in params:
        raise RpcError("InvalidParams", f"{named} is missing")
    return min(seconds, CEILING), {named: params[named]}
