"""Pages of a list.

Source: SmartFile protocol, section 3 (list envelope).
"""

from typing import Any, Dict, Sequence

import attrs

from smartxfer.local.smartfile.call import Call, Response, error_detail, field_error


@attrs.frozen
class Page:
    """One page.

    :param number: its number, from 1.
    :param pages: number of pages, 1 at least.
    :param size: entries of a full page.
    :param total: entries of the whole list.
    """

    number: int
    pages: int
    size: int
    total: int

    @property
    def start(self) -> int:
        """Number of entries before the page."""
        return (self.number - 1) * self.size

    def counts(self) -> Dict[str, int]:
        """Fields about the page in responses."""
        return {"total": self.total, "page": self.number, "pages": self.pages, "per_page": self.size}


def parse_page(call: Call, total: int) -> Page:
    """Return the page that ``page`` and ``limit`` of a call select.

    Assumption: a page beyond the last is a 404, an invalid number a 400.

    :param total: entries of the whole list.
    :raises ApiError: see above.
    """
    site = call.backend.site
    size = min(_parse_number(call, "limit", site.page_size), site.page_limit)
    page = Page(_parse_number(call, "page", 1), max(1, -(-total // size)), size, total)
    if page.number > page.pages:
        raise error_detail(404, "Invalid page.")
    return page


def _parse_number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise field_error(name, "Enter a whole number above 0.")
    return int(text)


def envelope(call: Call, results: Sequence[Any]) -> Response:
    """Return a response with a page of a list.

    :param results: the whole list.
    """
    page = parse_page(call, len(results))
    address = call.backend.url + call.request.encoded_path

    def link(number: int) -> str:
        return f"{address}?page={number}&limit={page.size}"

    previous = link(page.number - 1) if page.number > 1 else None
    following = link(page.number + 1) if page.number < page.pages else None
    listed = list(results[page.start : page.start + page.size])
    return call.json({**page.counts(), "previous": previous, "next": following, "results": listed})
