"""Management of transfers: list, get, extend, remind, close; recipients, options, audit log, quota."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, Callable, Dict, List

import pytest

from smartxfer import FileSenderClient
from smartxfer.errors import (
    Conflict,
    CredentialError,
    Forbidden,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    UsageError,
)
from smartxfer.filesender import AuditEntry, Recipient, Transfer
from tests.support.management_site import ManagementSite

DAY = 86400
TWO = ["bob@example.net", "eve@example.net"]
ONE = "/rest.php/transfer/*"


@pytest.fixture
def ann(harness: ManagementSite) -> FileSenderClient:
    """The owner of what is sent here."""
    client: FileSenderClient = harness.client()
    return client


def sent(client: FileSenderClient, *recipients: str, **args: Any) -> Transfer:
    return client.upload_workflow([("run1/a.txt", b"ACGT")], {"recipients": list(recipients), **args})


def kinds(harness: ManagementSite) -> List[str]:
    return [mail["kind"] for mail in harness.site.mails]


# -- looking -----------------------------------------------------------------------------------------------


def test_available_transfers_newest_first(harness: ManagementSite, ann: FileSenderClient) -> None:
    first, second = sent(ann, *TWO, subject="one"), sent(ann, "bob@example.net", subject="two")
    ann.create_transfer(
        {"from": "ann@example.org", "recipients": TWO, "files": [{"name": "c", "size": 1}], "options": {}}
    )
    listed = ann.transfers.list()
    assert [transfer.id for transfer in listed] == [second.id, first.id]
    assert all(isinstance(transfer, Transfer) for transfer in listed)
    assert [person.email for person in listed[1].recipients] == TWO
    assert isinstance(listed[0].expires.raw, int)
    # The round-trip token is sent only once.
    assert listed[0].roundtriptoken == ""


def test_transfers_of_all_users_are_for_administrators(new: ManagementSite) -> None:
    client = new.client()
    made = sent(client, *TWO)
    with pytest.raises(Forbidden, match="administrator") as caught:
        client.transfers.list(all_users=True)
    assert caught.value.code == "rest_admin_required"
    root = new.client("root@example.org")
    assert [transfer.id for transfer in root.transfers.list(all_users=True)] == [made.id]
    assert root.transfers.list() == []


def test_found_by_what_is_known_of_it(harness: ManagementSite, ann: FileSenderClient) -> None:
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
        assert [transfer.id for transfer in found] == [transfer.id for transfer in expected]
    with pytest.raises(UsageError, match="missing search criterion"):
        ann.transfers.find()
    with pytest.raises(UsageError, match="link"):
        ann.transfers.find(link="no link")


def test_one_by_its_id_or_itself(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    for known_as in (made.id, str(made.id), made):
        shown = ann.transfers.get(known_as)
        assert (shown.id, [file.name for file in shown.files]) == (made.id, ["run1/a.txt"])
    for wrong in ("x", None, object()):
        with pytest.raises(UsageError, match="not an id"):
            ann.transfers.get(wrong)


def test_options_by_name(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO, options={"email_daily_statistics": True})
    options = ann.transfers.options(made)
    assert options["email_daily_statistics"] is True
    assert options["get_a_link"] is False


def test_what_has_happened_to_it(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    ann.transfers.close(made)
    log = ann.transfers.audit_log(made)
    assert all(isinstance(entry, AuditEntry) for entry in log)
    events = [entry.event for entry in log]
    assert events[0] == "transfer_started"
    assert events[-1] == "transfer_closed"
    assert {"upload_ended", "transfer_available", "transfer_sent"} <= set(events)
    moments = [entry.date.datetime for entry in log]
    assert moments == sorted(moments)
    assert abs(moments[0].timestamp() - time.time()) < 60
    # The first chunk carries only the key of its file: no author is known.
    unnamed = {entry.event for entry in log if entry.author["type"] is None}
    assert unnamed == {"upload_started"}
    assert {entry.author["type"] for entry in log if entry.event not in unnamed} == {"User"}


def test_the_log_by_mail(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    ann.transfers.mail_audit_log(made)
    assert kinds(harness)[-1] == "report"
    assert harness.site.mails[-1]["to"] == "ann@example.org"


def test_a_site_without_quotas(harness: ManagementSite, ann: FileSenderClient) -> None:
    assert ann.quota() is None


def test_no_request_is_sent_without_credentials(harness: ManagementSite) -> None:
    anonymous = FileSenderClient(harness.url)
    calls: List[Callable[[], Any]] = [
        anonymous.transfers.list,
        anonymous.quota,
        lambda: anonymous.transfers.get(1),
        lambda: anonymous.transfers.delete(1),
        lambda: anonymous.transfers.add_recipient(1, TWO[0]),
    ]
    with anonymous:
        for call in calls:
            with pytest.raises(CredentialError, match="no username and no api_key"):
                call()
    assert harness.site.count("* /rest.php/transfer*") == 0


# -- changing ----------------------------------------------------------------------------------------------


def test_a_stock_site_extends_nothing(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    with pytest.raises(LimitExceeded, match="transfer_expiry_extension_not_allowed"):
        ann.transfers.extend(made)
    assert ann.transfers.get(made).expires.raw == made.expires.raw


def test_extended_by_the_sites_days(harness: ManagementSite, ann: FileSenderClient) -> None:
    harness.site.configure(expiry_extension_days=5)
    made = sent(ann, *TWO)
    assert made.expiry_date_extension == 1
    extended = ann.transfers.extend(made)
    # A string on the wire just after the change.
    assert extended.expires.raw == made.expires.raw + 5 * DAY
    assert extended.expiry_date_extension == 0
    with pytest.raises(LimitExceeded):
        ann.transfers.extend(made)


@pytest.mark.parametrize("form", ["seconds", "datetime"])
def test_extended_to_a_moment(new: ManagementSite, form: str) -> None:
    client = new.client()
    made = sent(client, *TWO)
    until = int(time.time()) + 15 * DAY
    given: Any = until if form == "seconds" else dt.datetime.fromtimestamp(until, dt.timezone.utc)
    assert client.transfers.extend(made, given).expires.raw == until
    with pytest.raises(LimitExceeded, match="bad_expire"):
        client.transfers.extend(made, until + 100 * DAY)


def test_an_older_site_knows_no_moments(new: ManagementSite) -> None:
    new.site.configure(version="2.67")
    client = new.client()
    made = sent(client, *TWO)
    with pytest.raises(LimitExceeded):
        client.transfers.extend(made, int(time.time()) + 15 * DAY)


@pytest.mark.parametrize("wrong", [True, "soon", 1.5, dt.datetime(2030, 1, 1)])  # noqa: DTZ001
def test_an_invalid_date(new: ManagementSite, wrong: Any) -> None:
    with pytest.raises(UsageError):
        new.client().transfers.extend(1, wrong)
    assert new.site.count(f"PUT {ONE}") == 0


def test_each_recipient_is_reminded(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    reminded = ann.transfers.remind(made)
    assert isinstance(reminded, Transfer)
    assert [mail["to"] for mail in harness.site.mails if mail["kind"] == "transfer_reminder"] == TWO


def test_a_link_has_no_recipients_to_remind(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = ann.upload_workflow([("a.txt", b"1")], link=True)
    ann.transfers.remind(made)
    assert "transfer_reminder" not in kinds(harness)


def test_closed(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    assert ann.transfers.close(made).id == made.id
    assert kinds(harness)[-2:] == ["transfer_closed"] * 2
    assert ann.transfers.list() == []
    # It is still shown, and its link leads nowhere.
    assert ann.transfers.get(made).id == made.id
    with pytest.raises(NotFound):
        ann.list_files(made.token or "")


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (lambda client, made: client.transfers.close(made), None, ""),
        (lambda client, made: client.transfers.remind(made), None, ""),
        (lambda client, made: client.transfers.remind_recipient(made.recipients[0]), None, ""),
        (lambda client, made: client.transfers.extend(made), LimitExceeded, "extension_not_allowed"),
        (lambda client, made: client.transfers.add_recipient(made, "kim@example.net"), Conflict, "closed_transfer"),
        (lambda client, made: client.transfers.remove_recipient(made.recipients[0]), Conflict, "closed_transfer"),
    ],
    ids=["close", "remind", "remind one", "extend", "add", "remove"],
)
def test_what_is_closed_is_not_changed(
    harness: ManagementSite, ann: FileSenderClient, change: Any, error: Any, code: str
) -> None:
    """Closing and reminding are answered as if they had worked, and no mail is sent."""
    made = sent(ann, *TWO)
    ann.transfers.close(made)
    mails = list(harness.site.mails)
    if error is None:
        assert change(ann, made) is not False
    else:
        with pytest.raises(error, match=code):
            change(ann, made)
    assert harness.site.mails == mails


def test_deleted(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    ann.transfers.delete(made)
    assert harness.site.transfers() == []
    with pytest.raises(NotFound) as caught:
        ann.transfers.get(made)
    assert (caught.value.status, caught.value.code) == (500, "transfer_not_found")
    ann.transfers.delete(made)


def test_transfer_of_another_user(new: ManagementSite) -> None:
    made = sent(new.client(), *TWO)
    bob = new.client("bob@example.net")
    calls: List[Callable[[], Any]] = [
        lambda: bob.transfers.get(made),
        lambda: bob.transfers.options(made),
        lambda: bob.transfers.audit_log(made),
        lambda: bob.transfers.mail_audit_log(made),
        lambda: bob.transfers.extend(made),
        lambda: bob.transfers.remind(made),
        lambda: bob.transfers.close(made),
        lambda: bob.transfers.delete(made),
        lambda: bob.transfers.add_recipient(made, "kim@example.net"),
        lambda: bob.transfers.get_recipient(made.recipients[0]),
        lambda: bob.transfers.remind_recipient(made.recipients[0]),
        lambda: bob.transfers.remove_recipient(made.recipients[0]),
    ]
    for call in calls:
        with pytest.raises(Forbidden, match="belongs to another user") as caught:
            call()
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


@pytest.mark.parametrize("wrong", ["", "no-address", "a b@example.org"])
def test_an_address_is_looked_at_here(harness: ManagementSite, ann: FileSenderClient, wrong: str) -> None:
    with pytest.raises(UsageError, match="e-mail address"):
        ann.transfers.add_recipient(1, wrong)
    assert harness.site.count("POST *") == 0


def test_one_recipient(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    shown = ann.transfers.get_recipient(made.recipients[1].id)
    assert (shown.email, shown.errors, shown.token) == (TWO[1], [], made.recipients[1].token)
    assert isinstance(ann.transfers.remind_recipient(shown), Recipient)
    assert [mail["to"] for mail in harness.site.mails if mail["kind"] == "transfer_reminder"] == [TWO[1]]


def test_the_last_one_closes_it(harness: ManagementSite, ann: FileSenderClient) -> None:
    made = sent(ann, *TWO)
    ann.transfers.remove_recipient(made.recipients[0])
    with pytest.raises(NotFound):
        ann.list_files(made.recipients[0].token)
    assert harness.site.transfers()[0]["status"] == "available"
    ann.transfers.remove_recipient(made.recipients[1])
    assert harness.site.transfers()[0]["status"] == "closed"
    with pytest.raises(NotFound) as caught:
        ann.transfers.get_recipient(made.recipients[0])
    assert caught.value.code == "recipient_not_found"


# -- answers that are lost ---------------------------------------------------------------------------------

CHANGES: Dict[str, Any] = {
    "extend": (f"PUT {ONE}", lambda client, made: client.transfers.extend(made)),
    "remind": (f"PUT {ONE}", lambda client, made: client.transfers.remind(made)),
    "close": (f"PUT {ONE}", lambda client, made: client.transfers.close(made)),
    "add": (f"POST {ONE}/recipient", lambda client, made: client.transfers.add_recipient(made, "kim@example.net")),
    "remind one": (
        "PUT /rest.php/recipient/*",
        lambda client, made: client.transfers.remind_recipient(made.recipients[0]),
    ),
    "mail the log": (f"GET {ONE}/auditlog/mail", lambda client, made: client.transfers.mail_audit_log(made)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_lost_answer_is_not_asked_for_again(new: ManagementSite, name: str) -> None:
    """A second mail or a second extension would be visible to other people."""
    new.site.configure(expiry_extension_days=5)
    client = new.client()
    made = sent(client, "bob@example.net")
    mails = len(new.site.mails)
    match, change = CHANGES[name]
    before = new.site.count(match)
    new.fault(match, "lose-answer")
    with pytest.raises(OutcomeUnknown):
        change(client, made)
    assert new.site.count(match) == before + 1
    assert len(new.site.mails) == mails + (name != "extend")
    if name == "extend":
        assert client.transfers.get(made).expires.raw == made.expires.raw + 5 * DAY


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_never_arrived_is_sent_again(new: ManagementSite, name: str) -> None:
    """The site, or a proxy before it, reports that it has not acted."""
    new.site.configure(expiry_extension_days=5)
    client = new.client()
    made = sent(client, "bob@example.net")
    mails = len(new.site.mails)
    match, change = CHANGES[name]
    new.fault(match, "status 429 retry-after=0")
    change(client, made)
    assert len(new.site.mails) == mails + (name != "extend")


def test_deletions_forgive(new: ManagementSite) -> None:
    client = new.client()
    made = sent(client, *TWO)
    new.fault("DELETE /rest.php/recipient/*", "lose-answer")
    client.transfers.remove_recipient(made.recipients[0])
    new.fault(f"DELETE {ONE}", "lose-answer")
    client.transfers.delete(made)
    assert new.site.transfers() == []
    # Nothing was removed by this call: the recipient is unknown.
    with pytest.raises(NotFound):
        client.transfers.remove_recipient(made.recipients[0])
