"""Links of records and drafts.

Source: NRP protocol, section 4.
"""

from typing import Any, Dict

__all__ = ["draft_links", "record_links"]


def _around(place: str, *, published: bool) -> Dict[str, str]:
    """Links that a record and its draft share, below the record's address.

    :param published: whether there is a published record.
    """
    return {
        "access_links": f"{place}/access/links",
        "access_grants": f"{place}/access/grants",
        "access_users": f"{place}/access/users",
        "access_groups": f"{place}/access/groups",
        "access_request": f"{place}/access/request",
        "access": f"{place}/access",
        "communities": f"{place}/communities",
        "communities-suggestions": f"{place}/communities-suggestions",
        **(
            {
                "request_deletion": f"{place}/request-deletion",
                "file_modification": f"{place}/file-modification",
            }
            if published
            else {}
        ),
        "quota_increase": f"{place}/quota-increase",
        "requests": f"{place}/requests",
    }


def _place(view: Any) -> str:
    return f"{view.backend.api}/{view.item.model}/{view.item.id}"


def draft_links(view: Any) -> Dict[str, str]:
    """Links of a draft.

    :param view: the draft, a :class:`smartxfer.local.nrp.views.Shown`.
    """
    url, id, place = view.backend.url, view.item.id, _place(view)
    html = f"{url}/{view.item.model}/{id}"
    draft = f"{place}/draft"
    links = {
        "self": draft,
        "self_html": f"{url}/uploads/{id}",
        "preview_html": f"{html}?preview=1",
        "reserve_doi": f"{draft}/pids/doi",
        "self_iiif_manifest": f"{view.backend.api}/iiif/draft:{id}/manifest",
        "self_iiif_sequence": f"{view.backend.api}/iiif/draft:{id}/sequence/default",
        "files": f"{draft}/files",
        "media_files": f"{draft}/media-files",
        "archive": f"{draft}/files-archive",
        "archive_media": f"{draft}/media-files-archive",
        "versions": f"{place}/versions",
        "record": place,
        "record_html": html,
        "publish": f"{draft}/actions/publish",
        "review": f"{draft}/review",
        **_around(place, published=view.item.record is not None),
    }
    if view.parent.review:
        links["submit-review"] = f"{draft}/actions/submit-review"
    if view.backend.site.review == "workflow":
        del links["publish"], links["review"]
        links["requests"] = f"{draft}/requests"
        links["applicable_requests"] = f"{draft}/requests/applicable"
    return links


def record_links(view: Any) -> Dict[str, str]:
    """Links of a published record.

    :param view: the record, a :class:`smartxfer.local.nrp.views.Shown`.
    """
    url, id, place = view.backend.url, view.item.id, _place(view)
    html = f"{url}/{view.item.model}/{id}"
    parent = f"{view.item.model}/{view.parent.id}"
    links = {
        "self": place,
        "self_html": html,
        "preview_html": f"{html}?preview=1",
        "reserve_doi": f"{place}/draft/pids/doi",
        "parent": f"{view.backend.api}/{parent}",
        "parent_html": f"{url}/{parent}",
        "self_iiif_manifest": f"{view.backend.api}/iiif/record:{id}/manifest",
        "self_iiif_sequence": f"{view.backend.api}/iiif/record:{id}/sequence/default",
        "files": f"{place}/files",
        "media_files": f"{place}/media-files",
        "archive": f"{place}/files-archive",
        "archive_media": f"{place}/media-files-archive",
        "latest": f"{place}/versions/latest",
        "latest_html": f"{html}/latest",
        "versions": f"{place}/versions",
        "draft": f"{place}/draft",
        **_around(place, published=True),
    }
    if view.backend.site.review == "workflow":
        links["applicable_requests"] = f"{place}/requests/applicable"
    return links
