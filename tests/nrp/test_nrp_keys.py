"""Keys of files: rejected ones, and the encoding of the others."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.nrp import RepositoryClient
from smartxfer.nrp.keys import has_followable_links, is_addressable, quote_key, validate_key
from tests.support.nrp_server import NRPServer


@pytest.mark.parametrize(
    "key",
    [
        *("", "/a", "a/content", "a/commit", "a/container", "a/container/b"),
        *(".", "..", "../a", "a/../b", "a/./b", "a/.."),
        *("a\0b", "a\nb", "a\r", "\x01a", "a\x1bb", "a\x7f"),
        *("\ud800", "k" * 256, "\u00e9" * 256, f"{'d' * 200}/{'k' * 55}"),
    ],
)
def test_a_key_that_could_not_be_fetched_safely_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="invalid key"):
        validate_key(key)


def test_no_upload_is_started_from_a_directory_with_such_a_key(
    harness: NRPServer, live: RepositoryClient, tmp_path: Path
) -> None:
    draft = harness.site.create()
    (tmp_path / "a").mkdir()
    for name in ("b.txt", "content"):
        (tmp_path / "a" / name).write_bytes(b"1")
    with pytest.raises(UsageError, match="invalid key 'a/content'"):
        live.files.upload_many(draft, [tmp_path / "a"])
    with pytest.raises(UsageError, match="invalid key 'a/content'"):
        live.files.sync_dir(draft, tmp_path)
    assert harness.site.entries(draft) == []


def test_a_key_is_text() -> None:
    with pytest.raises(UsageError, match="not a bytes"):
        validate_key(b"a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key",
    [
        *("a", "content", "commit", "container", "content/a", "container/a", "a/content/b", "a/content/1"),
        *("a//b", "a/", "a\tb", "..a", "b c?#%&.txt", "čé.txt", "k" * 255, "\u00e9" * 255, "\U0001f600" * 255),
    ],
)
def test_other_keys_are_sent_as_they_are(key: str) -> None:
    assert validate_key(key) == key
    assert is_addressable(key)
    assert has_followable_links(key)


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=40))
def test_the_request_line_has_the_key(key: str) -> None:
    if not is_addressable(key):
        return
    url = requests.Request("GET", f"http://localhost/files/{quote_key(key)}").prepare().url
    path = urlsplit(str(url)).path
    assert unquote(path[len("/files/") :]) == key
