"""Calls for superusers: sandboxes, wranglers, limits, licence.

Source: JetStream protocol, section 5.1.
"""

import json
from typing import Any, Dict, List, Tuple

from smartxfer.local.jetstream import registry
from smartxfer.local.jetstream.call import Call, bad, not_found, pick
from smartxfer.local.jetstream.paths import segments
from smartxfer.local.jetstream.receiving import LISTED


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
            **pick(row, "status", destinationPath="path", totalSize="total_size", sourceIP="source_ip"),
            **pick(row, sourcePort="source_port", lastRecvTime="last_recv", lastSendTime="last_send"),
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
            **pick(row, sourceIP="source_ip", sourcePort="source_port", destinationPublicKey="public_key"),
            "activeTransferCount": int(row["active"]),
            "inactiveTransferCount": int(row["idle"]),
            "completeTransferCount": int(row["complete"]),
            "errorTransferCount": int(row["error"]),
            "aveRecvRate": backend.arrivals.kilobits(row["public_key"]),
            "aveRecvRateWindow": backend.arrivals.window,
            "encryptionEnabled": False,
            "encryptedConnectionState": "connected" if row["active"] else "disconnected",
        }
        for row in rows
    ]


def set_sandbox(call: Call) -> None:
    """``setSandboxMapping``: what a user, or everybody, sees as folders at the root."""
    mapping = call.mapping("mapping")
    for name, target in mapping.items():
        if isinstance(target, dict):
            if target.get("type", "File") != "File":
                raise bad("the loopback server has sandboxes of the type File only")
            target = target.get("path")
        if not name or "/" in name or name in (".", "..") or not isinstance(target, str):
            raise bad("a mapping has paths by names")
        segments(target)
    user = call.text("user")
    call.backend.database.replace("sandboxes", user=user, mapping=json.dumps(mapping))


def sandboxes(call: Call) -> Dict[str, Any]:
    """``getSandboxMappings``: mapping by user, the empty name for everybody."""
    rows = call.backend.database.rows("SELECT * FROM sandboxes ORDER BY user")
    return {row["user"]: json.loads(row["mapping"]) for row in rows}


def delete_sandbox(call: Call) -> None:
    """``deleteSandboxMapping``."""
    user = call.text("user")
    if not call.backend.database.delete("sandboxes", user=user):
        raise not_found("sandbox mapping of", repr(user))


def add_wrangler(call: Call) -> None:
    """``addWranglerAsync``: let a user, or those of a group, be wranglers."""
    call.backend.database.run("INSERT OR IGNORE INTO wranglers VALUES (?,?)", *_who(call))


def delete_wrangler(call: Call) -> None:
    """``deleteWrangler``."""
    kind, name = _who(call)
    if not call.backend.database.delete("wranglers", kind=kind, name=name):
        raise not_found("wrangler", name)


def wranglers(call: Call) -> List[Dict[str, str]]:
    """``getWranglers``: each as ``{"user": ...}`` or ``{"group": ...}``."""
    rows = call.backend.database.rows("SELECT * FROM wranglers ORDER BY kind, name")
    return [{row["kind"]: row["name"]} for row in rows]


def _who(call: Call) -> Tuple[str, str]:
    given = [kind for kind in ("user", "group") if kind in call.params]
    if len(given) != 1 or not call.text(given[0]):
        raise bad("a user or a group is named")
    return given[0], call.text(given[0])


def limit(call: Call) -> None:
    """``updateBandwidthLimits``: keep what is named; ``outgoing``, in kilobits per second, is honoured."""
    with call.backend.lock:
        known = call.backend.setting("bandwidth_limits") or {}
        call.backend.set("bandwidth_limits", {**known, **call.params})


def set_license(call: Call) -> None:
    """``setLicenseKeyAsync``: any key licenses the loopback server."""
    key = call.text("key")
    if not key:
        raise bad("key is the licence key")
    call.backend.set("license_key", key)
    registry.tell_others(call.backend)
