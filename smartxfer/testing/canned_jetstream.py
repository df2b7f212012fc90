"""Canned responses of JetStream for each method of the client.

Source: JetStream protocol, sections 5, 6 and 9.
"""

import re
from typing import Any, Dict, List, Pattern, Tuple, Union

from smartxfer.testing import canned_jetstream_account as account

__all__ = [
    "BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "PREFIXES", "CannedRoute", "build_url_pattern",
]  # fmt: skip

BASE_URL, FACTS = account.BASE_URL, account.FACTS

CannedRoute = Tuple[str, str, Union[Dict[str, Any], account.ResponseCallback]]

PREFIXES = {"ServerInterface": "server.", "SendInterface": "send.", "RecvInterface": "recv."}


def build_url_pattern(base_url: str, path: str) -> Pattern[str]:
    """Return a pattern for the URL of all calls."""
    return re.compile(re.escape(base_url.rstrip("/") + path) + "$")


#: Responses to the requests before the first call: none are sent.
FIRST_USE: List[CannedRoute] = []

_DISCONNECT_ROUTE: CannedRoute = ("DELETE", "/jsonrpc", {"status": 204})
_SUCCESS_ROUTES: List[CannedRoute] = [("POST", "/jsonrpc", account.build_callback()), _DISCONNECT_ROUTE]

#: Error class of each JetStream error.
_EXCEPTIONS = {
    "InvalidParams": "BadRequest",
    "InternalError": "ServerError",
    "AuthenticationFailed": "AuthError",
    "PermissionDenied": "Forbidden",
    "NotFound": "NotFound",
    "InvalidState": "Conflict",
    "ApiVersion": "Unsupported",
    "NotLicensed": "Forbidden",
}
#: Methods whose failure is this error.  ``CLIENT:RPC`` is a client method and the RPC method that fails.
_METHODS_BY_ERROR = {
    "AuthenticationFailed": "server.auth server.authAsync server.authToken login_token:authToken",
    "PermissionDenied": (
        "server.superuser server.wrangler server.setSandboxMapping server.getSandboxMappings "
        "server.deleteSandboxMapping server.updateBandwidthLimits server.terminate server.setLicenseKeyAsync "
        "server.mkdirAsync server.mvAsync server.rmAsync server.garbageCollect server.getEventLog "
        "server.getThirdPartyLicenses server.sendDiscoverPacketAsync server.recvDiscoverPacketAsync "
        "recv.addAuthorizedClientAsync recv.removeAuthorizedClientAsync "
        "recv.allowOnlyAuthorizedClientsAsync recv.getSourcesAsync recv.getTransfersAsync "
        "send.createSharedToken send.setSendRateAsync server.createAPIToken server.getAPITokens "
        "server.duAsync server.lsAsync server.lsRootsAsync send.getManifests send.getDestinations "
        "send.getConnections send.getTransfers send.getSharedTokens share:send.createSharedToken "
        "sources:recv.getSourcesAsync receiving:recv.getTransfersAsync ls_roots:lsRootsAsync"
    ),
    "NotFound": (
        "server.getRequestStatus server.getRequestResult server.getAPIToken server.deleteAPIToken "
        "send.getManifest send.waitForManifest send.getManifestFiles send.deleteManifest send.getDestination "
        "send.deleteDestination send.getConnection send.getTransfer send.waitForTransfer send.deleteTransfer "
        "send.getSharedToken send.deleteSharedToken send.updateObjectUserData send.deleteObjectUserData "
        "ls:getRequestResult du:getRequestResult mv:getRequestResult rm:getRequestResult "
        "list:getRequestResult remove:getRequestResult wait_all:send.waitForTransfer"
    ),
    "InvalidState": (
        "send.resumeTransfer send.suspendTransfer send.failTransfer mkdir:getRequestResult "
        "mkfile:getRequestResult"
    ),
    "InvalidParams": (
        "server.echo server.sleep send.createManifest send.createDestination call:send.getManifest"
    ),
    "InternalError": "connect:getServerInfo server.getServerInfo",
    "ApiVersion": (
        "server.mkFileAsync server.lsListAsync server.addWranglerAsync server.deleteWrangler "
        "server.getWranglers"
    ),
    "NotLicensed": "send.createTransfer",
}


def _split_method_names(item: str) -> Tuple[str, str]:
    """Return the client method, and the RPC method that fails."""
    name, _, rpc_method = item.partition(":")
    return name, rpc_method or (name[len("server.") :] if name.startswith("server.") else name)


def _build_failure_routes() -> Dict[str, Tuple[List[CannedRoute], str]]:
    """Return the failure responses of each method, and their error class."""
    failed_transfer = account.build_callback(
        send_waitForTransfer=account.build_ended_transfer("error", "no space left at the destination")
    )
    routes: Dict[str, Tuple[List[CannedRoute], str]] = {
        "send_files": ([("POST", "/jsonrpc", failed_transfer), _DISCONNECT_ROUTE], "TaskFailed")
    }
    for error, items in _METHODS_BY_ERROR.items():
        for name, rpc_method in map(_split_method_names, items.split()):
            callback = account.build_callback(**{rpc_method.replace(".", "_"): error})
            routes[name] = ([("POST", "/jsonrpc", callback), _DISCONNECT_ROUTE], _EXCEPTIONS[error])
    return routes


_FAILURE_ROUTES = _build_failure_routes()
#: Responses by method name and case.
CASES: Dict[Tuple[str, str], List[CannedRoute]] = {
    **{(name, "default"): _SUCCESS_ROUTES for name in _FAILURE_ROUTES},
    **{(name, "failure"): routes for name, (routes, _) in _FAILURE_ROUTES.items()},
    ("send_files", "suspended"): [
        (
            "POST",
            "/jsonrpc",
            account.build_callback(send_waitForTransfer=account.build_ended_transfer("suspended", "")),
        ),
        _DISCONNECT_ROUTE,
    ],
}
#: Error class of the failure, by method name.
FAILURES: Dict[str, str] = {name: error for name, (_, error) in _FAILURE_ROUTES.items()}
