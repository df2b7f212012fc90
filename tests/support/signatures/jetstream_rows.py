"""The JetStream page's names for the signature table, and those that the vendor's other pages name.

Where those pages could not be read to the end the parameters stand as keywords of any name.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from smartxfer import jetstream
from smartxfer.jetstream.recv import RecvInterface
from smartxfer.jetstream.send import SendInterface
from smartxfer.jetstream.server import ServerInterface
from tests.support.signatures.signature_row import COMMON, REQUIRED, Row

_API, _ENTRY = jetstream.API, jetstream.JetStream
_SERVER, _SEND, _RECV = ServerInterface, SendInterface, RecvInterface
_ANY = ("**keywords",)
_FURTHER = ("userData", "extra")
_WAIT = ("timeout", "progress")


def _one(*names: str) -> List[Tuple[str, Any]]:
    return [(name, REQUIRED) for name in names]


def _none(*names: str) -> List[Tuple[str, Any]]:
    return [(name, None) for name in names]


JETSTREAM = [
    Row("JetStream", _ENTRY),
    Row("JetStream.api", _ENTRY.api, _none("address", "port"), ("user", "password", *COMMON)),
    Row("API", _API, _none("address", "port"), ("user", "password", *COMMON)),
    Row("API.connect", _API.connect),
    Row("API.disconnect", _API.disconnect),
    Row("server.auth", _SERVER.auth, _one("user", "password")),
    Row("server.authAsync", _SERVER.authAsync, _one("user", "password")),
    Row("server.authToken", _SERVER.authToken, [*_one("token"), *_none("password")]),
    Row("server.superuser", _SERVER.superuser),
    Row("server.wrangler", _SERVER.wrangler),
    Row("server.getRequestStatus", _SERVER.getRequestStatus, _one("requestId")),
    Row("server.getRequestResult", _SERVER.getRequestResult, _one("requestId"), ("timeout",)),
    Row("server.getServerInfo", _SERVER.getServerInfo),
    Row("server.echo", _SERVER.echo, _none("text")),
    Row("server.sleep", _SERVER.sleep, _one("milliseconds")),
    Row("server.getThirdPartyLicenses", _SERVER.getThirdPartyLicenses),
    Row("server.garbageCollect", _SERVER.garbageCollect),
    Row("server.lsAsync", _SERVER.lsAsync, _one("path")),
    Row("server.lsListAsync", _SERVER.lsListAsync, _one("path")),
    Row("server.lsRootsAsync", _SERVER.lsRootsAsync),
    Row("server.duAsync", _SERVER.duAsync, _one("path")),
    Row("server.mkdirAsync", _SERVER.mkdirAsync, _one("path")),
    Row("server.mkFileAsync", _SERVER.mkFileAsync, _one("path")),
    Row("server.mvAsync", _SERVER.mvAsync, _one("from_", "to")),
    Row("server.rmAsync", _SERVER.rmAsync, _one("path")),
    Row(
        "server.createAPIToken",
        _SERVER.createAPIToken,
        _none("description", "expiryTime", "password", "permissions", "path"),
    ),
    Row("server.getAPIToken", _SERVER.getAPIToken, _one("token")),
    Row("server.getAPITokens", _SERVER.getAPITokens),
    Row("server.deleteAPIToken", _SERVER.deleteAPIToken, _one("token")),
    *[
        Row(f"server.{name}", getattr(_SERVER, name), (), _ANY)
        for name in (
            "addWranglerAsync",
            "deleteSandboxMapping",
            "deleteWrangler",
            "getEventLog",
            "getSandboxMappings",
            "getWranglers",
            "recvDiscoverPacketAsync",
            "sendDiscoverPacketAsync",
            "setLicenseKeyAsync",
            "setSandboxMapping",
            "terminate",
            "updateBandwidthLimits",
        )
    ],
    Row("send.createManifest", _SEND.createManifest, _one("mappings"), _FURTHER),
    Row("send.getManifest", _SEND.getManifest, _one("manifestId")),
    Row("send.getManifests", _SEND.getManifests),
    Row("send.getManifestFiles", _SEND.getManifestFiles, _one("manifestId"), _ANY),
    Row("send.waitForManifest", _SEND.waitForManifest, _one("manifestId"), _WAIT),
    Row("send.deleteManifest", _SEND.deleteManifest, _one("manifestId")),
    Row(
        "send.createDestination",
        _SEND.createDestination,
        [*_one("destinationAddress"), ("destinationPort", 8886), ("sendRateMax", None)],
        _FURTHER,
    ),
    Row("send.getDestination", _SEND.getDestination, _one("destinationId")),
    Row("send.getDestinations", _SEND.getDestinations),
    Row("send.deleteDestination", _SEND.deleteDestination, _one("destinationId")),
    Row("send.getConnection", _SEND.getConnection, _one("connectionId")),
    Row("send.getConnections", _SEND.getConnections),
    Row(
        "send.createTransfer",
        _SEND.createTransfer,
        [
            *_one("destinationId", "manifestId"),
            *_none("priority", "destinationPath", "checkpointFrequencySeconds"),
        ],
        _FURTHER,
    ),
    Row("send.getTransfer", _SEND.getTransfer, _one("transferId")),
    Row("send.getTransfers", _SEND.getTransfers),
    Row("send.waitForTransfer", _SEND.waitForTransfer, _one("transferId"), _WAIT),
    Row("send.resumeTransfer", _SEND.resumeTransfer, _one("transferId")),
    Row("send.suspendTransfer", _SEND.suspendTransfer, _one("transferId")),
    Row("send.failTransfer", _SEND.failTransfer, _one("transferId", "errorMessage")),
    Row("send.deleteTransfer", _SEND.deleteTransfer, _one("transferId")),
    Row("send.setSendRateAsync", _SEND.setSendRateAsync, (), _ANY),
    Row(
        "send.createSharedToken",
        _SEND.createSharedToken,
        [*_one("manifestId"), *_none("description", "downloadLimit", "expiryTime", "password")],
        _FURTHER,
    ),
    Row("send.getSharedToken", _SEND.getSharedToken, _one("token")),
    Row("send.getSharedTokens", _SEND.getSharedTokens),
    Row("send.deleteSharedToken", _SEND.deleteSharedToken, _one("token")),
    Row("send.updateObjectUserData", _SEND.updateObjectUserData, _one("objectId", "key", "value")),
    Row("send.deleteObjectUserData", _SEND.deleteObjectUserData, _one("objectId", "key")),
    Row("recv.addAuthorizedClientAsync", _RECV.addAuthorizedClientAsync, _one("clientPublicKey")),
    Row("recv.removeAuthorizedClientAsync", _RECV.removeAuthorizedClientAsync, _one("clientPublicKey")),
    Row(
        "recv.allowOnlyAuthorizedClientsAsync",
        _RECV.allowOnlyAuthorizedClientsAsync,
        _one("onlyAuthorizedClientsAllowed"),
    ),
    Row("recv.getSourcesAsync", _RECV.getSourcesAsync),
    Row("recv.getTransfersAsync", _RECV.getTransfersAsync),
]

#: The forms in which the page calls: (method, arguments by place, arguments by name).
FORMS: List[Tuple[Any, Tuple[Any, ...], Dict[str, Any]]] = [
    (_ENTRY.api, ("localhost", 8886), {}),
    (_SERVER.auth, ("jsmith", "secret"), {}),
    (_SERVER.authAsync, ("jsmith", "secret"), {}),
    (_SERVER.getRequestStatus, ({"requestId": 1},), {}),
    (_SERVER.getRequestResult, ({"requestId": 1},), {}),
    (_SERVER.authToken, ("MAYWEBRO.TRUPO.VEVEEBLU",), {}),
    (_SEND.createManifest, (), {"mappings": {"/data/docs/readme.txt": "/local/home/readme.txt"}}),
    (_SEND.createDestination, ("localhost",), {"destinationPort": 8886}),
    (_SEND.createTransfer, ("42", "2"), {}),
    (_SEND.waitForTransfer, ("17",), {}),
    (_SEND.createSharedToken, ("2",), {}),
]

_MADE = _ENTRY().api("localhost", 8886)
_MANIFEST = jetstream.Manifest.from_wire(
    {"status": "complete", "totalFiles": 1, "totalSize": 1091, "manifestId": "2", "processing": False}
)
_TRANSFER = jetstream.Transfer.from_wire(
    {"transferId": "17", "processing": True, "status": "pending", "destinationId": "42"}
)

ATTRIBUTES = [
    ("jetstream api", _MADE, "base_url", "http://localhost:8886"),
    ("jetstream api", _MADE, "server", _MADE.server),
    ("jetstream api", _MADE, "send", _MADE.send),
    ("jetstream api", _MADE, "recv", _MADE.recv),
    ("Manifest", _MANIFEST, "manifest_id", "2"),
    ("Manifest", _MANIFEST, "status", "complete"),
    ("Manifest", _MANIFEST, "processing", False),
    ("Manifest", _MANIFEST, "total_files", 1),
    ("Manifest", _MANIFEST, "total_size", 1091),
    ("Transfer", _TRANSFER, "transfer_id", "17"),
    ("Transfer", _TRANSFER, "destination_id", "42"),
    ("Transfer", _TRANSFER, "status", jetstream.Status.PENDING),
]

NAMES = [(jetstream, name) for name in jetstream.__all__]

#: Public methods and attributes that no page names, by class.
ADDED = {
    _ENTRY: ["from_uri"],
    _API: [
        "base_url",
        "call",
        "close",
        "du",
        "explain_credentials",
        "from_environment",
        "from_uri",
        "list",
        "login_token",
        "ls",
        "ls_roots",
        "mkdir",
        "mkfile",
        "mv",
        "receiving",
        "recv",
        "remove",
        "rm",
        "send",
        "send_files",
        "server",
        "session",
        "share",
        "sources",
        "wait_all",
    ],
    _SERVER: [],
    _SEND: [],
    _RECV: [],
}
#: How the table names the methods of each class.
OWNERS = {_ENTRY: "JetStream", _API: "API", _SERVER: "server", _SEND: "send", _RECV: "recv"}
