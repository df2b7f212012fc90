"""Links of records and drafts.

Source: NRP protocol, section 4.
"""

from typing import Any, Dict

#: Paths below a record, behind those of its files, whose links are named like them.
_BELOW = (
    "access/links", "access/grants", "access/users", "access/groups", "access/request", "access",
    "communities", "communities-suggestions",
)  # fmt: skip


def _around(place: str, *, published: bool) -> Dict[str, str]:
    """Links that a record and its draft share, below the record's address.

    :param published: whether there is a published record.
    """
    links = {path.replace("/", "_"): f"{place}/{path}" for path in _BELOW}
    for name in ("request-deletion", "file-modification", "quota-increase", "requests"):
        if published or name in ("quota-increase", "requests"):
            links[name.replace("-", "_")] = f"{place}/{name}"
    return links


def _place(view: Any) -> str:
    return f"{view.backend.api}/{view.item.model}/{view.item.id}"


def _content(view: Any, place: str, kind: str) -> Dict[str, str]:
    """Links to pictures and files, below the address of a record or draft."""
    iiif = f"{view.backend.api}/iiif/{kind}:{view.item.id}"
    return {
        "self_iiif_manifest": f"{iiif}/manifest",
        "self_iiif_sequence": f"{iiif}/sequence/default",
        "files": f"{place}/files",
        "media_files": f"{place}/media-files",
        "archive": f"{place}/files-archive",
        "archive_media": f"{place}/media-files-archive",
    }


def draft_links(view: Any) -> Dict[str, str]:
    """Links of a draft.

    :param view: the draft, a :class:`smartxfer.local.nrp.views.Shown`.
    """
    url, id, place = view.backend.url, view.item.id, _place(view)
    html, draft = f"{url}/{view.item.model}/{id}", f"{place}/draft"
    links = {
        "self": draft,
        "self_html": f"{url}/uploads/{id}",
        "preview_html": f"{html}?preview=1",
        "reserve_doi": f"{draft}/pids/doi",
        **_content(view, draft, "draft"),
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
    url, place = view.backend.url, _place(view)
    html, parent = f"{url}/{view.item.model}/{view.item.id}", f"{view.item.model}/{view.parent.id}"
    links = {
        "self": place,
        "self_html": html,
        "preview_html": f"{html}?preview=1",
        "reserve_doi": f"{place}/draft/pids/doi",
        "parent": f"{view.backend.api}/{parent}",
        "parent_html": f"{url}/{parent}",
        **_content(view, place, "record"),
        "latest": f"{place}/versions/latest",
        "latest_html": f"{html}/latest",
        "versions": f"{place}/versions",
        "draft": f"{place}/draft",
        **_around(place, published=True),
    }
    if view.backend.site.review == "workflow":
        links["applicable_requests"] = f"{place}/requests/applicable"
    return links
