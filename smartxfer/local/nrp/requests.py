"""Requests that somebody is to decide on, as they are kept.

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
    :param topic: id of the record that it is about.
    :param creator: id of the user who made it.
    :param created: time, as shown.
    :param updated: time of the latest change, as shown.
    :param community: id of the community that decides; empty where none does.
    :param payload: what came with it.
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
    def open(self) -> bool:
        """Whether somebody is to decide on it."""
        return self.status == "submitted"


def _request(row: Row) -> Request:
    return Request(**json.loads(row["document"]), number=row["number"])


def _document(request: Request) -> str:
    values = attrs.asdict(request)
    del values["number"]
    return json.dumps(values)


def add(database: Database, request: Request) -> None:
    """Keep a new request."""
    request.number = database.insert("requests", id=request.id, document=_document(request))


def save(database: Database, request: Request) -> None:
    """Keep a changed request."""
    request.revision += 1
    database.update("requests", request.id, document=_document(request))


def remove(database: Database, id: str) -> None:
    """Forget a request."""
    database.delete("requests", id=id)


def cancel(database: Database, topic: str, stamp: str) -> None:
    """End the requests about a draft that is given up.

    :param stamp: time of that, as shown.
    """
    for request in all_of(database):
        if request.topic == topic and request.status in ("created", "submitted"):
            request.status, request.updated = "cancelled", stamp
            save(database, request)


def find(database: Database, id: str) -> Optional[Request]:
    """The request of an id, None where there is none."""
    row = database.find("requests", id=id)
    return None if row is None else _request(row)


def all_of(database: Database) -> List[Request]:
    """Every request, oldest first."""
    return [_request(row) for row in database.select("requests", "number")]
