"""The server behind the canned answers of JetStream: one file, manifest, destination, transfer and token.

Every call goes to one address: what is answered is told by the method that the call names.

Source: JetStream protocol, sections 5, 6 and 9.1 to 9.3.
"""

import itertools
import json
from typing import Any, Callable, Dict, Mapping, Tuple

__all__ = ["BASE_URL", "CODES", "FACTS", "Replier", "ended", "replier"]

BASE_URL = "http://jetstream.example.org:8886"

Built = Tuple[int, Dict[str, str], str]
Replier = Callable[[Any], Built]

_CONTENT_SIZE = 1091
_STAMP = 1_795_132_800_000_000
_TOKEN, _API_TOKEN = "MAYWEB.TRUPOV.VEVEBL", "NANIRA.RUBATU.BURUGI"
_KEY = "304d0a9ad6fab813ef299d64cdde9c9f8ac9230bb00641b9d08b0d41c2559579"

#: What the answers say, for tests to compare with.
FACTS: Mapping[str, Any] = {
    "user": "jsmith",
    "path": "/local/home/readme.txt",
    "size": _CONTENT_SIZE,
    "mappings": {"/data/docs/readme.txt": "/local/home/readme.txt"},
    "manifestId": "2",
    "destinationId": "42",
    "connectionId": "41",
    "transferId": "17",
    "token": _TOKEN,
    "api_token": _API_TOKEN,
    "time": _STAMP,
}
#: The codes of errors by their types.
CODES: Mapping[str, int] = {
    "InvalidParams": -32602,
    "InternalError": -32603,
    "AuthenticationFailed": -32002,
    "PermissionDenied": -32003,
    "NotFound": -32004,
    "InvalidState": -32005,
    "ApiVersion": -32007,
    "NotLicensed": -32008,
}

_OWNED: Dict[str, Any] = {"owner": "jsmith", "ownerToken": None, "ownerTokenSession": None, "userData": {}}
_MANIFEST = {
    "manifestId": "2",
    "status": "complete",
    "processing": False,
    "errorMessage": None,
    "totalFiles": 1,
    "totalSize": _CONTENT_SIZE,
    **_OWNED,
}
_NEW_MANIFEST = {**_MANIFEST, "status": "pending", "processing": True, "totalFiles": None, "totalSize": None}
_CONNECTION = {
    "connectionId": "41",
    "destinationIP": "192.0.2.7",
    "destinationPort": 8886,
    "destinationPublicKey": _KEY,
    "encryptionEnabled": False,
    "encryptedConnectionState": "connected",
    "lastDestinationServerId": "260ef00ec13a6c4e103b6cd48af24cd9",
    "lastDestinationServerUid": "eb76b0c73cc41606849233b915b5455c",
    "lastError": None,
    "lastErrorMessage": None,
    "lastErrorTime": None,
    "lastRecvTime": _STAMP,
    "lastSendTime": _STAMP,
    "rateControllerActive": False,
    "rateControlMethod": "none",
    "relayIP": None,
    "relayPort": None,
    "roundTripTimeMs": 12,
}
_DESTINATION = {
    **_CONNECTION,
    "destinationId": "42",
    "destinationAddress": "files.example.net",
    "permittedDestinationPublicKey": None,
    "numTransfersQueued": 0,
    "sendRateMax": None,
    **_OWNED,
}
_TRANSFER = {
    "transferId": "17",
    "destinationId": "42",
    "manifestId": "2",
    "destinationPath": "",
    "status": "complete",
    "processing": False,
    "errorMessage": None,
    "priority": 100,
    "blockSize": 256,
    "blocksSent": 5,
    "blocksAcked": 5,
    "blocksRetransmitted": 0,
    "totalBlocks": 5,
    "totalBytes": _CONTENT_SIZE,
    "bytesSent": _CONTENT_SIZE,
    "bytesRecv": 0,
    "packetsSent": 5,
    "packetsRecv": 5,
    "checkpointFrequencySeconds": None,
    "requestTime": _STAMP,
    "queueTime": _STAMP,
    "startTime": _STAMP + 1_000,
    "endTime": _STAMP + 500_000,
    "snapshotTime": _STAMP + 500_000,
    **_OWNED,
}
_NEW_TRANSFER = {
    **_TRANSFER,
    **dict.fromkeys(("blocksSent", "blocksAcked", "bytesSent", "packetsSent", "packetsRecv"), 0),
    **dict.fromkeys(("startTime", "endTime")),
    "status": "pending",
    "processing": True,
    "snapshotTime": _STAMP,
}
_ANY_TOKEN: Dict[str, Any] = {
    "description": "",
    "creationTime": _STAMP,
    "expiryTime": None,
    "passwordRequired": False,
    "permissions": [],
    **_OWNED,
}
_SHARED = {**_ANY_TOKEN, "token": _TOKEN, "manifestId": "2", "downloadCount": 0, "downloadLimit": None}
_API = {**_ANY_TOKEN, "token": _API_TOKEN, "path": None}
_INFO = {
    "serverId": "690a7dcc9cf0b21d4bdd0c3a930e5a9b",
    "serverUid": "fee4cfe1f85fc0cfea72440fa75ef3da",
    "serverName": "jetstream",
    "serverExternalAddress": "files.example.org",
    "hostName": "files",
    "version": "2.9.0",
    "apiVersion": 44,
    "revision": "1",
    "apiControlPort": 8886,
    "allowRemoteControl": True,
    "authRequired": False,
    "APITokensAvailable": True,
    "sharedTokensAvailable": True,
    "encryptionAvailable": False,
    "multiplexAvailable": False,
    "eventLogAvailable": True,
    "certificateValidation": 300,
    "minCipher": None,
    "publicKey": _KEY,
    "bandwidthLimits": {},
    "license": {"licensed": True},
    "receiver": {"port": 8886, "onlyAuthorizedClientsAllowed": False},
}
_ENTRY = {
    "name": "readme.txt",
    "path": FACTS["path"],
    "type": "file",
    "size": _CONTENT_SIZE,
    "modifiedTime": _STAMP,
}
_SOURCE = {
    "sourceIP": "192.0.2.9",
    "sourcePort": 8886,
    "activeTransferCount": 1,
    "inactiveTransferCount": 0,
    "completeTransferCount": 3,
    "errorTransferCount": 0,
    "aveRecvRate": 8000,
    "aveRecvRateWindow": 10,
    "destinationPublicKey": _KEY,
    "encryptionEnabled": False,
    "encryptedConnectionState": "disconnected",
}
_RECEIVED = {
    "transferId": "5",
    "destinationPath": "/incoming",
    "status": "receiving",
    "totalSize": 7,
    "sourceIP": "192.0.2.9",
    "sourcePort": 8886,
    "lastRecvTime": _STAMP,
    "lastSendTime": _STAMP,
    "lastErrorTime": None,
}

#: What is answered at once, by the method; the other ones that are known answer null.
_AT_ONCE: Dict[str, Any] = {
    "getServerInfo": _INFO,
    "getEventLog": [{"_event": "serverStarted", "_timestamp": _STAMP, "serverId": _INFO["serverId"]}],
    "getThirdPartyLicenses": "No licences at all.\n",
    "createAPIToken": _API,
    "getAPIToken": _API,
    "getAPITokens": [_API],
    "getSandboxMappings": {},
    "getWranglers": [{"user": "jsmith"}],
    "send.createManifest": _NEW_MANIFEST,
    "send.getManifest": _MANIFEST,
    "send.getManifests": [_MANIFEST],
    "send.getManifestFiles": FACTS["mappings"],
    "send.waitForManifest": _MANIFEST,
    "send.createDestination": _DESTINATION,
    "send.getDestination": _DESTINATION,
    "send.getDestinations": [_DESTINATION],
    "send.getConnection": _CONNECTION,
    "send.getConnections": [_CONNECTION],
    "send.createTransfer": _NEW_TRANSFER,
    "send.getTransfer": _TRANSFER,
    "send.getTransfers": [_TRANSFER],
    "send.waitForTransfer": _TRANSFER,
    "send.createSharedToken": _SHARED,
    "send.getSharedToken": _SHARED,
    "send.getSharedTokens": [_SHARED],
}
#: What the requests yield that a method begins; those of the other ones yield null.
_LATER: Dict[str, Any] = {
    "lsAsync": [_ENTRY],
    "lsListAsync": {"/local/home": [_ENTRY]},
    "lsRootsAsync": [{"name": "", "path": "/", "type": "directory", "size": 0, "modifiedTime": _STAMP}],
    "duAsync": _CONTENT_SIZE,
    "recv.getSourcesAsync": [_SOURCE],
    "recv.getTransfersAsync": [_RECEIVED],
}

#: What was asked of each request.
_REQUESTS: Dict[int, str] = {}
_NUMBERS = itertools.count(1)


def _result(method: str, params: Mapping[str, Any]) -> Any:
    if method == "echo":
        return params.get("text", "")
    if method == "getRequestStatus":
        number = params["requestId"]
        return {"requestId": number, "processing": False, "status": "complete", "errorMessage": ""}
    if method == "getRequestResult":
        return _LATER.get(_REQUESTS.get(params["requestId"], ""))
    if method.endswith("Async"):
        number = next(_NUMBERS)
        _REQUESTS[number] = method
        return {"requestId": number}
    return _AT_ONCE.get(method)


def replier(**turned: Any) -> Replier:
    """What answers calls.

    :param turned: what some methods answer instead, dots as underscores: a result, or the type of an error.
    """

    def reply(request: Any) -> Built:
        call = json.loads(request.body)
        method = call["method"]
        answer = {"jsonrpc": "2.0", "id": call["id"]}
        other = turned.get(method.replace(".", "_"))
        if isinstance(other, str):
            answer["error"] = {"code": CODES[other], "message": "it is so", "data": {"type": other}}
        else:
            answer["result"] = _result(method, call.get("params", {})) if other is None else other
        headers = {"Content-Type": "application/json", "Set-Cookie": "JSSESSION=canned; Path=/"}
        return 200, headers, json.dumps(answer)

    return reply


def ended(status: str, message: str) -> Dict[str, Any]:
    """The transfer, with an end that is not a good one."""
    return {**_TRANSFER, "status": status, "errorMessage": message, "blocksAcked": 2}
