"""Calls to the server itself: login, rights, information, user data of objects, rates, discovery packets.

Source: JetStream protocol, sections 3, 5.1, 5.2 and 6.
"""

import hmac
import json
import socket
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.jetstream import manifests, registry
from smartxfer.local.jetstream.async_requests import finish, new_request
from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, not_found
from smartxfer.local.jetstream.schema import TABLES
from smartxfer.local.jetstream.staging import MAX_LISTED
from smartxfer.local.jetstream.tokens import token_row
from smartxfer.local.jetstream.users import is_wrangler

#: Version information.
VERSION = "2.9.0-loopback"
LICENSES = "This is a loopback server for tests. It contains Werkzeug (BSD-3-Clause) and attrs (MIT).\n"


def auth(call: Call) -> None:
    """``auth``: log in.

    :raises RpcError: AuthenticationFailed.
    """
    user, password = call.text("user"), call.text("password")
    known = call.backend.passwords.get(user)
    is_correct = hmac.compare_digest((known or "").encode(), password.encode())
    if known is None or not is_correct:
        raise RpcError("AuthenticationFailed", "the user name or the password is wrong")
    call.user.become_user(user)


def superuser(call: Call) -> None:
    """``superuser``: acquire the rights of a superuser.

    :raises RpcError: PermissionDenied.
    """
    user = _login_user(call)
    if not call.backend.site.may_be_superuser(user):
        raise RpcError("PermissionDenied", f"{user} may not be superuser")
    call.user.superuser = call.user.wrangler = True


def wrangler(call: Call) -> None:
    """``wrangler``: acquire access to the objects of all users.

    :raises RpcError: PermissionDenied.
    """
    user = _login_user(call)
    if not is_wrangler(call.backend, user):
        raise RpcError("PermissionDenied", f"{user} may not be wrangler")
    call.user.wrangler = True


def _login_user(call: Call) -> str:
    """Return the name of the user who is logged in by password."""
    if call.user.username is None or call.user.token is not None:
        raise RpcError("PermissionDenied", "only users have such rights")
    return call.user.username


def info(call: Call) -> Dict[str, Any]:
    """``getServerInfo``: properties of the server; the configuration for superusers only."""
    backend = call.backend
    site = backend.site
    fields = {
        "serverId": backend.server_id,
        "serverUid": backend.server_uid,
        "serverName": site.server_name or backend.title,
        "hostName": socket.gethostname(),
        "version": VERSION,
        "apiVersion": site.api_version,
        "revision": "loopback",
        "apiControlPort": backend.port,
        **dict.fromkeys(("allowRemoteControl", "encryptionAvailable", "multiplexAvailable"), False),
        "authRequired": site.auth_required,
        "APITokensAvailable": site.allow_api_tokens,
        "sharedTokensAvailable": site.allow_shared_tokens,
        "eventLogAvailable": True,
        **dict.fromkeys(("certificateValidation", "minCipher", "serverExternalAddress")),
        "publicKey": backend.public_key,
        "bandwidthLimits": backend.setting("bandwidth_limits") or {},
        "license": {"licensed": backend.licensed},
        "receiver": {
            "port": backend.port,
            "onlyAuthorizedClientsAllowed": bool(backend.setting("only_authorized")),
        },
    }
    if call.user.superuser:
        fields["configuration"] = {
            "root": backend.root, "rate": site.rate, "users": list(site.users),
            "superusers": [name for name in site.users if site.may_be_superuser(name)],
            "afterRestart": site.after_restart, "waitCeilingSeconds": site.wait_ceiling,
        }
    return fields


def event_log(call: Call) -> List[Dict[str, Any]]:
    """``getEventLog``: events, oldest first, without those of other users."""
    user = call.user
    sees_all = user.superuser or user.wrangler
    return [
        {"_event": row["name"], "_timestamp": row["moment"], **json.loads(row["details"])}
        for row in call.backend.database.select("events", "id")
        if sees_all or row["owner"] is None or (user.name and row["owner"] == user.name)
    ]


def licenses(call: Call) -> str:
    """``getThirdPartyLicenses``: texts of licences."""
    return LICENSES


def echo(call: Call) -> str:
    """``echo``: the same text."""
    return call.text("text")


def sleep(call: Call) -> None:
    """``sleep``: wait, at most until the server ends."""
    call.backend.stopping.wait((call.integer("milliseconds") or 0) / 1000)


def collect_garbage(call: Call) -> None:
    """``garbageCollect``: remove deleted, expired and finished objects."""
    backend = call.backend
    with backend.lock:
        now = backend.now_micros()
        manifests.clean(backend)
        database = backend.database
        database.execute("DELETE FROM tokens WHERE expires<=?", now)
        database.execute("DELETE FROM received WHERE status!='receiving' AND last_recv<?", now - MAX_LISTED)
        database.execute("DELETE FROM transfers WHERE deleted")
        database.execute(
            "DELETE FROM destinations WHERE deleted AND id NOT IN (SELECT destination FROM transfers)"
        )


def terminate(call: Call) -> None:
    """``terminate``: stop the server after this response."""
    call.backend.terminate()


def update_user_data(call: Call) -> None:
    """``send.updateObjectUserData``: set one key of an object's user data."""
    key = call.text("key")
    _change_user_data(call, lambda data: data.__setitem__(key, call.params.get("value")))


def delete_user_data(call: Call) -> None:
    """``send.deleteObjectUserData``: remove one key of an object's user data."""
    key = call.text("key")
    _change_user_data(call, lambda data: data.pop(key, None))


def _change_user_data(call: Call, change: Callable[[Dict[str, Any]], Any]) -> None:
    with call.backend.lock:
        table, row = _user_data_object(call)
        call.require_modify(row, table)
        data = json.loads(row["user_data"])
        change(data)
        call.backend.database.update(table, row["id"], user_data=json.dumps(data))


def _user_data_object(call: Call) -> Tuple[str, Row]:
    """Return the object of any kind that ``objectId`` names; a token by its text."""
    number = call.id("objectId")
    for kind, table in TABLES.items():
        if kind != "token":
            row = call.lookup(kind, number)
            if row is not None:
                return table, row
    if isinstance(call.params["objectId"], str):
        return "tokens", token_row(call, name="objectId")
    raise not_found("object", number)


def set_rate(call: Call) -> None:
    """``send.setSendRateAsync``: change ``sendRateMax`` of a destination, named by ``destinationId``.

    Assumption: the vendor's parameters are not known; other ones are ignored.
    """
    if "destinationId" in call.params:
        with call.backend.lock:
            row = call.owned("destination")
            call.backend.database.update("destinations", row["id"], rate=call.integer("sendRateMax"))


def discover(call: Call) -> Dict[str, Any]:
    """``recvDiscoverPacketAsync``: wait for a discovery packet, which ends the request."""
    backend = call.backend
    with backend.lock:
        request = new_request(call.user)
        backend.discovering.append(lambda packet: finish(backend, request, packet))
    return {"requestId": request.id}


def send_packet(call: Call) -> None:
    """``sendDiscoverPacketAsync``: announce this server to waiting ones.

    Assumption: ``destinationAddress`` and ``destinationPort`` name one server; without them all receive it.
    """
    address = call.text("destinationAddress", "127.0.0.1")
    port = call.integer("destinationPort")
    if port is None:
        peers = registry.peers(call.backend)
    else:
        peer = registry.find(address, port)
        if peer is None:
            raise RpcError("NotFound", f"no server answers at {address}:{port}")
        peers = [peer]
    backend = call.backend
    packet = {"sourceIP": backend.host, "sourcePort": backend.port, "publicKey": backend.public_key}
    for receiver in peers:
        _deliver(receiver, packet)


def _deliver(receiver: Backend, packet: Dict[str, Any]) -> None:
    with receiver.lock:
        waiting, receiver.discovering = receiver.discovering, []
        for take in waiting:
            take(packet)
