"""Data of the canned JetStream responses: one file, manifest, destination, transfer and token.

All calls have the same URL; the method in the call selects the response.

Source: JetStream protocol, sections 5, 6 and 9.1 to 9.3.
"""

import itertools
import json
from typing import Any, Callable, Dict, Mapping, Tuple

__all__ = ["BASE_URL", "CODES", "FACTS", "ResponseCallback", "build_callback", "build_ended_transfer"]

BASE_URL = "http://jetstream.example.org:8886"

CallbackResult = Tuple[int, Dict[str, str], str]
ResponseCallback = Callable[[Any], CallbackResult]

_CONTENT_SIZE = 1091
_TIMESTAMP = 1_795_132_800_000_000
_TOKEN, _API_TOKEN = "MAYWEB.TRUPOV.VEVEBL", "NANIRA.RUBATU.BURUGI"
_PUBLIC_KEY = "304d0a9ad6fab813ef299d64cdde9c9f8ac9230bb00641b9d08b0d41c2559579"

#: Values in the responses, for comparisons in tests.
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
    "time": _TIMESTAMP,
}
#: Error codes by error type.
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

_OWNER_FIELDS: Dict[str, Any] = {
    "owner": "jsmith",
    "ownerToken": None,
    "ownerTokenSession": None,
    "userData": {},
}
_MANIFEST = {
    "manifestId": "2",
    "status": "complete",
    "processing": False,
    "errorMessage": None,
    "totalFiles": 1,
    "totalSize": _CONTENT_SIZE,
    **_OWNER_FIELDS,
}
_NEW_MANIFEST = {**_MANIFEST, "status": "pending", "processing": True, "totalFiles": None, "totalSize": None}
_CONNECTION = {
    "connectionId": "41",
    "destinationIP": "192.0.2.7",
    "destinationPort": 8886,
    "destinationPublicKey": _PUBLIC_KEY,
    "encryptionEnabled": False,
    "encryptedConnectionState": "connected",
    "lastDestinationServerId": "260ef00ec13a6c4e103b6cd48af24cd9",
    "lastDestinationServerUid": "eb76b0c73cc41606849233b915b5455c",
    "lastError": None,
    "lastErrorMessage": None,
    "lastErrorTime": None,
    "lastRecvTime": _TIMESTAMP,
    "lastSendTime": _TIMESTAMP,
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
    **_OWNER_FIELDS,
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
    "requestTime": _TIMESTAMP,
    "queueTime": _TIMESTAMP,
    "startTime": _TIMESTAMP + 1_000,
    "endTime": _TIMESTAMP + 500_000,
    "snapshotTime": _TIMESTAMP + 500_000,
    **_OWNER_FIELDS,
}
_NEW_TRANSFER = {
    **_TRANSFER,
    **dict.fromkeys(("blocksSent", "blocksAcked", "bytesSent", "packetsSent", "packetsRecv"), 0),
    **dict.fromkeys(("startTime", "endTime")),
    "status": "pending",
    "processing": True,
    "snapshotTime": _TIMESTAMP,
}
_TOKEN_FIELDS: Dict[str, Any] = {
    "description": "",
    "creationTime": _TIMESTAMP,
    "expiryTime": None,
    "passwordRequired": False,
    "permissions": [],
    **_OWNER_FIELDS,
}
_SHARED_TOKEN_RESULT = {
    **_TOKEN_FIELDS,
    "token": _TOKEN,
    "manifestId": "2",
    "downloadCount": 0,
    "downloadLimit": None,
}
_API_TOKEN_RESULT = {**_TOKEN_FIELDS, "token": _API_TOKEN, "path": None}
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
    "publicKey": _PUBLIC_KEY,
    "bandwidthLimits": {},
    "license": {"licensed": True},
    "receiver": {"port": 8886, "onlyAuthorizedClientsAllowed": False},
}
_ENTRY = {
    "name": "readme.txt",
    "path": FACTS["path"],
    "type": "file",
    "size": _CONTENT_SIZE,
    "modifiedTime": _TIMESTAMP,
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
    "destinationPublicKey": _PUBLIC_KEY,
    "encryptionEnabled": False,
    "encryptedConnectionState": "disconnected",
}
_RECEIVE_TRANSFER = {
    "transferId": "5",
    "destinationPath": "/incoming",
    "status": "receiving",
    "totalSize": 7,
    "sourceIP": "192.0.2.9",
    "sourcePort": 8886,
    "lastRecvTime": _TIMESTAMP,
    "lastSendTime": _TIMESTAMP,
    "lastErrorTime": None,
}

#: Results by method; other synchronous methods return null.
_SYNC_RESULTS: Dict[str, Any] = {
    "getServerInfo": _INFO,
    "getEventLog": [{"_event": "serverStarted", "_timestamp": _TIMESTAMP, "serverId": _INFO["serverId"]}],
    "getThirdPartyLicenses": "No licences at all.\n",
    "createAPIToken": _API_TOKEN_RESULT,
    "getAPIToken": _API_TOKEN_RESULT,
    "getAPITokens": [_API_TOKEN_RESULT],
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
    "send.createSharedToken": _SHARED_TOKEN_RESULT,
    "send.getSharedToken": _SHARED_TOKEN_RESULT,
    "send.getSharedTokens": [_SHARED_TOKEN_RESULT],
}
#: Results of the requests that a method starts; other requests return null.
_ASYNC_RESULTS: Dict[str, Any] = {
    "lsAsync": [_ENTRY],
    "lsListAsync": {"/local/home": [_ENTRY]},
    "lsRootsAsync": [{"name": "", "path": "/", "type": "directory", "size": 0, "modifiedTime": _TIMESTAMP}],
    "duAsync": _CONTENT_SIZE,
    "recv.getSourcesAsync": [_SOURCE],
    "recv.getTransfersAsync": [_RECEIVE_TRANSFER],
}

#: Method that started each request.
_METHOD_BY_REQUEST_ID: Dict[int, str] = {}
_REQUEST_IDS = itertools.count(1)


def _get_result(method: str, params: Mapping[str, Any]) -> Any:
    if method == "echo":
        return params.get("text", "")
    if method == "getRequestStatus":
        number = params["requestId"]
        return {"requestId": number, "processing": False, "status": "complete", "errorMessage": ""}
    if method == "getRequestResult":
        return _ASYNC_RESULTS.get(_METHOD_BY_REQUEST_ID.get(params["requestId"], ""))
    if method.endswith("Async"):
        number = next(_REQUEST_IDS)
        _METHOD_BY_REQUEST_ID[number] = method
        return {"requestId": number}
    return _SYNC_RESULTS.get(method)


def build_callback(**overrides: Any) -> ResponseCallback:
    """Return a callback that responds to calls.

    :param overrides: results, or types of errors, of methods; their names have underscores instead of dots.
    """

    def respond(request: Any) -> CallbackResult:
        call = json.loads(request.body)
        method = call["method"]
        body = {"jsonrpc": "2.0", "id": call["id"]}
        override = overrides.get(method.replace(".", "_"))
        if isinstance(override, str):
            body["error"] = {"code": CODES[override], "message": "it is so", "data": {"type": override}}
        else:
            body["result"] = _get_result(method, call.get("params", {})) if override is None else override
        headers = {"Content-Type": "application/json", "Set-Cookie": "JSSESSION=canned; Path=/"}
        return 200, headers, json.dumps(body)

    return respond


def build_ended_transfer(status: str, message: str) -> Dict[str, Any]:
    """Return the transfer with an unsuccessful final status."""
    return {**_TRANSFER, "status": status, "errorMessage": message, "blocksAcked": 2}
