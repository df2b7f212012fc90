"""Searching: one page, and an iterator over all hits that goes beyond the search window.

Source: NRP / Invenio protocol, section 4, Search page.
"""

import logging
import re
from datetime import datetime, timedelta
from typing import Any, Dict, Generator, Iterator, List, Mapping, Optional, Set
from urllib.parse import parse_qsl, urlsplit

import attrs

from smartxfer.error_values import evolve
from smartxfer.errors import BadRequest, UsageError
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.errors import RepositoryDecodeError, RepositoryLimitExceeded
from smartxfer.nrp.pages import Page, RecordList
from smartxfer.nrp.record_models import Record
from smartxfer.structures import moment_of

__all__ = ["RecordSearch", "Searcher", "checked_page", "search_params"]

log = logging.getLogger("smartxfer.nrp")

#: Hits that a repository shows of one search, unless it turns out to be fewer.
WINDOW = 10_000
#: Pages of one search.
_MOST_PAGES = 100_000
#: Hits on a page of a scan.
SCAN_PAGE = 100
#: What search engines keep of a time: a cut within a millisecond would lose what lies there.
_TICK = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_ADVICE = "a repository shows the first hits of a search only: scan() goes beyond them"


class RecordSearch(Iterator[Record]):
    """Records as they are found, page after page; pages are asked when they are needed.

    ``total`` is the number of all hits, ``aggregations`` what the repository counted by facets.  In a
    ``with`` block it ends with the block.
    """

    def __init__(self, first: Any, records: Any) -> None:
        self._ask, self._walk = first, records
        self._first: Optional[Page] = None
        self._records: Optional[Iterator[Record]] = None

    @property
    def _page(self) -> Page:
        if self._first is None:
            self._first = self._ask()
        return self._first

    @property
    def total(self) -> int:
        """All hits, on whatever pages."""
        return self._page.total

    @property
    def aggregations(self) -> Mapping[str, Any]:
        """Counts by facet."""
        return self._page.aggregations

    def __repr__(self) -> str:
        found = "not asked for yet" if self._first is None else f"{self._first.total} hits"
        return f"<{type(self).__name__}, {found}>"

    def __enter__(self) -> "RecordSearch":
        return self

    def __exit__(self, *error: Any) -> None:
        self._records = iter(())

    def __next__(self) -> Record:
        if self._records is None:
            self._records = self._walk(self._page)
        return next(self._records)


@attrs.frozen
class Searcher:
    """A search that can be run.

    :param url: where to ask.
    :param params: query arguments, but for page, size and sort.
    """

    calls: Calls
    url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]

    def page(self, page: int, size: Optional[int], sort: Optional[str]) -> RecordList:
        """One page of hits, and the way to the others."""
        first = self._first({"page": page, "size": size, "sort": sort})
        return RecordList(first, self._linked, lambda start: self._through(start, start.links.prev is None))

    def everything(self, size: int) -> RecordSearch:
        """Every hit, oldest first; where there are too many for one search, span of time by span of time."""
        pages = _PageSize(size)
        return RecordSearch(lambda: self._sized(pages), lambda page: self._scan(page, pages))

    def _sized(self, pages: "_PageSize", **more: Any) -> Page:
        """The first page of a search, of a size that the repository allows this caller."""
        while True:
            try:
                return self._first({"page": 1, "size": pages.size, "sort": "oldest"}, **more)
            except BadRequest as error:
                if not pages.learn(error):
                    raise

    def _first(self, asked: Mapping[str, Any], **more: Any) -> Page:
        try:
            return self._get(self.url, {**self.params, **asked, **more})
        except BadRequest as error:
            if error.hint or (asked.get("page") or 1) <= 1:
                raise
            raise evolve(error, hint=_ADVICE) from None

    def _get(self, url: str, params: Optional[Mapping[str, Any]] = None) -> Page:
        return Page.of(self.calls.get(url, params, headers=self.headers).json(dict))

    def _linked(self, link: str) -> Page:
        """Return the page at a link of another one; links leave filters out, which are added."""
        there = dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
        return self._get(link, {name: value for name, value in self.params.items() if name not in there})

    def _following(self, page: Page, seen: Set[str]) -> Optional[Page]:
        """The next page; a link that leads back ends the search."""
        link = page.following
        if link is None or link in seen or not page.records:
            return None
        seen.add(link)
        if len(seen) > _MOST_PAGES:
            raise RepositoryDecodeError("the search does not end: the repository links to ever more pages")
        return self._linked(link)

    def _through(self, page: Page, whole: bool) -> Iterator[Record]:
        seen: Set[str] = set()
        shown = 0
        now: Optional[Page] = page
        while now is not None:
            yield from now.records
            shown += len(now.records)
            try:
                now = self._following(now, seen)
            except BadRequest as error:
                raise evolve(error, hint=_ADVICE) from None
        if whole and shown < page.total:
            log.warning("%d of %d hits were shown; %s", shown, page.total, _ADVICE)

    # -- beyond the window ------------------------------------------------------------------------------

    def _scan(self, first: Page, pages: "_PageSize") -> Iterator[Record]:
        told: Set[str] = set()
        most = WINDOW - 1
        if first.total <= most:
            shown = yield from self._whole(first, pages.size, told)
            if shown is None:
                return
            most = shown
        spans = self._spans()
        reach = max(_DAY, spans[1].end - spans[1].start)
        while spans:
            span = spans.pop()
            page = self._within(span, pages)
            if page.total <= most:
                shown = yield from self._whole(page, pages.size, told)
                if shown is None:
                    continue
                most = shown
            halves = span.halves(reach)
            if halves is None:
                raise RepositoryLimitExceeded(
                    f"{page.total} records were created at {_stamp(span.start)}: more than one search shows",
                    hint="narrow the search down by its query",
                )
            reach = reach if span.closed else reach * 2
            spans += reversed(halves)

    def _whole(self, first: Page, size: int, told: Set[str]) -> Generator[Record, None, Optional[int]]:
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
                if record.id not in told:
                    told.add(record.id)
                    yield record
            try:
                page = self._following(page, seen)
            except BadRequest:
                return shown
        return shown if shown < first.total and last >= size else None

    def _within(self, span: "_Span", pages: "_PageSize") -> Page:
        given = str(self.params.get("q") or "")
        query = f"({given}) AND {span.query}" if given else span.query
        return self._sized(pages, q=query)

    def _spans(self) -> List["_Span"]:
        """All of time, the last span first: around the oldest and the newest hit, and what lies beyond them.

        Where the repository understands these orders in another way (one's own records it sorts by their last
        change), only the cut is worse.
        """
        found = []
        for sort in ("oldest", "newest"):
            page = self._first({"page": 1, "size": 1, "sort": sort})
            found += [_moment(record.get("created")) for record in page.records]
        if not found:
            raise RepositoryDecodeError("a search shows no hits where it had some just now")
        start, end = _whole_tick(min(found)), _whole_tick(max(found)) + _TICK
        return [_Span(end, None), _Span(start, end), _Span(None, start)]


class _PageSize:
    """Hits on a page: as many as wanted, or as the repository allows once it refused more.

    Guests often get smaller pages than others.

    Source: NRP / Invenio protocol, section 4 (Search page).
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def learn(self, error: BadRequest) -> bool:
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
class _Span:
    """From a moment on, up to before another; None is for ever."""

    start: Any
    end: Any

    @property
    def closed(self) -> bool:
        """Whether it has both ends."""
        return self.start is not None and self.end is not None

    @property
    def query(self) -> str:
        """What finds the records that were created in it."""
        return f"created:[{_stamp(self.start)} TO {_stamp(self.end)}}}"

    def halves(self, reach: timedelta) -> "Optional[List[_Span]]":
        """Its two parts, the earlier one first; None where it cannot be cut.

        :param reach: of the part that is cut off a span without end.
        """
        try:
            if self.closed:
                middle = _whole_tick(self.start + (self.end - self.start) / 2)
            else:
                middle = self.start + reach if self.end is None else self.end - reach
        except OverflowError:
            return None
        narrow = self.closed and self.end - self.start <= _TICK
        return None if narrow else [_Span(self.start, middle), _Span(middle, self.end)]


def checked_page(page: int, size: Optional[int]) -> None:
    """Check that page and size are numbers of at least 1.

    :raises UsageError: they are not.
    """
    for name, value in (("page", page), ("size", size)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(f"{name} must be a number of at least 1, not {value!r}")


def search_params(q: str, all_versions: bool, facets: Mapping[str, Any]) -> Dict[str, Any]:
    """The query arguments of a search, but for page, size and sort."""
    return {"q": q or None, "allversions": True if all_versions else None, **facets}


def _moment(created: Optional[str]) -> datetime:
    found = moment_of(created)
    if found is None:
        raise RepositoryDecodeError(f"{created!r} is not a time at which a record was created")
    return found


def _whole_tick(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _stamp(moment: Optional[datetime]) -> str:
    return "*" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
