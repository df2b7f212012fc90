"""Parsers and builders for server addresses and ``jetstream://`` links.

Source: JetStream protocol, sections 3.2 and 9.1.
"""

import re
from typing import NamedTuple, Union
from urllib.parse import parse_qs, urlsplit

from smartxfer.errors import UsageError
from smartxfer.secret_text import as_secret, as_secret_url
from smartxfer.transport import Origin, strip_query
from smartxfer.transport.origin import is_loopback, quote_path

__all__ = ["DEFAULT_PORT", "Link", "build_base_url", "build_download_link", "parse_host_port", "parse_link"]

DEFAULT_PORT = 8886
_SCHEME = "jetstream"
_LINK_HINT = "pass jetstream://HOST/connect or jetstream://HOST/download?token=..."


class Link(NamedTuple):
    """The parts of a ``jetstream://`` link.

    :param action: ``"connect"`` or ``"download"``.
    :param token: of a download; otherwise it may be empty.
    """

    host: str
    port: int
    action: str
    token: str


def build_base_url(address: str, port: Union[int, str, None] = None) -> str:
    """Return the base URL of a server: http on loopback, https elsewhere, or the URL that was passed.

    :param address: host, ``host:port``, or a URL.
    :param port: TCP port if the address has none; by default 8886.
    :raises UsageError: it is something else.
    """
    address = address.strip()
    if address.lower().startswith(f"{_SCHEME}:"):
        raise UsageError(
            f"{address.split('?')[0]!r} is a link, not an address", hint="call JetStream.from_uri(link)"
        )
    if "://" in address:
        Origin.parse(address)
        if "?" in address or "#" in address:
            raise UsageError(
                "the base URL must not contain a query or fragment", hint=f"pass {strip_query(address)!r}"
            )
        return address.rstrip("/")
    host, port_number = parse_host_port(address, port)
    scheme = "http" if is_loopback(host) else "https"
    url = f"{scheme}://{_bracket_ipv6(host)}:{port_number}"
    Origin.parse(url)
    return url


def parse_host_port(address: str, port: Union[int, str, None] = None) -> "tuple[str, int]":
    """Split ``host``, ``host:port``, or an IPv6 address (in brackets if it has a port) into host and port.

    :param port: port if the address has none; by default 8886.
    :raises UsageError: the host or the port is invalid.
    """
    head, colon, tail = address.strip().rpartition(":")
    if address.count(":") > 1 and "]" not in address:
        host, number = address.strip(), ""
    elif colon and "]" not in tail:
        host, number = head, tail
    else:
        host, number = address.strip(), ""
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    port_number = _parse_port(number) if number else _parse_port(DEFAULT_PORT if port is None else port)
    if not host or not host.isprintable() or any(character in host for character in "/?#@ \\"):
        raise UsageError(f"invalid host: {address!r}", hint="pass 'host', 'host:port' or a URL")
    return host, port_number


def _parse_port(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536):
        raise UsageError(f"{value!r} is not a port", hint="pass a number from 1 to 65535")
    return int(text)


def _bracket_ipv6(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def build_download_link(host: str, port: int, token: str) -> str:
    """Return the link for downloading the files of a shared token."""
    netloc = _bracket_ipv6(host) if port == DEFAULT_PORT else f"{_bracket_ipv6(host)}:{port}"
    return as_secret_url(f"{_SCHEME}://{netloc}/download?token={quote_path(token)}")


def parse_link(link: str) -> Link:
    """Parse a ``jetstream://`` link; user information and fragment are ignored.

    :raises UsageError: it is not such a link, or it is for the desktop client.
    """
    masked, link = strip_query(link.strip()), as_secret_url(link.strip())
    try:
        parts = urlsplit(masked)
        port = parts.port
    except ValueError:
        raise UsageError(f"{masked!r} is not a jetstream:// link", hint=_LINK_HINT) from None
    if parts.scheme.lower() != _SCHEME:
        raise UsageError(f"{masked!r} is not a jetstream:// link", hint=_LINK_HINT)
    if not parts.hostname:
        raise UsageError(f"the link has no server: {masked!r}; it is for the desktop client", hint=_LINK_HINT)
    action = parts.path.strip("/").partition("/")[0].lower()
    if action not in ("connect", "download"):
        raise UsageError(f"unknown action {action!r} of the link {masked!r}", hint=_LINK_HINT)
    token = as_secret(parse_qs(urlsplit(link).query).get("token", [""])[0])
    if action == "download" and not token:
        raise UsageError(f"the link has no token: {masked!r}", hint=_LINK_HINT)
    return Link(parts.hostname, DEFAULT_PORT if port is None else port, action, token)
