"""The canned answers of JetStream: what is asked by each method of the client, and what it gets.

Source: JetStream protocol, sections 5, 6 and 9.
"""

import re
from typing import Any, Dict, List, Pattern, Tuple, Union

from smartxfer.testing import canned_jetstream_account as account

__all__ = ["BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "PREFIXES", "Reply", "matcher"]

BASE_URL = account.BASE_URL
FACTS = account.FACTS

Reply = Tuple[str, str, Union[Dict[str, Any], account.Replier]]

PREFIXES = {"ServerInterface": "server.", "SendInterface": "send.", "RecvInterface": "recv."}


def matcher(base_url: str, path: str) -> Pattern[str]:
    """Matches the one address of all calls."""
    return re.compile(re.escape(base_url.rstrip("/") + path) + "$")


#: What a client asks before its first call: nothing.
FIRST_USE: List[Reply] = []

_LEFT: Reply = ("DELETE", "/jsonrpc", {"status": 204})
_GOOD: List[Reply] = [("POST", "/jsonrpc", account.replier()), _LEFT]

#: The exception for each error.
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
#: The error of each method of an interface, where it is the method's own; of a workflow, with whose it is.
_ERRORS = {
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
        "list:getRequestResult remove:getRequestResult "
        "wait_all:send.waitForTransfer"
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


def _wire(word: str) -> Tuple[str, str]:
    """The method of the client, and the one on the wire that is refused for it."""
    name, _, other = word.partition(":")
    return name, other or (name[len("server.") :] if name.startswith("server.") else name)


def _bad() -> Dict[str, Tuple[List[Reply], str]]:
    """Each method's bad answers, and the exception that those raise."""
    broken = account.replier(send_waitForTransfer=account.ended("error", "no space left at the destination"))
    found: Dict[str, Tuple[List[Reply], str]] = {
        "send_files": ([("POST", "/jsonrpc", broken), _LEFT], "TaskFailed")
    }
    for error, words in _ERRORS.items():
        for name, method in map(_wire, words.split()):
            reply = account.replier(**{method.replace(".", "_"): error})
            found[name] = ([("POST", "/jsonrpc", reply), _LEFT], _EXCEPTIONS[error])
    return found


_BAD = _bad()
#: Method name and case, and what is answered.
CASES: Dict[Tuple[str, str], List[Reply]] = {
    **{(name, "default"): _GOOD for name in _BAD},
    **{(name, "failure"): bad for name, (bad, _) in _BAD.items()},
    ("send_files", "suspended"): [
        ("POST", "/jsonrpc", account.replier(send_waitForTransfer=account.ended("suspended", ""))),
        _LEFT,
    ],
}
#: Method name, and the exception that its failure raises.
FAILURES: Dict[str, str] = {name: error for name, (_, error) in _BAD.items()}
