"""Links of records and drafts.

Source: NRP protocol, section 4.
"""

from typing import Any, Dict

#: Links with the name of their path below a record, after those of the files.
_BELOW = (
    "access/links", "access/grants", "access/users", "access/groups", "access/request", "access",
    "communities", "communities-suggestions",
)  # fmt: skip


def _around(url: str, *, published: bool) -> Dict[str, str]:
    """Return the links that a record and its draft share.

    :param published: whether a published record exists.
    """
    links = {path.replace("/", "_"): f"{url}/{path}" for path in _BELOW}
    for name in ("request-deletion", "file-modification", "quota-increase", "requests"):
        if published or name in ("quota-increase", "requests"):
            links[name.replace("-", "_")] = f"{url}/{name}"
    return links


def _place(view: Any) -> str:
    return f"{view.backend.api}/{view.item.model}/{view.item.id}"


def _content(view: Any, url: str, kind: str) -> Dict[str, str]:
    """Return the links to images and files of a record or draft."""
    iiif = f"{view.backend.api}/iiif/{kind}:{view.item.id}"
    return {
        "self_iiif_manifest": f"{iiif}/manifest", "self_iiif_sequence": f"{iiif}/sequence/default",
        "files": f"{url}/files", "media_files": f"{url}/media-files", "archive": f"{url}/files-archive",
        "archive_media": f"{url}/media-files-archive",
    }


def draft_links(view: Any) -> Dict[str, str]:
    """Return the links of a draft.

    :param view: the draft, a :class:`smartxfer.local.nrp.record_serializers.RecordView`.
    """
    url, id, place = view.backend.url, view.item.id, _place(view)
    html, draft = f"{url}/{view.item.model}/{id}", f"{place}/draft"
    links = {
        "self": draft, "self_html": f"{url}/uploads/{id}", "preview_html": f"{html}?preview=1",
        "reserve_doi": f"{draft}/pids/doi", **_content(view, draft, "draft"), "versions": f"{place}/versions",
        "record": place, "record_html": html, "publish": f"{draft}/actions/publish",
        "review": f"{draft}/review", **_around(place, published=view.item.record is not None),
    }
    if view.parent.review:
        links["submit-review"] = f"{draft}/actions/submit-review"
    if view.backend.site.review == "workflow":
        del links["publish"], links["review"]
        links["requests"] = f"{draft}/requests"
        links["applicable_requests"] = f"{draft}/requests/applicable"
    return links


def record_links(view: Any) -> Dict[str, str]:
    """Return the links of a published record.

    :param view: the record, a :class:`smartxfer.local.nrp.record_serializers.RecordView`.
    """
    url, place = view.backend.url, _place(view)
    html, parent = f"{url}/{view.item.model}/{view.item.id}", f"{view.item.model}/{view.parent.id}"
    links = {
        "self": place, "self_html": html, "preview_html": f"{html}?preview=1",
        "reserve_doi": f"{place}/draft/pids/doi", "parent": f"{view.backend.api}/{parent}",
        "parent_html": f"{url}/{parent}", **_content(view, place, "record"),
        "latest": f"{place}/versions/latest", "latest_html": f"{html}/latest",
        "versions": f"{place}/versions", "draft": f"{place}/draft", **_around(place, published=True),
    }
    if view.backend.site.review == "workflow":
        links["applicable_requests"] = f"{place}/requests/applicable"
    return links
