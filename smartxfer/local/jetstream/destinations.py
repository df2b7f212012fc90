"""Destinations: servers that files are sent to, and the connections to them.

Source: JetStream protocol, sections 5.2 and 6.  Assumption: rates are in kilobits per second, as those of
received files are.
"""

from typing import Any, Dict, List

from smartxfer.local.jetstream.call import Backend, Call, Row, bad, not_found, pick

#: Port of a server, where none is named.
PORT = 8886


def create(call: Call) -> Dict[str, Any]:
    """``send.createDestination``: name a server; the one that exists, if it has these parameters."""
    address = call.text("destinationAddress")
    port, rate = call.whole("destinationPort", PORT, 1), call.whole("sendRateMax")
    if not address or address != address.strip() or port is None or port > 65535:
        raise bad("a destination has an address, and a port up to 65535")
    backend = call.backend
    with backend.lock:
        wanted = call.mapping("userData")
        for row in call.all("destination"):
            same = (row["address"], row["port"], row["rate"]) == (address, port, rate)
            mine = (row["owner"], row["owner_token"]) == (call.person.name, call.person.token)
            if same and mine and call.owner_shown(row)["userData"] == wanted:
                call.person.held.add(row["id"])
                return shown(call, row)
        connected = backend.new_id()
        row = call.insert("destination", connection=connected, address=address, port=port, rate=rate)
        backend.log("destinationCreated", {"destinationId": str(row["id"])}, row["owner"])
        return shown(call, row)


def delete(call: Call) -> None:
    """``send.deleteDestination``: transfers on their way to it go on."""
    with call.backend.lock:
        row = call.own("destination")
        call.backend.database.update("destinations", row["id"], deleted=1)
        call.backend.log("destinationDeleted", {"destinationId": str(row["id"])}, row["owner"])


def connection(call: Call) -> Dict[str, Any]:
    """``send.getConnection``."""
    id = call.id("connectionId")
    for row in call.all("destination"):
        if row["connection"] == id:
            return _connection_shown(row)
    raise not_found("connection", call.params["connectionId"])


def connections(call: Call) -> List[Dict[str, Any]]:
    """``send.getConnections``."""
    return [_connection_shown(row) for row in call.all("destination")]


def reached(backend: Backend, row: Row, receiver: Backend) -> None:
    """Note that a destination answers."""
    now = backend.micros()
    who = {name: getattr(receiver, name) for name in ("public_key", "server_id", "server_uid")}
    healthy = {"last_error": None, "last_error_message": None, "connected": 1}
    backend.database.update("destinations", row["id"], **who, **healthy, last_send=now, last_recv=now)


def unreached(backend: Backend, id: int, why: str) -> None:
    """Note why a destination does not answer."""
    backend.database.run(
        """UPDATE destinations SET last_error=?, last_error_message=?, connected=0
            WHERE id=? AND last_error_message IS NOT ?""",
        backend.micros(), why, id, why,
    )  # fmt: skip


def shown(call: Call, row: Row) -> Dict[str, Any]:
    """A destination as the caller sees it."""
    queued = call.backend.database.row(
        """SELECT count(*) AS many FROM transfers
            WHERE destination=? AND NOT deleted AND status IN ('pending', 'sending')""",
        row["id"],
    )
    return {
        "destinationId": str(row["id"]),
        "destinationAddress": row["address"],
        "permittedDestinationPublicKey": None,
        "numTransfersQueued": queued["many"] if queued is not None else 0,
        "sendRateMax": row["rate"],
        **_connection_shown(row),
        **call.owner_shown(row),
    }


def _connection_shown(row: Row) -> Dict[str, Any]:
    local = row["address"].lower() == "localhost"
    return {
        "connectionId": str(row["connection"]),
        "destinationIP": "127.0.0.1" if local else row["address"],
        **pick(row, destinationPort="port", destinationPublicKey="public_key"),
        "encryptionEnabled": False,
        "encryptedConnectionState": "connected" if row["connected"] else "disconnected",
        **pick(row, lastDestinationServerId="server_id", lastDestinationServerUid="server_uid"),
        **pick(row, lastError="last_error_message", lastErrorMessage="last_error_message"),
        **pick(row, lastErrorTime="last_error", lastRecvTime="last_recv", lastSendTime="last_send"),
        "rateControllerActive": bool(row["rate"]),
        "rateControlMethod": "fixed" if row["rate"] else "none",
        **dict.fromkeys(("relayIP", "relayPort")),
        "roundTripTimeMs": 0 if row["connected"] else None,
    }
