"""Communities that review what is deposited in them.

Source: NRP protocol, section 4 (community review).
"""

import uuid
from typing import Any, Dict, Optional, Sequence

from smartxfer.local.nrp.call import ApiError, Backend, Call, Response, framework
from smartxfer.local.nrp.looking import NOT_KNOWN
from smartxfer.local.nrp.search import page

#: Ids of communities are made of their names, so that they are the same after a restart.
_NAMES = uuid.UUID("6b1d0f3e-3f0a-4f58-9a55-2f1f0a2c7d11")

#: Links of a community, by the path below its own.
_BELOW = {
    **{name: name for name in ("logo", "rename", "members")},
    "public_members": "members/public",
    **{name: name for name in ("invitations", "requests", "records")},
    "collection_trees": "collection-trees",
    "membership_requests": "membership-requests",
}


def community_id(slug: str) -> str:
    """Id of the community of a name."""
    return str(uuid.uuid5(_NAMES, slug))


def community(backend: Backend, named: str) -> Optional[str]:
    """Id of a community, of its id or its name; None where there is none."""
    for slug in backend.site.communities:
        if named in (slug, community_id(slug)):
            return community_id(slug)
    return None


def _shown(backend: Backend, slug: str) -> Dict[str, Any]:
    place = f"{backend.api}/communities/{community_id(slug)}"
    html = f"{backend.url}/communities/{slug}"
    then = backend.stamp(backend.started)
    links = {"self": place, "self_html": html + "/", "settings_html": html + "/settings"}
    links.update((name, f"{place}/{path}") for name, path in _BELOW.items())
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
    """Answer a call below ``communities``: all of them, or one by its id or name."""
    call.only("GET")
    backend, words = call.backend, call.words[1:]
    if not words:
        shown = [_shown(backend, slug) for slug in backend.site.communities]
        facets = _facets(backend.site.communities)
        return page(call, f"{backend.api}/communities", shown, "newest", show=dict, size=25, facets=facets)
    if len(words) > 1:
        raise framework(404)
    for slug in backend.site.communities:
        if words[0] in (slug, community_id(slug)):
            return call.json(_shown(backend, slug))
    raise ApiError(404, NOT_KNOWN)
