"""Which redirects are followed, and with what."""

import contextlib
from typing import Optional
from urllib.parse import urljoin

import requests

from smartxfer.errors import RedirectRefused
from smartxfer.secret_text import as_secret, as_url
from smartxfer.transport.origin import Origin, without_query

__all__ = ["MAX_HOPS", "next_url"]

MAX_HOPS = 5
_SAFE_METHODS = frozenset({"GET", "HEAD"})


def next_url(response: requests.Response, method: str, hops: int, body: bool = False) -> Optional[str]:
    """Where an answer sends us on to, or None when it is no redirect.

    A writing method is not redirected (it would turn into a GET, or send its body to another place), https
    never falls back to http, and the hops are counted.

    :param body: a writing method goes on after 307 and 308, which keep it.
    :raises RedirectRefused: for each of these.
    """
    location = as_secret(response.headers.get("Location"))
    if response.status_code not in (301, 302, 303, 307, 308) or not location:
        return None
    url = as_url(response.url or "")
    onward = None
    with contextlib.suppress(ValueError):  # its frames have the address; UsageError is one
        target = as_url(urljoin(url, location))
        onward = Origin.of(target)
    if onward is None:
        raise RedirectRefused(f"{method} {without_query(url)} is redirected to what is no http address")
    where = f"{method} {without_query(url)} is redirected to {without_query(target)}"
    if not (method in _SAFE_METHODS or (body and response.status_code in (307, 308))):
        raise RedirectRefused(where, hint="give that address as the base URL")
    if hops >= MAX_HOPS:
        raise RedirectRefused(f"{where}: more than {MAX_HOPS} redirects")
    if Origin.of(url).scheme == "https" and onward.scheme == "http":
        raise RedirectRefused(f"{where}: from https to http")
    return target
