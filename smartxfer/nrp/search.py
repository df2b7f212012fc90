"""Searches: single pages, and a scan that also returns hits beyond the search window.

Source: NRP / Invenio protocol, section 4, Search page.
"""

import logging
import re
from datetime import datetime, timedelta
from typing import Any, Dict, Generator, Iterator, List, Mapping, Optional, Set
from urllib.parse import parse_qsl, urlsplit

import attrs

from smartxfer.error_values import evolve_error
from smartxfer.errors import BadRequest, UsageError
from smartxfer.models import parse_datetime
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.errors import RepositoryDecodeError, RepositoryLimitExceeded
from smartxfer.nrp.pages import Page, RecordList
from smartxfer.nrp.record_models import Record

__all__ = ["RecordSearch", "SearchQuery", "build_search_params", "validate_page"]

log = logging.getLogger("smartxfer.nrp")

#: Maximum number of hits that a repository returns for one search; some return fewer.
SEARCH_WINDOW_SIZE = 10_000
#: Maximum number of pages of one search.
_MAX_PAGES = 100_000
#: Hits per page of a scan.
SCAN_PAGE_SIZE = 100
#: Resolution of times in search engines: ranges that end within a millisecond would lose records.
_TIME_RESOLUTION = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_SCAN_HINT = "call scan() for all hits; a search returns only the first ones"


class RecordSearch(Iterator[Record]):
    """Iterator of the records that were found; pages are fetched when they are needed.

    ``total`` is the number of hits, ``aggregations`` contains the counts by facet.  If used in a ``with``
    block, the iteration ends with the block.
    """

    def __init__(self, fetch_first_page: Any, iter_records: Any) -> None:
        self._fetch_first_page, self._iter_records = fetch_first_page, iter_records
        self._first_page: Optional[Page] = None
        self._records: Optional[Iterator[Record]] = None

    @property
    def _page(self) -> Page:
        if self._first_page is None:
            self._first_page = self._fetch_first_page()
        return self._first_page

    @property
    def total(self) -> int:
        """Number of hits on all pages."""
        return self._page.total

    @property
    def aggregations(self) -> Mapping[str, Any]:
        """Counts by facet."""
        return self._page.aggregations

    def __repr__(self) -> str:
        status = "not fetched yet" if self._first_page is None else f"{self._first_page.total} hits"
        return f"<{type(self).__name__}, {status}>"

    def __enter__(self) -> "RecordSearch":
        return self

    def __exit__(self, *error: Any) -> None:
        self._records = iter(())

    def __next__(self) -> Record:
        if self._records is None:
            self._records = self._iter_records(self._page)
        return next(self._records)


@attrs.frozen
class SearchQuery:
    """A search with its parameters.

    :param api: the API of the repository.
    :param url: URL of the search.
    :param params: query parameters, without page, size and sort.
    :param headers: headers of the requests.
    """

    api: RepositoryApi
    url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]

    def fetch_record_list(self, page: int, size: Optional[int], sort: Optional[str]) -> RecordList:
        """Fetch one page of hits, which can fetch the others."""
        first = self._fetch_page({"page": page, "size": size, "sort": sort})
        return RecordList(
            first, self._fetch_linked_page, lambda start: self._iter_records(start, start.links.prev is None)
        )

    def scan(self, size: int) -> RecordSearch:
        """Return an iterator of all hits, the oldest first; it may search several time ranges."""
        page_size = _PageSize(size)
        return RecordSearch(
            lambda: self._fetch_first_page(page_size), lambda page: self._scan_time_ranges(page, page_size)
        )

    def _fetch_first_page(self, page_size: "_PageSize", **extra_params: Any) -> Page:
        """Fetch the first page of a search, with a page size that the repository accepts."""
        while True:
            try:
                return self._fetch_page({"page": 1, "size": page_size.size, "sort": "oldest"}, **extra_params)
            except BadRequest as error:
                if not page_size.reduce_from_error(error):
                    raise

    def _fetch_page(self, page_params: Mapping[str, Any], **extra_params: Any) -> Page:
        try:
            return self._request_page(self.url, {**self.params, **page_params, **extra_params})
        except BadRequest as error:
            if error.own_hint or (page_params.get("page") or 1) <= 1:
                raise
            raise evolve_error(error, hint=_SCAN_HINT) from None

    def _request_page(self, url: str, params: Optional[Mapping[str, Any]] = None) -> Page:
        return Page.parse(self.api.get(url, params, headers=self.headers).json(dict))

    def _fetch_linked_page(self, link: str) -> Page:
        """Fetch a linked page; parameters that are missing in the link, such as filters, are added."""
        link_params = dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
        return self._request_page(
            link, {name: value for name, value in self.params.items() if name not in link_params}
        )

    def _fetch_next_page(self, page: Page, visited_urls: Set[str]) -> Optional[Page]:
        """Fetch the next page; return None at the end, or if the link leads to an earlier page."""
        link = page.next_url
        if link is None or link in visited_urls or not page.records:
            return None
        visited_urls.add(link)
        if len(visited_urls) > _MAX_PAGES:
            raise RepositoryDecodeError("the search does not end: the repository always links a next page")
        return self._fetch_linked_page(link)

    def _iter_records(self, page: Page, warn_if_incomplete: bool) -> Iterator[Record]:
        visited_urls: Set[str] = set()
        record_count = 0
        current: Optional[Page] = page
        while current is not None:
            yield from current.records
            record_count += len(current.records)
            try:
                current = self._fetch_next_page(current, visited_urls)
            except BadRequest as error:
                raise evolve_error(error, hint=_SCAN_HINT) from None
        if warn_if_incomplete and record_count < page.total:
            log.warning("only %d of %d hits were returned (%s)", record_count, page.total, _SCAN_HINT)

    # -- hits beyond the search window ------------------------------------------------------------------

    def _scan_time_ranges(self, first: Page, page_size: "_PageSize") -> Iterator[Record]:
        seen_ids: Set[str] = set()
        max_hits = SEARCH_WINDOW_SIZE - 1
        if first.total <= max_hits:
            record_count = yield from self._iter_unseen_records(first, page_size.size, seen_ids)
            if record_count is None:
                return
            max_hits = record_count
        time_ranges = self._get_time_ranges()
        split_length = max(_DAY, time_ranges[1].end - time_ranges[1].start)
        while time_ranges:
            time_range = time_ranges.pop()
            page = self._fetch_time_range(time_range, page_size)
            if page.total <= max_hits:
                record_count = yield from self._iter_unseen_records(page, page_size.size, seen_ids)
                if record_count is None:
                    continue
                max_hits = record_count
            halves = time_range.split(split_length)
            if halves is None:
                raise RepositoryLimitExceeded(
                    f"{page.total} records were created at {_format_time(time_range.start)}, "
                    "which is more than a search returns",
                    hint="pass a query that selects fewer records",
                )
            split_length = split_length if time_range.is_bounded else split_length * 2
            time_ranges += reversed(halves)

    def _iter_unseen_records(
        self, first: Page, size: int, seen_ids: Set[str]
    ) -> Generator[Record, None, Optional[int]]:
        """Yield all hits without duplicates; return the number of hits if the search ended early, else None.

        A search that reaches the search window ends with a full page.  If the last page is not full, records
        were deleted during the search.
        """
        visited_urls: Set[str] = set()
        record_count = 0
        page: Optional[Page] = first
        while page is not None:
            last_page_size = len(page.records)
            record_count += last_page_size
            for record in page.records:
                if record.id not in seen_ids:
                    seen_ids.add(record.id)
                    yield record
            try:
                page = self._fetch_next_page(page, visited_urls)
            except BadRequest:
                return record_count
        return record_count if record_count < first.total and last_page_size >= size else None

    def _fetch_time_range(self, time_range: "_TimeRange", page_size: "_PageSize") -> Page:
        base_query = str(self.params.get("q") or "")
        query = f"({base_query}) AND {time_range.query}" if base_query else time_range.query
        return self._fetch_first_page(page_size, q=query)

    def _get_time_ranges(self) -> List["_TimeRange"]:
        """Return three ranges, the latest first: between the oldest and the newest hit, after and before.

        Some repositories sort the caller's records by their last change.  Then the ranges are less balanced,
        but still complete.
        """
        times = []
        for sort in ("oldest", "newest"):
            page = self._fetch_page({"page": 1, "size": 1, "sort": sort})
            times += [_parse_created(record.get("created")) for record in page.records]
        if not times:
            raise RepositoryDecodeError(
                "a repeated search returned no hits any more",
                hint="run the search again: its records changed",
            )
        start, end = (
            _truncate_to_resolution(min(times)),
            _truncate_to_resolution(max(times)) + _TIME_RESOLUTION,
        )
        return [_TimeRange(end, None), _TimeRange(start, end), _TimeRange(None, start)]


class _PageSize:
    """Page size of a search, which is reduced if the repository rejects it.

    For guests the limit is often lower.

    Source: NRP / Invenio protocol, section 4 (Search page).
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def reduce_from_error(self, error: BadRequest) -> bool:
        """Reduce the size to the limit in an error message; return False if the error has another cause."""
        messages = [
            " ".join(map(str, entry.get("messages") or []))
            for entry in error.errors
            if entry.get("field") == "size"
        ]
        if not messages:
            return False
        numbers = [int(number) for number in re.findall(r"[0-9]+", " ".join(messages))]
        limits = [number for number in numbers[:1] if 0 < number < self.size]
        size = limits[0] if limits else self.size // 2
        if size < 1:
            return False
        log.info("the repository rejects pages of %d records; requesting pages of %d", self.size, size)
        self.size = size
        return True


@attrs.frozen
class _TimeRange:
    """Half-open range of times; None means unbounded."""

    start: Any
    end: Any

    @property
    def is_bounded(self) -> bool:
        """True if the range has a start and an end."""
        return self.start is not None and self.end is not None

    @property
    def query(self) -> str:
        """Query for the records that were created in this range."""
        return f"created:[{_format_time(self.start)} TO {_format_time(self.end)}}}"

    def split(self, length: timedelta) -> "Optional[List[_TimeRange]]":
        """Return two parts, the earlier one first; None if the range is too short.

        :param length: length of the bounded part, if this range is unbounded.
        """
        try:
            if self.is_bounded:
                middle = _truncate_to_resolution(self.start + (self.end - self.start) / 2)
            else:
                middle = self.start + length if self.end is None else self.end - length
        except OverflowError:
            return None
        narrow = self.is_bounded and self.end - self.start <= _TIME_RESOLUTION
        return None if narrow else [_TimeRange(self.start, middle), _TimeRange(middle, self.end)]


def validate_page(page: int, size: Optional[int]) -> None:
    """Validate the parameters of a page.

    :raises UsageError: page or size is not a number of at least 1.
    """
    for name, value in (("page", page), ("size", size)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(
                f"{name} must be a number of at least 1, not {value!r}", hint=f"pass {name}=1 or more"
            )


def build_search_params(q: str, all_versions: bool, facets: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the query parameters of a search, without page, size and sort."""
    return {"q": q or None, "allversions": True if all_versions else None, **facets}


def _parse_created(created: Optional[str]) -> datetime:
    time = parse_datetime(created)
    if time is None:
        raise RepositoryDecodeError(f"invalid creation time of a record: {created!r}")
    return time


def _truncate_to_resolution(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _format_time(moment: Optional[datetime]) -> str:
    return "*" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
