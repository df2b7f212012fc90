"""Calls succeed on the documented statuses and bodies, and on nothing else; a site's words become typed errors.

Source: FileSender protocol, section 2.1 for the words, and the section of each call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import pytest

from smartxfer import FileSenderClient, RetryPolicy, errors
from smartxfer.errors import CommunicationError, DecodeError, ServerError, SmartxferError
from smartxfer.filesender import Quota
from tests.support.minimal_filesender import TO_BOB, TOKEN, RawSite
from tests.support.raw_server import Peer, RawServer, Request, answering

INVITATION: Any = {"from": "ann@example.org", "recipient": "gus@example.net"}
FILE: Any = {"id": 20, "transfer_id": 7, "name": "a", "size": 4, "puid": "x"}
PAGE = b"<html><body>Please log in to the network</body></html>"
TRANSFER = {"id": 7, "files": [], "recipients": []}
PERSON = {"id": 3, "email": "bob@example.net"}
GUEST = {"id": 5, "email": "gus@example.net"}
NEW = {"from": "ann@example.org", "files": [{"name": "a", "size": 4}], **TO_BOB}

#: Words of the site: their status, and our error.
WORDS: Dict[str, Tuple[int, Any]] = {
    "transfer_not_found": (500, errors.NotFound),
    "recipient_not_found": (500, errors.NotFound),
    "guest_not_found": (500, errors.NotFound),
    "rest_ownership_required": (403, errors.Forbidden),
    "rest_admin_required": (403, errors.Forbidden),
    "rest_authentication_required": (403, errors.AuthError),
    "auth_remote_signature_check_failed": (500, errors.AuthError),
    "rest_bad_parameter": (400, errors.BadRequest),
    "bad_email": (500, errors.BadRequest),
    "bad_expire": (500, errors.LimitExceeded),
    "transfer_expiry_extension_not_allowed": (500, errors.LimitExceeded),
    "transfer_too_many_recipients": (500, errors.LimitExceeded),
    "user_daily_reminder_rate_limit": (500, errors.LimitExceeded),
    "guest_expiry_extension_not_allowed": (500, errors.LimitExceeded),
    "guest_invite_rate_limit": (500, errors.LimitExceeded),
    "guest_remind_rate_limit": (500, errors.LimitExceeded),
    "cannot_alter_closed_transfer": (403, errors.Conflict),
    "transfer_files_incomplete": (500, errors.Conflict),
}
_ANY = "transfer_not_found rest_ownership_required rest_bad_parameter"
_ONE = "recipient_not_found rest_ownership_required cannot_alter_closed_transfer"
_GUEST = "guest_not_found rest_ownership_required rest_bad_parameter"
_LIMIT = "user_daily_reminder_rate_limit"
_CLOSED = "cannot_alter_closed_transfer"

#: Each call: the request, what the site answers to it, the call, and the words that the answer may have instead.
CALLS: Dict[str, Tuple[str, Any, Callable[[FileSenderClient], Any], str]] = {
    "create_transfer": ("POST transfer", {**TRANSFER, "recipients": [PERSON]}, lambda c: c.create_transfer(NEW), "bad_expire"),
    "chunk": ("PUT file/20/chunk/0", {"offset": 0, "written": 4}, lambda c: c.upload_file(FILE, b"data"), _CLOSED),
    "update_file": ("PUT file/20", True, lambda c: c.update_file(FILE, {"complete": True}), "rest_bad_parameter"),
    "complete": ("PUT transfer/7", TRANSFER, lambda c: c.update_transfer(7, {"complete": True}), f"{_ANY} transfer_files_incomplete"),
    "get": ("GET transfer/7", TRANSFER, lambda c: c.transfers.get(7), _ANY),
    "list": ("GET transfer", [TRANSFER], lambda c: c.transfers.list(), "auth_remote_signature_check_failed"),
    "list all": ("GET transfer/@all", [TRANSFER], lambda c: c.transfers.list(True), "rest_admin_required"),
    "options": ("GET transfer/7/options", {"a": 1}, lambda c: c.transfers.options(7), _ANY),
    "audit": ("GET transfer/7/auditlog", [{"event": "x"}], lambda c: c.transfers.audit_log(7), _ANY),
    "audit mail": ("GET transfer/7/auditlog/mail", True, lambda c: c.transfers.mail_audit_log(7), f"{_ANY} {_LIMIT}"),
    "extend": (
        "PUT transfer/7", TRANSFER, lambda c: c.transfers.extend(7),
        f"{_ANY} {_CLOSED} transfer_expiry_extension_not_allowed bad_expire",
    ),
    "remind": ("PUT transfer/7", TRANSFER, lambda c: c.transfers.remind(7), f"{_ANY} {_CLOSED} {_LIMIT}"),
    "close": ("PUT transfer/7", TRANSFER, lambda c: c.transfers.close(7), f"{_ANY} {_CLOSED}"),
    "delete": ("DELETE transfer/7", None, lambda c: c.transfers.delete(7), "rest_ownership_required rest_bad_parameter"),
    "quota": ("GET user/@me/quota", None, lambda c: c.quota(), "rest_authentication_required"),
    "add": (
        "POST transfer/7/recipient", PERSON, lambda c: c.transfers.add_recipient(7, "k@example.net"),
        f"{_ANY} {_CLOSED} {_LIMIT} bad_email transfer_too_many_recipients",
    ),
    "recipient": ("GET recipient/3", PERSON, lambda c: c.transfers.get_recipient(3), "recipient_not_found"),
    "remind one": ("PUT recipient/3", PERSON, lambda c: c.transfers.remind_recipient(3), f"{_ONE} {_LIMIT}"),
    "remove": ("DELETE recipient/3", None, lambda c: c.transfers.remove_recipient(3), _ONE),
    "guests": ("GET guest", [GUEST], lambda c: c.guests.list(), "rest_authentication_required"),
    "guest": ("GET guest/5", GUEST, lambda c: c.guests.get(5), _GUEST),
    "guest's": ("GET guest/5/transfers", {"7": TRANSFER}, lambda c: c.guests.transfers(5), _GUEST),
    "invite": (
        "POST guest", GUEST, lambda c: c.create_guest(INVITATION),
        "bad_email bad_expire guest_invite_rate_limit rest_authentication_required",
    ),
    "remind guest": ("PUT guest/5", True, lambda c: c.guests.remind(5), f"{_GUEST} guest_remind_rate_limit"),
    "extend guest": (
        "PUT guest/5", GUEST, lambda c: c.guests.extend(5),
        f"{_GUEST} rest_admin_required guest_expiry_extension_not_allowed",
    ),
    "withdraw": ("DELETE guest/5", None, lambda c: c.guests.delete(5), _GUEST),
}


@pytest.fixture
def client(site: RawSite) -> Iterator[FileSenderClient]:
    with site.client() as made:
        made.prepare()
        yield made


def answer(site: RawSite, name: str, body: Any, status: Any = None, times: int = 1) -> Any:
    """Plan the answer to a call, and return the call; an extended voucher is also read once more."""
    request, _, call, _ = CALLS[name]
    method, _, path = request.partition(" ")
    for one in {method, "GET"} if name == "extend guest" else {method}:
        for _ in range(times):
            site.refuse(one, f"/rest.php/{path}", status or (201 if method == "POST" else 200), body)
    return call


@pytest.mark.parametrize("name", CALLS)
def test_the_documented_answer_is_success(site: RawSite, client: FileSenderClient, name: str) -> None:
    body = CALLS[name][1]
    found = answer(site, name, body)(client)
    assert found is None if body in (None, True) else bool(found)


@pytest.mark.parametrize("name", CALLS)
def test_another_status_is_not_a_success(site: RawSite, client: FileSenderClient, name: str) -> None:
    request, body, _, _ = CALLS[name]
    for status in (200, 201, 202, 203, 204, 206, 301, 304):
        if status == (201 if request.startswith("POST") else 200):
            continue
        call = answer(site, name, b"" if status in (204, 304) else body, status)
        with pytest.raises(CommunicationError):
            call(client)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", [PAGE, b"", b"{", b'"text"', {"status": "ok"}, False, 7, ("done",)])
def test_another_body_is_not_a_success(site: RawSite, client: FileSenderClient, name: str, body: Any) -> None:
    if name in ("quota", "options") and isinstance(body, dict):
        return  # all fields are optional
    call = answer(site, name, body)
    with pytest.raises(CommunicationError) as caught:
        call(client)
    assert isinstance(caught.value, DecodeError) or (name == "chunk" and isinstance(body, dict))


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, row in CALLS.items() for word in row[3].split()])
def test_the_words_of_the_site(site: RawSite, name: str, word: str) -> None:
    status, kind = WORDS[word]
    call = answer(site, name, word, status, times=3)
    with site.client(retry=RetryPolicy(attempts=3, backoff=0)) as client:
        client.prepare()
        before = len(site.requests)
        with pytest.raises(kind) as caught:
            call(client)
    error = caught.value
    assert (error.status, error.code, error.request_id, error.retryable) == (status, word, "6b0c", False)
    # A wrong signature may be that of a wrong host: it is made once more, for another name.
    assert len(site.requests) - before == (2 if "signature" in word else 1)


def test_every_word_of_the_tables_is_tried() -> None:
    assert {word for row in CALLS.values() for word in row[3].split()} == set(WORDS)


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("put", 201), ("post", 200), ("delete", 200)])
def test_a_raw_call_takes_other_successes(site: RawSite, client: FileSenderClient, method: str, status: int) -> None:
    """A raw call may use an endpoint that the protocol page does not document."""
    site.refuse(method.upper(), "/rest.php/plugin/5", status, {"done": True})
    assert getattr(client, method)("plugin", 5) == {"done": True}


@pytest.mark.parametrize("written", [True, None, 0, 3, 5, "four"])
def test_a_chunk_counts_only_with_all_its_bytes(site: RawSite, client: FileSenderClient, written: Any) -> None:
    call = answer(site, "chunk", {"offset": 0, "written": written})
    with pytest.raises(CommunicationError, match="written|wrote"):
        call(client)


def test_the_completion_of_another_transfer_is_an_error(site: RawSite, client: FileSenderClient) -> None:
    call = answer(site, "complete", {**TRANSFER, "id": 8})
    with pytest.raises(DecodeError, match="transfer 8, not 7"):
        call(client)


def test_the_fields_of_a_quota_and_of_a_failed_mail(site: RawSite, client: FileSenderClient) -> None:
    quota = answer(site, "quota", {"total": 100, "used": "40", "available": 60})(client)
    assert isinstance(quota, Quota)
    assert (quota.total, quota.used, quota.available) == (100, 40, 60)
    date = {"raw": "1700000000", "formatted": "20 Nov 2026"}
    wrong = {"type": "bounce", "date": date, "details": "mailbox full"}
    [error] = answer(site, "recipient", {**PERSON, "errors": [wrong]})(client).errors
    assert (error.type, error.date.raw, error.details) == ("bounce", 1700000000, "mailbox full")


@pytest.mark.parametrize("reply", [(204, b""), (200, PAGE), (202, {"offset": 0, "written": 1000})], ids=str)
def test_nothing_is_noted_as_sent_on_another_answer(site: RawSite, path: Path, reply: Tuple[int, Any]) -> None:
    site.refuse("PUT", "/rest.php/file/20/chunk/1000", *reply)
    with pytest.raises(SmartxferError):
        site.send(path)
    assert site.status == "uploading"
    [result] = site.send(path).results
    assert result.resumed == 1000
    assert bytes(site.stored[20]) == path.read_bytes()


# -- a file that is missing on the site ----------------------------------------------------------------------


@pytest.mark.parametrize("sent", [0, 2])
def test_a_missing_stored_file_is_reported_with_its_status(tmp_path: Path, sent: int) -> None:
    """The site answers 500 with the length of the file, and with a body that is shorter."""
    page = '<table><tr class="file" data-id="5" data-name="a.txt" data-size="5" data-chunk-size="1000"></table>'

    def reply(request: Request, peer: Peer) -> None:
        if request.path == "/download.php":
            peer.answer(500, b"xy"[:sent], "Content-Type: application/binary", length=5)
            peer.close()
        elif request.path == "/":
            peer.answer(200, page.encode(), "Content-Type: text/html")
        else:
            peer.answer(200, b'{"upload_chunk_size": 1000}', "Content-Type: application/json")

    with RawServer(answering(reply)) as server, FileSenderClient(server.url, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ServerError) as caught:
            client.download_files(TOKEN, tmp_path)
    assert caught.value.status == 500
    assert "ask the sender" in caught.value.hint
    assert not (tmp_path / "a.txt").exists()
