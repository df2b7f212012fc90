"""Pages of search results, and navigation between them.

Source: NRP / Invenio protocol, section 4, Search page.
"""

from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Union, overload

import attrs

from smartxfer.models import to_wire
from smartxfer.nrp.errors import RepositoryDecodeError
from smartxfer.nrp.record_models import Record
from smartxfer.reprs import short_repr

__all__ = ["Page", "PageLinks", "RecordHits", "RecordList"]


@attrs.frozen
class PageLinks:
    """URLs of this page, of the next and of the previous one; None for a missing page."""

    self_: Optional[str] = None
    next: Optional[str] = None
    prev: Optional[str] = None


@attrs.frozen
class Page:
    """One page of hits; ``total`` is the number of hits on all pages."""

    records: List[Record]
    total: int
    links: PageLinks
    aggregations: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def next_url(self) -> Optional[str]:
        """URL of the next page."""
        return self.links.next

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Page":
        """Return the page in a decoded response.

        :raises DecodeError: the response has no hits, or invalid links or aggregations.
        """
        hits = body.get("hits")
        entries = hits.get("hits") if isinstance(hits, dict) else None
        if not isinstance(hits, dict) or not isinstance(entries, list):
            raise RepositoryDecodeError("the response to the search has no list of hits")
        total = hits.get("total", len(entries))
        total = total.get("value") if isinstance(total, dict) else total
        links = body.get("links") or {}
        urls = [links.get(name) if isinstance(links, dict) else None for name in ("self", "next", "prev")]
        groups = body.get("aggregations") or {}
        if not all(isinstance(url, (str, type(None))) for url in urls) or not isinstance(groups, dict):
            raise RepositoryDecodeError("the response to the search has invalid links or aggregations")
        records = [Record.from_wire(hit) for hit in entries]
        count = total if isinstance(total, int) and not isinstance(total, bool) else len(entries)
        return cls(records, max(count, len(entries)), PageLinks(*(url or None for url in urls)), groups, body)


class RecordHits:
    """The records of one page; ``total`` is the number of hits on all pages."""

    def __init__(self, hits: List[Record], total: int) -> None:
        self.hits, self.total = hits, total

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.hits)

    def __getitem__(self, index: int) -> Record:
        return self.hits[index]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self.hits)} of {self.total}>"


class RecordList:
    """One page of a search, similar to a list of Records; ``total`` is the number of hits on all pages.

    ``links`` contains the URLs of this page and its neighbours, ``aggregations`` the counts by facet.
    ``page["hits"]`` returns a member of the response.

    :param page: the parsed page.
    :param fetch_page: returns the page at a URL.
    :param iter_records: yields the records of a page and of all following pages.
    """

    def __init__(
        self, page: Page, fetch_page: Callable[[str], Page], iter_records: Callable[[Page], Iterator[Record]]
    ) -> None:
        self._page, self._fetch_page, self._iter_records = page, fetch_page, iter_records
        self.hits = RecordHits(page.records, page.total)
        self.links = page.links
        self.aggregations = page.aggregations

    @property
    def total(self) -> int:
        """Number of hits on all pages."""
        return self._page.total

    def has_next(self) -> bool:
        """Return True if there is a page after this one."""
        return self.links.next is not None

    def has_prev(self) -> bool:
        """Return True if there is a page before this one."""
        return self.links.prev is not None

    def next_page(self) -> "RecordList":
        """Return the next page; after the last one, an empty one."""
        return self._fetch_linked_page(self.links.next)

    def previous_page(self) -> "RecordList":
        """Return the previous page; before the first one, an empty one."""
        return self._fetch_linked_page(self.links.prev)

    def walk(self) -> Iterator[Record]:
        """Yield the records of this page and of all following pages, which are fetched when needed.

        A repository only returns the first hits of a search; ``scan()`` returns all of them.
        """
        return self._iter_records(self._page)

    def to_dict(self) -> Dict[str, Any]:
        """Return the response as plain dicts and lists, for ``json.dumps``."""
        body: Dict[str, Any] = to_wire(self._page.body)
        return body

    def _fetch_linked_page(self, link: Optional[str]) -> "RecordList":
        page = Page([], 0, PageLinks(), {}, {}) if link is None else self._fetch_page(link)
        return RecordList(page, self._fetch_page, self._iter_records)

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> List[Record]: ...
    @overload
    def __getitem__(self, index: str) -> Any: ...
    def __getitem__(self, index: Union[int, slice, str]) -> Any:
        return self._page.body[index] if isinstance(index, str) else self.hits.hits[index]

    def __repr__(self) -> str:
        return short_repr(type(self).__name__, hits=len(self.hits), total=self.total)
