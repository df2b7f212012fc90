"""Published records: read, versions and delete.

Source: NRP protocol, sections 3 and 4.
"""


from smartxfer.local.nrp import record_store
from smartxfer.local.nrp.call import (
    ApiError,
    Backend,
    Call,
    Redirected,
    Response,
    json_response,
    permission_denied,
)
from smartxfer.local.nrp.drafts import discard, record_response
from smartxfer.local.nrp.record_lookup import (
    NOT_REGISTERED,
    check_revision,
    require_published,
    require_record,
    view_of,
)
from smartxfer.local.nrp.record_store import StoredRecord
from smartxfer.local.nrp.search import page


def read(call: Call, id: str) -> Response:
    """Return a published record; the parent id redirects to the latest version."""
    if record_store.find(call.backend.database, id) is None:
        record = record_store.latest(record_store.versions(call.backend.database, id))
        if record is not None and record.model == call.model:
            # The token of a secret link is not part of the redirect.
            raise Redirected(f"/api/{call.model}/{record.id}", 302, is_frontend=False)
    view = require_published(call, id, NOT_REGISTERED)
    if not view.is_readable:
        raise permission_denied()
    response = record_response(call, view, linked=True)
    url = f"{call.backend.api}/{call.model}/{id}"
    response.headers.append(("Link", f'<{url}> ; rel="linkset" ; type="application/linkset+json"'))
    return response


def delete(call: Call, id: str) -> Response:
    """Delete a published record (superusers only); a tombstone remains."""
    backend = call.backend
    body = call.json_body()
    with backend.database.transaction():
        view = require_published(call, id, NOT_REGISTERED)
        if not call.superuser:
            raise permission_denied()
        check_revision(call, view.state)
        retract(backend, view.item, body)
    return call.empty(204)


def retract(backend: Backend, record: StoredRecord, reason: object) -> None:
    """Delete a published record and its draft; the bytes are kept, but not accessible.

    :param reason: the given reason.
    """
    with backend.database.transaction():
        discard(backend, record)
        record.deleted = {"when": backend.stamp(), "reason": reason}
        record_store.save(backend.database, record)


def latest(call: Call, id: str) -> Response:
    """Redirect from a published record, or the parent id, to the latest version.

    :raises ApiError: 404, the id itself was never published.
    """
    database = call.backend.database
    parent = id
    if record_store.find(database, id) is not None or record_store.parent_of(database, id) is None:
        parent = require_published(call, id, NOT_REGISTERED).parent.id
    record = record_store.latest(record_store.versions(database, parent))
    if record is None:
        raise ApiError(404, NOT_REGISTERED)
    if not view_of(call, record, False).is_readable:
        raise permission_denied()
    url = f"{call.backend.api}/{record.model}/{record.id}"
    response = json_response({"status": 301, "message": "Redirecting...", "location": url}, 301)
    response.headers.append(("Location", url))
    return response


def versions(call: Call, id: str) -> Response:
    """Return the published versions, newest first."""
    record = require_record(call, id)
    state = record.record or record.draft
    own = view_of(call, record, record.record is None)
    if state is not None and state.values["access"]["record"] != "public" and not own.is_readable:
        raise permission_denied()
    all_versions = record_store.versions(call.backend.database, record.parent)
    published = [item for item in all_versions if item.record is not None and item.deleted is None]
    views = [view_of(call, item, False) for item in published]
    views.sort(key=lambda view: -view.item.position)
    url = f"{call.backend.api}/{call.model}/{id}/versions"
    return page(call, url, views, "version", size=25)
