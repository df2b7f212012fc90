"""From a host and a port, or a ``jetstream://`` link, to the address of a server.

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


class Link(NamedTuple):
    """A ``jetstream://`` link, taken apart.

    :param action: ``"connect"`` or ``"download"``.
    :param token: of a download; "" where there is none.
    """

    host: str
    port: int
    action: str
    token: str


def build_base_url(address: str, port: Union[int, str, None] = None) -> str:
    """The base URL of a server: http on loopback, https elsewhere, or the URL that was given.

    :param address: host, ``host:port``, or a whole URL.
    :param port: TCP port, where the address has none; by default 8886.
    :raises UsageError: it is none of these.
    """
    address = address.strip()
    if address.lower().startswith(f"{_SCHEME}:"):
        raise UsageError(f"{address.split('?')[0]!r} is a link", hint="open it by JetStream.from_uri(link)")
    if "://" in address:
        Origin.parse(address)
        if "?" in address or "#" in address:
            raise UsageError(
                "the base URL must not have a query or a fragment", hint=f"pass {strip_query(address)!r}"
            )
        return address.rstrip("/")
    host, own = parse_host_port(address, port)
    scheme = "http" if is_loopback(host) else "https"
    url = f"{scheme}://{_bracket_ipv6(host)}:{own}"
    Origin.parse(url)
    return url


def parse_host_port(address: str, port: Union[int, str, None] = None) -> "tuple[str, int]":
    """Host and port of ``host``, ``host:port``, or an IPv6 address, bracketed where it has a port.

    :raises UsageError: there is no host, or the port is none.
    """
    head, colon, tail = address.strip().rpartition(":")
    if address.count(":") > 1 and "]" not in address:
        host, number = address.strip(), ""
    elif colon and "]" not in tail:
        host, number = head, tail
    else:
        host, number = address.strip(), ""
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    given = _parse_port(number) if number else _parse_port(DEFAULT_PORT if port is None else port)
    if not host or not host.isprintable() or any(mark in host for mark in "/?#@ \\"):
        raise UsageError(
            f"{address!r} is not a host",
            hint="pass the name or the address of a host, such as files.example.org",
        )
    return host, given


def _parse_port(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536):
        raise UsageError(f"{value!r} is not a port", hint="pass a number from 1 to 65535")
    return int(text)


def _bracket_ipv6(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def build_download_link(host: str, port: int, token: str) -> str:
    """The link by which others fetch what a token shares."""
    place = _bracket_ipv6(host) if port == DEFAULT_PORT else f"{_bracket_ipv6(host)}:{port}"
    return as_secret_url(f"{_SCHEME}://{place}/download?token={quote_path(token)}")


def parse_link(link: str) -> Link:
    """Take a ``jetstream://`` link apart; user information and fragment are ignored.

    :raises UsageError: it is none, or it addresses the desktop client.
    """
    shown, link = strip_query(link.strip()), as_secret_url(link.strip())
    try:
        parts = urlsplit(shown)
        port = parts.port
    except ValueError:
        raise UsageError(
            f"{shown!r} is not a jetstream:// link",
            hint="copy the whole link: jetstream://HOST/ACTION?token=...",
        ) from None
    if parts.scheme.lower() != _SCHEME:
        raise UsageError(
            f"{shown!r} is not a jetstream:// link",
            hint="copy the whole link: jetstream://HOST/ACTION?token=...",
        )
    if not parts.hostname:
        raise UsageError(
            f"{shown!r} names no server: it is meant for the desktop client",
            hint="ask the sender for a link with a host, or open it with the desktop client",
        )
    action = parts.path.strip("/").partition("/")[0].lower()
    if action not in ("connect", "download"):
        raise UsageError(f"{shown!r}: the action {action!r} is not known", hint="connect and download are")
    token = as_secret(parse_qs(urlsplit(link).query).get("token", [""])[0])
    if action == "download" and not token:
        raise UsageError(f"{shown!r} has no token", hint="copy the whole link, with ?token=...")
    return Link(parts.hostname, DEFAULT_PORT if port is None else port, action, token)
