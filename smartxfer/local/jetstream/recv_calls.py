"""Calls to the receiver, for superusers: trusted senders, and what comes in.

Source: JetStream protocol, sections 5.3 and 6.
"""

from typing import Any, Dict, List

from smartxfer.local.jetstream import registry
from smartxfer.local.jetstream.call import Call, bad, not_found
from smartxfer.local.jetstream.receiving import LISTED

__all__ = ["add_client", "only_authorized", "remove_client", "sources", "transfers"]


def add_client(call: Call) -> None:
    """``recv.addAuthorizedClientAsync``: trust a sender by its public key."""
    call.backend.database.run("INSERT OR IGNORE INTO clients VALUES (?)", _key(call))
    registry.tell_others(call.backend)


def remove_client(call: Call) -> None:
    """``recv.removeAuthorizedClientAsync``: trust a sender no more."""
    if not call.backend.database.change("DELETE FROM clients WHERE public_key=?", _key(call)):
        raise not_found("authorized client", "of this key")


def _key(call: Call) -> str:
    given = call.params.get("clientPublicKey")
    if isinstance(given, dict):
        given = given.get("destinationPublicKey") or given.get("publicKey")
    if not isinstance(given, str) or not given:
        raise bad("clientPublicKey is a key, or a structure that has one")
    return given


def only_authorized(call: Call) -> None:
    """``recv.allowOnlyAuthorizedClientsAsync``: take in from trusted senders only, or from all."""
    given = call.params.get("onlyAuthorizedClientsAllowed")
    if not isinstance(given, bool):
        raise bad("onlyAuthorizedClientsAllowed is true or false")
    call.backend.set("only_authorized", given)
    registry.tell_others(call.backend)


def transfers(call: Call) -> List[Dict[str, Any]]:
    """``recv.getTransfersAsync``: what comes in, and for a minute what came."""
    rows = call.backend.database.rows(
        "SELECT * FROM received WHERE status='receiving' OR last_recv>? ORDER BY id",
        call.backend.micros() - LISTED,
    )
    return [
        {
            "transferId": str(row["id"]),
            "destinationPath": row["path"],
            "status": row["status"],
            "totalSize": row["total_size"],
            "sourceIP": row["source_ip"],
            "sourcePort": row["source_port"],
            "lastRecvTime": row["last_recv"],
            "lastSendTime": row["last_send"],
            "lastErrorTime": row["last_error"],
        }
        for row in rows
    ]


def sources(call: Call) -> List[Dict[str, Any]]:
    """``recv.getSourcesAsync``: the servers that send, or sent a minute ago."""
    backend = call.backend
    now = backend.micros()
    rows = backend.database.rows(
        """SELECT source_ip, source_port, public_key,
            total(status='receiving' AND last_recv>?) AS active,
            total(status='receiving' AND coalesce(last_recv, 0)<=?) AS idle,
            total(status='complete') AS complete, total(status='error') AS error
            FROM received WHERE status='receiving' OR last_recv>?
            GROUP BY source_ip, source_port, public_key""",
        now - 1_000_000, now - 1_000_000, now - LISTED,
    )  # fmt: skip
    return [
        {
            "sourceIP": row["source_ip"],
            "sourcePort": row["source_port"],
            "activeTransferCount": int(row["active"]),
            "inactiveTransferCount": int(row["idle"]),
            "completeTransferCount": int(row["complete"]),
            "errorTransferCount": int(row["error"]),
            "aveRecvRate": backend.arrivals.kilobits(row["public_key"]),
            "aveRecvRateWindow": backend.arrivals.window,
            "destinationPublicKey": row["public_key"],
            "encryptionEnabled": False,
            "encryptedConnectionState": "connected" if row["active"] else "disconnected",
        }
        for row in rows
    ]
