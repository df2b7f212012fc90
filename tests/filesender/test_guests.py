"""Vouchers: sent, used, used up."""

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
def voucher(stand: Any) -> Guest:
    return stand.client().create_guest(INVITATION)


def as_guest(stand: Any, voucher: Any, **options: Any) -> FileSenderClient:
    return stand.client(auth=GuestAuth(voucher.token), **options)


def test_a_voucher_is_sent(stand: Any) -> None:
    body = {**INVITATION, "subject": "Your reads", "message": "Please.", "options": {"guest": {}}}
    guest = stand.client().create_guest(body)
    assert isinstance(guest, Guest)
    assert (guest.email, guest.user_email) == ("gus@example.net", "ann@example.org")
    assert (guest.subject, guest.message) == ("Your reads", "Please.")
    [mail] = stand.site.mails
    assert (mail["to"], mail["token"]) == ("gus@example.net", guest.token)
    assert guest["token"] == guest.token
    assert guest.token not in repr(guest)


@pytest.mark.parametrize("wrong", [{"recipient": "nobody"}, {"recipient": ""}, {"from": "me"}])
def test_a_wrong_address_is_found_here(stand: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match="e-mail address"):
        stand.client().create_guest({**INVITATION, **wrong})
    assert stand.site.count("POST /rest.php/guest") == 0


def test_a_guest_sends(stand: Any, voucher: Guest, make: Any) -> None:
    path = make("a.bin", 5 * stand.chunk + 3)
    transfer = as_guest(stand, voucher, concurrent_chunks=4).upload_workflow([path])
    assert stand.stored() == {"a.bin": path.read_bytes()}
    assert [result.bytes for result in transfer.results] == [5 * stand.chunk + 3]


def test_a_guest_sends_to_people_where_the_voucher_allows_it(stand: Any, make: Any) -> None:
    options = {"transfer": {"get_a_link": False}}
    voucher = stand.client().create_guest({**INVITATION, "options": options})
    as_guest(stand, voucher).upload_workflow([make("a.bin")], {"recipients": ["bob@example.net"]})
    assert "bob@example.net" in [mail["to"] for mail in stand.site.mails]


def test_a_voucher_that_makes_links_does_not_lose_recipients_silently(
    stand: Any, voucher: Guest, make: Any
) -> None:
    """The voucher's options replace the guest's: the site would tell nobody."""
    with pytest.raises(LimitExceeded, match="recipient"):
        as_guest(stand, voucher).upload_workflow([make("a.bin")], {"recipients": ["bob@example.net"]})
    assert stand.stored() == {}
    assert stand.site.count("PUT /rest.php/file/*") == 0


def test_a_guest_sends_several_files_side_by_side(stand: Any, voucher: Guest, make: Any) -> None:
    paths = [make(f"{number}.bin", 2 * stand.chunk) for number in range(4)]
    as_guest(stand, voucher, concurrent_files=4, concurrent_chunks=2).upload_workflow(paths)
    assert stand.stored() == {path.name: path.read_bytes() for path in paths}


def test_a_vouchers_link_is_enough(stand: Any, voucher: Guest, make: Any) -> None:
    """The link of the mail, as it is pasted; no other credentials."""
    path = make("a.bin", 2 * stand.chunk)
    client = FileSenderClient(stand.site.mails[-1]["url"])
    with client:
        assert isinstance(client.auth, GuestAuth)
        assert client.base_url == stand.url
        assert voucher.token not in repr(client)
        client.upload_workflow([path])
    assert stand.stored() == {"a.bin": path.read_bytes()}


def test_the_first_csrf_token_is_kept(stand: Any, voucher: Guest, make: Any) -> None:
    """Each answer sets new cookies, twice: an older token stays valid as long as none newer is used."""
    client = as_guest(stand, voucher)
    for name in ("a.bin", "b.bin", "c.bin"):
        client.upload_workflow([make(name, 3 * stand.chunk)])
    assert sorted(stand.stored()) == ["a.bin", "b.bin", "c.bin"]
    doubled = [cookie.name for cookie in client.session.cookies].count("csrfptoken")
    assert doubled > 1, "the site did not set the cookie twice: this test proves nothing"
    assert {seen.status for seen in stand.site.requests} <= {200, 201}


def test_a_site_without_csrf(site_with: Callable[..., Any], make: Any) -> None:
    stand = site_with(csrf=False)
    voucher = stand.client().create_guest(INVITATION)
    client = as_guest(stand, voucher)
    client.upload_workflow([make("a.bin")])
    assert isinstance(client.auth, GuestAuth)
    assert client.auth.csrf_token is None
    assert list(stand.stored()) == ["a.bin"]


def test_the_session_is_opened_once(stand: Any, voucher: Guest, make: Any) -> None:
    client = as_guest(stand, voucher)
    client.prepare()
    auth = client.auth
    assert isinstance(auth, GuestAuth)
    assert auth.security_token
    assert auth.csrf_token
    client.upload_workflow([make("a.bin")])
    assert stand.site.count("GET /") == 1


def test_given_tokens_are_used(stand: Any, voucher: Guest, make: Any) -> None:
    opener = as_guest(stand, voucher)
    opener.prepare()
    given = GuestAuth(voucher.token, opener.auth.security_token, opener.auth.csrf_token)
    with FileSenderClient(stand.url, auth=given, session=opener.session) as client:
        client.upload_workflow([make("a.bin")])
    assert stand.site.count("GET /") == 1


@pytest.mark.parametrize("how", ["expired", "used up", "mistyped", "unknown"])
def test_a_voucher_that_is_dead(stand: Any, voucher: Guest, make: Any, how: str) -> None:
    token = voucher.token
    if how == "expired":
        stand.site.configure(clock_offset=30 * 86400)
    elif how == "used up":
        token = (
            stand.client()
            .create_guest({**INVITATION, "options": {"guest": {"valid_only_one_time": True}}})
            .token
        )
        stand.client(auth=GuestAuth(token)).upload_workflow([make("first.bin")])
    elif how == "mistyped":
        token = token[:-1]
    else:
        token = ("0" if token[0] != "0" else "1") + token[1:]
    before = stand.site.count("POST /rest.php/transfer")
    with pytest.raises((AuthError, UsageError)) as caught:
        stand.client(auth=GuestAuth(token)).upload_workflow([make("a.bin")])
    assert "voucher" in str(caught.value)
    assert stand.site.count("POST /rest.php/transfer") == before


def test_a_guest_goes_on_where_it_stopped(stand: Any, voucher: Guest, make: Any) -> None:
    path = make("a.bin", 8 * stand.chunk)
    stand.fault("PUT /rest.php/file/*/chunk/*", "reset-before", after=5)
    with pytest.raises(NetworkError):
        as_guest(stand, voucher, retry=RetryPolicy(attempts=1)).upload_workflow([path])
    [result] = as_guest(stand, voucher).upload_workflow([path]).results
    assert result.resumed >= 5 * stand.chunk
    assert stand.stored() == {"a.bin": path.read_bytes()}
    assert stand.site.count("POST /rest.php/transfer") == 1


def test_no_token_of_a_guest_is_shown(
    stand: Any, voucher: Guest, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = as_guest(stand, voucher)
    client.upload_workflow([make("a.bin", 2 * stand.chunk)])
    auth: Any = client.auth
    secrets: List[str] = [voucher.token, auth.security_token, auth.csrf_token]
    assert all(secrets)
    shown = caplog.text + repr(client) + repr(auth)
    assert [secret for secret in secrets if secret in shown] == []


def test_a_guest_may_send_bytes(stand: Any, voucher: Guest) -> None:
    data = os.urandom(100_000)
    as_guest(stand, voucher).upload_workflow([("a.bin", data)])
    assert stand.stored() == {"a.bin": data}
