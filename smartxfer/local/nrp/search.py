"""Searches: what matches, in what order, a page at a time.

Source: NRP protocol, section 4 (search page).
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple
from urllib.parse import urlencode

from smartxfer.local.nrp import items
from smartxfer.local.nrp.call import ApiError, Call, Response, denied, invalid
from smartxfer.local.nrp.items import Half
from smartxfer.local.nrp.looking import viewed
from smartxfer.local.nrp.queries import BadQuery, Matcher, matcher
from smartxfer.local.nrp.views import Shown, shown

#: How searches of published records may be ordered, and of one's own.
_SORTS = (
    "bestmatch", "newest", "oldest", "updated-desc", "updated-asc", "version", "mostviewed", "mostdownloaded",
)  # fmt: skip
#: What a search of one's own makes of orders that it has not.
_OWN_SORTS = {"newest": "updated-desc", "oldest": "updated-asc"}
_LABELS = {
    "publication_date": "Publication date",
    "access_status": "Access status",
    "file_type": "File type",
    "resource_type": "Resource types",
}
#: Hits of a page where nobody says how many.
_SIZE = 10

Order = Tuple[Callable[[Half], Any], bool]
_ORDERS: Dict[str, Order] = {
    "newest": (lambda half: half.created, True),
    "oldest": (lambda half: half.created, False),
    "updated-desc": (lambda half: half.updated, True),
    "updated-asc": (lambda half: half.updated, False),
}


def published(call: Call) -> Response:
    """Search the published records that the caller may read; of each the latest version, or all."""
    sort = _sort(call, "newest")
    matches, every = _matcher(call), call.query.get("allversions", "false") in ("true", "1")
    found: Dict[str, List[Shown]] = {}
    for item in items.all_of(call.backend.database, call.model):
        if item.record is None or item.deleted is not None:
            continue
        view = viewed(call, item, False)
        if view.readable:
            found.setdefault(item.parent, []).append(view)
    views = [
        view
        for listed in found.values()
        for view in (listed if every else [max(listed, key=lambda one: one.item.position)])
        if matches(view)
    ]
    return page(call, f"{call.backend.api}/{call.model}", _ordered(views, sort), sort, facets=_facets())


def user_records(call: Call) -> Response:
    """Search one's own records; of an id that has both, the draft is shown."""
    if not call.user:
        raise denied()
    sort = _sort(call, "updated-desc")
    sort = _OWN_SORTS.get(sort, sort)
    matches = _matcher(call)
    wanted = call.query.get("is_published")
    views = []
    for item in items.all_of(call.backend.database, call.model):
        if item.deleted is not None:
            continue
        view = viewed(call, item, item.draft is not None)
        if view.parent.owner != call.who.id or not matches(view):
            continue
        if wanted is None or (wanted == "true") == (item.record is not None):
            views.append(view)
    return page(call, f"{call.backend.api}/user/{call.model}", _ordered(views, sort), sort, facets=_facets())


def _matcher(call: Call) -> Matcher:
    try:
        return matcher(call.query.get("q", ""))
    except BadQuery:
        raise ApiError(400, "The syntax of the search query is invalid.") from None


def _sort(call: Call, default: str) -> str:
    asked = call.query.get("sort") or ("bestmatch" if call.query.get("q") else default)
    if asked not in _SORTS:
        raise invalid("_schema", f"Invalid sort option '{asked}'.")
    return asked


def _ordered(views: List[Shown], sort: str) -> List[Shown]:
    if sort == "version":
        return sorted(views, key=lambda view: view.item.position, reverse=True)
    # Nothing is viewed or scored here: what is left is the newest first.
    key, reverse = _ORDERS.get(sort, _ORDERS["newest"])
    return sorted(views, key=lambda view: key(view.half), reverse=reverse)


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise invalid(name, "Not a valid integer.") from None
    if value < 1:
        raise invalid(name, "Must be greater than or equal to 1.")
    return value


def _hit(view: Shown) -> Dict[str, Any]:
    """A record as it lies in the index, which knows nothing of storage."""
    found = shown(view)
    for entry in found["files"].get("entries", {}).values():
        entry.pop("storage_class", None)
    return found


def _facets() -> Dict[str, Any]:
    return {name: {"buckets": [], "label": label} for name, label in _LABELS.items()}


def page(
    call: Call,
    place: str,
    found: Sequence[Any],
    sort: str,
    *,
    facets: Optional[Dict[str, Any]] = None,
    show: Optional[Callable[[Any], Dict[str, Any]]] = None,
    size: int = _SIZE,
    numbered: bool = True,
) -> Response:
    """An answer with one page of what was found.

    :param place: URL of the search.
    :param found: all of it, in order.
    :param sort: name of that order.
    :param facets: the aggregations, None where there are none.
    :param show: how a hit is shown; None: as a record.
    :param size: hits of a page where the caller does not say how many.
    :param numbered: whether the page's number is shown.
    :raises ApiError: 400, there is no such page, or it lies behind the window.
    """
    number, size = _number(call, "page", 1), _number(call, "size", size)
    site = call.backend.site
    most = site.page_size if call.user else site.page_size_guest
    if most and size > most:
        raise invalid("size", f"Page size cannot be greater than {most}.")
    if number * size > site.search_window:
        raise ApiError(400, "Invalid querystring parameters.")
    hits = [(show or _hit)(one) for one in found[(number - 1) * size : number * size]]
    body: Dict[str, Any] = {"hits": {"hits": hits, "total": len(found)}}
    if facets is not None:
        body["aggregations"] = facets
    body["sortBy"] = sort
    if numbered:
        body["page"] = number
    links = {"self": number}
    if number > 1:
        links = {"prev": number - 1, **links}
    if number * size < len(found):
        links["next"] = number + 1
    body["links"] = {name: _link(call, place, where, size, sort) for name, where in links.items()}
    return call.json(body)


def _link(call: Call, place: str, number: int, size: int, sort: str) -> str:
    # Facets are not repeated in the links, as on the real server.
    values: Dict[str, Any] = {"page": number, "size": size, "sort": sort}
    for name in ("q", "allversions"):
        if call.query.get(name):
            values[name] = call.query[name]
    return place + "?" + urlencode(sorted(values.items()))
