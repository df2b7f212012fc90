"""Publishing, and what follows it: edits, new versions, files taken over.

Source: NRP protocol, section 4.
"""

import copy

from smartxfer.local.nrp import files, items, requests
from smartxfer.local.nrp.call import ApiError, Backend, Call, Response, denied, invalid
from smartxfer.local.nrp.drafts import FIRST, new_draft, record_answer
from smartxfer.local.nrp.items import Half, Item
from smartxfer.local.nrp.looking import (
    NOT_KNOWN,
    NOT_REGISTERED,
    editable_draft,
    the_draft,
    the_record,
    viewed,
)
from smartxfer.local.nrp.showing import listing
from smartxfer.local.nrp.validation import missing
from smartxfer.local.nrp.views import Shown, access_status, owner_of

#: Revision of a record that was just published: a user's first version, and all others.
_FIRST, _LATER = 5, 4
#: What a publication adds to the revision from which a later edit counts on.
_COUNTED_ON = 5


def publish(call: Call, id: str) -> Response:
    """Publish a draft; no body is needed."""
    backend = call.backend
    with backend.database.transaction():
        view = the_draft(call, id)
        if not view.editable or backend.site.review == "workflow":
            raise denied()
        _agreed(view)
        publishable(view)
        published(backend, view.item)
    return record_answer(call, viewed(call, view.item, False), 202)


def _agreed(view: Shown) -> None:
    """Go on only where nobody else has a say.

    :raises ApiError: 400, a community has.
    """
    if view.parent.review:
        request = requests.find(view.backend.database, view.parent.review)
        if request is not None and request.open:
            text = "You cannot publish a draft with an open review request. "
            raise ApiError(400, text + "Please cancel the review request first.")
    if view.backend.site.review == "community" and not view.parent.communities:
        # Assumption: the wording; the protocol names only that of an open review.
        raise ApiError(400, "Cannot publish without selecting a community.")


def publishable(view: Shown) -> None:
    """Go on only with a draft that is complete.

    :raises ApiError: 400, with an error for each field.
    """
    errors = missing(view.half.values, open_schema=view.backend.site.open_schema(view.item.model))
    errors += files.problems(view.backend, owner_of(view))
    if errors:
        raise ApiError(400, "A validation error occurred.", errors)


def published(backend: Backend, item: Item) -> None:
    """Make the draft of an item its published record; files that were published stay as they are."""
    draft = item.draft
    if draft is None:
        raise LookupError(item.id)
    with backend.database.transaction():
        stamp = backend.stamp()
        access, enabled = draft.values["access"], draft.values["files"]["enabled"]
        access["status"] = access_status(access, enabled=enabled)
        if item.record is None:
            files.lock(backend, draft.bucket)
            parent = items.parent_of(backend.database, item.parent)
            plain = parent is not None and parent.owner != backend.people.superuser.id
            revision = _FIRST if plain and item.position == 1 else _LATER
            item.record = Half(draft.bucket, stamp, stamp, revision, draft.values)
            _superseded(backend, item, stamp)
        else:
            files.drop(backend, draft.bucket)
            item.record.values = draft.values
            item.record.updated = stamp
            item.record.revision += 3
        # The draft is gone, but a later one counts on from here.
        item.revision = draft.revision + _COUNTED_ON
        item.draft = None
        items.save(backend.database, item)


def _superseded(backend: Backend, item: Item, stamp: str) -> None:
    """Note in the version before that it is the latest no more.

    :param item: the version that is being published.
    """
    before = items.latest([one for one in items.versions(backend.database, item.parent) if one.id != item.id])
    if before is not None and before.record is not None:
        before.record.revision += 2
        before.record.updated = stamp
        items.save(backend.database, before)


def edit(call: Call, id: str) -> Response:
    """Begin to edit a published record; while an edit goes on, its draft is shown again."""
    backend = call.backend
    with backend.database.transaction():
        item = the_record_or_draft(call, id)
        view = viewed(call, item, item.draft is not None)
        asked_for = item.draft is None and backend.site.review == "workflow" and not call.superuser
        if not view.editable or asked_for:
            raise denied()
        edited(backend, item)
    return record_answer(call, viewed(call, item, True), 201)


def the_record_or_draft(call: Call, id: str) -> Item:
    """What an id stands for, published or not.

    :raises ApiError: 404, nothing; 410, it was deleted.
    """
    try:
        return the_record(call, id).item
    except ApiError as refusal:
        if refusal.status != 404:
            raise
        return the_draft(call, id).item


def edited(backend: Backend, item: Item) -> None:
    """Give a published record a draft, where it has none; the files in it are locked."""
    if item.draft is not None or item.record is None:
        return
    with backend.database.transaction():
        item.draft = new_draft(backend, copy.deepcopy(item.record.values), item.revision + 2)
        files.copy(backend, item.record.bucket, item.draft.bucket)
        files.lock(backend, item.draft.bucket)
        items.save(backend.database, item)


def new_version(call: Call, id: str) -> Response:
    """Begin a new version; while there is one that is not published, that one is shown again."""
    backend = call.backend
    with backend.database.transaction():
        item = the_item_published(call, id)
        view = viewed(call, item, False)
        if not view.editable or (backend.site.review == "workflow" and not call.superuser):
            raise denied()
        following = next_version(backend, item)
    return record_answer(call, viewed(call, following, True), 201)


def the_item_published(call: Call, id: str) -> Item:
    """The item of a published record.

    :raises ApiError: 404, it is not published or not known.
    """
    if items.find(call.backend.database, id) is None:
        raise ApiError(404, "Not found." if items.parent_of(call.backend.database, id) else NOT_KNOWN)
    return the_record(call, id, NOT_REGISTERED).item


def next_version(backend: Backend, item: Item) -> Item:
    """The draft of the version behind the latest one; made where there is none."""
    with backend.database.transaction():
        there = items.versions(backend.database, item.parent)
        latest = items.latest(there) or item
        last = there[-1]
        if last.record is None and last.draft is not None and last.position > latest.position:
            return last
        if latest.record is None:
            raise LookupError(item.id)
        values = copy.deepcopy(latest.record.values)
        if not backend.site.open_schema(item.model):
            values["metadata"].pop("version", None)
            values["metadata"]["publication_date"] = backend.stamp(backend.now())[:10]
        made = Item(items.make_id(), item.parent, item.model, last.position + 1)
        made.draft = new_draft(backend, values, FIRST)
        items.add(backend.database, made)
        return made


def import_files(call: Call, id: str) -> Response:
    """Give the draft of a new version the files of the version before.

    :raises ApiError: 400, it has files already.
    """
    backend = call.backend
    with backend.database.transaction():
        view = editable_draft(call, id)
        owner = owner_of(view)
        if not owner.enabled:
            raise ApiError(403, "Files are not enabled.")
        latest = items.latest(items.versions(backend.database, view.item.parent))
        if latest is None or latest.record is None:
            raise ApiError(404, "Not found.")
        if files.count(backend, owner.bucket):
            raise invalid("files.enabled", "Please remove all files first.")
        files.copy(backend, latest.record.bucket, owner.bucket)
        backend.touched(owner)
        return call.json(listing(backend, owner), 201)
