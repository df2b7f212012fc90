"""Answers of a repository about itself and its records, in the protocol page's shapes."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

BASE = "https://repo.example"
API = f"{BASE}/api"
RECORD = "9xrg8-d2364"
DRAFT_URL = f"{API}/records/{RECORD}/draft"
RECORD_URL = f"{API}/records/{RECORD}"

METADATA: Dict[str, Any] = {
    "title": "My data",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-11-20",
    "publisher": "P",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}


def about(**values: Any) -> Dict[str, Any]:
    """The info document of an NRP repository."""
    return {
        "schema": "local://introspection-v1.0.0",
        "name": "Demo repository",
        "description": "",
        "version": "local development",
        "invenio_version": "14.0.5",
        "transfers": ["L", "F", "R", "M"],
        "features": ["drafts", "workflows", "requests"],
        "links": {
            "self": f"{BASE}/.well-known/repository/",
            "api": API,
            "models": f"{BASE}/.well-known/repository/models",
            "requests": f"{API}/requests/",
        },
        "colour": "blue",
        **values,
    }


def model(kind: str = "datasets", name: str = "data sets", **links: Any) -> Dict[str, Any]:
    """One entry of the list of models."""
    return {
        "type": kind,
        "name": name,
        "schema": f"local://{kind}-v1.0.0.json",
        "description": None,
        "version": "1.0.0",
        "features": ["drafts", "files"],
        "metadata": True,
        "links": {
            "records": f"{API}/{kind}",
            "deposit": f"{API}/{kind}",
            "drafts": f"{API}/user/{kind}",
            **links,
        },
        "content_types": [],
    }


def draft(errors: Optional[List[Any]] = None, model: str = "records", **values: Any) -> Dict[str, Any]:
    """A draft."""
    base = f"{API}/{model}/{values.get('id', RECORD)}"
    found = {
        "id": RECORD,
        "created": "2026-11-20T21:07:37.876956+00:00",
        "updated": "2026-11-20T21:07:37.876956+00:00",
        "revision_id": 5,
        "is_published": False,
        "is_draft": True,
        "status": "draft",
        "expires_at": "2026-11-20 21:06:52.711805+00:00",
        "pids": {},
        "custom_fields": {},
        "metadata": METADATA,
        "access": {"record": "public", "files": "public", "status": "metadata-only"},
        "files": {"enabled": True, "order": [], "count": 0, "total_bytes": 0, "entries": {}},
        "media_files": {"enabled": False, "order": [], "count": 0, "total_bytes": 0, "entries": {}},
        "parent": {"id": "ncrhs-mj285", "access": {"owned_by": {"user": "1"}}, "communities": {}},
        "versions": {"index": 1, "is_latest": False, "is_latest_draft": True},
        "internal_notes": [],
        "links": {
            "self": f"{base}/draft",
            "self_html": f"{BASE}/uploads/{values.get('id', RECORD)}",
            "files": f"{base}/draft/files",
            "publish": f"{base}/draft/actions/publish",
            "review": f"{base}/draft/review",
            "versions": f"{base}/versions",
            "record": base,
        },
        **values,
    }
    return {**found, "errors": errors} if errors else found


def published(**values: Any) -> Dict[str, Any]:
    """A published record."""
    base = f"{API}/records/{values.get('id', RECORD)}"
    links = {
        "self": base,
        "self_html": f"{BASE}/records/{values.get('id', RECORD)}",
        "files": f"{base}/files",
        "draft": f"{base}/draft",
        "versions": f"{base}/versions",
        "latest": f"{base}/versions/latest",
    }
    return draft(**{"is_published": True, "is_draft": False, "status": "published", "links": links, **values})


def page(hits: List[Any], total: int, following: Optional[str] = None) -> Dict[str, Any]:
    """One page of a search."""
    links = {"self": f"{API}/records?page=1", **({"next": following} if following else {})}
    return {"hits": {"total": total, "hits": hits}, "aggregations": {}, "sortBy": "newest", "links": links}


def refusal(status: int, message: str, errors: Optional[List[Any]] = None) -> Dict[str, Any]:
    """Keywords of ``responses.add`` for an error."""
    body: Dict[str, Any] = {"status": status, "message": message, **({"errors": errors} if errors else {})}
    # Real servers send it with every answer, and it means something on 429 and 503 only.
    return {"status": status, "json": body, "headers": {"Retry-After": "60"}}


GONE = refusal(404, "The persistent identifier does not exist.")


def sent(call: Any) -> Any:
    """The JSON of a request that was made."""
    return json.loads(call.request.body)
