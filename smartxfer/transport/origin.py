"""Origins (scheme, host and port) to which credentials are bound, and rules for redirects."""

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

_SERVER_HINT = "report it to the operator of the service"
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Characters that URL parsers interpret differently, so that a URL could mean two hosts.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f\\]")


class Origin(NamedTuple):
    """Scheme, host (lower case, IPv6 without brackets) and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """Return the origin of ``url`` as parsed by urllib3, which also determines where a request is sent.

        :raises UsageError: it is not an http(s) URL with a host.
        """
        url = as_secret_url(url.lstrip())  # as requests does; trailing spaces are an error
        parts = None
        with contextlib.suppress(LocationParseError):
            parts = parse_url(strip_query(url))  # local variables must not contain query or password
        if parts is None:
            raise UsageError(
                f"not a URL: {strip_query(url)!r}", hint="pass an address such as https://example.org"
            )
        scheme, host = parts.scheme or "", (parts.host or "").strip("[]").lower()
        # A host contains no space or escape; only an IPv6 zone has a percent sign.
        invalid = " " in host or ("%" in host and ":" not in host) or _AMBIGUOUS.search(url)
        if scheme not in _DEFAULT_PORTS or not host or invalid:
            raise UsageError(
                f"not an http or https URL: {strip_query(url)!r}",
                hint="pass an address that begins with https:// or http://",
            )
        return cls(scheme, host, parts.port or _DEFAULT_PORTS[scheme])

    @classmethod
    def parse_from_response(cls, url: str, errors: ErrorFamily) -> "Origin":
        """Return the origin of a URL in a response.

        :param errors: the errors of the service.
        :raises DecodeError: the URL is invalid.
        """
        try:
            return cls.parse(url)
        except UsageError as error:
            reason = error.summary
        raise errors.class_for(DecodeError)(f"the server sent an invalid URL: {reason}", hint=_SERVER_HINT)

    @property
    def netloc(self) -> str:
        """``host`` or ``host:port``, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def allows_credentials_for(self, other: "Origin") -> bool:
        """Return True if credentials for this origin may go to ``other``: itself, or its https variant."""
        upgraded = self[:1] + self[2:] == ("http", 80) and other[:1] + other[2:] == ("https", 443)
        return self == other or (upgraded and self.host == other.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is that of this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def quote_path(text: str, safe: str = "") -> str:
    """Return percent-encoded text for the path of a URL.

    :param safe: characters that are not encoded.
    :raises UsageError: it is not valid Unicode.
    """
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise UsageError(
            f"not valid Unicode: {text!r}", hint="use the name that the server returns"
        ) from None


MAX_REDIRECTS = 5
_SAFE_METHODS = frozenset({"GET", "HEAD"})


def redirect_target(
    response: "requests.Response", method: str, count: int, keep_method: bool = False
) -> Optional[str]:
    """Return the target of a redirect, or None if the response is not a redirect.

    A redirect is refused if the method writes (it would become a GET, or send its body elsewhere), if it
    leads from https to http, or if there were too many.

    :param count: number of redirects that were followed before.
    :param keep_method: follow 307 and 308, which keep the method, also for a writing method.
    :raises RedirectRefused: the redirect must not be followed.
    """
    location = as_secret(response.headers.get("Location"))
    if response.status_code not in (301, 302, 303, 307, 308) or not location:
        return None
    url = as_secret_url(response.url or "")
    target_origin = None
    with contextlib.suppress(ValueError):  # UsageError is a ValueError; its frames contain the URL
        target = as_secret_url(urljoin(url, location))
        target_origin = Origin.parse(target)
    if target_origin is None:
        raise RedirectRefused(
            f"{method} {strip_query(url)} is redirected to an invalid URL", hint=_SERVER_HINT
        )
    message = f"{method} {strip_query(url)} is redirected to {strip_query(target)}"
    if not (method in _SAFE_METHODS or (keep_method and response.status_code in (307, 308))):
        raise RedirectRefused(message, hint="pass that URL as the base URL")
    if count >= MAX_REDIRECTS:
        raise RedirectRefused(f"{message}: more than {MAX_REDIRECTS} redirects", hint=_SERVER_HINT)
    if Origin.parse(url).scheme == "https" and target_origin.scheme == "http":
        raise RedirectRefused(f"{message}: from https to http", hint=_SERVER_HINT)
    return target
