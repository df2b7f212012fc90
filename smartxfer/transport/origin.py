"""Origins: the scheme, host and port that credentials are bound to, and the redirects that are followed."""

import contextlib
import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import quote, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from smartxfer.error_families import ErrorFamily
from smartxfer.errors import DecodeError, RedirectRefused, UsageError
from smartxfer.secret_text import as_secret, as_secret_url, strip_query

if TYPE_CHECKING:
    import requests

__all__ = ["MAX_REDIRECTS", "Origin", "is_loopback", "quote_path", "redirect_target", "strip_query"]

_SERVER_HINT = "tell whoever runs the service"
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Parsers disagree on what these mean, so that a URL with one could name two hosts.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f\\]")


class Origin(NamedTuple):
    """Scheme, host (lower case, IPv6 without brackets) and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """The origin of ``url``, as urllib3 reads it: the parser that also decides where a request goes.

        :raises UsageError: not an http(s) URL with a host.
        """
        url = as_secret_url(url.lstrip())  # as requests does; what trails is for the caller to clean
        parts = None
        with contextlib.suppress(LocationParseError):
            parts = parse_url(strip_query(url))  # neither query nor password stay in a local variable
        if parts is None:
            raise UsageError(
                f"not a URL: {strip_query(url)!r}", hint="pass an address such as https://example.org"
            )
        scheme, host = parts.scheme or "", (parts.host or "").strip("[]").lower()
        # A space or its escape is no host's; only an IPv6 zone has a percent sign.
        odd = " " in host or ("%" in host and ":" not in host) or _AMBIGUOUS.search(url)
        if scheme not in _DEFAULT_PORTS or not host or odd:
            raise UsageError(
                f"not an http or https URL: {strip_query(url)!r}",
                hint="pass an address that begins with https:// or http://",
            )
        return cls(scheme, host, parts.port or _DEFAULT_PORTS[scheme])

    @classmethod
    def parse_from_response(cls, url: str, errors: ErrorFamily) -> "Origin":
        """The origin of an address that stands in an answer.

        :param errors: those of the service that answered.
        :raises DecodeError: it is none; the caller has no part in that.
        """
        try:
            return cls.parse(url)
        except UsageError as error:
            why = error.summary
        raise errors.class_for(DecodeError)(f"the server names an invalid address: {why}", hint=_SERVER_HINT)

    @property
    def netloc(self) -> str:
        """``host`` or ``host:port``, as it stands in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def allows_credentials_for(self, other: "Origin") -> bool:
        """Whether credentials for this origin may go to ``other``: itself, or its own https."""
        upgraded = self[:1] + self[2:] == ("http", 80) and other[:1] + other[2:] == ("https", 443)
        return self == other or (upgraded and self.host == other.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, by its name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def quote_path(text: str, safe: str = "") -> str:
    """Return text as part of a path, percent-encoded.

    :param safe: characters that stay as they are.
    :raises UsageError: it is not valid Unicode.
    """
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise UsageError(f"not valid Unicode: {text!r}", hint="use the name that the server shows") from None


MAX_REDIRECTS = 5
_SAFE_METHODS = frozenset({"GET", "HEAD"})


def redirect_target(
    response: "requests.Response", method: str, count: int, keep_method: bool = False
) -> Optional[str]:
    """Where an answer sends us on to, or None when it is no redirect.

    A writing method is not redirected (it would turn into a GET, or send its body to another place), https
    never falls back to http, and the hops are counted.

    :param keep_method: a writing method goes on after 307 and 308, which keep it.
    :raises RedirectRefused: for each of these.
    """
    location = as_secret(response.headers.get("Location"))
    if response.status_code not in (301, 302, 303, 307, 308) or not location:
        return None
    url = as_secret_url(response.url or "")
    onward = None
    with contextlib.suppress(ValueError):  # its frames have the address; UsageError is one
        target = as_secret_url(urljoin(url, location))
        onward = Origin.parse(target)
    if onward is None:
        raise RedirectRefused(f"{method} {strip_query(url)} is redirected to what is no http address")
    where = f"{method} {strip_query(url)} is redirected to {strip_query(target)}"
    if not (method in _SAFE_METHODS or (keep_method and response.status_code in (307, 308))):
        raise RedirectRefused(where, hint="give that address as the base URL")
    if count >= MAX_REDIRECTS:
        raise RedirectRefused(f"{where}: more than {MAX_REDIRECTS} redirects")
    if Origin.parse(url).scheme == "https" and onward.scheme == "http":
        raise RedirectRefused(f"{where}: from https to http")
    return target
