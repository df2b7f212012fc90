"""Communities, which review submissions.

Source: NRP protocol, section 4 (community review).
"""

import uuid
from typing import Any, Dict, Optional, Sequence

from smartxfer.local.nrp.call import ApiError, Backend, Call, Response, framework_error
from smartxfer.local.nrp.record_lookup import NOT_KNOWN
from smartxfer.local.nrp.search import page

#: Ids of communities are derived from their names, so that they are stable.
_NAMES = uuid.UUID("6b1d0f3e-3f0a-4f58-9a55-2f1f0a2c7d11")

#: Links of a community, by subpath.
_BELOW = {
    **{name: name for name in ("logo", "rename", "members")}, "public_members": "members/public",
    **{name: name for name in ("invitations", "requests", "records")}, "collection_trees": "collection-trees",
    "membership_requests": "membership-requests",
}


def community_id(slug: str) -> str:
    """Return the id of the community with a name."""
    return str(uuid.uuid5(_NAMES, slug))


def find_community(backend: Backend, named: str) -> Optional[str]:
    """Return the id of a community by id or name, or None."""
    for slug in backend.site.communities:
        if named in (slug, community_id(slug)):
            return community_id(slug)
    return None


def _serialize(backend: Backend, slug: str) -> Dict[str, Any]:
    url = f"{backend.api}/communities/{community_id(slug)}"
    html = f"{backend.url}/communities/{slug}"
    then = backend.stamp(backend.started_uploads)
    links = {"self": url, "self_html": html + "/", "settings_html": html + "/settings"}
    links.update((name, f"{url}/{path}") for name, path in _BELOW.items())
    return {
        "id": community_id(slug),
        "created": then,
        "updated": then,
        "links": links,
        "revision_id": 2,
        "slug": slug,
        "metadata": {"title": slug.capitalize()},
        "access": {
            **dict.fromkeys(("visibility", "members_visibility"), "public"),
            "member_policy": "closed", "record_submission_policy": "open", "review_policy": "closed",
        },
        "custom_fields": {},
        "deletion_status": {"is_deleted": False, "status": "P"},
        "children": {"allow": False},
    }


def _facets(slugs: Sequence[str]) -> Dict[str, Any]:
    count = len(slugs)
    public = {"key": "public", "doc_count": count, "label": "Public", "is_selected": False}
    return {
        "type": {"buckets": [], "label": "Type"},
        "visibility": {"buckets": [public] if count else [], "label": "Visibility"},
    }


def communities(call: Call) -> Response:
    """Handle a call below ``communities``: all of them, or one by its id or name."""
    call.require_method("GET")
    backend, segments = call.backend, call.segments[1:]
    if not segments:
        items = [_serialize(backend, slug) for slug in backend.site.communities]
        facets = _facets(backend.site.communities)
        return page(call, f"{backend.api}/communities", items, "newest", show=dict, size=25, facets=facets)
    if len(segments) > 1:
        raise framework_error(404)
    for slug in backend.site.communities:
        if segments[0] in (slug, community_id(slug)):
            return call.json(_serialize(backend, slug))
    raise ApiError(404, NOT_KNOWN)
