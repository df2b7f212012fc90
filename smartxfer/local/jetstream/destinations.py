"""Destinations: servers that files are sent to, and the connections to them.

Source: JetStream protocol, sections 5.2 and 6.  Assumption: rates are in kilobits per second, as those of
received files are.
"""

from typing import Any, Dict, List

from smartxfer.local.jetstream.call import Backend, Call, Row, invalid_params, not_found, select_columns

#: Default port of a server.
PORT = 8886


def create(call: Call) -> Dict[str, Any]:
    """``send.createDestination``: add a server; return an existing one with these parameters."""
    address = call.text("destinationAddress")
    port, rate = call.integer("destinationPort", PORT, 1), call.integer("sendRateMax")
    if not address or address != address.strip() or port is None or port > 65535:
        raise invalid_params("a destination has an address, and a port up to 65535")
    backend = call.backend
    with backend.lock:
        requested = call.mapping("userData")
        for row in call.all("destination"):
            same = (row["address"], row["port"], row["rate"]) == (address, port, rate)
            is_owner = (row["owner"], row["owner_token"]) == (call.user.name, call.user.token)
            if same and is_owner and call.serialize_owner(row)["userData"] == requested:
                call.user.adopted.add(row["id"])
                return serialize(call, row)
        connected = backend.new_id()
        row = call.insert("destination", connection=connected, address=address, port=port, rate=rate)
        backend.log("destinationCreated", {"destinationId": str(row["id"])}, row["owner"])
        return serialize(call, row)


def delete(call: Call) -> None:
    """``send.deleteDestination``: its running transfers continue."""
    with call.backend.lock:
        row = call.owned("destination")
        call.backend.database.update("destinations", row["id"], deleted=1)
        call.backend.log("destinationDeleted", {"destinationId": str(row["id"])}, row["owner"])


def connection(call: Call) -> Dict[str, Any]:
    """``send.getConnection``."""
    id = call.id("connectionId")
    for row in call.all("destination"):
        if row["connection"] == id:
            return _serialize_connection(row)
    raise not_found("connection", call.params["connectionId"])


def connections(call: Call) -> List[Dict[str, Any]]:
    """``send.getConnections``."""
    return [_serialize_connection(row) for row in call.all("destination")]


def mark_reached(backend: Backend, row: Row, receiver: Backend) -> None:
    """Record that a destination is reachable."""
    now = backend.now_micros()
    user = {name: getattr(receiver, name) for name in ("public_key", "server_id", "server_uid")}
    healthy = {"last_error": None, "last_error_message": None, "connected": 1}
    backend.database.update("destinations", row["id"], **user, **healthy, last_send=now, last_recv=now)


def mark_unreachable(backend: Backend, id: int, reason: str) -> None:
    """Record why a destination is not reachable."""
    backend.database.execute(
        """UPDATE destinations SET last_error=?, last_error_message=?, connected=0
            WHERE id=? AND last_error_message IS NOT ?""",
        backend.now_micros(), reason, id, reason,
    )  # fmt: skip


def serialize(call: Call, row: Row) -> Dict[str, Any]:
    """Return a destination as the caller sees it."""
    queued = call.backend.database.fetchone(
        """SELECT count(*) AS many FROM transfers
            WHERE destination=? AND NOT deleted AND status IN ('pending', 'sending')""",
        row["id"],
    )
    return {
        "destinationId": str(row["id"]), "destinationAddress": row["address"],
        "permittedDestinationPublicKey": None,
        "numTransfersQueued": queued["many"] if queued is not None else 0, "sendRateMax": row["rate"],
        **_serialize_connection(row), **call.serialize_owner(row),
    }


def _serialize_connection(row: Row) -> Dict[str, Any]:
    local = row["address"].lower() == "localhost"
    return {
        "connectionId": str(row["connection"]),
        "destinationIP": "127.0.0.1" if local else row["address"],
        **select_columns(row, destinationPort="port", destinationPublicKey="public_key"),
        "encryptionEnabled": False,
        "encryptedConnectionState": "connected" if row["connected"] else "disconnected",
        **select_columns(row, lastDestinationServerId="server_id", lastDestinationServerUid="server_uid"),
        **select_columns(row, lastError="last_error_message", lastErrorMessage="last_error_message"),
        **select_columns(row, lastErrorTime="last_error", lastRecvTime="last_recv", lastSendTime="last_send"),
        "rateControllerActive": bool(row["rate"]),
        "rateControlMethod": "fixed" if row["rate"] else "none",
        **dict.fromkeys(("relayIP", "relayPort")),
        "roundTripTimeMs": 0 if row["connected"] else None,
    }
