from __future__ import annotations

import email.utils
import pickle
from typing import Any, Dict

import pytest

from smartxfer.errors import (
    AuthError,
    BadRequest,
    ClientError,
    Conflict,
    Forbidden,
    HTTPError,
    NotFound,
    RateLimited,
    ServerError,
    TooLarge,
)
from smartxfer.transport import BufferedResponse, RetryPolicy
from smartxfer.transport.http_errors import build_http_error, get_error_class
from tests.support.fake_clock import FakeClock


def made(status: int, body: bytes = b"", headers: Any = None, **data: Any) -> HTTPError:
    answer = BufferedResponse("GET http://h/x", status, headers or {}, body)
    return build_http_error(answer, "GET", "http://h/x", policy=RetryPolicy(), clock=FakeClock(), **data)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, BadRequest, False), (401, AuthError, False), (403, Forbidden, False), (404, NotFound, False),
        (409, Conflict, False), (410, NotFound, False), (412, Conflict, False), (413, TooLarge, False),
        (418, ClientError, False), (422, BadRequest, False), (429, RateLimited, True),
        (500, ServerError, True), (501, ServerError, False), (502, ServerError, True),
        (503, ServerError, True), (504, ServerError, True),
    ],
)
def test_the_table(status: int, kind: type, retryable: bool) -> None:
    assert get_error_class(status) is kind
    error = made(status)
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.status, error.method, error.url) == (status, "GET", "http://h/x")
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("headers", "body", "excerpt"),
    [
        ({"Content-Type": "application/json"}, b'{"message": "no such thing"}', "no such thing"),
        ({}, b'{"detail": "d"}', "d"),
        ({}, b'{"error": {"a": 1}}', "{'a': 1}"),
        ({}, b'["x"]', "['x']"),
        ({}, b"plain\n  words", "plain words"),
        ({"Content-Type": "text/html; charset=utf-8"}, b"<html>", ""),
        ({}, b"[" * 100_000, "[" * 200),
        ({}, b"y" * 1000, "y" * 200),
        ({}, b"", ""),
    ],
)
def test_the_message_is_the_servers(headers: Dict[str, str], body: bytes, excerpt: str) -> None:
    assert made(500, body, headers).message == excerpt


def test_a_services_own_words_win() -> None:
    error = made(
        500, b"{}", kind=NotFound, code="transfer_not_found", message="transfer_not_found",
        request_id="5f-1", details=[1], hint="look again",
    )  # fmt: skip
    assert isinstance(error, NotFound)
    assert str(error) == "GET http://h/x: 500 transfer_not_found [request id 5f-1] (look again)"
    assert (error.code, error.request_id, error.details) == ("transfer_not_found", "5f-1", [1])
    again = pickle.loads(pickle.dumps(error))
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


def test_retry_after_and_what_was_may_have_been_processed() -> None:
    clock = FakeClock()
    date = email.utils.formatdate(clock.time() + 3, usegmt=True)
    assert made(429, headers={"Retry-After": date}).retry_after == 3.0
    assert made(429).may_have_been_processed is False
    assert made(503, headers={"Retry-After": "1"}).may_have_been_processed is False
    assert made(503).may_have_been_processed is True
    assert made(500, headers={"Retry-After": "1"}).may_have_been_processed is True


def test_a_proxy_that_wants_a_password_is_named() -> None:
    assert "proxies=" in made(407).hint


def test_secrets_in_the_servers_message_are_masked() -> None:
    assert "SECRET" not in str(made(500, b"failed: /x?signature=SECRET&a=1"))
