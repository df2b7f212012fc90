"""Vouchers of their owner: list, get, remind, extend, delete; on sites of both releases."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List

import pytest

from smartxfer import FileSenderClient, GuestAuth
from smartxfer.errors import (
    AuthError,
    BadRequest,
    CredentialError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    UsageError,
)
from smartxfer.filesender import Guest, Transfer
from tests.support.management_site import ManagementSite

DAY = 86400
ONE = "/rest.php/guest/*"
INVITATION: Any = {"from": "ann@example.org", "recipient": "gus@example.net"}


@pytest.fixture
def ann(harness: ManagementSite) -> FileSenderClient:
    """Return the client of the user who invites."""
    return harness.client()


def used(harness: ManagementSite, voucher: Guest) -> Transfer:
    """Return a transfer that a guest has sent with a voucher."""
    return harness.client(auth=GuestAuth(voucher.token)).upload_workflow([("a.txt", b"ACGT")])


# -- sent and looked at ------------------------------------------------------------------------------------


def test_an_invitation(harness: ManagementSite, ann: FileSenderClient) -> None:
    options = {"guest": {"valid_only_one_time": True}, "transfer": {"email_upload_complete": True}}
    guest = ann.create_guest({**INVITATION, "subject": "Reads", "options": options})
    assert isinstance(guest, Guest)
    assert (guest.email, guest.user_email, guest.subject) == ("gus@example.net", "ann@example.org", "Reads")
    assert guest.transfer_options["email_upload_complete"] is True
    # A 3.8 has the guest's own options once more, under their kind.
    assert guest.options["valid_only_one_time"] is True
    assert ("guest" in guest.options) == (harness.site.backend.site.version == "3.8")
    assert isinstance(guest.expires.raw, int)
    assert [mail["to"] for mail in harness.site.mails] == ["gus@example.net"]
    assert guest.token not in repr(guest)
    assert guest.token in guest.upload_url


def test_all_of_them_and_one(harness: ManagementSite, ann: FileSenderClient) -> None:
    assert ann.guests.list() == []
    first = ann.create_guest(INVITATION)
    second = ann.create_guest({**INVITATION, "recipient": "kim@example.net"})
    listed = ann.guests.list()
    assert [guest.id for guest in listed] == [second.id, first.id]
    assert all(isinstance(guest, Guest) for guest in listed)
    for known_as in (first.id, first, str(first.id)):
        shown = ann.guests.get(known_as)
        assert (shown.email, shown.token) == ("gus@example.net", first.token)


def test_what_was_sent_with_it(harness: ManagementSite, ann: FileSenderClient) -> None:
    voucher = ann.create_guest(INVITATION)
    # An empty map is a list on the wire.
    assert ann.guests.transfers(voucher) == []
    sent = [used(harness, voucher), used(harness, voucher)]
    found = ann.guests.transfers(voucher)
    assert all(isinstance(transfer, Transfer) for transfer in found)
    assert sorted(transfer.id for transfer in found) == sorted(transfer.id for transfer in sent)
    assert found[0].files[0].name == "a.txt"
    assert ann.guests.get(voucher).transfer_count == 2
    # They are the inviter's.
    assert {transfer.id for transfer in ann.transfers.list()} == {transfer.id for transfer in sent}


def test_one_time_only(harness: ManagementSite, ann: FileSenderClient) -> None:
    options = {"guest": {"valid_only_one_time": True}}
    voucher = ann.create_guest({**INVITATION, "options": options})
    used(harness, voucher)
    with pytest.raises((AuthError, NotFound)):
        used(harness, voucher)


# -- changed -----------------------------------------------------------------------------------------------


def test_reminded(harness: ManagementSite, ann: FileSenderClient) -> None:
    voucher = ann.create_guest(INVITATION)
    ann.guests.remind(voucher)
    assert [(mail["to"], mail["token"]) for mail in harness.site.mails] == [
        ("gus@example.net", voucher.token)
    ] * 2
    assert harness.site.mails[-1]["kind"] == "guest_reminder"


def test_extended_where_the_site_allows_it(harness: ManagementSite, ann: FileSenderClient) -> None:
    harness.site.configure(guest_extension_days=5)
    soon = int(time.time()) + DAY
    voucher = ann.create_guest({**INVITATION, "expires": soon})
    assert (voucher.expires.raw, voucher.expiry_date_extension) == (soon, 1)
    extended = ann.guests.extend(voucher)
    assert (extended.id, extended.expires.raw) == (voucher.id, soon + 5 * DAY)
    assert extended.expiry_date_extension == 0


def test_a_stock_site_extends_no_voucher(harness: ManagementSite, ann: FileSenderClient) -> None:
    voucher = ann.create_guest(INVITATION)
    with pytest.raises(Forbidden):
        ann.guests.extend(voucher)
    assert ann.guests.get(voucher).expires.raw == voucher.expires.raw


def test_withdrawn(harness: ManagementSite, ann: FileSenderClient) -> None:
    voucher = ann.create_guest(INVITATION)
    ann.guests.delete(voucher)
    assert ann.guests.list() == []
    with pytest.raises((AuthError, NotFound)):
        used(harness, voucher)
    assert harness.site.transfers() == []


def test_what_there_is_not(harness: ManagementSite, ann: FileSenderClient) -> None:
    calls: List[Callable[[], Any]] = [
        lambda: ann.guests.get(999),
        lambda: ann.guests.transfers(999),
        lambda: ann.guests.remind(999),
        lambda: ann.guests.extend(999),
        lambda: ann.guests.delete(999),
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.code == "guest_not_found"
    with pytest.raises(UsageError, match="not an id"):
        ann.guests.get("the first")


def test_voucher_of_another_user(new: ManagementSite) -> None:
    voucher = new.client().create_guest(INVITATION)
    bob = new.client("bob@example.net")
    calls: List[Callable[[], Any]] = [
        lambda: bob.guests.get(voucher),
        lambda: bob.guests.transfers(voucher),
        lambda: bob.guests.remind(voucher),
        lambda: bob.guests.extend(voucher),
        lambda: bob.guests.delete(voucher),
    ]
    for call in calls:
        with pytest.raises(Forbidden) as caught:
            call()
        assert caught.value.code == "rest_ownership_required"
    assert bob.guests.list() == []
    assert len(new.site.mails) == 1


def test_no_credentials_no_request(new: ManagementSite) -> None:
    with FileSenderClient(new.url) as anonymous:
        for call in (anonymous.guests.list, lambda: anonymous.guests.get(1), lambda: anonymous.guests.delete(1)):
            with pytest.raises(CredentialError):
                call()
    assert new.site.count("* /rest.php/guest*") == 0


# -- answers that are lost ---------------------------------------------------------------------------------

CHANGES: Dict[str, Any] = {
    "invite": ("POST /rest.php/guest", lambda client, voucher: client.create_guest(INVITATION)),
    "remind": (f"PUT {ONE}", lambda client, voucher: client.guests.remind(voucher)),
    "extend": (f"PUT {ONE}", lambda client, voucher: client.guests.extend(voucher)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_lost_answer_is_not_asked_for_again(new: ManagementSite, name: str) -> None:
    new.site.configure(guest_extension_days=5)
    client = new.client()
    soon = int(time.time()) + DAY
    voucher = client.create_guest({**INVITATION, "expires": soon})
    match, change = CHANGES[name]
    before = new.site.count(match)
    new.fault(match, "lose-answer")
    with pytest.raises(OutcomeUnknown):
        change(client, voucher)
    assert new.site.count(match) == before + 1
    assert len(new.site.mails) == (1 if name == "extend" else 2)
    assert client.guests.get(voucher).expires.raw == soon + (5 * DAY if name == "extend" else 0)


def test_a_withdrawal_forgives(new: ManagementSite) -> None:
    client = new.client()
    voucher = client.create_guest(INVITATION)
    new.fault(f"DELETE {ONE}", "lose-answer")
    client.guests.delete(voucher)
    assert client.guests.list() == []


# -- terms of use ------------------------------------------------------------------------------------------


def test_terms_are_accepted_when_it_is_said(harness: ManagementSite, ann: FileSenderClient) -> None:
    harness.site.configure(aup_required=True)
    transfer = ann.upload_workflow([("a.txt", b"ACGT")], link=True, accept_aup=True)
    assert transfer.results[0].bytes == 4
    assert harness.site.transfers()[-1]["status"] == "available"


def test_terms_are_not_accepted_unasked(harness: ManagementSite, ann: FileSenderClient) -> None:
    harness.site.configure(aup_required=True)
    with pytest.raises(BadRequest, match=r"accept_aup=True") as caught:
        ann.upload_workflow([("a.txt", b"ACGT")], link=True)
    assert f"{harness.url}/?s=upload" in caught.value.hint
    assert caught.value.code == "rest_bad_parameter"
    assert harness.site.transfers() == []


def test_a_guest_accepts_them_too(harness: ManagementSite, ann: FileSenderClient) -> None:
    harness.site.configure(aup_required=True)
    voucher = ann.create_guest(INVITATION)
    visitor = harness.client(auth=GuestAuth(voucher.token))
    with pytest.raises(BadRequest, match="terms of use"):
        visitor.upload_workflow([("a.txt", b"ACGT")])
    assert visitor.upload_workflow([("a.txt", b"ACGT")], accept_aup=True).results[0].ok
