from __future__ import annotations

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from smartxfer.errors import UsageError
from smartxfer.transport import Origin, strip_query


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Example.ORG", ("http", "example.org", 80)),
        ("HTTPS://example.org/x?y#z", ("https", "example.org", 443)),
        ("https://example.org:8443/", ("https", "example.org", 8443)),
        ("http://[::1]:8080/x", ("http", "::1", 8080)),
        ("http://me:secret@example.org/x", ("http", "example.org", 80)),
        ("  https://example.org", ("https", "example.org", 443)),
    ],
)
def test_of(url: str, origin: tuple) -> None:
    assert Origin.parse(url) == origin


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "//example.org", "ftp://example.org", "file:///etc/passwd", "http://", "http:///x",
     "http://[::1", "http://example.org:99999", "http://example.org:port/", "http://a b/"],
)  # fmt: skip
def test_no_origin(url: str) -> None:
    with pytest.raises(UsageError, match="not a"):
        Origin.parse(url)


@pytest.mark.parametrize(
    "url", ["http://evil.example\\@good.example/", "http://good.example\\.evil.example/x"]
)
def test_a_url_that_parsers_read_differently_has_no_origin(url: str) -> None:
    # A signature for one host would be sent to the other.
    with pytest.raises(UsageError):
        Origin.parse(url)


@given(st.text(alphabet=st.sampled_from("ab.:/\\@?#[]%1 \t"), max_size=20).map("http://".__add__))
def test_the_origin_is_where_requests_sends_it(url: str) -> None:
    try:
        origin = Origin.parse(url)
    except UsageError:
        return
    try:
        prepared = requests.Request("GET", url).prepare()
    except requests.RequestException:
        return
    sent_to = parse_url(prepared.url or "")
    assert (sent_to.host or "").strip("[]").lower() == origin.host
    assert (sent_to.port or 80) == origin.port
    assert Origin.parse(prepared.url or "") == origin


@pytest.mark.parametrize(
    ("url", "netloc"),
    [
        ("http://h:80", "h"), ("https://h", "h"), ("http://h:443", "h:443"),
        ("https://[fe80::1]:1", "[fe80::1]:1"),
    ],
)
def test_netloc(url: str, netloc: str) -> None:
    origin = Origin.parse(url)
    assert origin.netloc == netloc
    assert str(origin) == f"{origin.scheme}://{netloc}"
    assert Origin.parse(str(origin)) == origin


@pytest.mark.parametrize(
    ("one", "other", "trusted"),
    [
        ("http://h", "http://h:80/x", True),
        ("http://h", "https://h", True),  # its own https
        ("https://h", "http://h", False),
        ("http://h:8080", "https://h:443", False),
        ("http://h", "https://h:8443", False),
        ("http://h", "https://g", False),
        ("http://h:1", "http://h:2", False),
    ],
)
def test_trusts(one: str, other: str, trusted: bool) -> None:
    assert Origin.parse(one).allows_credentials_for(Origin.parse(other)) is trusted


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://h/p?q=1#f", "http://h/p"), ("http://h/p#f?q", "http://h/p"),
        ("http://me:p@ss@h/p", "http://h/p"), ("http://me:pass@h?x", "http://h"),
        ("http://h/a@b", "http://h/a@b"), ("/p?q", "/p"),
    ],
)
def test_without_query(url: str, plain: str) -> None:
    assert strip_query(url) == plain
