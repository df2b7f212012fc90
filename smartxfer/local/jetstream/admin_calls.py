"""Calls for superusers: sandboxes, wranglers, limits, licence.

Source: JetStream protocol, section 5.1.
"""

import json
from typing import Any, Dict, List, Tuple

from smartxfer.local.jetstream import registry
from smartxfer.local.jetstream.call import Call, invalid_params, not_found, select_columns
from smartxfer.local.jetstream.paths import segments
from smartxfer.local.jetstream.staging import MAX_LISTED


def add_client(call: Call) -> None:
    """``recv.addAuthorizedClientAsync``: trust a sender by its public key."""
    call.backend.database.execute("INSERT OR IGNORE INTO clients VALUES (?)", _key(call))
    registry.notify_peers(call.backend)


def remove_client(call: Call) -> None:
    """``recv.removeAuthorizedClientAsync``: remove a trusted sender."""
    if not call.backend.database.execute_count("DELETE FROM clients WHERE public_key=?", _key(call)):
        raise not_found("authorized client", "of this key")


def _key(call: Call) -> str:
    value = call.params.get("clientPublicKey")
    if isinstance(value, dict):
        value = value.get("destinationPublicKey") or value.get("publicKey")
    if not isinstance(value, str) or not value:
        raise invalid_params("clientPublicKey is a key, or a structure that has one")
    return value


def only_authorized(call: Call) -> None:
    """``recv.allowOnlyAuthorizedClientsAsync``: accept files from trusted senders only, or from all."""
    value = call.params.get("onlyAuthorizedClientsAllowed")
    if not isinstance(value, bool):
        raise invalid_params("onlyAuthorizedClientsAllowed is true or false")
    call.backend.set_setting("only_authorized", value)
    registry.notify_peers(call.backend)


def transfers(call: Call) -> List[Dict[str, Any]]:
    """``recv.getTransfersAsync``: incoming transfers, including those that ended within a minute."""
    rows = call.backend.database.fetchall(
        "SELECT * FROM received WHERE status='receiving' OR last_recv>? ORDER BY id",
        call.backend.now_micros() - MAX_LISTED,
    )
    return [
        {
            "transferId": str(row["id"]),
            **select_columns(
                row, "status", destinationPath="path", totalSize="total_size", sourceIP="source_ip"
            ),
            **select_columns(
                row, sourcePort="source_port", lastRecvTime="last_recv", lastSendTime="last_send"
            ),
            "lastErrorTime": row["last_error"],
        }
        for row in rows
    ]


def sources(call: Call) -> List[Dict[str, Any]]:
    """``recv.getSourcesAsync``: the servers that are sending, or sent within a minute."""
    backend = call.backend
    now = backend.now_micros()
    rows = backend.database.fetchall(
        """SELECT source_ip, source_port, public_key,
            total(status='receiving' AND last_recv>?) AS active,
            total(status='receiving' AND coalesce(last_recv, 0)<=?) AS idle,
            total(status='complete') AS complete, total(status='error') AS error
            FROM received WHERE status='receiving' OR last_recv>?
            GROUP BY source_ip, source_port, public_key""",
        now - 1_000_000, now - 1_000_000, now - MAX_LISTED,
    )  # fmt: skip
    return [
        {
            **select_columns(
                row, sourceIP="source_ip", sourcePort="source_port", destinationPublicKey="public_key"
            ),
            "activeTransferCount": int(row["active"]),
            "inactiveTransferCount": int(row["idle"]),
            "completeTransferCount": int(row["complete"]),
            "errorTransferCount": int(row["error"]),
            "aveRecvRate": backend.receive_rates.kilobits_per_second(row["public_key"]),
            "aveRecvRateWindow": backend.receive_rates.window,
            "encryptionEnabled": False,
            "encryptedConnectionState": "connected" if row["active"] else "disconnected",
        }
        for row in rows
    ]


def set_sandbox(call: Call) -> None:
    """``setSandboxMapping``: set the folders at the root for a user or for all users."""
    mapping = call.mapping("mapping")
    for name, target in mapping.items():
        if isinstance(target, dict):
            if target.get("type", "File") != "File":
                raise invalid_params("the loopback server has sandboxes of the type File only")
            target = target.get("path")
        if not name or "/" in name or name in (".", "..") or not isinstance(target, str):
            raise invalid_params("a mapping has paths by names")
        segments(target)
    user = call.text("user")
    call.backend.database.replace("sandboxes", user=user, mapping=json.dumps(mapping))


def sandboxes(call: Call) -> Dict[str, Any]:
    """``getSandboxMappings``: mapping by user; the empty name means all users."""
    rows = call.backend.database.fetchall("SELECT * FROM sandboxes ORDER BY user")
    return {row["user"]: json.loads(row["mapping"]) for row in rows}


def delete_sandbox(call: Call) -> None:
    """``deleteSandboxMapping``."""
    user = call.text("user")
    if not call.backend.database.delete("sandboxes", user=user):
        raise not_found("sandbox mapping of", repr(user))


def add_wrangler(call: Call) -> None:
    """``addWranglerAsync``: permit a user, or the members of a group, to be wranglers."""
    call.backend.database.execute("INSERT OR IGNORE INTO wranglers VALUES (?,?)", *_named_user(call))


def delete_wrangler(call: Call) -> None:
    """``deleteWrangler``."""
    kind, name = _named_user(call)
    if not call.backend.database.delete("wranglers", kind=kind, name=name):
        raise not_found("wrangler", name)


def wranglers(call: Call) -> List[Dict[str, str]]:
    """``getWranglers``: each as ``{"user": ...}`` or ``{"group": ...}``."""
    rows = call.backend.database.fetchall("SELECT * FROM wranglers ORDER BY kind, name")
    return [{row["kind"]: row["name"]} for row in rows]


def _named_user(call: Call) -> Tuple[str, str]:
    value = [kind for kind in ("user", "group") if kind in call.params]
    if len(value) != 1 or not call.text(value[0]):
        raise invalid_params("a user or a group is named")
    return value[0], call.text(value[0])


def limit(call: Call) -> None:
    """``updateBandwidthLimits``: store limits; only ``outgoing``, in kilobits per second, has an effect."""
    with call.backend.lock:
        known = call.backend.setting("bandwidth_limits") or {}
        call.backend.set_setting("bandwidth_limits", {**known, **call.params})


def set_license(call: Call) -> None:
    """``setLicenseKeyAsync``: any key licenses the loopback server."""
    key = call.text("key")
    if not key:
        raise invalid_params("key is the licence key")
    call.backend.set_setting("license_key", key)
    registry.notify_peers(call.backend)
