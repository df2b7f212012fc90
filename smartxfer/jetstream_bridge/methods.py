"""The supported methods, and how their parameters are passed to the vendor's package.

Source: JetStream protocol, sections 5 and 9.7.
"""

from typing import Any, Dict, List, Mapping, Tuple

import attrs

from smartxfer.local.jsonrpc import RpcError

__all__ = ["METHODS", "Method"]

# ``name`` is passed by position, because the documentation does not have its keyword.  ``name?`` is optional
# and also passed by position.  ``name=`` is passed by keyword, which the documentation has.  All other
# parameters are passed by keyword, because their order is not documented, and a wrong keyword raises an error
# while a wrong position would set another parameter.
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

    :param interface: the attribute of the API object that has the method: ``server``, ``send`` or ``recv``.
    :param name: name of the method.
    :param parameters: in the notation of the table above.
    """

    interface: str
    name: str
    parameters: Tuple[str, ...]

    def bind_arguments(self, params: Mapping[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
        """Return positional and keyword arguments for the parameters of a call.

        :raises RpcError: a required parameter is missing.
        """
        remaining = dict(params)
        args: List[Any] = []
        kwargs: Dict[str, Any] = {}
        for parameter in self.parameters:
            name = parameter.rstrip("?=")
            if name not in remaining:
                if parameter.endswith("?"):
                    continue
                raise RpcError("InvalidParams", f"{self.name} needs {name}")
            if parameter.endswith("="):
                kwargs[name] = remaining.pop(name)
            else:
                args.append(remaining.pop(name))
        return args, {**kwargs, **remaining}


def _parse_method_table() -> Dict[str, Method]:
    methods = {}
    for line in _METHOD_TABLE.split("\n"):
        wire_name, *parameters = line.split() or [""]
        if wire_name:
            interface, _, name = wire_name.rpartition(".")
            methods[wire_name] = Method(interface or "server", name, tuple(parameters))
    return methods


#: Methods by their JSON-RPC names.
METHODS = _parse_method_table()
