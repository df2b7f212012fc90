"""Calls to the server itself: login, rights, information, user data of objects, rates, discovery packets.

Source: JetStream protocol, sections 3, 5.1, 5.2 and 6.
"""

import hmac
import json
import socket
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.jetstream import manifests, registry
from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, not_found
from smartxfer.local.jetstream.people import is_wrangler
from smartxfer.local.jetstream.receiving import LISTED
from smartxfer.local.jetstream.requests import opened, settle
from smartxfer.local.jetstream.schema import TABLES
from smartxfer.local.jetstream.tokens import token_row

#: What the server says of its version.
VERSION = "2.9.0-loopback"
LICENSES = "This is a loopback server for tests. It contains Werkzeug (BSD-3-Clause) and attrs (MIT).\n"


def auth(call: Call) -> None:
    """``auth``: log in.

    :raises RpcError: AuthenticationFailed.
    """
    user, password = call.text("user"), call.text("password")
    known = call.backend.passwords.get(user)
    good = hmac.compare_digest((known or "").encode(), password.encode())
    if known is None or not good:
        raise RpcError("AuthenticationFailed", "the user name or the password is wrong")
    call.person.become_user(user)


def superuser(call: Call) -> None:
    """``superuser``: take the rights of a superuser.

    :raises RpcError: PermissionDenied.
    """
    user = _user(call)
    if not call.backend.site.may_be_superuser(user):
        raise RpcError("PermissionDenied", f"{user} may not be superuser")
    call.person.superuser = call.person.wrangler = True


def wrangler(call: Call) -> None:
    """``wrangler``: take the right to see and change what others have.

    :raises RpcError: PermissionDenied.
    """
    user = _user(call)
    if not is_wrangler(call.backend, user):
        raise RpcError("PermissionDenied", f"{user} may not be wrangler")
    call.person.wrangler = True


def _user(call: Call) -> str:
    """Who is logged in by name and password."""
    if call.person.user is None or call.person.token is not None:
        raise RpcError("PermissionDenied", "only users have such rights")
    return call.person.user


def info(call: Call) -> Dict[str, Any]:
    """``getServerInfo``: what the server is; its configuration for superusers only."""
    backend = call.backend
    site = backend.site
    shown = {
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
    if call.person.superuser:
        shown["configuration"] = {
            "root": backend.root,
            "rate": site.rate,
            "users": list(site.users),
            "superusers": [name for name in site.users if site.may_be_superuser(name)],
            "afterRestart": site.after_restart,
            "waitCeilingSeconds": site.wait_ceiling,
        }
    return shown


def event_log(call: Call) -> List[Dict[str, Any]]:
    """``getEventLog``: what happened, oldest first; what concerns others is left out."""
    person = call.person
    everything = person.superuser or person.wrangler
    return [
        {"_event": row["name"], "_timestamp": row["moment"], **json.loads(row["details"])}
        for row in call.backend.database.select("events", "id")
        if everything or row["owner"] is None or (person.name and row["owner"] == person.name)
    ]


def licenses(call: Call) -> str:
    """``getThirdPartyLicenses``: texts of licences."""
    return LICENSES


def echo(call: Call) -> str:
    """``echo``: the same text."""
    return call.text("text")


def sleep(call: Call) -> None:
    """``sleep``: wait, no longer than the server lives."""
    call.backend.stopping.wait((call.whole("milliseconds") or 0) / 1000)


def collect_garbage(call: Call) -> None:
    """``garbageCollect``: forget what is deleted, expired or over."""
    backend = call.backend
    with backend.lock:
        now = backend.micros()
        manifests.clean(backend)
        database = backend.database
        database.run("DELETE FROM tokens WHERE expires<=?", now)
        database.run("DELETE FROM received WHERE status!='receiving' AND last_recv<?", now - LISTED)
        database.run("DELETE FROM transfers WHERE deleted")
        database.run(
            "DELETE FROM destinations WHERE deleted AND id NOT IN (SELECT destination FROM transfers)"
        )


def terminate(call: Call) -> None:
    """``terminate``: end the server once this is answered."""
    call.backend.terminate()


def update_user_data(call: Call) -> None:
    """``send.updateObjectUserData``: set one key of an object's user data."""
    key = call.text("key")
    _change_user_data(call, lambda data: data.__setitem__(key, call.params.get("value")))


def delete_user_data(call: Call) -> None:
    """``send.deleteObjectUserData``: take one key out of an object's user data."""
    key = call.text("key")
    _change_user_data(call, lambda data: data.pop(key, None))


def _change_user_data(call: Call, change: Callable[[Dict[str, Any]], Any]) -> None:
    with call.backend.lock:
        table, row = _object(call)
        call.permit_change(row, table)
        data = json.loads(row["user_data"])
        change(data)
        call.backend.database.update(table, row["id"], user_data=json.dumps(data))


def _object(call: Call) -> Tuple[str, Row]:
    """The object of any kind that ``objectId`` names; a token by its text."""
    number = call.id("objectId")
    for kind, table in TABLES.items():
        if kind != "token":
            row = call.look(kind, number)
            if row is not None:
                return table, row
    if isinstance(call.params["objectId"], str):
        return "tokens", token_row(call, name="objectId")
    raise not_found("object", number)


def set_rate(call: Call) -> None:
    """``send.setSendRateAsync``: change ``sendRateMax`` of a destination, named by ``destinationId``.

    Assumption: the vendor's parameters are not known; other ones are taken and have no effect.
    """
    if "destinationId" in call.params:
        with call.backend.lock:
            row = call.own("destination")
            call.backend.database.update("destinations", row["id"], rate=call.whole("sendRateMax"))


def discover(call: Call) -> Dict[str, Any]:
    """``recvDiscoverPacketAsync``: wait for a discovery packet; its request ends when one comes."""
    backend = call.backend
    with backend.lock:
        request = opened(call.person)
        backend.discovering.append(lambda packet: settle(backend, request, packet))
    return {"requestId": request.id}


def send_packet(call: Call) -> None:
    """``sendDiscoverPacketAsync``: tell servers that wait of this one.

    Assumption: ``destinationAddress`` and ``destinationPort`` name one server; without them all are told.
    """
    address = call.text("destinationAddress", "127.0.0.1")
    port = call.whole("destinationPort")
    if port is None:
        found = registry.others(call.backend)
    else:
        one = registry.find(address, port)
        if one is None:
            raise RpcError("NotFound", f"no server answers at {address}:{port}")
        found = [one]
    backend = call.backend
    packet = {"sourceIP": backend.host, "sourcePort": backend.port, "publicKey": backend.public_key}
    for receiver in found:
        _deliver(receiver, packet)


def _deliver(receiver: Backend, packet: Dict[str, Any]) -> None:
    with receiver.lock:
        waiting, receiver.discovering = receiver.discovering, []
        for take in waiting:
            take(packet)
