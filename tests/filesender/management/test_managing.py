"""Management of transfers: list, get, extend, remind, close; recipients, options, audit log, quota."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, Dict, List

import pytest

from smartxfer import FileSenderClient, errors
from smartxfer.filesender import AuditEntry, Recipient, Transfer
from tests.support.management_site import ManagementSite

DAY = 86400
TWO = ["bob@example.net", "eve@example.net"]
ONE = "/rest.php/transfer/*"
INVITATION: Any = {"from": "ann@example.org", "recipient": "gus@example.net"}


@pytest.fixture
def ann(harness: ManagementSite) -> FileSenderClient:
    """The owner of what is sent here."""
    client: FileSenderClient = harness.client()
    return client


@pytest.fixture
def made(ann: FileSenderClient) -> Transfer:
    """A transfer to two recipients."""
    return sent(ann, *TWO)


def sent(client: FileSenderClient, *recipients: str, **args: Any) -> Transfer:
    return client.upload_workflow([("run1/a.txt", b"ACGT")], {"recipients": list(recipients), **args})


def mailed(harness: ManagementSite, kind: str) -> List[str]:
    """Return whom mails of a kind went to."""
    return [mail["to"] for mail in harness.site.mails if mail["kind"] == kind]


def ids(found: List[Any]) -> List[int]:
    return [one.id for one in found]


# -- looking -----------------------------------------------------------------------------------------------


def test_available_transfers_newest_first(ann: FileSenderClient) -> None:
    first, second = sent(ann, *TWO, subject="one"), sent(ann, "bob@example.net", subject="two")
    ann.create_transfer({"from": "ann@example.org", "recipients": TWO, "files": [{"name": "c", "size": 1}]})
    listed = ann.transfers.list()
    assert ids(listed) == [second.id, first.id]
    assert all(isinstance(transfer, Transfer) for transfer in listed)
    assert [person.email for person in listed[1].recipients] == TWO
    assert isinstance(listed[0].expires.raw, int)
    # The round-trip token is sent only once.
    assert listed[0].roundtriptoken == ""


def test_transfers_of_all_users_are_for_administrators(new: ManagementSite) -> None:
    client = new.client()
    made = sent(client, *TWO)
    with pytest.raises(errors.Forbidden, match="administrator") as caught:
        client.transfers.list(all_users=True)
    assert caught.value.code == "rest_admin_required"
    root = new.of("root@example.org")
    assert (ids(root.transfers.list(all_users=True)), root.transfers.list()) == ([made.id], [])


def test_found_by_what_is_known_of_it(ann: FileSenderClient) -> None:
    reads = sent(ann, "bob@example.net", subject="Reads of run 1")
    other = ann.upload_workflow([("notes.txt", b"1")], {"subject": "notes"}, link=True)
    searches: List[Any] = [
        (ann.transfers.find("READS"), [reads]),
        (ann.transfers.find("nothing"), []),
        (ann.transfers.find(recipient="Bob@Example.net"), [reads]),
        (ann.transfers.find(file="run1/a.txt"), [reads]),
        (ann.transfers.find(file="a.txt"), []),
        (ann.transfers.find(link=other.download_url), [other]),
        (ann.transfers.find(link=reads.token), [reads]),
        (ann.transfers.find("notes", recipient="bob@example.net"), []),
        (ann.transfers.find("", file="notes.txt"), [other]),
    ]
    for found, expected in searches:
        assert ids(found) == ids(expected)
    with pytest.raises(errors.UsageError, match="missing search criterion"):
        ann.transfers.find()
    with pytest.raises(errors.UsageError, match="link"):
        ann.transfers.find(link="no link")


def test_one_by_its_id_or_itself(ann: FileSenderClient, made: Transfer) -> None:
    for known_as in (made.id, str(made.id), made):
        shown = ann.transfers.get(known_as)
        assert (shown.id, [file.name for file in shown.files]) == (made.id, ["run1/a.txt"])
    for wrong in ("x", None, object()):
        with pytest.raises(errors.UsageError, match="not an id"):
            ann.transfers.get(wrong)


def test_options_by_name(ann: FileSenderClient) -> None:
    options = ann.transfers.options(sent(ann, *TWO, options={"email_daily_statistics": True}))
    assert (options["email_daily_statistics"], options["get_a_link"]) == (True, False)
    assert ann.quota() is None  # a stock site has none


def test_what_has_happened_to_it(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    ann.transfers.close(made)
    log = ann.transfers.audit_log(made)
    assert all(isinstance(entry, AuditEntry) for entry in log)
    events = [entry.event for entry in log]
    assert (events[0], events[-1]) == ("transfer_started", "transfer_closed")
    assert {"upload_ended", "transfer_available", "transfer_sent"} <= set(events)
    moments = [entry.date.datetime for entry in log]
    assert moments == sorted(moments)
    assert abs(moments[0].timestamp() - time.time()) < 60
    # The first chunk carries only the key of its file: no author is known.
    unnamed = {entry.event for entry in log if entry.author["type"] is None}
    assert unnamed == {"upload_started"}
    assert {entry.author["type"] for entry in log if entry.event not in unnamed} == {"User"}
    ann.transfers.mail_audit_log(made)
    assert (mailed(harness, "report"), harness.site.mails[-1]["kind"]) == (["ann@example.org"], "report")


def test_no_request_is_sent_without_credentials(new: ManagementSite) -> None:
    with FileSenderClient(new.url) as anonymous:
        transfers, guests = anonymous.transfers, anonymous.guests
        for call in (transfers.list, anonymous.quota, guests.list):
            with pytest.raises(errors.CredentialError, match="no username and no api_key"):
                call()
        for one in (transfers.get, transfers.delete, guests.get, guests.delete):
            with pytest.raises(errors.CredentialError, match="no username and no api_key"):
                one(1)
        with pytest.raises(errors.CredentialError, match="no username and no api_key"):
            transfers.add_recipient(1, TWO[0])
    assert new.site.count("* /rest.php/transfer*") == new.site.count("* /rest.php/guest*") == 0


# -- changing ----------------------------------------------------------------------------------------------


def test_extended_by_the_sites_days(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    with pytest.raises(errors.LimitExceeded, match="transfer_expiry_extension_not_allowed"):
        ann.transfers.extend(made)
    assert ann.transfers.get(made).expires.raw == made.expires.raw
    harness.site.configure(expiry_extension_days=5)
    made = sent(ann, *TWO)
    assert made.expiry_date_extension == 1
    extended = ann.transfers.extend(made)
    # A string on the wire just after the change.
    assert extended.expires.raw == made.expires.raw + 5 * DAY
    assert extended.expiry_date_extension == 0
    with pytest.raises(errors.LimitExceeded):
        ann.transfers.extend(made)


@pytest.mark.parametrize("form", [int, lambda until: dt.datetime.fromtimestamp(until, dt.timezone.utc)])
def test_extended_to_a_moment(harness: ManagementSite, ann: FileSenderClient, made: Transfer, form: Any) -> None:
    until = int(time.time()) + 15 * DAY
    modern = harness.site.backend.site.version == "3.8"
    if modern:
        assert ann.transfers.extend(made, form(until)).expires.raw == until
        until += 100 * DAY
    with pytest.raises(errors.LimitExceeded, match="bad_expire" if modern else None):
        ann.transfers.extend(made, until)


@pytest.mark.parametrize("wrong", [True, "soon", 1.5, dt.datetime(2030, 1, 1)])  # noqa: DTZ001
def test_an_invalid_date(new: ManagementSite, wrong: Any) -> None:
    with pytest.raises(errors.UsageError):
        new.client().transfers.extend(1, wrong)
    assert new.site.count(f"PUT {ONE}") == 0


def test_each_recipient_is_reminded(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    assert isinstance(ann.transfers.remind(made), Transfer)
    assert mailed(harness, "transfer_reminder") == TWO
    ann.transfers.remind(ann.upload_workflow([("a.txt", b"1")], link=True))  # a link has no recipients
    assert mailed(harness, "transfer_reminder") == TWO


def test_closed(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    assert ann.transfers.close(made).id == made.id
    assert [mail["kind"] for mail in harness.site.mails][-2:] == ["transfer_closed"] * 2
    assert ann.transfers.list() == []
    # It is still shown, and its link leads nowhere.
    assert ann.transfers.get(made).id == made.id
    with pytest.raises(errors.NotFound):
        ann.list_files(made.token or "")


def test_deleted(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    ann.transfers.delete(made)
    assert harness.site.transfers() == []
    with pytest.raises(errors.NotFound) as caught:
        ann.transfers.get(made)
    assert (caught.value.status, caught.value.code) == (500, "transfer_not_found")
    ann.transfers.delete(made)


#: Changes of a transfer to two recipients or of a voucher: the request, the call, what a closed transfer answers,
#: and the mails that are sent.
CHANGES: Dict[str, Any] = {
    "extend": (
        f"PUT {ONE}", lambda c, made, _: c.transfers.extend(made), (errors.LimitExceeded, "extension_not_allowed"), 0,
    ),
    "remind": (f"PUT {ONE}", lambda c, made, _: c.transfers.remind(made), None, 2),
    "close": (f"PUT {ONE}", lambda c, made, _: c.transfers.close(made), None, 2),
    "add": (
        f"POST {ONE}/recipient", lambda c, made, _: c.transfers.add_recipient(made, "kim@example.net"),
        (errors.Conflict, "closed_transfer"), 1,
    ),
    "remind one": (
        "PUT /rest.php/recipient/*", lambda c, made, _: c.transfers.remind_recipient(made.recipients[0]), None, 1,
    ),
    "remove": (
        "DELETE /rest.php/recipient/*", lambda c, made, _: c.transfers.remove_recipient(made.recipients[0]),
        (errors.Conflict, "closed_transfer"), 0,
    ),
    "mail the log": (f"GET {ONE}/auditlog/mail", lambda c, made, _: c.transfers.mail_audit_log(made), None, 1),
    "invite": ("POST /rest.php/guest", lambda c, made, _: c.create_guest(INVITATION), None, 1),
    "remind a guest": ("PUT /rest.php/guest/*", lambda c, _, voucher: c.guests.remind(voucher), None, 1),
    "extend a voucher": ("PUT /rest.php/guest/*", lambda c, _, voucher: c.guests.extend(voucher), None, 0),
}
ONCE_ONLY = [name for name in CHANGES if name != "remove"]


@pytest.mark.parametrize("name", ["extend", "remind", "close", "add", "remind one", "remove"])
def test_what_is_closed_is_not_changed(
    harness: ManagementSite, ann: FileSenderClient, made: Transfer, name: str
) -> None:
    """Closing and reminding are answered as if they had worked, and no mail is sent."""
    ann.transfers.close(made)
    mails = list(harness.site.mails)
    _, change, refusal, _ = CHANGES[name]
    if refusal is None:
        assert change(ann, made, None) is not False
    else:
        with pytest.raises(refusal[0], match=refusal[1]):
            change(ann, made, None)
    assert harness.site.mails == mails


def test_transfer_of_another_user(new: ManagementSite) -> None:
    made = sent(new.client(), *TWO)
    transfers = new.of("bob@example.net").transfers
    person = made.recipients[0]
    calls: Any = [
        *((call, made) for call in (transfers.get, transfers.options, transfers.audit_log, transfers.mail_audit_log)),
        *((call, made) for call in (transfers.extend, transfers.remind, transfers.close, transfers.delete)),
        *((call, person) for call in (transfers.get_recipient, transfers.remind_recipient, transfers.remove_recipient)),
        (transfers.add_recipient, made, "kim@example.net"),
    ]
    for call, *arguments in calls:
        with pytest.raises(errors.Forbidden, match="belongs to another user") as caught:
            call(*arguments)
        assert (caught.value.status, caught.value.code) == (403, "rest_ownership_required")
    assert new.site.transfers()[0]["status"] == "available"


# -- recipients --------------------------------------------------------------------------------------------


def test_adding_a_recipient(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, "bob@example.net")
    added = ann.transfers.add_recipient(made, "kim@example.net")
    assert isinstance(added, Recipient)
    assert (added.email, added.transfer_id) == ("kim@example.net", made.id)
    assert harness.site.mails[-1]["to"] == "kim@example.net"
    assert [file.name for file in ann.list_files(added.download_url)] == ["run1/a.txt"]
    assert added.token not in repr(added)
    # The site does not merge doubles, and neither do we.
    assert ann.transfers.add_recipient(made, "kim@example.net").id != added.id
    posted = harness.site.count("POST *")
    for wrong in ("", "no-address", "a b@example.org"):
        with pytest.raises(errors.UsageError, match="e-mail address"):
            ann.transfers.add_recipient(made, wrong)
    assert harness.site.count("POST *") == posted


def test_one_recipient(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    shown = ann.transfers.get_recipient(made.recipients[1].id)
    assert (shown.email, shown.errors, shown.token) == (TWO[1], [], made.recipients[1].token)
    assert isinstance(ann.transfers.remind_recipient(shown), Recipient)
    assert mailed(harness, "transfer_reminder") == [TWO[1]]


def test_the_last_one_closes_it(harness: ManagementSite, ann: FileSenderClient, made: Transfer) -> None:
    ann.transfers.remove_recipient(made.recipients[0])
    with pytest.raises(errors.NotFound):
        ann.list_files(made.recipients[0].token)
    assert harness.site.transfers()[0]["status"] == "available"
    ann.transfers.remove_recipient(made.recipients[1])
    assert harness.site.transfers()[0]["status"] == "closed"
    with pytest.raises(errors.NotFound) as caught:
        ann.transfers.get_recipient(made.recipients[0])
    assert caught.value.code == "recipient_not_found"


# -- answers that are lost ---------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["lose-answer", "status 429 retry-after=0"])
@pytest.mark.parametrize("name", ONCE_ONLY)
def test_a_lost_answer_is_not_asked_for_again(new: ManagementSite, name: str, effect: str) -> None:
    """A second mail would be visible to others; with 429 a site, or a proxy, reports that it has not acted."""
    new.site.configure(expiry_extension_days=5, guest_extension_days=5)
    client = new.client()
    made = sent(client, *TWO)
    voucher = client.create_guest({**INVITATION, "expires": int(time.time()) + DAY})
    match, change, _, mails = CHANGES[name]
    counted, mailed = new.site.count(match), len(new.site.mails)
    new.fault(match, effect)
    if effect == "lose-answer":
        with pytest.raises(errors.OutcomeUnknown):
            change(client, made, voucher)
        assert new.site.count(match) == counted + 1
    else:
        change(client, made, voucher)
    assert len(new.site.mails) == mailed + mails
    found, before = (client.transfers.get(made), made) if name == "extend" else (client.guests.get(voucher), voucher)
    assert found.expires.raw == before.expires.raw + 5 * DAY * name.startswith("extend")



def test_deletions_forgive(new: ManagementSite) -> None:
    client = new.client()
    made = sent(client, *TWO)
    new.fault("DELETE /rest.php/recipient/*", "lose-answer")
    client.transfers.remove_recipient(made.recipients[0])
    new.fault(f"DELETE {ONE}", "lose-answer")
    client.transfers.delete(made)
    assert new.site.transfers() == []
    # Nothing was removed by this call: the recipient is unknown.
    with pytest.raises(errors.NotFound):
        client.transfers.remove_recipient(made.recipients[0])
