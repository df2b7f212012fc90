"""Parsers for the site's HTML pages, which read their ``data-*`` attributes.

Source: FileSender protocol, sections 8.1 and 10.
"""

from html.parser import HTMLParser
from typing import Dict, List, NoReturn, Optional, Tuple

import attrs

from smartxfer.filesender.errors import (
    FileSenderAuthError,
    FileSenderDecodeError,
    FileSenderMaintenance,
    FileSenderNotFound,
)
from smartxfer.filesender.models import DownloadFile
from smartxfer.secret_text import as_secret
from smartxfer.transport.redaction import redacted_excerpt

__all__ = ["GuestPage", "parse_download_page", "parse_guest_page"]

#: Elements that have no end tag.
_VOID_ELEMENTS = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"]
)
_HEADING_ELEMENTS = frozenset(["h1", "h2"])


class _PageParser(HTMLParser):
    """HTML parser that collects elements of class ``file``, attributes of ``body``, and error texts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.files: List[Dict[str, str]] = []
        self.body_attributes: Dict[str, str] = {}
        self.error_texts: List[str] = []
        self.headings: List[str] = []
        self.has_error = False
        self.has_maintenance_class = False
        self._error_depth = 0
        self._in_heading = False

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self._in_heading = self._in_heading or tag in _HEADING_ELEMENTS
        classes = values.get("class", "").split()
        if tag == "body":
            self.body_attributes = _get_data_attributes(values)
        if "file" in classes and "data-id" in values:
            self.files.append(_get_data_attributes(values))
        self.has_maintenance_class = self.has_maintenance_class or "maintenance_page" in classes
        if "exception" in classes:
            self.has_error = True
            self._error_depth = 1
        elif self._error_depth and tag not in _VOID_ELEMENTS:
            self._error_depth += 1

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = self._in_heading and tag not in _HEADING_ELEMENTS
        if self._error_depth and tag not in _VOID_ELEMENTS:
            self._error_depth -= 1

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.headings.append(data.lower())
        if self._error_depth and data.strip():
            self.error_texts.append(data.strip())

    def error(self, message: str) -> NoReturn:
        """Raise AssertionError; the parser of Python 3.8 and 3.9 calls this, later versions raise it."""
        raise AssertionError(message)


def _get_data_attributes(attributes: Dict[str, str]) -> Dict[str, str]:
    return {name[5:]: value for name, value in attributes.items() if name.startswith("data-")}


def _parse_page(html: str) -> _PageParser:
    page = _PageParser()
    try:
        page.feed(html)
        page.close()
    except AssertionError:
        raise FileSenderDecodeError("the site's page is not valid HTML") from None
    return page


def parse_download_page(html: str, site: str = "the site") -> List[DownloadFile]:
    """Return the files of a download page of FileSender 2.x or 3.x.

    :param site: its address, for the messages.
    :raises NotFound: it is an error page, which the site returns with status 200 for an invalid token.
    :raises Maintenance: the site is under maintenance.
    :raises AuthError: the page lists no files, because it requires a login or a code sent by mail.
    :raises DecodeError: the page is not HTML, or a file has no id, name or size.
    """
    html = as_secret(html)
    page = _parse_page(html)
    if page.files:
        return [DownloadFile.from_attributes(attributes) for attributes in page.files]
    if page.has_error:
        text = redacted_excerpt(" ".join(page.error_texts), 200)
        raise FileSenderNotFound(
            f"invalid download link: {site} responded {text!r}"
            if text
            else f"invalid download link of {site}",
            hint="copy the complete link; if it is expired or closed, ask the sender for a new one",
        )
    _raise_if_maintenance(page)
    raise FileSenderAuthError(
        f"the download page of {site} lists no files",
        hint="open the link in a browser: the site may require a login or a code sent by mail",
    )


def _raise_if_maintenance(page: _PageParser) -> None:
    """Check whether a page without the expected content announces maintenance (section 15).

    The default maintenance page has a class for it; a customised page may mention it only in a heading.

    :raises Maintenance: the page announces maintenance.
    """
    if page.has_maintenance_class or any("maintenance" in heading for heading in page.headings):
        raise FileSenderMaintenance("the site is under maintenance")


@attrs.frozen
class GuestPage:
    """Values from the page on which a guest's session starts."""

    security_token: str = attrs.field(repr=False)


def parse_guest_page(html: str) -> GuestPage:
    """Return the security token of the page that a voucher link opens.

    Error pages contain a token, too; they are recognised by a class.

    :raises AuthError: the voucher is used up, expired or mistyped.
    :raises Maintenance: the site is under maintenance.
    """
    html = as_secret(html)
    page = _parse_page(html)
    token = as_secret(page.body_attributes.get("security-token", ""))
    accepted = token and not page.has_error and page.body_attributes.get("auth-type", "guest") == "guest"
    if page.has_maintenance_class or not accepted:
        _raise_if_maintenance(page)
        raise FileSenderAuthError(
            "the site does not accept this voucher",
            hint="copy the complete link; if it is used up or expired, ask for a new one",
        )
    return GuestPage(token)
