"""Vouchers: used by a guest, and rejected after their use."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from smartxfer import FileSenderClient, GuestAuth, RetryPolicy
from smartxfer.errors import AuthError, LimitExceeded, NetworkError, UsageError
from smartxfer.filesender import Guest

INVITATION: Any = {"from": "ann@example.org", "recipient": "gus@example.net"}
TO_BOB: Any = {"recipients": ["bob@example.net"]}


@pytest.fixture
def voucher(harness: Any) -> Guest:
    made: Guest = harness.client().create_guest(INVITATION)
    return made


def as_guest(harness: Any, voucher: Any, **options: Any) -> FileSenderClient:
    client: FileSenderClient = harness.client(auth=GuestAuth(voucher.token), **options)
    return client


def test_a_guest_sends_several_files_side_by_side(harness: Any, voucher: Guest, make: Any) -> None:
    paths = [make(f"{number}.bin", number * harness.chunk + 3) for number in range(4)]
    client = as_guest(harness, voucher, concurrent_files=4, concurrent_chunks=2)
    transfer = client.upload_workflow([*paths, ("e.bin", b"bytes")])
    assert harness.stored() == {**{path.name: path.read_bytes() for path in paths}, "e.bin": b"bytes"}
    assert [result.bytes for result in transfer.results] == [*(path.stat().st_size for path in paths), 5]


def test_a_guest_sends_to_people_where_the_voucher_allows_it(harness: Any, voucher: Guest, make: Any) -> None:
    """The options of a voucher that makes links replace the guest's, so the site would not mail the recipients."""
    with pytest.raises(LimitExceeded, match="recipient"):
        as_guest(harness, voucher).upload_workflow([make("a.bin")], TO_BOB)
    assert harness.stored() == {}
    assert harness.site.count("PUT /rest.php/file/*") == 0
    other = harness.client().create_guest({**INVITATION, "options": {"transfer": {"get_a_link": False}}})
    as_guest(harness, other).upload_workflow([make("a.bin")], TO_BOB)
    assert "bob@example.net" in [mail["to"] for mail in harness.site.mails]


def test_a_vouchers_link_is_enough(harness: Any, voucher: Guest, make: Any) -> None:
    """The link of the mail, as it is pasted; no other credentials."""
    path = make("a.bin", 2 * harness.chunk)
    with FileSenderClient(harness.site.mails[-1]["url"]) as client:
        assert isinstance(client.auth, GuestAuth)
        assert client.base_url == harness.url
        assert voucher.token not in repr(client)
        client.upload_workflow([path])
    assert harness.stored() == {"a.bin": path.read_bytes()}


def test_the_first_csrf_token_is_kept(harness: Any, voucher: Guest, make: Any) -> None:
    """Each answer sets new cookies, twice: an older token stays valid as long as none newer is used."""
    client = as_guest(harness, voucher)
    for name in ("a.bin", "b.bin", "c.bin"):
        client.upload_workflow([make(name, 3 * harness.chunk)])
    assert sorted(harness.stored()) == ["a.bin", "b.bin", "c.bin"]
    doubled = [cookie.name for cookie in client.session.cookies].count("csrfptoken")
    assert doubled > 1, "the site did not set the cookie twice: this test proves nothing"
    assert {seen.status for seen in harness.site.requests} <= {200, 201}


def test_a_site_without_csrf(site_with: Callable[..., Any], make: Any) -> None:
    harness = site_with(csrf=False)
    client = as_guest(harness, harness.client().create_guest(INVITATION))
    client.upload_workflow([make("a.bin")])
    assert isinstance(client.auth, GuestAuth)
    assert client.auth.csrf_token is None
    assert list(harness.stored()) == ["a.bin"]


def test_the_session_is_opened_once(harness: Any, voucher: Guest, make: Any) -> None:
    opener = as_guest(harness, voucher)
    opener.prepare()
    auth: Any = opener.auth
    assert auth.security_token
    assert auth.csrf_token
    opener.upload_workflow([make("a.bin")])
    given = GuestAuth(voucher.token, auth.security_token, auth.csrf_token)
    with FileSenderClient(harness.url, auth=given, session=opener.session) as client:
        client.upload_workflow([make("b.bin")])
    assert harness.site.count("GET /") == 1


@pytest.mark.parametrize("how", ["expired", "used up", "mistyped", "unknown"])
def test_a_voucher_that_is_dead(harness: Any, voucher: Guest, make: Any, how: str) -> None:
    token = voucher.token
    if how == "expired":
        harness.site.configure(clock_offset=30 * 86400)
    elif how == "used up":
        once = harness.client().create_guest({**INVITATION, "options": {"guest": {"valid_only_one_time": True}}})
        as_guest(harness, once).upload_workflow([make("first.bin")])
        token = once.token
    elif how == "mistyped":
        token = token[:-1]
    else:
        token = ("0" if token[0] != "0" else "1") + token[1:]
    before = harness.site.count("POST /rest.php/transfer")
    with pytest.raises((AuthError, UsageError), match="voucher"):
        harness.client(auth=GuestAuth(token)).upload_workflow([make("a.bin")])
    assert harness.site.count("POST /rest.php/transfer") == before


def test_a_guest_continues_where_it_stopped(harness: Any, voucher: Guest, make: Any) -> None:
    path = make("a.bin", 8 * harness.chunk)
    harness.fault("PUT /rest.php/file/*/chunk/*", "reset-before", after=5)
    with pytest.raises(NetworkError):
        as_guest(harness, voucher, retry=RetryPolicy(attempts=1)).upload_workflow([path])
    [result] = as_guest(harness, voucher).upload_workflow([path]).results
    assert result.resumed >= 5 * harness.chunk
    assert harness.stored() == {"a.bin": path.read_bytes()}
    assert harness.site.count("POST /rest.php/transfer") == 1
