"""Records and drafts as the API shows them.

Source: NRP protocol, section 4.
"""

import copy
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.nrp import files, record_store
from smartxfer.local.nrp.call import Backend, Owner
from smartxfer.local.nrp.file_serializers import serialize_summary as summary_of
from smartxfer.local.nrp.links import draft_links, record_links
from smartxfer.local.nrp.record_store import ParentRecord, RecordState, StoredRecord
from smartxfer.local.nrp.users import User
from smartxfer.local.nrp.vocabularies import title

_NO_FILES = {"enabled": False, "order": [], "count": 0, "total_bytes": 0, "entries": {}}
_SETTINGS: Dict[str, Any] = dict.fromkeys(("allow_user_requests", "allow_guest_requests"), False)
_SETTINGS.update(accept_conditions_text=None, secret_link_expiration=0)
_NO_STATS = dict.fromkeys(("views", "unique_views", "downloads", "unique_downloads"), 0)


@attrs.frozen
class RecordView:
    """View of a draft or published record for one caller.

    :param backend: state of the repository.
    :param item: the record.
    :param draft: show the draft.
    :param parent: parent of its versions.
    :param user: the caller.
    :param link: what a secret link permits the caller: view, preview or edit; empty without one.
    """

    backend: Backend
    item: StoredRecord
    draft: bool
    parent: ParentRecord
    user: User
    link: str = ""

    @property
    def state(self) -> RecordState:
        """The shown state."""
        state = self.item.draft if self.draft else self.item.record
        if state is None:
            raise LookupError(self.item.id)
        return state

    @property
    def is_owner(self) -> bool:
        """True if the caller is the owner or a superuser."""
        return self.user.superuser or (bool(self.user.id) and self.user.id == self.parent.owner)

    @property
    def is_editable(self) -> bool:
        """True if the caller may change it, as owner or by an edit link."""
        return self.is_owner or self.link == "edit"

    @property
    def is_readable(self) -> bool:
        """True if the caller may read it."""
        if self.draft:
            return self.is_editable or self.link == "preview"
        return self.is_owner or bool(self.link) or self.state.values["access"]["record"] == "public"


def file_owner(view: RecordView) -> Owner:
    """Return the owner of the files of a record or draft."""
    state = view.state
    open_files = view.is_owner or bool(view.link) or state.values["access"]["files"] == "public"
    url = f"{view.backend.api}/{view.item.model}/{view.item.id}"
    return Owner(
        id=view.item.id, bucket=state.bucket, draft=view.draft, enabled=state.values["files"]["enabled"],
        locked=not view.draft, base=url + ("/draft/files" if view.draft else "/files"),
        readable=view.is_readable and open_files, writable=view.is_editable,
        preview=state.values["files"].get("default_preview") or "",
    )


def serialize(view: RecordView, errors: Optional[List[Dict[str, Any]]] = None) -> Dict[str, Any]:
    """Return a record or draft as the API shows it.

    :param errors: errors of dropped fields.
    """
    state, record, draft = view.state, view.item, view.draft
    summary = summary_of(view.backend, file_owner(view))
    values = copy.deepcopy(state.values)
    body: Dict[str, Any] = {
        "id": record.id, "created": state.created, "updated": state.updated,
        "links": draft_links(view) if draft else record_links(view), "revision_id": state.revision,
        "parent": _parent(view), "versions": _versions(view), "is_published": record.record is not None,
        "is_draft": draft,
    }
    if draft:
        body["expires_at"] = state.expires
    body["pids"] = values["pids"]
    body["metadata"] = _metadata(values["metadata"])
    body["custom_fields"] = values["custom_fields"]
    if files.count(view.backend, state.bucket):
        values["access"].pop("status", None)
    body["access"] = _access(values["access"], enabled=values["files"]["enabled"])
    body["files"] = summary
    body["media_files"] = copy.deepcopy(_NO_FILES) if "count" in summary else {"enabled": False}
    body["status"] = _status(view)
    if not draft:
        body["deletion_status"] = {"is_deleted": False, "status": "P"}
    if view.user.superuser:
        body["internal_notes"] = []
    if not draft:
        names = ("this_version", "all_versions")
        body["stats"] = {name: {**_NO_STATS, "data_volume": 0.0} for name in names}
    if errors:
        body["errors"] = errors
    return body


def _status(view: RecordView) -> str:
    if not view.draft or view.item.record is not None:
        return "published"
    if view.item.position > 1:
        return "new_version_draft"
    return "in_review" if view.parent.review else "draft"


def _parent(view: RecordView) -> Dict[str, Any]:
    parent, ids = view.parent, view.parent.communities
    body: Dict[str, Any] = {
        "id": parent.id,
        "access": {
            **({"grants": []} if view.is_owner else {}), "owned_by": {"user": parent.owner},
            **({"links": [{"id": link["id"]} for link in parent.links]} if view.is_owner else {}),
            "settings": dict(_SETTINGS),
        },
        "communities": {"ids": list(ids), "default": ids[0]} if ids else {},
        "pids": {},
    }
    if view.user.superuser:
        body["is_verified"] = False
    if parent.review:
        body["review"] = {"id": parent.review}
    if parent.workflow:
        body["workflow"] = parent.workflow
    return body


def _versions(view: RecordView) -> Dict[str, Any]:
    there = record_store.versions(view.backend.database, view.item.parent)
    published = [
        version.position for version in there if version.record is not None and version.deleted is None
    ]
    latest = view.item.position == max(version.position for version in there)
    return {
        "is_latest": view.item.record is not None and view.item.position == max(published, default=0),
        **({"is_latest_draft": latest} if view.is_editable else {}),
        "index": view.item.position,
    }


def _metadata(metadata: Dict[str, Any]) -> Dict[str, Any]:
    kind = metadata.get("resource_type")
    if isinstance(kind, dict) and isinstance(kind.get("id"), str) and "title" not in kind:
        metadata["resource_type"] = {"id": kind["id"], "title": {"en": title("resourcetypes", kind["id"])}}
    listed = metadata.get("languages")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and "title" not in entry:
            entry["title"] = {"en": title("languages", entry["id"])}
    return metadata


def access_status(access: Dict[str, Any], *, enabled: bool) -> str:
    """Return the access status of a record.

    :param access: its access settings.
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
        "record": access["record"], "files": access["files"],
        "embargo": access.get("embargo") or {"active": False, "reason": None},
        "status": access.get("status") or access_status(access, enabled=enabled),
    }
