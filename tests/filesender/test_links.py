"""Links of other sites: their tokens are not sent to this client's site."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest

from smartxfer import FileSenderClient
from smartxfer.errors import UsageError
from smartxfer.filesender.models import Recipient
from smartxfer.filesender.site_address import get_link_base_url, is_same_site
from tests.support.minimal_filesender import TOKEN, RawSite

FOREIGN = f"https://other.example.org/?s=download&token={TOKEN}"

USES: Dict[str, Callable[[FileSenderClient, Any, Any], Any]] = {
    "list_files": lambda client, link, path: client.list_files(link),
    "download_files": lambda client, link, path: client.download_files(link, path),
    "download_file": lambda client, link, path: client.download_file(link, 1, path),
    "download_archive": lambda client, link, path: client.download_archive(link, path / "a.zip"),
    "transfers.find": lambda client, link, path: client.transfers.find(link=link),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("shape", ["link", "structure"])
def test_a_link_of_another_site_is_refused(site: RawSite, tmp_path: Any, use: str, shape: str) -> None:
    link: Any = FOREIGN
    if shape == "structure":
        link = Recipient.from_wire({"id": 1, "token": TOKEN, "download_url": FOREIGN})
    with site.client() as client, pytest.raises(UsageError) as caught:
        USES[use](client, link, tmp_path)
    assert "https://other.example.org" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert "FileSenderClient('https://other.example.org')" in caught.value.hint
    assert [one.target for one in site.requests if TOKEN in one.target] == []


@pytest.mark.parametrize("path", ["/filesender", "/other"])
def test_another_path_is_another_site(site: RawSite, path: str) -> None:
    with FileSenderClient(site.url) as client, pytest.raises(UsageError):
        client.list_files(f"{site.url}{path}/?s=download&token={TOKEN}")
    assert [one.target for one in site.requests if TOKEN in one.target] == []


@pytest.mark.parametrize("how", ["token", "link", "alias"])
def test_a_link_of_the_own_site_is_used(site: RawSite, how: str) -> None:
    site.page = lambda: '<table><tr class="file" data-id="5" data-name="a.txt" data-size="4" data-chunk-size="9"></table>'
    # A tunnel: the site names itself otherwise than the client's address does.
    client_url = site.url.replace("127.0.0.1", "localhost") if how == "alias" else site.url
    link = TOKEN if how == "token" else f"{site.url}/index.php?s=download&token={TOKEN}"
    with FileSenderClient(client_url) as client:
        [file] = client.list_files(link)
    assert file.name == "a.txt"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://fs.example.org", "https://fs.example.org/", True),
        ("https://fs.example.org", "https://FS.example.org:443", True),
        ("http://fs.example.org", "https://fs.example.org", True),
        ("https://fs.example.org", "http://fs.example.org", True),
        ("https://fs.example.org/a", "https://fs.example.org/a/", True),
        ("https://fs.example.org/a", "https://fs.example.org", False),
        ("https://fs.example.org", "https://fs.example.org:8443", False),
        ("https://fs.example.org", "https://fs.example.net", False),
    ],
)
def test_when_two_addresses_are_one_site(one: str, other: str, same: bool) -> None:
    assert is_same_site(one, other) is same


def test_a_bare_token_has_no_site() -> None:
    assert get_link_base_url(TOKEN) is None
    assert get_link_base_url(FOREIGN) == "https://other.example.org"
