"""Table of the methods: parameters, access and API version.

Source: JetStream protocol, sections 5 and 9.3; access beyond these is an assumption.
"""

from functools import partial
from typing import Any, Callable, Dict, FrozenSet, Tuple

import attrs

from smartxfer.local.jetstream import (
    admin_calls,
    async_requests,
    destinations,
    file_calls,
    manifests,
    server_calls,
    tokens,
    transfers,
)
from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, invalid_params
from smartxfer.local.jetstream.users import User, require_login

#: API versions since which there are groups of methods.
_LICENSE, _API_TOKENS, _NEWEST = 30, 34, 40
_ROOT, _SEND = "superuser", "download"


@attrs.frozen
class Method:
    """A method.

    :param function: the function.
    :param required: required parameters.
    :param optional: optional parameters.
    :param access: ``"anyone"``, ``"login"``, ``"user"`` (no shared token), ``"superuser"``.
    :param right: right that an API token must have.
    :param since: API version.
    :param any_params: accept any other parameter.
    """

    function: Callable[[Call], Any]
    required: Tuple[str, ...] = ()
    optional: Tuple[str, ...] = ()
    access: str = "login"
    right: str = ""
    since: int = 1
    any_params: bool = False

    def check(self, name: str, params: Dict[str, Any]) -> None:
        """Check for unknown and missing parameters."""
        unknown: FrozenSet[str] = frozenset(params) - frozenset(self.required + self.optional)
        if unknown and not self.any_params:
            raise invalid_params("{} has no parameter {}".format(name, ", ".join(sorted(unknown))))
        missing = [parameter for parameter in self.required if params.get(parameter) is None]
        if missing:
            raise invalid_params("{} needs {}".format(name, ", ".join(missing)))


Serialize = Callable[[Call, Row], Dict[str, Any]]


def _get_method(kind: str, show: Serialize) -> Callable[[Call], Any]:
    """Return the method that returns one object of a kind."""
    return lambda call: show(call, call.find(kind))


def _list_method(kind: str, show: Serialize) -> Callable[[Call], Any]:
    """Return the method that lists the objects of a kind."""
    return lambda call: [show(call, row) for row in call.all(kind)]


_WAIT = ("timeoutSeconds",)
_TOKEN = ("description", "expiryTime", "password")
_MANIFEST, _DESTINATION, _TRANSFER = ("manifestId",), ("destinationId",), ("transferId",)

#: Synchronous methods.
METHODS: Dict[str, Method] = {
    "auth": Method(server_calls.auth, ("user", "password"), access="anyone"),
    "authToken": Method(tokens.login, ("token",), ("password",), access="anyone"),
    "superuser": Method(server_calls.superuser, access="user"),
    "wrangler": Method(server_calls.wrangler, access="user"),
    "getServerInfo": Method(server_calls.info, access="anyone"),
    "getRequestStatus": Method(async_requests.status, ("requestId",), access="anyone"),
    "getRequestResult": Method(async_requests.result, ("requestId",), _WAIT, access="anyone"),
    "echo": Method(server_calls.echo, (), ("text",), access="anyone"),
    "sleep": Method(server_calls.sleep, ("milliseconds",)),
    "getEventLog": Method(server_calls.event_log, access="user", any_params=True),
    "getThirdPartyLicenses": Method(server_calls.licenses),
    "createAPIToken": Method(
        tokens.create_api, (), (*_TOKEN, "permissions", "path", "userData"), access="user", since=_API_TOKENS
    ),
    "getAPIToken": Method(partial(tokens.get, "api"), ("token",), access="user", since=_API_TOKENS),
    "getAPITokens": Method(partial(tokens.list_all, "api"), access="user", since=_API_TOKENS),
    "deleteAPIToken": Method(partial(tokens.delete, "api"), ("token",), access="user", since=_API_TOKENS),
    "setSandboxMapping": Method(admin_calls.set_sandbox, ("user", "mapping"), access=_ROOT),
    "getSandboxMappings": Method(admin_calls.sandboxes, access=_ROOT),
    "deleteSandboxMapping": Method(admin_calls.delete_sandbox, ("user",), access=_ROOT),
    "deleteWrangler": Method(admin_calls.delete_wrangler, (), ("user", "group"), access=_ROOT, since=_NEWEST),
    "getWranglers": Method(admin_calls.wranglers, access=_ROOT, since=_NEWEST),
    "updateBandwidthLimits": Method(admin_calls.limit, access=_ROOT, any_params=True),
    "recvDiscoverPacketAsync": Method(server_calls.discover, access="user", any_params=True),
    "garbageCollect": Method(server_calls.collect_garbage, access="user"),
    "terminate": Method(server_calls.terminate, access=_ROOT),
    "send.createManifest": Method(manifests.create, ("mappings",), ("userData",), access="user", right=_SEND),
    "send.getManifest": Method(_get_method("manifest", manifests.serialize), _MANIFEST),
    "send.getManifests": Method(_list_method("manifest", manifests.serialize)),
    "send.getManifestFiles": Method(manifests.files, _MANIFEST),
    "send.waitForManifest": Method(manifests.wait, _MANIFEST, _WAIT),
    "send.deleteManifest": Method(manifests.delete, _MANIFEST),
    "send.createDestination": Method(
        destinations.create, ("destinationAddress",), ("destinationPort", "sendRateMax", "userData")
    ),
    "send.getDestination": Method(_get_method("destination", destinations.serialize), _DESTINATION),
    "send.getDestinations": Method(_list_method("destination", destinations.serialize)),
    "send.deleteDestination": Method(destinations.delete, _DESTINATION),
    "send.getConnection": Method(destinations.connection, ("connectionId",)),
    "send.getConnections": Method(destinations.connections),
    "send.createTransfer": Method(
        transfers.create, ("destinationId", "manifestId"),
        ("priority", "destinationPath", "checkpointFrequencySeconds", "userData"), right=_SEND,
    ),
    "send.getTransfer": Method(_get_method("transfer", transfers.serialize), _TRANSFER),
    "send.getTransfers": Method(_list_method("transfer", transfers.serialize)),
    "send.waitForTransfer": Method(transfers.wait, _TRANSFER, _WAIT),
    "send.resumeTransfer": Method(transfers.resume, _TRANSFER),
    "send.suspendTransfer": Method(transfers.suspend, _TRANSFER),
    "send.failTransfer": Method(transfers.fail, ("transferId", "errorMessage")),
    "send.deleteTransfer": Method(transfers.delete, _TRANSFER),
    "send.createSharedToken": Method(
        tokens.create_shared, _MANIFEST, (*_TOKEN, "downloadLimit", "userData"), access="user", right="share"
    ),
    "send.getSharedToken": Method(partial(tokens.get, "shared"), ("token",)),
    "send.getSharedTokens": Method(partial(tokens.list_all, "shared")),
    "send.deleteSharedToken": Method(partial(tokens.delete, "shared"), ("token",)),
    "send.updateObjectUserData": Method(server_calls.update_user_data, ("objectId", "key"), ("value",)),
    "send.deleteObjectUserData": Method(server_calls.delete_user_data, ("objectId", "key")),
}  # fmt: skip

#: Asynchronous methods, which return a request.
ASYNC_METHODS: Dict[str, Method] = {
    "authAsync": METHODS["auth"],
    "lsAsync": Method(file_calls.ls, ("path",), access="user"),
    "lsListAsync": Method(file_calls.ls_list, ("path",), access="user", since=_NEWEST),
    "lsRootsAsync": Method(file_calls.ls_roots, access="user"),
    "duAsync": Method(file_calls.du, ("path",), access="user"),
    "mkdirAsync": Method(file_calls.make_folder, ("path",), access="user", right="modify"),
    "mkFileAsync": Method(file_calls.make_file, ("path",), access="user", right="modify", since=_NEWEST),
    "mvAsync": Method(file_calls.move, ("from", "to"), access="user", right="modify"),
    "rmAsync": Method(file_calls.remove, ("path",), access="user", right="modify"),
    "addWranglerAsync": Method(admin_calls.add_wrangler, (), ("user", "group"), access=_ROOT, since=_NEWEST),
    "setLicenseKeyAsync": Method(admin_calls.set_license, ("key",), access=_ROOT, since=_LICENSE),
    "sendDiscoverPacketAsync": Method(server_calls.send_packet, access="user", any_params=True),
    "send.setSendRateAsync": Method(server_calls.set_rate, any_params=True),
    "recv.addAuthorizedClientAsync": Method(admin_calls.add_client, ("clientPublicKey",), access=_ROOT),
    "recv.removeAuthorizedClientAsync": Method(admin_calls.remove_client, ("clientPublicKey",), access=_ROOT),
    "recv.allowOnlyAuthorizedClientsAsync": Method(
        admin_calls.only_authorized, ("onlyAuthorizedClientsAllowed",), access=_ROOT
    ),
    "recv.getSourcesAsync": Method(admin_calls.sources, access=_ROOT),
    "recv.getTransfersAsync": Method(admin_calls.transfers, access=_ROOT),
}


def call(backend: Backend, user: User, name: str, params: Dict[str, Any]) -> Any:
    """Execute one call.

    :param name: name of the method.
    :raises RpcError: the call failed.
    """
    method = METHODS.get(name) or ASYNC_METHODS.get(name)
    if method is None:
        raise RpcError("MethodNotFound", f"unknown method {name}")
    if method.since > backend.site.api_version:
        raise RpcError("ApiVersion", f"{name} needs API version {method.since}")
    method.check(name, params)
    if method.access != "anyone":
        require_login(backend, user)
    _check_access(user, name, method)
    call_params = {key: value for key, value in params.items() if value is not None}
    call = Call(backend, user, name, call_params)
    if name in ASYNC_METHODS:
        return async_requests.start(call, lambda: method.function(call))
    return method.function(call)


def _check_access(user: User, name: str, method: Method) -> None:
    if method.access == _ROOT and not user.superuser:
        raise RpcError("PermissionDenied", f"{name} is for superusers")
    if method.access == "user" and user.kind == "shared":
        raise RpcError("PermissionDenied", f"a shared token does not permit {name}")
    if method.right and method.right not in user.rights:
        raise RpcError("PermissionDenied", f"the token does not permit {name}")
