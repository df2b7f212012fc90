"""Records and drafts as the API shows them.

Source: NRP protocol, section 4.
"""

import copy
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.nrp import files, items
from smartxfer.local.nrp.call import Backend, Owner
from smartxfer.local.nrp.items import Half, Item, Parent
from smartxfer.local.nrp.links import draft_links, record_links
from smartxfer.local.nrp.people import User
from smartxfer.local.nrp.showing import summary as summary_of
from smartxfer.local.nrp.vocabularies import title

_NO_FILES = {"enabled": False, "order": [], "count": 0, "total_bytes": 0, "entries": {}}
_SETTINGS: Dict[str, Any] = dict.fromkeys(("allow_user_requests", "allow_guest_requests"), False)
_SETTINGS.update(accept_conditions_text=None, secret_link_expiration=0)
_NO_STATS = dict.fromkeys(("views", "unique_views", "downloads", "unique_downloads"), 0)


@attrs.frozen
class Shown:
    """A draft or a published record, with what else is needed to show it.

    :param backend: what the repository knows.
    :param item: what the id stands for.
    :param draft: whether the draft is shown.
    :param parent: what its versions share.
    :param who: who looks.
    :param link: what a secret link permits the caller: view, preview or edit; empty without one.
    """

    backend: Backend
    item: Item
    draft: bool
    parent: Parent
    who: User
    link: str = ""

    @property
    def half(self) -> Half:
        """The half that is shown."""
        half = self.item.draft if self.draft else self.item.record
        if half is None:
            raise LookupError(self.item.id)
        return half

    @property
    def mine(self) -> bool:
        """Return True if it is the caller's, or the caller is a superuser."""
        return self.who.superuser or (bool(self.who.id) and self.who.id == self.parent.owner)

    @property
    def editable(self) -> bool:
        """Return True if the caller may change it, as its owner or by a link for that."""
        return self.mine or self.link == "edit"

    @property
    def readable(self) -> bool:
        """Return True if the caller may read it."""
        if self.draft:
            return self.editable or self.link == "preview"
        return self.mine or bool(self.link) or self.half.values["access"]["record"] == "public"


def owner_of(view: Shown) -> Owner:
    """A record or draft, as its files see it."""
    half = view.half
    open_files = view.mine or bool(view.link) or half.values["access"]["files"] == "public"
    place = f"{view.backend.api}/{view.item.model}/{view.item.id}"
    return Owner(
        id=view.item.id,
        bucket=half.bucket,
        draft=view.draft,
        enabled=half.values["files"]["enabled"],
        locked=not view.draft,
        base=place + ("/draft/files" if view.draft else "/files"),
        readable=view.readable and open_files,
        writable=view.editable,
        preview=half.values["files"].get("default_preview") or "",
    )


def shown(view: Shown, errors: Optional[List[Dict[str, Any]]] = None) -> Dict[str, Any]:
    """A record or draft.

    :param errors: fields that were dropped, field by field.
    """
    half, item, draft = view.half, view.item, view.draft
    summary = summary_of(view.backend, owner_of(view))
    values = copy.deepcopy(half.values)
    found: Dict[str, Any] = {
        "id": item.id,
        "created": half.created,
        "updated": half.updated,
        "links": draft_links(view) if draft else record_links(view),
        "revision_id": half.revision,
        "parent": _parent(view),
        "versions": _versions(view),
        "is_published": item.record is not None,
        "is_draft": draft,
    }
    if draft:
        found["expires_at"] = half.expires
    found["pids"] = values["pids"]
    found["metadata"] = _metadata(values["metadata"])
    found["custom_fields"] = values["custom_fields"]
    if files.count(view.backend, half.bucket):
        values["access"].pop("status", None)
    found["access"] = _access(values["access"], enabled=values["files"]["enabled"])
    found["files"] = summary
    found["media_files"] = copy.deepcopy(_NO_FILES) if "count" in summary else {"enabled": False}
    found["status"] = _status(view)
    if not draft:
        found["deletion_status"] = {"is_deleted": False, "status": "P"}
    if view.who.superuser:
        found["internal_notes"] = []
    if not draft:
        names = ("this_version", "all_versions")
        found["stats"] = {name: {**_NO_STATS, "data_volume": 0.0} for name in names}
    if errors:
        found["errors"] = errors
    return found


def _status(view: Shown) -> str:
    if not view.draft or view.item.record is not None:
        return "published"
    if view.item.position > 1:
        return "new_version_draft"
    return "in_review" if view.parent.review else "draft"


def _parent(view: Shown) -> Dict[str, Any]:
    parent, ids = view.parent, view.parent.communities
    found: Dict[str, Any] = {
        "id": parent.id,
        "access": {
            **({"grants": []} if view.mine else {}),
            "owned_by": {"user": parent.owner},
            **({"links": [{"id": link["id"]} for link in parent.links]} if view.mine else {}),
            "settings": dict(_SETTINGS),
        },
        "communities": {"ids": list(ids), "default": ids[0]} if ids else {},
        "pids": {},
    }
    if view.who.superuser:
        found["is_verified"] = False
    if parent.review:
        found["review"] = {"id": parent.review}
    if parent.workflow:
        found["workflow"] = parent.workflow
    return found


def _versions(view: Shown) -> Dict[str, Any]:
    there = items.versions(view.backend.database, view.item.parent)
    published = [one.position for one in there if one.record is not None and one.deleted is None]
    latest = view.item.position == max(one.position for one in there)
    return {
        "is_latest": view.item.record is not None and view.item.position == max(published, default=0),
        **({"is_latest_draft": latest} if view.editable else {}),
        "index": view.item.position,
    }


def _metadata(metadata: Dict[str, Any]) -> Dict[str, Any]:
    kind = metadata.get("resource_type")
    if isinstance(kind, dict) and isinstance(kind.get("id"), str) and "title" not in kind:
        metadata["resource_type"] = {"id": kind["id"], "title": {"en": title("resourcetypes", kind["id"])}}
    listed = metadata.get("languages")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and isinstance(one.get("id"), str) and "title" not in one:
            one["title"] = {"en": title("languages", one["id"])}
    return metadata


def access_status(access: Dict[str, Any], *, enabled: bool) -> str:
    """Return how far a record is open.

    :param access: what its owner said of that.
    :param enabled: whether it has files.
    """
    if access["record"] != "public":
        return "restricted"
    if not enabled:
        return "metadata-only"
    if (access.get("embargo") or {}).get("active"):
        return "embargoed"
    return "open" if access["files"] == "public" else "restricted"


def _access(access: Dict[str, Any], *, enabled: bool) -> Dict[str, Any]:
    return {
        "record": access["record"],
        "files": access["files"],
        "embargo": access.get("embargo") or {"active": False, "reason": None},
        "status": access.get("status") or access_status(access, enabled=enabled),
    }
