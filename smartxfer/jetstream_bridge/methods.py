"""The methods that are passed on, and how each parameter goes into the vendor's method.

Source: JetStream protocol, sections 5 and 9.7.
"""

from typing import Any, Dict, List, Mapping, Tuple

import attrs

from smartxfer.local.jsonrpc import RpcError

__all__ = ["METHODS", "Method"]

# A name alone goes by its position: no page has its keyword.  ``name?`` likewise, and may be missing.
# ``name=`` goes by its keyword, which a page has.  What is given besides goes by keyword: an order is
# documented for none of it, and a wrong keyword fails, where a wrong position would mean something else.
_METHOD_TABLE = """
auth                             user password
authAsync                        user password
authToken                        token password?
superuser
wrangler
getServerInfo
getRequestStatus                 requestId=
getRequestResult                 requestId=
echo                             text?
sleep                            milliseconds
getEventLog
getThirdPartyLicenses
lsAsync                          path
lsListAsync                      path
lsRootsAsync
duAsync                          path
mkdirAsync                       path
mkFileAsync                      path
mvAsync                          from to
rmAsync                          path
createAPIToken
getAPIToken                      token
getAPITokens
deleteAPIToken                   token
setSandboxMapping                user mapping
getSandboxMappings
deleteSandboxMapping             user
addWranglerAsync
deleteWrangler
getWranglers
updateBandwidthLimits
setLicenseKeyAsync               key
sendDiscoverPacketAsync
recvDiscoverPacketAsync
garbageCollect
terminate
send.createManifest              mappings=
send.getManifest                 manifestId=
send.getManifests
send.getManifestFiles            manifestId
send.waitForManifest             manifestId
send.deleteManifest              manifestId
send.createDestination           destinationAddress=
send.getDestination              destinationId=
send.getDestinations
send.deleteDestination           destinationId
send.getConnection               connectionId
send.getConnections
send.createTransfer              destinationId manifestId
send.getTransfer                 transferId=
send.getTransfers
send.waitForTransfer             transferId
send.resumeTransfer              transferId
send.suspendTransfer             transferId
send.failTransfer                transferId errorMessage
send.deleteTransfer              transferId
send.createSharedToken           manifestId
send.getSharedToken              token
send.getSharedTokens
send.deleteSharedToken           token
send.updateObjectUserData        objectId key value
send.deleteObjectUserData        objectId key
send.setSendRateAsync
recv.addAuthorizedClientAsync    clientPublicKey=
recv.removeAuthorizedClientAsync clientPublicKey
recv.allowOnlyAuthorizedClientsAsync onlyAuthorizedClientsAllowed=
recv.getSourcesAsync
recv.getTransfersAsync
"""


@attrs.frozen
class Method:
    """One method of the vendor's package.

    :param part: attribute of the interface that has it: ``server``, ``send`` or ``recv``.
    :param name: its name there.
    :param words: its parameters, as the table above writes them.
    """

    interface: str
    name: str
    parameters: Tuple[str, ...]

    def bind_arguments(self, params: Mapping[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
        """Positional and keyword arguments for a call's parameters.

        :raises RpcError: one is missing.
        """
        left = dict(params)
        placed: List[Any] = []
        named: Dict[str, Any] = {}
        for word in self.parameters:
            name = word.rstrip("?=")
            if name not in left:
                if word.endswith("?"):
                    continue
                raise RpcError("InvalidParams", f"{self.name} needs {name}")
            if word.endswith("="):
                named[name] = left.pop(name)
            else:
                placed.append(left.pop(name))
        return placed, {**named, **left}


def _parse_method_table() -> Dict[str, Method]:
    found = {}
    for line in _METHOD_TABLE.split("\n"):
        wire, *words = line.split() or [""]
        if wire:
            part, _, name = wire.rpartition(".")
            found[wire] = Method(part or "server", name, tuple(words))
    return found


#: Every method by the name that calls have.
METHODS = _parse_method_table()
