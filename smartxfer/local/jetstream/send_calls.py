"""Calls to the sender about its objects' user data and its rates, and discovery packets.

Source: JetStream protocol, sections 5.1 and 5.2.
"""

import json
from typing import Any, Callable, Dict, Tuple

from smartxfer.local.database import Row
from smartxfer.local.jetstream import registry
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.call import Call, not_found
from smartxfer.local.jetstream.requests import opened, settle
from smartxfer.local.jetstream.schema import TABLES
from smartxfer.local.jetstream.tokens import token_row
from smartxfer.local.jsonrpc import RpcError

__all__ = ["delete_user_data", "discover", "send_packet", "set_rate", "update_user_data"]


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
        update = f"UPDATE {table} SET user_data=? WHERE id=?"  # noqa: S608
        call.backend.database.run(update, json.dumps(data), row["id"])


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
            rate = call.whole("sendRateMax")
            call.backend.database.run("UPDATE destinations SET rate=? WHERE id=?", rate, row["id"])


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
