"""Stored records: each id has a draft, a published record, or both.

Source: NRP protocol, section 4.
"""

import json
import secrets
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.database import Database, select_columns

SCHEMA = """
CREATE TABLE IF NOT EXISTS parents (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, parent TEXT NOT NULL,
    model TEXT NOT NULL, position INTEGER NOT NULL, revision INTEGER NOT NULL, deleted TEXT
);
CREATE INDEX IF NOT EXISTS items_by_parent ON items (parent);
CREATE TABLE IF NOT EXISTS halves (
    id TEXT NOT NULL, draft INTEGER NOT NULL, revision INTEGER NOT NULL, updated TEXT NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (id, draft)
);
"""

#: Characters of ids: base32 without ambiguous letters.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@attrs.define
class RecordState:
    """A draft, or a published record.

    :param bucket: bucket of its files.
    :param created: time, as shown.
    :param updated: time of the latest change, as shown.
    :param revision: incremented with every change.
    :param values: values of the user: metadata, access, custom_fields, pids, files (enabled).
    :param expires: expiry of a draft, as shown.
    """

    bucket: str
    created: str
    updated: str
    revision: int
    values: Dict[str, Any]
    expires: str = ""


@attrs.define
class StoredRecord:
    """A record with its draft and published state.

    :param id: the id.
    :param parent: id of the parent of all versions.
    :param model: name of the model.
    :param position: number of the version, from 1.
    :param revision: revision of the latest draft; a later draft continues from it.
    :param deleted: reason and time of the deletion, or None.
    :param draft: the draft, if there is one.
    :param record: the published record, if there is one.
    """

    id: str
    parent: str
    model: str
    position: int
    revision: int = 0
    deleted: Optional[Dict[str, Any]] = None
    draft: Optional[RecordState] = None
    record: Optional[RecordState] = None
    number: int = 0


@attrs.define
class ParentRecord:
    """Parent of all versions of a record.

    :param id: its id.
    :param owner: id of the owner.
    :param communities: ids of the communities that accepted it; the first is the default.
    :param review: id of the review request of the draft, or an empty string.
    :param workflow: name of its workflow.
    :param links: its secret links as the API shows them, oldest first.
    """

    id: str
    owner: str
    communities: List[str] = attrs.field(factory=list)
    review: str = ""
    workflow: str = ""
    links: List[Dict[str, Any]] = attrs.field(factory=list)


def make_id() -> str:
    """Return a new id, such as ``"9xrg8-d2364"``."""
    characters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"{characters[:5]}-{characters[5:]}"


def _items(database: Database, condition: str, *values: Any) -> List[StoredRecord]:
    """Return the records that match a condition, oldest first."""
    # The conditions are the constants below, never text of a caller.
    sql = f"SELECT * FROM items WHERE {condition} ORDER BY number"  # noqa: S608
    parts = f"SELECT halves.* FROM halves JOIN items USING (id) WHERE {condition}"  # noqa: S608
    with database.transaction():
        rows, states = database.fetchall(sql, *values), database.fetchall(parts, *values)
    items: Dict[str, StoredRecord] = {}
    for row in rows:
        columns = dict(row)
        deleted = columns.pop("deleted")
        items[row["id"]] = StoredRecord(**columns, deleted=None if deleted is None else json.loads(deleted))
    for row in states:
        state = RecordState(**json.loads(row["document"]), **select_columns(row, "revision", "updated"))
        setattr(items[row["id"]], "draft" if row["draft"] else "record", state)
    return list(items.values())


def find(database: Database, id: str) -> Optional[StoredRecord]:
    """Return the record of an id, or None."""
    items = _items(database, "items.id=?", id)
    return items[0] if items else None


def all_of(database: Database, model: str) -> List[StoredRecord]:
    """Return every record of a model, or of all models if it is empty, oldest first."""
    return _items(database, "items.model=?", model) if model else _items(database, "1")


def versions(database: Database, parent: str) -> List[StoredRecord]:
    """Return the versions of a record, oldest first."""
    return sorted(_items(database, "items.parent=?", parent), key=lambda record: record.position)


def latest(there: List[StoredRecord]) -> Optional[StoredRecord]:
    """Return the newest published version, or None."""
    published = [record for record in there if record.record is not None and record.deleted is None]
    return published[-1] if published else None


def add(database: Database, record: StoredRecord) -> None:
    """Insert a record."""
    columns = {name: getattr(record, name) for name in ("id", "parent", "model", "position", "revision")}
    record.number = database.insert("items", **columns)
    save(database, record)


def save(database: Database, record: StoredRecord) -> None:
    """Update a record, including draft and published state."""
    with database.transaction():
        if record.draft is not None:
            record.revision = record.draft.revision
        deleted = None if record.deleted is None else json.dumps(record.deleted)
        database.update("items", record.id, revision=record.revision, deleted=deleted)
        for draft, state in ((1, record.draft), (0, record.record)):
            if state is None:
                database.delete("halves", id=record.id, draft=draft)
                continue
            values = attrs.asdict(state)
            apart = {name: values.pop(name) for name in ("revision", "updated")}
            reported = json.dumps(values)
            database.replace("halves", id=record.id, draft=draft, **apart, document=reported)


def touch(database: Database, id: str, stamp: str) -> None:
    """Increment the revision of a draft.

    :param stamp: time of the change, as shown.
    """
    database.execute("UPDATE halves SET revision=revision+2, updated=? WHERE id=? AND draft=1", stamp, id)


def remove(database: Database, record: StoredRecord) -> None:
    """Delete a record, and its parent with the last version."""
    with database.transaction():
        database.delete("halves", id=record.id)
        database.delete("items", id=record.id)
        if not versions(database, record.parent):
            database.delete("parents", id=record.parent)


def parent_of(database: Database, id: str) -> Optional[ParentRecord]:
    """Return the parent of an id, or None."""
    row = database.find("parents", id=id)
    return None if row is None else ParentRecord(**json.loads(row["document"]))


def save_parent(database: Database, parent: ParentRecord) -> None:
    """Insert or update a parent."""
    document = json.dumps(attrs.asdict(parent))
    database.replace("parents", id=parent.id, document=document)
