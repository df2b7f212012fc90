"""Communities that review what is deposited in them.

Source: NRP protocol, section 4 (community review).
"""

import uuid
from typing import Any, Dict, Optional

from smartxfer.local.exchange import Answer
from smartxfer.local.nrp.answers import Refusal, framework
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.search import page

__all__ = ["answer", "community", "community_id"]

#: Ids of communities are made of their names, so that they are the same after a restart.
_NAMES = uuid.UUID("6b1d0f3e-3f0a-4f58-9a55-2f1f0a2c7d11")


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
    return {
        "id": community_id(slug),
        "slug": slug,
        "metadata": {"title": slug.capitalize()},
        "access": {"visibility": "public", "record_policy": "open", "review_policy": "closed"},
        "revision_id": 1,
        "links": {
            "self": place,
            "self_html": f"{backend.url}/communities/{slug}",
            "records": f"{place}/records",
        },
    }


def answer(call: Call) -> Answer:
    """Answer a call below ``communities``: all of them, or one by its id or name."""
    if call.method != "GET":
        raise framework(405)
    backend, words = call.backend, call.words[1:]
    if not words:
        shown = [_shown(backend, slug) for slug in backend.site.communities]
        return page(call, f"{backend.api}/communities", shown, "newest", show=dict)
    if len(words) > 1:
        raise framework(404)
    for slug in backend.site.communities:
        if words[0] in (slug, community_id(slug)):
            return call.json(_shown(backend, slug))
    raise Refusal(404, "The persistent identifier does not exist.")
