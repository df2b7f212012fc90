"""Completions whose mails fail: the transfer is complete, and every later request succeeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartxfer import FileSenderClient, GuestAuth, RetryPolicy
from smartxfer.errors import OutcomeUnknown, ServerError, SmartxferError
from tests.support.minimal_filesender import DATA, TO_BOB, VID, RawSite

QUICK = RetryPolicy(attempts=3, backoff=0)
NO_MAIL = (500, {"message": "mail_could_not_be_sent", "uid": "6b0c", "details": None}, [])
#: A PHP fatal: worth another try, which succeeds without a mail.
FATAL = (500, b"", [])


def send(site: RawSite, path: Path, args: Any = TO_BOB) -> Any:
    return site.send(path, args, {"retry": QUICK})


def lose(site: RawSite, word: bytes, status: int, answer: Any) -> None:
    """Answer the requests that have this word in their bodies with a failure."""
    site.watch = lambda request: (
        site.refuse("PUT", "/rest.php/transfer/7", status, answer) if word in request.body else None
    )


def created(client: FileSenderClient) -> Any:
    """A transfer of one file that is sent, step by step, and not yet completed."""
    made = client.create_transfer({**TO_BOB, "from": "ann@example.org", "files": [{"name": "a", "size": 4}]})
    client.upload_complete(made.files[0], b"data")
    return made


def test_the_same_call_again_reminds_those_who_have_no_mail(site: RawSite, path: Path, caplog: Any) -> None:
    site.mail_failure = NO_MAIL
    with pytest.raises(ServerError, match="mail_could_not_be_sent") as caught:
        send(site, path)
    assert "again" in caught.value.hint
    begin = len(site.requests)
    transfer = send(site, path)
    assert site.reminders == 1
    assert "reminding its recipients" in caplog.text
    assert transfer.results[0].resumed == len(DATA)
    # An available transfer takes neither chunks nor the completion of a file.
    assert [one.path for one in site.requests[begin:] if "/file/" in one.path] == []
    assert site.count("POST", "/rest.php/transfer") == 1


def test_within_one_call_as_well(site: RawSite, path: Path) -> None:
    """A retry of the completion is answered with 200, and sends no mail."""
    site.mail_failure = FATAL
    send(site, path)
    assert site.reminders == 1


def test_a_reminder_that_fails_is_not_a_success(site: RawSite, path: Path) -> None:
    site.mail_failure = FATAL
    site.refuse("GET", "/rest.php/transfer/7/auditlog", 403, "rest_ownership_required")
    with pytest.raises(SmartxferError):
        send(site, path)
    lose(site, b"remind", 500, "rate_limit_exceeded")
    with pytest.raises(SmartxferError) as caught:
        send(site, path)
    assert "transfers.remind(7)" in caught.value.hint
    assert site.reminders == 0
    site.watch = lambda request: None
    send(site, path)
    assert site.reminders == 1


def test_a_completion_whose_response_was_lost_sends_no_reminder(site: RawSite, path: Path) -> None:
    """The audit log says that the mails were sent."""
    site.status = "started"

    def available(request: Any) -> None:
        if request.method == "PUT" and request.path == "/rest.php/transfer/7" and site.status != "available":
            site.status = "available"
            site.events += ["transfer_available", "transfer_sent"]
            site.refuse("PUT", "/rest.php/transfer/7", 502, b"")

    site.watch = available
    send(site, path)
    assert site.count("GET", "/rest.php/transfer/7/auditlog") == 1
    assert site.reminders == 0


def test_a_completion_that_never_arrived_mails_once(site: RawSite, path: Path) -> None:
    for _ in range(3):
        site.refuse("PUT", "/rest.php/transfer/7", 502, b"")
    with pytest.raises(SmartxferError):
        send(site, path)
    send(site, path)
    assert site.events.count("transfer_sent") == 1
    assert site.reminders == 0


@pytest.mark.parametrize("link", [False, True], ids=["recipients", "a link"])
def test_an_ordinary_upload_reads_no_audit_log(site: RawSite, path: Path, link: bool) -> None:
    """A link has no mails that could fail."""
    if link:
        site.options, site.recipients, site.mail_failure = {"get_a_link": True}, [""], FATAL
    send(site, path, {} if link else TO_BOB)
    assert (site.reminders, site.count("GET", "/rest.php/transfer/7/auditlog")) == (0, 0)


def test_a_lost_reminder_says_so(site: RawSite, path: Path) -> None:
    site.mail_failure = FATAL
    lose(site, b"remind", 504, b"")
    with pytest.raises(OutcomeUnknown) as caught:
        send(site, path)
    assert "recipients may not have been mailed" in caught.value.hint


@pytest.mark.parametrize("known", [True, False])
def test_step_by_step_the_second_completion_reminds(site: RawSite, known: bool) -> None:
    with site.client(retry=QUICK) as client:
        made = created(client)
        site.mail_failure = NO_MAIL
        with pytest.raises(ServerError):
            client.update_transfer(made, {"complete": True})
        if not known:
            site.events.clear()  # a site that keeps no audit log: nothing is known, and no reminder sent
        client.update_transfer(made, {"complete": True})
    assert site.reminders == known


def test_a_guest_gets_a_warning(site: RawSite, caplog: pytest.LogCaptureFixture) -> None:
    site.mail_failure = FATAL
    site.send(("a.bin", DATA), client={"auth": GuestAuth(VID), "retry": QUICK})
    assert "only its owner can check" in caplog.text
    assert site.reminders == 0


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_audit_log_that_cannot_be_read_has_a_remedy(site: RawSite, path: Path, status: int) -> None:
    site.mail_failure = NO_MAIL
    with pytest.raises(ServerError):
        send(site, path)
    site.refuse("GET", "/rest.php/transfer/7/auditlog", status, "auditlog_not_available")
    with pytest.raises(SmartxferError, match="auditlog_not_available") as caught:
        send(site, path)
    assert "transfers.remind(7)" in str(caught.value.hint)
    assert site.reminders == 0
    send(site, path)
    assert site.reminders == 1


@pytest.mark.parametrize("status", [403, 500])
def test_a_completion_step_by_step_does_not_depend_on_the_audit_log(site: RawSite, status: int) -> None:
    """Fails if a first completion that succeeds is reported as a failure."""
    with site.client(retry=QUICK) as client:
        made = created(client)
        site.refuse("GET", "/rest.php/transfer/7/auditlog", status, "auditlog_not_available")
        assert client.update_transfer(made, {"complete": True}).id == 7
    assert site.events.count("transfer_sent") == 1
    assert site.reminders == 0
