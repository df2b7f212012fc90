"""Searches: matching, order and pages.

Source: NRP protocol, section 4 (search page).
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple
from urllib.parse import urlencode

from smartxfer.local.nrp import record_store
from smartxfer.local.nrp.call import ApiError, Call, Response, invalid_field, permission_denied
from smartxfer.local.nrp.queries import InvalidQuery, Matcher, matcher
from smartxfer.local.nrp.record_lookup import view_of
from smartxfer.local.nrp.record_serializers import RecordView, serialize
from smartxfer.local.nrp.record_store import RecordState

#: Sort orders of published records, and of a user's own records.
_SORTS = (
    "bestmatch", "newest", "oldest", "updated-desc", "updated-asc", "version", "mostviewed", "mostdownloaded",
)  # fmt: skip
#: Replacements of orders that the search of own records lacks.
_OWN_SORTS = {"newest": "updated-desc", "oldest": "updated-asc"}
_LABELS = {
    "publication_date": "Publication date", "access_status": "Access status", "file_type": "File type",
    "resource_type": "Resource types",
}
#: Default number of hits of a page.
_SIZE = 10

Order = Tuple[Callable[[RecordState], Any], bool]
_ORDERS: Dict[str, Order] = {
    "newest": (lambda half: half.created, True), "oldest": (lambda half: half.created, False),
    "updated-desc": (lambda half: half.updated, True), "updated-asc": (lambda half: half.updated, False),
}


def published(call: Call) -> Response:
    """Search the published records that the caller may read: latest or all versions."""
    sort = _sort(call, "newest")
    matches, every = _matcher(call), call.query.get("allversions", "false") in ("true", "1")
    views_by_parent: Dict[str, List[RecordView]] = {}
    for record in record_store.all_of(call.backend.database, call.model):
        if record.record is None or record.deleted is not None:
            continue
        view = view_of(call, record, False)
        if view.is_readable:
            views_by_parent.setdefault(record.parent, []).append(view)
    views = [
        view
        for listed in views_by_parent.values()
        for view in (listed if every else [max(listed, key=lambda candidate: candidate.item.position)])
        if matches(view)
    ]
    return page(call, f"{call.backend.api}/{call.model}", _ordered(views, sort), sort, facets=_facets())


def user_records(call: Call) -> Response:
    """Search the caller's own records; the draft takes precedence over the published record."""
    if not call.user:
        raise permission_denied()
    sort = _sort(call, "updated-desc")
    sort = _OWN_SORTS.get(sort, sort)
    matches = _matcher(call)
    requested = call.query.get("is_published")
    views = []
    for record in record_store.all_of(call.backend.database, call.model):
        if record.deleted is not None:
            continue
        view = view_of(call, record, record.draft is not None)
        if view.parent.owner != call.caller.id or not matches(view):
            continue
        if requested is None or (requested == "true") == (record.record is not None):
            views.append(view)
    return page(call, f"{call.backend.api}/user/{call.model}", _ordered(views, sort), sort, facets=_facets())


def _matcher(call: Call) -> Matcher:
    try:
        return matcher(call.query.get("q", ""))
    except InvalidQuery:
        raise ApiError(400, "The syntax of the search query is invalid.") from None


def _sort(call: Call, default: str) -> str:
    asked = call.query.get("sort") or ("bestmatch" if call.query.get("q") else default)
    if asked not in _SORTS:
        raise invalid_field("_schema", f"Invalid sort option '{asked}'.")
    return asked


def _ordered(views: List[RecordView], sort: str) -> List[RecordView]:
    if sort == "version":
        return sorted(views, key=lambda view: view.item.position, reverse=True)
    # Views and scores are not implemented: such orders are newest first.
    key, reverse = _ORDERS.get(sort, _ORDERS["newest"])
    return sorted(views, key=lambda view: key(view.state), reverse=reverse)


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise invalid_field(name, "Not a valid integer.") from None
    if value < 1:
        raise invalid_field(name, "Must be greater than or equal to 1.")
    return value


def _hit(view: RecordView) -> Dict[str, Any]:
    """Return a record as in the index, which lacks the storage class."""
    hit = serialize(view)
    for entry in hit["files"].get("entries", {}).values():
        entry.pop("storage_class", None)
    return hit


def _facets() -> Dict[str, Any]:
    return {name: {"buckets": [], "label": label} for name, label in _LABELS.items()}


def page(
    call: Call,
    url: str,
    all_hits: Sequence[Any],
    sort: str,
    *,
    facets: Optional[Dict[str, Any]] = None,
    show: Optional[Callable[[Any], Dict[str, Any]]] = None,
    size: int = _SIZE,
    numbered: bool = True,
) -> Response:
    """Return a response with one page of the hits.

    :param url: URL of the search.
    :param all_hits: in order.
    :param sort: name of the order.
    :param facets: the aggregations, or None.
    :param show: serializer of a hit; None: that of records.
    :param size: default number of hits of a page.
    :param numbered: show the page's number.
    :raises ApiError: 400, the page does not exist, or is beyond the window.
    """
    number, size = _number(call, "page", 1), _number(call, "size", size)
    site = call.backend.site
    maximum = site.page_size if call.user else site.page_size_guest
    if maximum and size > maximum:
        raise invalid_field("size", f"Page size cannot be greater than {maximum}.")
    if number * size > site.search_window:
        raise ApiError(400, "Invalid querystring parameters.")
    hits = [(show or _hit)(hit) for hit in all_hits[(number - 1) * size : number * size]]
    body: Dict[str, Any] = {"hits": {"hits": hits, "total": len(all_hits)}}
    if facets is not None:
        body["aggregations"] = facets
    body["sortBy"] = sort
    if numbered:
        body["page"] = number
    links = {"self": number}
    if number > 1:
        links = {"prev": number - 1, **links}
    if number * size < len(all_hits):
        links["next"] = number + 1
    body["links"] = {name: _link(call, url, where, size, sort) for name, where in links.items()}
    return call.json(body)


def _link(call: Call, url: str, number: int, size: int, sort: str) -> str:
    # Facets are not repeated in the links, as on the real server.
    values: Dict[str, Any] = {"page": number, "size": size, "sort": sort}
    for name in ("q", "allversions"):
        if call.query.get(name):
            values[name] = call.query[name]
    return url + "?" + urlencode(sorted(values.items()))
