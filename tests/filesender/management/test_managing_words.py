"""Management of transfers: messages of a site for each call, and invalid responses."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
import responses

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.errors import (
    AuthError,
    BadRequest,
    Conflict,
    DecodeError,
    Forbidden,
    LimitExceeded,
    NotFound,
    SmartxferError,
)
from smartxfer.filesender import Quota

BASE = "https://fs.example.org"
ANSWER = {"id": 7, "files": [], "recipients": []}
PERSON = {"id": 9, "email": "bob@example.net"}
INVITATION: Any = {"from": "ann@example.org", "recipient": "gus@example.net"}

#: (method, path, what an answer looks like, the call, the words of section 2.1 that it may end with)
_ANY = ["transfer_not_found", "rest_ownership_required", "rest_bad_parameter"]
_GUEST = ["guest_not_found", "rest_ownership_required", "rest_bad_parameter"]
_NOT_LONGER = ["rest_admin_required", "guest_expiry_extension_not_allowed"]
_MAIL = ["cannot_alter_closed_transfer", "user_daily_reminder_rate_limit"]
CALLS: Dict[str, Any] = {
    "get": ("GET", "transfer/7", ANSWER, lambda c: c.transfers.get(7), _ANY),
    "list": ("GET", "transfer", [ANSWER], lambda c: c.transfers.list(), ["auth_remote_signature_check_failed"]),
    "list all": ("GET", "transfer/@all", [ANSWER], lambda c: c.transfers.list(True), ["rest_admin_required"]),
    "options": ("GET", "transfer/7/options", {"a": 1}, lambda c: c.transfers.options(7), _ANY),
    "audit": ("GET", "transfer/7/auditlog", [{"event": "x"}], lambda c: c.transfers.audit_log(7), _ANY),
    "audit mail": ("GET", "transfer/7/auditlog/mail", True, lambda c: c.transfers.mail_audit_log(7), [*_ANY, *_MAIL[1:]]),
    "extend": (
        "PUT", "transfer/7", ANSWER, lambda c: c.transfers.extend(7),
        [*_ANY, "transfer_expiry_extension_not_allowed", "bad_expire", *_MAIL[:1]],
    ),
    "remind": ("PUT", "transfer/7", ANSWER, lambda c: c.transfers.remind(7), [*_ANY, *_MAIL]),
    "close": ("PUT", "transfer/7", ANSWER, lambda c: c.transfers.close(7), [*_ANY, *_MAIL[:1]]),
    "complete": (
        "PUT", "transfer/7", ANSWER, lambda c: c.update_transfer(7, {"complete": True}),
        [*_ANY, "transfer_files_incomplete"],
    ),
    "delete": ("DELETE", "transfer/7", None, lambda c: c.transfers.delete(7), _ANY[1:]),
    "quota": ("GET", "user/@me/quota", None, lambda c: c.quota(), ["rest_authentication_required"]),
    "add": (
        "POST", "transfer/7/recipient", PERSON, lambda c: c.transfers.add_recipient(7, "bob@example.net"),
        [*_ANY, *_MAIL, "bad_email", "transfer_too_many_recipients"],
    ),
    "recipient": ("GET", "recipient/9", PERSON, lambda c: c.transfers.get_recipient(9), ["recipient_not_found"]),
    "remind one": (
        "PUT", "recipient/9", PERSON, lambda c: c.transfers.remind_recipient(9), ["recipient_not_found", *_MAIL]
    ),
    "remove": (
        "DELETE", "recipient/9", None, lambda c: c.transfers.remove_recipient(9),
        ["recipient_not_found", "rest_ownership_required", *_MAIL[:1]],
    ),
    "guests": ("GET", "guest", [PERSON], lambda c: c.guests.list(), ["rest_authentication_required"]),
    "guest": ("GET", "guest/9", PERSON, lambda c: c.guests.get(9), _GUEST),
    "guest's": ("GET", "guest/9/transfers", {"7": ANSWER}, lambda c: c.guests.transfers(9), _GUEST),
    "invite": (
        "POST", "guest", PERSON, lambda c: c.create_guest(INVITATION),
        ["bad_email", "bad_expire", "guest_invite_rate_limit", "rest_authentication_required"],
    ),
    "remind guest": ("PUT", "guest/9", True, lambda c: c.guests.remind(9), [*_GUEST, "guest_remind_rate_limit"]),
    "extend guest": ("PUT", "guest/9", PERSON, lambda c: c.guests.extend(9), [*_GUEST, *_NOT_LONGER]),
    "withdraw": ("DELETE", "guest/9", None, lambda c: c.guests.delete(9), _GUEST),
}  # fmt: skip

#: word -> (status, our exception)
WORDS: Dict[str, Any] = {
    "transfer_not_found": (500, NotFound),
    "recipient_not_found": (500, NotFound),
    "rest_ownership_required": (403, Forbidden),
    "rest_admin_required": (403, Forbidden),
    "rest_authentication_required": (403, AuthError),
    "auth_remote_signature_check_failed": (500, AuthError),
    "rest_bad_parameter": (400, BadRequest),
    "bad_email": (500, BadRequest),
    "bad_expire": (500, LimitExceeded),
    "transfer_expiry_extension_not_allowed": (500, LimitExceeded),
    "transfer_too_many_recipients": (500, LimitExceeded),
    "user_daily_reminder_rate_limit": (500, LimitExceeded),
    "cannot_alter_closed_transfer": (403, Conflict),
    "transfer_files_incomplete": (500, Conflict),
    "guest_not_found": (500, NotFound),
    "guest_expiry_extension_not_allowed": (500, LimitExceeded),
    "guest_invite_rate_limit": (500, LimitExceeded),
    "guest_remind_rate_limit": (500, LimitExceeded),
}


@pytest.fixture
def canned() -> Any:
    """Yield a site with the canned responses that a test adds."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{BASE}/rest.php/info", json={"upload_chunk_size": 1000, "name": "x", "url": BASE})
        mock.get(f"{BASE}/filesender-config.js.php", body="")
        yield mock


@pytest.fixture
def client() -> Any:
    with FileSenderClient(
        BASE, auth=UserAuth("ann", "k3y"), retry=RetryPolicy(attempts=3, backoff=0)
    ) as made:
        yield made


def answer(canned: Any, name: str, body: str) -> None:
    """Add the response to a call; an extended voucher is also read once more."""
    method, path = CALLS[name][:2]
    status = 201 if method == "POST" else 200
    for one in {method, "GET"} if name == "extend guest" else {method}:
        url = f"{BASE}/rest.php/{path}"
        canned.add(one, url, status=status, body=body, content_type="application/json")


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, row in CALLS.items() for word in row[4]])
def test_the_words_of_the_site(canned: Any, client: FileSenderClient, name: str, word: str) -> None:
    method, path, _, call, _ = CALLS[name]
    status, kind = WORDS[word]
    canned.add(
        method,
        f"{BASE}/rest.php/{path}",
        status=status,
        json={"message": word, "uid": "6b00", "details": None},
    )
    with pytest.raises(kind) as caught:
        call(client)
    error = caught.value
    assert (error.status, error.code, error.request_id) == (status, word, "6b00")
    assert not error.retryable
    tries = [sent for sent in canned.calls if sent.request.method == method and path in sent.request.url]
    # A wrong signature may be that of a wrong host: it is made once more, for another name.
    assert len(tries) == (2 if "signature" in word else 1)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", ['"text"', "7", "{not json", "<html>"])
def test_another_shape_than_promised(canned: Any, client: FileSenderClient, name: str, body: str) -> None:
    call = CALLS[name][3]
    answer(canned, name, body)
    with pytest.raises(DecodeError):
        call(client)


@pytest.mark.parametrize("name", CALLS)
def test_the_shape_that_is_promised(canned: Any, client: FileSenderClient, name: str) -> None:
    _, _, shape, call, _ = CALLS[name]
    answer(canned, name, json.dumps(shape))
    found = call(client)
    assert found is None if shape in (None, True) else bool(found)


def test_what_there_is_of_a_quota(canned: Any, client: FileSenderClient) -> None:
    canned.get(f"{BASE}/rest.php/user/@me/quota", json={"total": 100, "used": "40", "available": 60})
    quota = client.quota()
    assert isinstance(quota, Quota)
    assert (quota.total, quota.used, quota.available) == (100, 40, 60)


def test_a_mail_that_could_not_be_delivered(canned: Any, client: FileSenderClient) -> None:
    date = {"raw": "1700000000", "formatted": "20 Nov 2026"}
    wrong = {"type": "bounce", "date": date, "details": "mailbox full"}
    canned.get(f"{BASE}/rest.php/recipient/9", json={**PERSON, "errors": [wrong]})
    [error] = client.transfers.get_recipient(9).errors
    assert (error.type, error.date.raw, error.details) == ("bounce", 1700000000, "mailbox full")


def test_every_error_of_the_tables_is_ours() -> None:
    assert all(issubclass(kind, SmartxferError) for _, kind in WORDS.values())
    assert {word for row in CALLS.values() for word in row[4]} == set(WORDS)
