"""Searching records: the methods of ``client.records`` that ask for many.

Source: NRP / Invenio protocol, section 4, Search page.
"""

import enum
from typing import Any, Callable, Dict, Mapping, Optional, Protocol, Union

from smartxfer.errors import UsageError
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.discovery import get_drafts_endpoint, get_records_endpoint
from smartxfer.nrp.pages import RecordList
from smartxfer.nrp.record_models import RepositoryInfo
from smartxfer.nrp.search import SCAN_PAGE_SIZE, RecordSearch, SearchQuery, build_search_params, validate_page

__all__ = ["RecordStatus", "Status", "next_page", "parse_status", "previous_page", "scan", "search"]

Facets = Optional[Mapping[str, Any]]


class RecordStatus(enum.Enum):
    """Which records are meant."""

    ALL = "all"
    PUBLISHED = "published"
    DRAFT = "draft"


Status = Union[RecordStatus, str, None]


class Searchable(Protocol):
    """What is searched: ``client.records``, or a view of it."""

    _get_api: Callable[[], RepositoryApi]
    _get_repository_info: Callable[[], RepositoryInfo]
    _model: Optional[str]
    _status: Optional[str]

    def _select_view(self, model: Optional[str], status: Status) -> "Searchable":
        """Return the view that the arguments of a call mean."""

    def _build_headers(self) -> Dict[str, str]:
        """Return what every request carries."""


def parse_status(status: Status) -> Optional[RecordStatus]:
    """Return the status that is meant; None where it was not said.

    :raises UsageError: there is none of that name.
    """
    if status is None:
        return None
    try:
        return RecordStatus(status)
    except ValueError:
        known = ", ".join(repr(one.value) for one in RecordStatus)
        raise UsageError(f"{status!r} is an invalid status", hint=f"one of {known}") from None


def search(
    self: Searchable,
    q: str = "",
    *,
    page: int = 1,
    size: Optional[int] = None,
    sort: Optional[str] = None,
    all_versions: bool = False,
    model: Optional[str] = None,
    status: Status = None,
    facets: Facets = None,
    **extra_facets: Any,
) -> RecordList:
    """Return one page of what is published (with ``draft_records``: one's own drafts) and found by a query.

    :param q: in the repository's query language; empty for all.
    :param page: its number, from 1.
    :param size: records per page; by default the repository's, 10.
    :param sort: ``bestmatch``, ``newest``, ``oldest``, ``updated-desc``, ``updated-asc``, ...
    :param all_versions: every version of a record, not only the newest.
    :param model: type or name of the records' model.
    :param status: ``"draft"``, ``"published"`` or ``"all"``, in place of the view.
    :param facets: filters, a value or a list of them each, such as ``{"resource_type": "image"}``.
    :param extra_facets: the same, as keywords.
    :return: the page, like a list of Records; ``.total`` is the number of all hits, ``.next_page()`` the page
        after it, and ``.walk()`` yields the hits of all pages from this one on.
    :raises BadRequest: the repository does not take the query, the sort or the page.
    :raises UsageError: there is no such model.

    Searches lag behind what was just written.  Source: NRP / Invenio protocol, section 4, Search page.
    """
    validate_page(page, size)
    return _build_search_query(self, q, all_versions, model, status, facets, extra_facets).fetch_record_list(
        page, size, sort
    )


def scan(
    self: Searchable,
    q: str = "",
    *,
    size: int = SCAN_PAGE_SIZE,
    all_versions: bool = False,
    model: Optional[str] = None,
    status: Status = None,
    facets: Facets = None,
    **extra_facets: Any,
) -> RecordSearch:
    """Yield all hits, however many, oldest first (one's own: as they were changed, or nearly so).

    ``with records.scan(...) as hits:`` does the same.  The parameters are those of ``search``.

    :param size: records per page.
    :raises LimitExceeded: while iterating: too many records were created at the same moment.

    Source: NRP / Invenio protocol, section 4, Search page.
    """
    validate_page(1, size)
    wrong = {"page", "sort"} & {*extra_facets, *(facets or {})}
    if wrong:
        raise UsageError(
            f"scan() takes no {wrong.pop()}: it gives everything, oldest first",
            hint="leave it out, or call search(), which has pages and an order",
        )
    return _build_search_query(self, q, all_versions, model, status, facets, extra_facets).scan(size)


def next_page(self: Searchable, *, record_list: RecordList) -> RecordList:
    """Return the page after a page; another name of ``record_list.next_page()``."""
    return record_list.next_page()


def previous_page(self: Searchable, *, record_list: RecordList) -> RecordList:
    """Return the page before a page; another name of ``record_list.previous_page()``."""
    return record_list.previous_page()


def _build_search_query(
    records: Searchable,
    q: Optional[str],
    all_versions: bool,
    model: Optional[str],
    status: Status,
    facets: Facets,
    extra_facets: Mapping[str, Any],
) -> SearchQuery:
    view = records._select_view(model, status)
    drafts = view._status == RecordStatus.DRAFT.value
    where = (get_drafts_endpoint if drafts else get_records_endpoint)(
        view._get_repository_info(), view._model
    )
    narrowed = {"is_published": False} if drafts else {}
    asked = build_search_params(q or "", all_versions, {**(facets or {}), **extra_facets})
    params = {**where["params"], **narrowed, **asked}
    calls = view._get_api()
    return SearchQuery(calls, calls.require_same_origin(where["url"]), params, view._build_headers())
