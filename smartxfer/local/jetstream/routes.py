"""Every method: what it takes, who may call it, since which API version there is one.

Source: JetStream protocol, sections 5 and 9.3; who may call beyond what it says is an assumption.
"""

from functools import partial
from typing import Any, Callable, Dict, FrozenSet, Tuple

import attrs

from smartxfer.local.jetstream import (
    admin_calls,
    destinations,
    file_calls,
    manifests,
    requests,
    server_calls,
    tokens,
    transfers,
)
from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, bad
from smartxfer.local.jetstream.people import Person, check

#: API versions since which there are groups of methods.
_LICENSE, _API_TOKENS, _NEWEST = 30, 34, 40
_ROOT, _SEND = "superuser", "download"


@attrs.frozen
class Method:
    """A method.

    :param work: what it does.
    :param needs: parameters that it must have.
    :param takes: parameters that it may have.
    :param who: ``"anyone"``, ``"login"``, ``"user"`` (no shared token), ``"superuser"``.
    :param right: what an API token must permit.
    :param since: API version.
    :param anything: whether any other parameter is taken.
    """

    work: Callable[[Call], Any]
    needs: Tuple[str, ...] = ()
    takes: Tuple[str, ...] = ()
    who: str = "login"
    right: str = ""
    since: int = 1
    anything: bool = False

    def check(self, name: str, params: Dict[str, Any]) -> None:
        """Refuse parameters that are unknown, and calls that lack one."""
        unknown: FrozenSet[str] = frozenset(params) - frozenset(self.needs + self.takes)
        if unknown and not self.anything:
            raise bad("{} has no parameter {}".format(name, ", ".join(sorted(unknown))))
        missing = [one for one in self.needs if params.get(one) is None]
        if missing:
            raise bad("{} needs {}".format(name, ", ".join(missing)))


Show = Callable[[Call, Row], Dict[str, Any]]


def _one(kind: str, show: Show) -> Callable[[Call], Any]:
    """Return what shows one object of a kind."""
    return lambda call: show(call, call.find(kind))


def _every(kind: str, show: Show) -> Callable[[Call], Any]:
    """Return what lists the objects of a kind."""
    return lambda call: [show(call, row) for row in call.all(kind)]


_WAIT = ("timeoutSeconds",)
_TOKEN = ("description", "expiryTime", "password")
_MANIFEST, _DESTINATION, _TRANSFER = ("manifestId",), ("destinationId",), ("transferId",)

#: Methods that answer at once.
METHODS: Dict[str, Method] = {
    "auth": Method(server_calls.auth, ("user", "password"), who="anyone"),
    "authToken": Method(tokens.login, ("token",), ("password",), who="anyone"),
    "superuser": Method(server_calls.superuser, who="user"),
    "wrangler": Method(server_calls.wrangler, who="user"),
    "getServerInfo": Method(server_calls.info, who="anyone"),
    "getRequestStatus": Method(requests.status, ("requestId",), who="anyone"),
    "getRequestResult": Method(requests.result, ("requestId",), _WAIT, who="anyone"),
    "echo": Method(server_calls.echo, (), ("text",), who="anyone"),
    "sleep": Method(server_calls.sleep, ("milliseconds",)),
    "getEventLog": Method(server_calls.event_log, who="user", anything=True),
    "getThirdPartyLicenses": Method(server_calls.licenses),
    "createAPIToken": Method(
        tokens.create_api, (), (*_TOKEN, "permissions", "path", "userData"), who="user", since=_API_TOKENS
    ),
    "getAPIToken": Method(partial(tokens.get, "api"), ("token",), who="user", since=_API_TOKENS),
    "getAPITokens": Method(partial(tokens.list_all, "api"), who="user", since=_API_TOKENS),
    "deleteAPIToken": Method(partial(tokens.delete, "api"), ("token",), who="user", since=_API_TOKENS),
    "setSandboxMapping": Method(admin_calls.set_sandbox, ("user", "mapping"), who=_ROOT),
    "getSandboxMappings": Method(admin_calls.sandboxes, who=_ROOT),
    "deleteSandboxMapping": Method(admin_calls.delete_sandbox, ("user",), who=_ROOT),
    "deleteWrangler": Method(admin_calls.delete_wrangler, (), ("user", "group"), who=_ROOT, since=_NEWEST),
    "getWranglers": Method(admin_calls.wranglers, who=_ROOT, since=_NEWEST),
    "updateBandwidthLimits": Method(admin_calls.limit, who=_ROOT, anything=True),
    "recvDiscoverPacketAsync": Method(server_calls.discover, who="user", anything=True),
    "garbageCollect": Method(server_calls.collect_garbage, who="user"),
    "terminate": Method(server_calls.terminate, who=_ROOT),
    "send.createManifest": Method(manifests.create, ("mappings",), ("userData",), who="user", right=_SEND),
    "send.getManifest": Method(_one("manifest", manifests.shown), _MANIFEST),
    "send.getManifests": Method(_every("manifest", manifests.shown)),
    "send.getManifestFiles": Method(manifests.files, _MANIFEST),
    "send.waitForManifest": Method(manifests.wait, _MANIFEST, _WAIT),
    "send.deleteManifest": Method(manifests.delete, _MANIFEST),
    "send.createDestination": Method(
        destinations.create, ("destinationAddress",), ("destinationPort", "sendRateMax", "userData")
    ),
    "send.getDestination": Method(_one("destination", destinations.shown), _DESTINATION),
    "send.getDestinations": Method(_every("destination", destinations.shown)),
    "send.deleteDestination": Method(destinations.delete, _DESTINATION),
    "send.getConnection": Method(destinations.connection, ("connectionId",)),
    "send.getConnections": Method(destinations.connections),
    "send.createTransfer": Method(
        transfers.create, ("destinationId", "manifestId"),
        ("priority", "destinationPath", "checkpointFrequencySeconds", "userData"), right=_SEND,
    ),
    "send.getTransfer": Method(_one("transfer", transfers.shown), _TRANSFER),
    "send.getTransfers": Method(_every("transfer", transfers.shown)),
    "send.waitForTransfer": Method(transfers.wait, _TRANSFER, _WAIT),
    "send.resumeTransfer": Method(transfers.resume, _TRANSFER),
    "send.suspendTransfer": Method(transfers.suspend, _TRANSFER),
    "send.failTransfer": Method(transfers.fail, ("transferId", "errorMessage")),
    "send.deleteTransfer": Method(transfers.delete, _TRANSFER),
    "send.createSharedToken": Method(
        tokens.create_shared, _MANIFEST, (*_TOKEN, "downloadLimit", "userData"), who="user", right="share"
    ),
    "send.getSharedToken": Method(partial(tokens.get, "shared"), ("token",)),
    "send.getSharedTokens": Method(partial(tokens.list_all, "shared")),
    "send.deleteSharedToken": Method(partial(tokens.delete, "shared"), ("token",)),
    "send.updateObjectUserData": Method(server_calls.update_user_data, ("objectId", "key"), ("value",)),
    "send.deleteObjectUserData": Method(server_calls.delete_user_data, ("objectId", "key")),
}  # fmt: skip

#: Methods that answer with a request, and are worked on afterwards.
LATER: Dict[str, Method] = {
    "authAsync": METHODS["auth"],
    "lsAsync": Method(file_calls.ls, ("path",), who="user"),
    "lsListAsync": Method(file_calls.ls_list, ("path",), who="user", since=_NEWEST),
    "lsRootsAsync": Method(file_calls.ls_roots, who="user"),
    "duAsync": Method(file_calls.du, ("path",), who="user"),
    "mkdirAsync": Method(file_calls.make_folder, ("path",), who="user", right="modify"),
    "mkFileAsync": Method(file_calls.make_file, ("path",), who="user", right="modify", since=_NEWEST),
    "mvAsync": Method(file_calls.move, ("from", "to"), who="user", right="modify"),
    "rmAsync": Method(file_calls.remove, ("path",), who="user", right="modify"),
    "addWranglerAsync": Method(admin_calls.add_wrangler, (), ("user", "group"), who=_ROOT, since=_NEWEST),
    "setLicenseKeyAsync": Method(admin_calls.set_license, ("key",), who=_ROOT, since=_LICENSE),
    "sendDiscoverPacketAsync": Method(server_calls.send_packet, who="user", anything=True),
    "send.setSendRateAsync": Method(server_calls.set_rate, anything=True),
    "recv.addAuthorizedClientAsync": Method(admin_calls.add_client, ("clientPublicKey",), who=_ROOT),
    "recv.removeAuthorizedClientAsync": Method(admin_calls.remove_client, ("clientPublicKey",), who=_ROOT),
    "recv.allowOnlyAuthorizedClientsAsync": Method(
        admin_calls.only_authorized, ("onlyAuthorizedClientsAllowed",), who=_ROOT
    ),
    "recv.getSourcesAsync": Method(admin_calls.sources, who=_ROOT),
    "recv.getTransfersAsync": Method(admin_calls.transfers, who=_ROOT),
}


def call(backend: Backend, person: Person, name: str, params: Dict[str, Any]) -> Any:
    """Do one call.

    :param name: name of the method.
    :raises RpcError: whatever is wrong with it.
    """
    method = METHODS.get(name) or LATER.get(name)
    if method is None:
        raise RpcError("MethodNotFound", f"there is no method {name}")
    if method.since > backend.site.api_version:
        raise RpcError("ApiVersion", f"{name} needs API version {method.since}")
    method.check(name, params)
    if method.who != "anyone":
        check(backend, person)
    _permit(person, name, method)
    given = {key: value for key, value in params.items() if value is not None}
    made = Call(backend, person, name, given)
    if name in LATER:
        return requests.ask(made, lambda: method.work(made))
    return method.work(made)


def _permit(person: Person, name: str, method: Method) -> None:
    if method.who == _ROOT and not person.superuser:
        raise RpcError("PermissionDenied", f"{name} is for superusers")
    if method.who == "user" and person.kind == "shared":
        raise RpcError("PermissionDenied", f"a shared token does not permit {name}")
    if method.right and method.right not in person.rights:
        raise RpcError("PermissionDenied", f"the token does not permit {name}")
