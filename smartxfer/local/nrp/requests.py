"""Stored requests for decisions.

Source: NRP protocol, section 4 (publishing through requests).
"""

import json
from typing import Any, List, Optional

import attrs

from smartxfer.local.database import Database, Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, document TEXT NOT NULL
);
"""


@attrs.define
class Request:
    """A request.

    :param id: UUID.
    :param type: such as ``"community-submission"`` or ``"publish_draft"``.
    :param status: created, submitted, accepted, declined or cancelled.
    :param topic: id of the record.
    :param creator: id of its creator.
    :param created: time, as shown.
    :param updated: time of the latest change, as shown.
    :param community: id of the deciding community, or an empty string.
    :param payload: its payload.
    :param title: its title.
    """

    id: str
    type: str
    status: str
    topic: str
    creator: str
    created: str
    updated: str
    community: str = ""
    payload: Any = None
    title: str = ""
    revision: int = 1
    number: int = 0

    @property
    def is_open(self) -> bool:
        """True until it is decided."""
        return self.status == "submitted"


def _request(row: Row) -> Request:
    return Request(**json.loads(row["document"]), number=row["number"])


def _document(request: Request) -> str:
    values = attrs.asdict(request)
    del values["number"]
    return json.dumps(values)


def add(database: Database, request: Request) -> None:
    """Insert a request."""
    request.number = database.insert("requests", id=request.id, document=_document(request))


def save(database: Database, request: Request) -> None:
    """Update a request."""
    request.revision += 1
    database.update("requests", request.id, document=_document(request))


def remove(database: Database, id: str) -> None:
    """Delete a request."""
    database.delete("requests", id=id)


def cancel(database: Database, topic: str, stamp: str) -> None:
    """Cancel the requests about a deleted draft.

    :param stamp: time, as shown.
    """
    for request in all_of(database):
        if request.topic == topic and request.status in ("created", "submitted"):
            request.status, request.updated = "cancelled", stamp
            save(database, request)


def find(database: Database, id: str) -> Optional[Request]:
    """Return the request of an id, or None."""
    row = database.find("requests", id=id)
    return None if row is None else _request(row)


def all_of(database: Database) -> List[Request]:
    """Return every request, oldest first."""
    return [_request(row) for row in database.select("requests", "number")]
