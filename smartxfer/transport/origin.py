"""Origins: the scheme, host and port that credentials are bound to."""

from typing import NamedTuple
from urllib.parse import urlsplit

from smartxfer.errors import UsageError

__all__ = ["Origin", "without_query"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host (lower case, IPv6 without brackets) and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of ``url``.

        :raises UsageError: not an http(s) URL with a host.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"not a URL: {without_query(url)!r} ({error})") from None
        scheme = parts.scheme.lower()
        if scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise UsageError(f"not an http or https URL: {without_query(url)!r}")
        return cls(scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[scheme])

    @property
    def netloc(self) -> str:
        """``host`` or ``host:port``, as it stands in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def trusts(self, other: "Origin") -> bool:
        """Whether credentials for this origin may go to ``other``: itself, or its own https."""
        upgraded = self[:1] + self[2:] == ("http", 80) and other[:1] + other[2:] == ("https", 443)
        return self == other or (upgraded and self.host == other.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def without_query(url: str) -> str:
    """``url`` without query, fragment and user information: fit for a message or a log."""
    head = url.split("#", 1)[0].split("?", 1)[0]
    scheme, mark, rest = head.partition("://")
    if mark and "@" in rest.split("/", 1)[0]:
        rest = rest.split("@", 1)[1]
        return scheme + mark + rest
    return head
