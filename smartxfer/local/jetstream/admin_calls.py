"""Calls for superusers: sandboxes, wranglers, limits, licence.

Source: JetStream protocol, section 5.1.
"""

import json
from typing import Any, Dict, List, Tuple

from smartxfer.local.jetstream import registry
from smartxfer.local.jetstream.call import Call, bad, not_found
from smartxfer.local.jetstream.paths import segments

__all__ = [
    "add_wrangler", "delete_sandbox", "delete_wrangler", "limit", "sandboxes", "set_license", "set_sandbox",
    "wranglers",
]  # fmt: skip


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
    call.backend.database.run(
        "INSERT OR REPLACE INTO sandboxes VALUES (?,?)", call.text("user"), json.dumps(mapping)
    )


def sandboxes(call: Call) -> Dict[str, Any]:
    """``getSandboxMappings``: mapping by user, the empty name for everybody."""
    rows = call.backend.database.rows("SELECT * FROM sandboxes ORDER BY user")
    return {row["user"]: json.loads(row["mapping"]) for row in rows}


def delete_sandbox(call: Call) -> None:
    """``deleteSandboxMapping``."""
    user = call.text("user")
    if not call.backend.database.change("DELETE FROM sandboxes WHERE user=?", user):
        raise not_found("sandbox mapping of", repr(user))


def add_wrangler(call: Call) -> None:
    """``addWranglerAsync``: let a user, or those of a group, be wranglers."""
    call.backend.database.run("INSERT OR IGNORE INTO wranglers VALUES (?,?)", *_who(call))


def delete_wrangler(call: Call) -> None:
    """``deleteWrangler``."""
    kind, name = _who(call)
    if not call.backend.database.change("DELETE FROM wranglers WHERE kind=? AND name=?", kind, name):
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
