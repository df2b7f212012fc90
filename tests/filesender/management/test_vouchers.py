"""Vouchers of their owner: list, get, remind, extend, delete; on sites of both releases."""

from __future__ import annotations

import time
from typing import Any

import pytest

from smartxfer import FileSenderClient, GuestAuth
from smartxfer.errors import AuthError, BadRequest, Forbidden, NotFound, UsageError
from smartxfer.filesender import Guest, Transfer
from tests.support.management_site import ManagementSite

DAY = 86400
INVITATION: Any = {"from": "ann@example.org", "recipient": "gus@example.net"}
FILE = [("a.txt", b"ACGT")]


@pytest.fixture
def ann(harness: ManagementSite) -> FileSenderClient:
    """Return the client of the user who invites."""
    client: FileSenderClient = harness.client()
    return client


@pytest.fixture
def voucher(ann: FileSenderClient) -> Guest:
    return ann.create_guest(INVITATION)


def used(harness: ManagementSite, voucher: Guest) -> Transfer:
    """Return a transfer that a guest has sent with a voucher."""
    sent: Transfer = harness.client(auth=GuestAuth(voucher.token)).upload_workflow(FILE)
    return sent


def test_an_invitation(harness: ManagementSite, ann: FileSenderClient) -> None:
    options = {"guest": {"valid_only_one_time": True}, "transfer": {"email_upload_complete": True}}
    guest = ann.create_guest({**INVITATION, "subject": "Reads", "message": "Please.", "options": options})
    assert isinstance(guest, Guest)
    assert (guest.email, guest.user_email) == ("gus@example.net", "ann@example.org")
    assert (guest.subject, guest.message) == ("Reads", "Please.")
    assert guest.transfer_options["email_upload_complete"] is True
    # A 3.8 has the guest's own options once more, under their kind.
    assert guest.options["valid_only_one_time"] is True
    assert ("guest" in guest.options) == (harness.site.backend.site.version == "3.8")
    assert isinstance(guest.expires.raw, int)
    assert [(mail["to"], mail["token"]) for mail in harness.site.mails] == [("gus@example.net", guest.token)]
    assert guest["token"] == guest.token
    assert guest.token not in repr(guest)
    assert guest.token in guest.upload_url
    used(harness, guest)
    with pytest.raises((AuthError, NotFound)):
        used(harness, guest)


def test_all_of_them_and_one(ann: FileSenderClient) -> None:
    assert ann.guests.list() == []
    first = ann.create_guest(INVITATION)
    second = ann.create_guest({**INVITATION, "recipient": "kim@example.net"})
    listed = ann.guests.list()
    assert [(type(guest), guest.id) for guest in listed] == [(Guest, second.id), (Guest, first.id)]
    for known_as in (first.id, first, str(first.id)):
        shown = ann.guests.get(known_as)
        assert (shown.email, shown.token) == ("gus@example.net", first.token)
    with pytest.raises(UsageError, match="not an id"):
        ann.guests.get("the first")


def test_what_was_sent_with_it(harness: ManagementSite, ann: FileSenderClient, voucher: Guest) -> None:
    # An empty map is a list on the wire.
    assert ann.guests.transfers(voucher) == []
    sent = {used(harness, voucher).id for _ in range(2)}
    found = ann.guests.transfers(voucher)
    assert all(isinstance(transfer, Transfer) for transfer in found)
    # They are the inviter's.
    assert {transfer.id for transfer in found} == {transfer.id for transfer in ann.transfers.list()} == sent
    assert found[0].files[0].name == "a.txt"
    assert ann.guests.get(voucher).transfer_count == 2


def test_reminded(harness: ManagementSite, ann: FileSenderClient, voucher: Guest) -> None:
    ann.guests.remind(voucher)
    assert [(mail["to"], mail["token"]) for mail in harness.site.mails] == [("gus@example.net", voucher.token)] * 2
    assert harness.site.mails[-1]["kind"] == "guest_reminder"


def test_extended_where_the_site_allows_it(harness: ManagementSite, ann: FileSenderClient, voucher: Guest) -> None:
    with pytest.raises(Forbidden):
        ann.guests.extend(voucher)
    assert ann.guests.get(voucher).expires.raw == voucher.expires.raw
    harness.site.configure(guest_extension_days=5)
    soon = int(time.time()) + DAY
    voucher = ann.create_guest({**INVITATION, "expires": soon})
    assert (voucher.expires.raw, voucher.expiry_date_extension) == (soon, 1)
    extended = ann.guests.extend(voucher)
    assert (extended.id, extended.expires.raw) == (voucher.id, soon + 5 * DAY)
    assert extended.expiry_date_extension == 0


def test_withdrawn(harness: ManagementSite, ann: FileSenderClient, voucher: Guest) -> None:
    harness.fault("DELETE /rest.php/guest/*", "lose-answer")
    ann.guests.delete(voucher)
    assert ann.guests.list() == []
    with pytest.raises((AuthError, NotFound)):
        used(harness, voucher)
    assert harness.site.transfers() == []


@pytest.mark.parametrize("name", ["get", "transfers", "remind", "extend", "delete"])
def test_vouchers_that_are_missing_or_of_another_user(harness: ManagementSite, voucher: Guest, name: str) -> None:
    bob = harness.of("bob@example.net")
    for named, kind, code in ((999, NotFound, "guest_not_found"), (voucher, Forbidden, "rest_ownership_required")):
        with pytest.raises(kind) as caught:
            getattr(bob.guests, name)(named)
        assert caught.value.code == code
    assert bob.guests.list() == []
    assert len(harness.site.mails) == 1


# -- terms of use ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_guest", [False, True], ids=["user", "guest"])
def test_terms_are_accepted_when_it_is_said(harness: ManagementSite, voucher: Guest, as_guest: bool) -> None:
    harness.site.configure(aup_required=True)
    client = harness.client(**({"auth": GuestAuth(voucher.token)} if as_guest else {}))
    with pytest.raises(BadRequest, match="terms of use") as caught:
        client.upload_workflow(FILE)
    assert "accept_aup=True" in str(caught.value)
    assert f"{harness.url}/?s=upload" in caught.value.hint
    assert caught.value.code == "rest_bad_parameter"
    assert harness.site.transfers() == []
    assert client.upload_workflow(FILE, accept_aup=True).results[0].bytes == 4
    assert harness.site.transfers()[-1]["status"] == "available"
