"""Records as they are kept: under each id a draft, a published record, or both.

Source: NRP protocol, section 4.
"""

import json
import secrets
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.database import Database, pick

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

#: Letters of ids: those of base32 that nobody takes for others.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@attrs.define
class Half:
    """A draft, or a published record.

    :param bucket: bucket of its files.
    :param created: time, as shown.
    :param updated: time of the latest change, as shown.
    :param revision: grows with every change.
    :param values: what its user said of it: metadata, access, custom_fields, pids, files (enabled).
    :param expires: time when a draft is given up, as shown.
    """

    bucket: str
    created: str
    updated: str
    revision: int
    values: Dict[str, Any]
    expires: str = ""


@attrs.define
class Item:
    """What an id stands for.

    :param id: the id.
    :param parent: id that all versions share.
    :param model: name of the model.
    :param position: number of the version, from 1.
    :param revision: revision of the latest draft; a later draft goes on from there.
    :param deleted: why and when the record was deleted; None while it is there.
    :param draft: the draft, if there is one.
    :param record: the published record, if there is one.
    """

    id: str
    parent: str
    model: str
    position: int
    revision: int = 0
    deleted: Optional[Dict[str, Any]] = None
    draft: Optional[Half] = None
    record: Optional[Half] = None
    number: int = 0


@attrs.define
class Parent:
    """What all versions of a record share.

    :param id: its id.
    :param owner: id of the user whose record it is.
    :param communities: ids of the communities that took it in; the first is the default.
    :param review: id of the request for a review of the draft; empty where there is none.
    :param workflow: name of the workflow that it follows.
    :param links: its secret links as the API shows them, oldest first.
    """

    id: str
    owner: str
    communities: List[str] = attrs.field(factory=list)
    review: str = ""
    workflow: str = ""
    links: List[Dict[str, Any]] = attrs.field(factory=list)


def make_id() -> str:
    """A new id, such as ``"9xrg8-d2364"``."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def _items(database: Database, condition: str, *values: Any) -> List[Item]:
    """The items that meet a condition on their columns, oldest first."""
    # The conditions are those below, with no word of a caller in them.
    whole = f"SELECT * FROM items WHERE {condition} ORDER BY number"  # noqa: S608
    parts = f"SELECT halves.* FROM halves JOIN items USING (id) WHERE {condition}"  # noqa: S608
    with database.transaction():
        rows, halves = database.rows(whole, *values), database.rows(parts, *values)
    found: Dict[str, Item] = {}
    for row in rows:
        columns = dict(row)
        deleted = columns.pop("deleted")
        found[row["id"]] = Item(**columns, deleted=None if deleted is None else json.loads(deleted))
    for row in halves:
        half = Half(**json.loads(row["document"]), **pick(row, "revision", "updated"))
        setattr(found[row["id"]], "draft" if row["draft"] else "record", half)
    return list(found.values())


def find(database: Database, id: str) -> Optional[Item]:
    """What an id stands for, None where it is not known."""
    found = _items(database, "items.id=?", id)
    return found[0] if found else None


def all_of(database: Database, model: str) -> List[Item]:
    """Every item of a model, oldest first; of all models where it is empty."""
    return _items(database, "items.model=?", model) if model else _items(database, "1")


def versions(database: Database, parent: str) -> List[Item]:
    """The versions of a record, oldest first."""
    return sorted(_items(database, "items.parent=?", parent), key=lambda item: item.position)


def latest(there: List[Item]) -> Optional[Item]:
    """The newest of these versions that is published, None where there is none."""
    found = [item for item in there if item.record is not None and item.deleted is None]
    return found[-1] if found else None


def add(database: Database, item: Item) -> None:
    """Keep a new item."""
    columns = {name: getattr(item, name) for name in ("id", "parent", "model", "position", "revision")}
    item.number = database.insert("items", **columns)
    save(database, item)


def save(database: Database, item: Item) -> None:
    """Keep a changed item, both of its halves included."""
    with database.transaction():
        if item.draft is not None:
            item.revision = item.draft.revision
        deleted = None if item.deleted is None else json.dumps(item.deleted)
        database.update("items", item.id, revision=item.revision, deleted=deleted)
        for draft, half in ((1, item.draft), (0, item.record)):
            if half is None:
                database.delete("halves", id=item.id, draft=draft)
                continue
            values = attrs.asdict(half)
            apart = {name: values.pop(name) for name in ("revision", "updated")}
            told = json.dumps(values)
            database.replace("halves", id=item.id, draft=draft, **apart, document=told)


def touch(database: Database, id: str, stamp: str) -> None:
    """Raise the revision of a draft.

    :param stamp: time of the change, as shown.
    """
    database.run("UPDATE halves SET revision=revision+2, updated=? WHERE id=? AND draft=1", stamp, id)


def remove(database: Database, item: Item) -> None:
    """Forget an item, and its parent with the last of the versions."""
    with database.transaction():
        database.delete("halves", id=item.id)
        database.delete("items", id=item.id)
        if not versions(database, item.parent):
            database.delete("parents", id=item.parent)


def parent_of(database: Database, id: str) -> Optional[Parent]:
    """The parent of an id, None where it is not known."""
    row = database.find("parents", id=id)
    return None if row is None else Parent(**json.loads(row["document"]))


def save_parent(database: Database, parent: Parent) -> None:
    """Keep a new or changed parent."""
    document = json.dumps(attrs.asdict(parent))
    database.replace("parents", id=parent.id, document=document)
