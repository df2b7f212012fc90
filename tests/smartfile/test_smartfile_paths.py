"""Paths on the server, and the URLs made of them."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import build_api_path, join, normalize, quote_path, split

NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/foo%bar", "foo%25bar"),
        ("a#b?c&d", "a%23b%3Fc%26d"),
        ("©", "%C2%A9"),
        ("/a b//c/", "a%20b/c"),
        ("a+b~c-d_e.f", "a%2Bb~c-d_e.f"),
        ("", ""),
        ("/", ""),
    ],
)
def test_each_segment_is_encoded(path: str, url: str) -> None:
    assert quote_path(path) == url


@given(st.lists(NAMES, min_size=1))
def test_a_path_comes_back(names: list[str]) -> None:
    url = quote_path("/".join(names))
    assert [unquote(part) for part in url.split("/")] == names
    assert not set(url) & set("?# &%") - {"%"}


@pytest.mark.parametrize("path", ["..", "/a/../b", "./a", "a/."])
def test_what_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="absolute path"):
        quote_path(path)
    with pytest.raises(UsageError):
        normalize(path)


def test_bytes_that_are_not_text_are_rejected() -> None:
    with pytest.raises(UsageError, match="not valid Unicode"):
        quote_path("a\udcff")


@pytest.mark.parametrize(
    ("endpoint", "id", "path"),
    [
        ("/path/info", "/", "path/info/"),
        ("/path/info/", None, "path/info/"),
        ("path/info", "", "path/info/"),
        ("/path/info", "/a b/", "path/info/a%20b/"),
        ("/task", 0, "task/0/"),
        ("ping", None, "ping/"),
        ("/path//data/", "foo?.png", "path/data/foo%3F.png/"),
    ],
)
def test_endpoint_and_id(endpoint: str, id: object, path: str) -> None:
    assert build_api_path(endpoint, id) == path


@pytest.mark.parametrize("endpoint", ["/path/info/?children=true", "/path/info#x"])
def test_a_query_in_the_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError, match="keywords"):
        build_api_path(endpoint, None)


def test_a_structure_is_a_path() -> None:
    assert normalize(Info.from_wire({"path": "/docs/a.txt"})) == "/docs/a.txt"
    with pytest.raises(UsageError, match="must be a string"):
        normalize(7)


@given(st.lists(NAMES, min_size=1), NAMES)
def test_splitting_undoes_joining(names: list[str], name: str) -> None:
    directory = normalize("/".join(names))
    assume(directory != "/")
    assert split(join(directory, name)) == (directory, name)


def test_the_root_is_not_a_file() -> None:
    assert split("/a") == ("/", "a")
    with pytest.raises(UsageError, match="root"):
        split("/")
