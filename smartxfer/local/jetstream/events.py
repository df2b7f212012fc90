"""The event log as callers see it.

Source: JetStream protocol, sections 5.1 and 6.
"""

import json
from typing import Any, Dict, List

from smartxfer.local.jetstream.call import Call

__all__ = ["get"]


def get(call: Call) -> List[Dict[str, Any]]:
    """``getEventLog``: what happened, oldest first; what concerns others is left out."""
    person = call.person
    everything = person.superuser or person.wrangler
    return [
        {"_event": row["name"], "_timestamp": row["moment"], **json.loads(row["details"])}
        for row in call.backend.database.rows("SELECT * FROM events ORDER BY id")
        if everything or row["owner"] is None or (person.name and row["owner"] == person.name)
    ]
