"""Searching: one page, and an iterator over all hits that goes beyond the search window.

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

#: Hits that a repository shows of one search, unless it turns out to be fewer.
SEARCH_WINDOW_SIZE = 10_000
#: Pages of one search.
_MAX_PAGES = 100_000
#: Hits on a page of a scan.
SCAN_PAGE_SIZE = 100
#: What search engines keep of a time: a cut within a millisecond would lose what lies there.
_TIME_RESOLUTION = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_SCAN_HINT = "a repository shows the first hits of a search only: scan() goes beyond them"


class RecordSearch(Iterator[Record]):
    """Records as they are found, page after page; pages are asked when they are needed.

    ``total`` is the number of all hits, ``aggregations`` what the repository counted by facets.  In a
    ``with`` block it ends with the block.
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
        """All hits, on whatever pages."""
        return self._page.total

    @property
    def aggregations(self) -> Mapping[str, Any]:
        """Counts by facet."""
        return self._page.aggregations

    def __repr__(self) -> str:
        found = "not asked for yet" if self._first_page is None else f"{self._first_page.total} hits"
        return f"<{type(self).__name__}, {found}>"

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
    """A search that can be run.

    :param url: where to ask.
    :param params: query arguments, but for page, size and sort.
    """

    api: RepositoryApi
    url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]

    def fetch_record_list(self, page: int, size: Optional[int], sort: Optional[str]) -> RecordList:
        """One page of hits, and the way to the others."""
        first = self._fetch_page({"page": page, "size": size, "sort": sort})
        return RecordList(
            first, self._fetch_linked_page, lambda start: self._iter_records(start, start.links.prev is None)
        )

    def scan(self, size: int) -> RecordSearch:
        """Every hit, oldest first; where there are too many for one search, span of time by span of time."""
        pages = _PageSize(size)
        return RecordSearch(
            lambda: self._fetch_first_page(pages), lambda page: self._scan_time_ranges(page, pages)
        )

    def _fetch_first_page(self, page_size: "_PageSize", **extra_params: Any) -> Page:
        """The first page of a search, of a size that the repository allows this caller."""
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
        """Return the page at a link of another one; links leave filters out, which are added."""
        there = dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
        return self._request_page(
            link, {name: value for name, value in self.params.items() if name not in there}
        )

    def _fetch_next_page(self, page: Page, visited_urls: Set[str]) -> Optional[Page]:
        """The next page; a link that leads back ends the search."""
        link = page.next_url
        if link is None or link in visited_urls or not page.records:
            return None
        visited_urls.add(link)
        if len(visited_urls) > _MAX_PAGES:
            raise RepositoryDecodeError("the search does not end: the repository links to ever more pages")
        return self._fetch_linked_page(link)

    def _iter_records(self, page: Page, warn_if_incomplete: bool) -> Iterator[Record]:
        seen: Set[str] = set()
        shown = 0
        now: Optional[Page] = page
        while now is not None:
            yield from now.records
            shown += len(now.records)
            try:
                now = self._fetch_next_page(now, seen)
            except BadRequest as error:
                raise evolve_error(error, hint=_SCAN_HINT) from None
        if warn_if_incomplete and shown < page.total:
            log.warning("%d of %d hits were shown; %s", shown, page.total, _SCAN_HINT)

    # -- beyond the window ------------------------------------------------------------------------------

    def _scan_time_ranges(self, first: Page, page_size: "_PageSize") -> Iterator[Record]:
        told: Set[str] = set()
        most = SEARCH_WINDOW_SIZE - 1
        if first.total <= most:
            shown = yield from self._iter_unseen_records(first, page_size.size, told)
            if shown is None:
                return
            most = shown
        spans = self._get_time_ranges()
        reach = max(_DAY, spans[1].end - spans[1].start)
        while spans:
            span = spans.pop()
            page = self._fetch_time_range(span, page_size)
            if page.total <= most:
                shown = yield from self._iter_unseen_records(page, page_size.size, told)
                if shown is None:
                    continue
                most = shown
            halves = span.split(reach)
            if halves is None:
                raise RepositoryLimitExceeded(
                    f"{page.total} records created at {_format_time(span.start)}: too many for one search",
                    hint="narrow the search down by its query",
                )
            reach = reach if span.is_bounded else reach * 2
            spans += reversed(halves)

    def _iter_unseen_records(
        self, first: Page, size: int, seen_ids: Set[str]
    ) -> Generator[Record, None, Optional[int]]:
        """All hits of a search, none of them twice; how many there were to see, if it broke off early.

        Where it ends early, it does so at the end of a full page; a short one tells of records that were
        deleted meanwhile.
        """
        seen: Set[str] = set()
        shown = 0
        page: Optional[Page] = first
        while page is not None:
            last = len(page.records)
            shown += last
            for record in page.records:
                if record.id not in seen_ids:
                    seen_ids.add(record.id)
                    yield record
            try:
                page = self._fetch_next_page(page, seen)
            except BadRequest:
                return shown
        return shown if shown < first.total and last >= size else None

    def _fetch_time_range(self, time_range: "_TimeRange", page_size: "_PageSize") -> Page:
        given = str(self.params.get("q") or "")
        query = f"({given}) AND {time_range.query}" if given else time_range.query
        return self._fetch_first_page(page_size, q=query)

    def _get_time_ranges(self) -> List["_TimeRange"]:
        """All of time, the last span first: around the oldest and the newest hit, and what lies beyond them.

        Where the repository understands these orders in another way (one's own records it sorts by their last
        change), only the cut is worse.
        """
        found = []
        for sort in ("oldest", "newest"):
            page = self._fetch_page({"page": 1, "size": 1, "sort": sort})
            found += [_parse_created(record.get("created")) for record in page.records]
        if not found:
            raise RepositoryDecodeError("a search shows no hits where it had some just now")
        start, end = (
            _truncate_to_resolution(min(found)),
            _truncate_to_resolution(max(found)) + _TIME_RESOLUTION,
        )
        return [_TimeRange(end, None), _TimeRange(start, end), _TimeRange(None, start)]


class _PageSize:
    """Hits on a page: as many as wanted, or as the repository allows once it refused more.

    Guests often get smaller pages than others.

    Source: NRP / Invenio protocol, section 4 (Search page).
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def reduce_from_error(self, error: BadRequest) -> bool:
        """Take a smaller size from a refusal; return False where it is about something else."""
        words = [
            " ".join(map(str, entry.get("messages") or []))
            for entry in error.errors
            if entry.get("field") == "size"
        ]
        if not words:
            return False
        allowed = [int(number) for number in re.findall(r"[0-9]+", " ".join(words))]
        smaller = [number for number in allowed[:1] if 0 < number < self.size]
        size = smaller[0] if smaller else self.size // 2
        if size < 1:
            return False
        log.info("pages of %d records are refused; pages of %d are asked for", self.size, size)
        self.size = size
        return True


@attrs.frozen
class _TimeRange:
    """From a moment on, up to before another; None is for ever."""

    start: Any
    end: Any

    @property
    def is_bounded(self) -> bool:
        """Whether it has both ends."""
        return self.start is not None and self.end is not None

    @property
    def query(self) -> str:
        """What finds the records that were created in it."""
        return f"created:[{_format_time(self.start)} TO {_format_time(self.end)}}}"

    def split(self, length: timedelta) -> "Optional[List[_TimeRange]]":
        """Its two parts, the earlier one first; None where it cannot be cut.

        :param length: of the part that is cut off a span without end.
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
    """Check that page and size are numbers of at least 1.

    :raises UsageError: they are not.
    """
    for name, value in (("page", page), ("size", size)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(
                f"{name} must be a number of at least 1, not {value!r}", hint=f"pass {name}=1 or more"
            )


def build_search_params(q: str, all_versions: bool, facets: Mapping[str, Any]) -> Dict[str, Any]:
    """The query arguments of a search, but for page, size and sort."""
    return {"q": q or None, "allversions": True if all_versions else None, **facets}


def _parse_created(created: Optional[str]) -> datetime:
    found = parse_datetime(created)
    if found is None:
        raise RepositoryDecodeError(f"{created!r} is not a time at which a record was created")
    return found


def _truncate_to_resolution(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _format_time(moment: Optional[datetime]) -> str:
    return "*" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
