"""Vouchers: created, used, and rejected after their use."""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, List

import pytest

from smartxfer import FileSenderClient, GuestAuth, RetryPolicy
from smartxfer.errors import AuthError, LimitExceeded, NetworkError, UsageError
from smartxfer.filesender import Guest

INVITATION = {"from": "ann@example.org", "recipient": "gus@example.net"}


@pytest.fixture
def voucher(harness: Any) -> Guest:
    return harness.client().create_guest(INVITATION)


def as_guest(harness: Any, voucher: Any, **options: Any) -> FileSenderClient:
    return harness.client(auth=GuestAuth(voucher.token), **options)


def test_a_voucher_is_sent(harness: Any) -> None:
    body = {**INVITATION, "subject": "Your reads", "message": "Please.", "options": {"guest": {}}}
    guest = harness.client().create_guest(body)
    assert isinstance(guest, Guest)
    assert (guest.email, guest.user_email) == ("gus@example.net", "ann@example.org")
    assert (guest.subject, guest.message) == ("Your reads", "Please.")
    [mail] = harness.site.mails
    assert (mail["to"], mail["token"]) == ("gus@example.net", guest.token)
    assert guest["token"] == guest.token
    assert guest.token not in repr(guest)


@pytest.mark.parametrize("wrong", [{"recipient": "no-address"}, {"recipient": ""}, {"from": "me"}])
def test_a_wrong_address_is_found_here(harness: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match="e-mail address"):
        harness.client().create_guest({**INVITATION, **wrong})
    assert harness.site.count("POST /rest.php/guest") == 0


def test_a_guest_sends(harness: Any, voucher: Guest, make: Any) -> None:
    path = make("a.bin", 5 * harness.chunk + 3)
    transfer = as_guest(harness, voucher, concurrent_chunks=4).upload_workflow([path])
    assert harness.stored() == {"a.bin": path.read_bytes()}
    assert [result.bytes for result in transfer.results] == [5 * harness.chunk + 3]


def test_a_guest_sends_to_people_where_the_voucher_allows_it(harness: Any, make: Any) -> None:
    options = {"transfer": {"get_a_link": False}}
    voucher = harness.client().create_guest({**INVITATION, "options": options})
    as_guest(harness, voucher).upload_workflow([make("a.bin")], {"recipients": ["bob@example.net"]})
    assert "bob@example.net" in [mail["to"] for mail in harness.site.mails]


def test_a_voucher_that_makes_links_does_not_lose_recipients_silently(
    harness: Any, voucher: Guest, make: Any
) -> None:
    """The voucher's options replace the guest's, so the site would not mail the recipients."""
    with pytest.raises(LimitExceeded, match="recipient"):
        as_guest(harness, voucher).upload_workflow([make("a.bin")], {"recipients": ["bob@example.net"]})
    assert harness.stored() == {}
    assert harness.site.count("PUT /rest.php/file/*") == 0


def test_a_guest_sends_several_files_side_by_side(harness: Any, voucher: Guest, make: Any) -> None:
    paths = [make(f"{number}.bin", 2 * harness.chunk) for number in range(4)]
    as_guest(harness, voucher, concurrent_files=4, concurrent_chunks=2).upload_workflow(paths)
    assert harness.stored() == {path.name: path.read_bytes() for path in paths}


def test_a_vouchers_link_is_enough(harness: Any, voucher: Guest, make: Any) -> None:
    """The link of the mail, as it is pasted; no other credentials."""
    path = make("a.bin", 2 * harness.chunk)
    client = FileSenderClient(harness.site.mails[-1]["url"])
    with client:
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
    voucher = harness.client().create_guest(INVITATION)
    client = as_guest(harness, voucher)
    client.upload_workflow([make("a.bin")])
    assert isinstance(client.auth, GuestAuth)
    assert client.auth.csrf_token is None
    assert list(harness.stored()) == ["a.bin"]


def test_the_session_is_opened_once(harness: Any, voucher: Guest, make: Any) -> None:
    client = as_guest(harness, voucher)
    client.prepare()
    auth = client.auth
    assert isinstance(auth, GuestAuth)
    assert auth.security_token
    assert auth.csrf_token
    client.upload_workflow([make("a.bin")])
    assert harness.site.count("GET /") == 1


def test_given_tokens_are_used(harness: Any, voucher: Guest, make: Any) -> None:
    opener = as_guest(harness, voucher)
    opener.prepare()
    given = GuestAuth(voucher.token, opener.auth.security_token, opener.auth.csrf_token)
    with FileSenderClient(harness.url, auth=given, session=opener.session) as client:
        client.upload_workflow([make("a.bin")])
    assert harness.site.count("GET /") == 1


@pytest.mark.parametrize("how", ["expired", "used up", "mistyped", "unknown"])
def test_a_voucher_that_is_dead(harness: Any, voucher: Guest, make: Any, how: str) -> None:
    token = voucher.token
    if how == "expired":
        harness.site.configure(clock_offset=30 * 86400)
    elif how == "used up":
        token = (
            harness.client()
            .create_guest({**INVITATION, "options": {"guest": {"valid_only_one_time": True}}})
            .token
        )
        harness.client(auth=GuestAuth(token)).upload_workflow([make("first.bin")])
    elif how == "mistyped":
        token = token[:-1]
    else:
        token = ("0" if token[0] != "0" else "1") + token[1:]
    before = harness.site.count("POST /rest.php/transfer")
    with pytest.raises((AuthError, UsageError)) as caught:
        harness.client(auth=GuestAuth(token)).upload_workflow([make("a.bin")])
    assert "voucher" in str(caught.value)
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


def test_no_token_of_a_guest_is_shown(
    harness: Any, voucher: Guest, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = as_guest(harness, voucher)
    client.upload_workflow([make("a.bin", 2 * harness.chunk)])
    auth: Any = client.auth
    secrets: List[str] = [voucher.token, auth.security_token, auth.csrf_token]
    assert all(secrets)
    shown = caplog.text + repr(client) + repr(auth)
    assert [secret for secret in secrets if secret in shown] == []


def test_a_guest_may_send_bytes(harness: Any, voucher: Guest) -> None:
    data = os.urandom(100_000)
    as_guest(harness, voucher).upload_workflow([("a.bin", data)])
    assert harness.stored() == {"a.bin": data}
