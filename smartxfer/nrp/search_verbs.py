"""Search methods of ``client.records``.

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
    """Selects published records, drafts, or both."""

    ALL = "all"
    PUBLISHED = "published"
    DRAFT = "draft"


Status = Union[RecordStatus, str, None]


class Searchable(Protocol):
    """The attributes of ``client.records``, or a view of it, that searches use."""

    _get_api: Callable[[], RepositoryApi]
    _get_repository_info: Callable[[], RepositoryInfo]
    _model: Optional[str]
    _status: Optional[str]

    def _select_view(self, model: Optional[str], status: Status) -> "Searchable":
        """Return the view for the arguments of a call."""

    def _build_headers(self) -> Dict[str, str]:
        """Return the headers of all requests."""


def parse_status(status: Status) -> Optional[RecordStatus]:
    """Return the status as RecordStatus, or None.

    :raises UsageError: the status is invalid.
    """
    if status is None:
        return None
    try:
        return RecordStatus(status)
    except ValueError:
        values = ", ".join(repr(status_value.value) for status_value in RecordStatus)
        raise UsageError(f"invalid status: {status!r}", hint=f"pass one of {values}") from None


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
    """Return one page of the published records that match a query; with ``draft_records``, of own drafts.

    :param q: query in the repository's query language; empty for all records.
    :param page: number of the page, from 1.
    :param size: records per page; by default the repository's, 10.
    :param sort: ``bestmatch``, ``newest``, ``oldest``, ``updated-desc``, ``updated-asc``, ...
    :param all_versions: return all versions of a record, not only the newest.
    :param model: type or name of the records' model.
    :param status: ``"draft"``, ``"published"`` or ``"all"``, instead of the view.
    :param facets: filters, each with a value or a list of values, such as ``{"resource_type": "image"}``.
    :param extra_facets: filters as keywords.
    :return: the page, similar to a list of Records; ``.total`` is the number of all hits, ``.next_page()``
        returns the next page, and ``.walk()`` yields the hits of this and all following pages.
    :raises BadRequest: the repository rejects the query, the sort or the page.
    :raises UsageError: the model does not exist.

    Recent changes appear in searches with a delay.  Source: NRP / Invenio protocol, section 4, Search page.
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
    """Yield all hits, the oldest first; own records are sorted approximately by their last change.

    The iterator can be used in a ``with`` block.  The parameters are those of ``search``.

    :param size: records per page.
    :raises LimitExceeded: during the iteration, if too many records were created at the same time.

    Source: NRP / Invenio protocol, section 4, Search page.
    """
    validate_page(1, size)
    unsupported = {"page", "sort"} & {*extra_facets, *(facets or {})}
    if unsupported:
        raise UsageError(
            f"scan() does not support {unsupported.pop()}: it returns all hits, the oldest first",
            hint="use search() for single pages and other orders",
        )
    return _build_search_query(self, q, all_versions, model, status, facets, extra_facets).scan(size)


def next_page(self: Searchable, *, record_list: RecordList) -> RecordList:
    """Return the next page; alias of ``record_list.next_page()``."""
    return record_list.next_page()


def previous_page(self: Searchable, *, record_list: RecordList) -> RecordList:
    """Return the previous page; alias of ``record_list.previous_page()``."""
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
    endpoint = (get_drafts_endpoint if drafts else get_records_endpoint)(
        view._get_repository_info(), view._model
    )
    draft_params = {"is_published": False} if drafts else {}
    search_params = build_search_params(q or "", all_versions, {**(facets or {}), **extra_facets})
    params = {**endpoint["params"], **draft_params, **search_params}
    api = view._get_api()
    return SearchQuery(api, api.require_same_origin(endpoint["url"]), params, view._build_headers())
