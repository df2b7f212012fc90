"""The JetStream page's names for the signature table, and those that the vendor's other pages name.

Where those pages could not be read to the end the parameters stand as keywords of any name.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from smartxfer import jetstream
from smartxfer.jetstream.recv import RecvInterface
from smartxfer.jetstream.send import SendInterface
from smartxfer.jetstream.server import ServerInterface
from tests.support.signatures.signature_row import parse_rows

OWNERS = {
    "JetStream": jetstream.JetStream, "API": jetstream.API, "server": ServerInterface, "send": SendInterface,
    "recv": RecvInterface,
}  # fmt: skip

ROWS = parse_rows(
    """
JetStream:
JetStream.api: address=None, port=None | user, password, COMMON
API: address=None, port=None | user, password, COMMON
API.connect:
API.disconnect:
server.auth: user, password
server.authAsync: user, password
server.authToken: token, password=None
server.superuser:
server.wrangler:
server.getRequestStatus: requestId
server.getRequestResult: requestId | timeout
server.getServerInfo:
server.echo: text=None
server.sleep: milliseconds
server.getThirdPartyLicenses:
server.garbageCollect:
server.lsAsync: path
server.lsListAsync: path
server.lsRootsAsync:
server.duAsync: path
server.mkdirAsync: path
server.mkFileAsync: path
server.mvAsync: from_, to
server.rmAsync: path
server.createAPIToken: description=None, expiryTime=None, password=None, permissions=None, path=None
server.getAPIToken: token
server.getAPITokens:
server.deleteAPIToken: token
server.addWranglerAsync: **keywords
server.deleteSandboxMapping: **keywords
server.deleteWrangler: **keywords
server.getEventLog: **keywords
server.getSandboxMappings: **keywords
server.getWranglers: **keywords
server.recvDiscoverPacketAsync: **keywords
server.sendDiscoverPacketAsync: **keywords
server.setLicenseKeyAsync: **keywords
server.setSandboxMapping: **keywords
server.terminate: **keywords
server.updateBandwidthLimits: **keywords
send.createManifest: mappings | userData, extra
send.getManifest: manifestId
send.getManifests:
send.getManifestFiles: manifestId | **keywords
send.waitForManifest: manifestId | timeout, progress
send.deleteManifest: manifestId
send.createDestination: destinationAddress, destinationPort=8886, sendRateMax=None | userData, extra
send.getDestination: destinationId
send.getDestinations:
send.deleteDestination: destinationId
send.getConnection: connectionId
send.getConnections:
send.createTransfer: destinationId, manifestId, priority=None, destinationPath=None, checkpointFrequencySeconds=None \
| userData, extra
send.getTransfer: transferId
send.getTransfers:
send.waitForTransfer: transferId | timeout, progress
send.resumeTransfer: transferId
send.suspendTransfer: transferId
send.failTransfer: transferId, errorMessage
send.deleteTransfer: transferId
send.setSendRateAsync: **keywords
send.createSharedToken: manifestId, description=None, downloadLimit=None, expiryTime=None, password=None | userData, extra
send.getSharedToken: token
send.getSharedTokens:
send.deleteSharedToken: token
send.updateObjectUserData: objectId, key, value
send.deleteObjectUserData: objectId, key
recv.addAuthorizedClientAsync: clientPublicKey
recv.removeAuthorizedClientAsync: clientPublicKey
recv.allowOnlyAuthorizedClientsAsync: onlyAuthorizedClientsAllowed
recv.getSourcesAsync:
recv.getTransfersAsync:
""",
    jetstream,
    OWNERS,
)

#: The forms in which the page calls: (method, arguments by place, arguments by name).
FORMS: List[Tuple[Any, Tuple[Any, ...], Dict[str, Any]]] = [
    (jetstream.JetStream.api, ("localhost", 8886), {}),
    (ServerInterface.auth, ("jsmith", "secret"), {}),
    (ServerInterface.authAsync, ("jsmith", "secret"), {}),
    (ServerInterface.getRequestStatus, ({"requestId": 1},), {}),
    (ServerInterface.getRequestResult, ({"requestId": 1},), {}),
    (ServerInterface.authToken, ("MAYWEBRO.TRUPO.VEVEEBLU",), {}),
    (SendInterface.createManifest, (), {"mappings": {"/data/docs/readme.txt": "/local/home/readme.txt"}}),
    (SendInterface.createDestination, ("localhost",), {"destinationPort": 8886}),
    (SendInterface.createTransfer, ("42", "2"), {}),
    (SendInterface.waitForTransfer, ("17",), {}),
    (SendInterface.createSharedToken, ("2",), {}),
]

_MADE = jetstream.JetStream().api("localhost", 8886)
_MANIFEST = {"status": "complete", "totalFiles": 1, "totalSize": 1091, "manifestId": "2", "processing": False}
_TRANSFER = {"transferId": "17", "processing": True, "status": "pending", "destinationId": "42"}

ATTRIBUTES = [
    ("jetstream api", _MADE, {"base_url": "http://localhost:8886"}),
    ("jetstream api's interfaces", _MADE, {"server": _MADE.server, "send": _MADE.send, "recv": _MADE.recv}),
    (
        "Manifest",
        jetstream.Manifest.from_wire(_MANIFEST),
        {"manifest_id": "2", "status": "complete", "processing": False, "total_files": 1, "total_size": 1091},
    ),
    (
        "Transfer",
        jetstream.Transfer.from_wire(_TRANSFER),
        {"transfer_id": "17", "destination_id": "42", "status": jetstream.Status.PENDING},
    ),
]

NAMES = {jetstream: " ".join(jetstream.__all__)}

#: Public methods and attributes that no page names, by class.
ADDED = {
    "JetStream": "from_uri",
    "API": "base_url call close du explain_credentials from_environment from_uri list login_token ls ls_roots mkdir"
    " mkfile mv receiving recv remove rm send send_files server session share sources wait_all",
    "server": "",
    "send": "",
    "recv": "",
}
