"""Asynchronous requests: their status, their result, and waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer.errors import AuthError, NotFound, UsageError, WaitTimeout
from smartxfer.jetstream import API, RequestStatus
from tests.support.jetstream_servers import BOUND, JetStreamServers
from tests.support.stopwatch import Stopwatch


def test_get_request_status(harness: JetStreamServers, api: API) -> None:
    harness.near.configure(request_delay=0.2)
    request = api.server.lsRootsAsync()
    early = api.server.getRequestStatus(request)
    assert isinstance(early, RequestStatus)
    assert (early["processing"], early["status"], early["errorMessage"]) == (True, "pending", "")
    assert early.request_id == request.request_id
    request.result(BOUND)
    for late in (api.server.getRequestStatus(request.request_id), request.status()):
        assert (late.processing, late.status, late.error_message) == (False, "complete", "")


def test_get_request_status_of_one_that_failed(harness: JetStreamServers) -> None:
    api = harness.anonymous()
    api.connect()
    request = api.server.authAsync("ann", "wrong-password")
    with pytest.raises(AuthError) as raised:
        api.server.getRequestResult(request)
    assert raised.value.code == "AuthenticationFailed"
    status = api.server.getRequestStatus(requestId=request)
    assert (status.processing, status.status) == (False, "error")
    assert "password" in (status.error_message or "")


def test_get_request_result(harness: JetStreamServers, api: API) -> None:
    harness.near.configure(request_delay=0.05)
    request = api.server.duAsync("/")
    assert api.server.getRequestResult(request) == 0
    assert api.server.getRequestResult(requestId=request.request_id, timeout=BOUND) == 0
    assert request.result() == 0


def test_a_time_out_leaves_the_request_going_on(harness: JetStreamServers, api: API) -> None:
    harness.near.configure(request_delay=0.3)
    request = api.server.mkdirAsync("/made")
    for call in (lambda: request.result(0.02), lambda: api.server.getRequestResult(request, timeout=0)):
        with pytest.raises(WaitTimeout) as raised:
            call()
        assert isinstance(raised.value.last, RequestStatus)
        assert raised.value.last.processing is True
    assert request.result(BOUND) is None
    assert [entry["name"] for entry in api.ls()] == ["made"]


@pytest.mark.parametrize("id", [999_999, "999999"])
def test_one_that_is_not_known(api: API, id: Any) -> None:
    with pytest.raises(NotFound):
        api.server.getRequestStatus(id)
    with pytest.raises(NotFound):
        api.server.getRequestResult(id)


@pytest.mark.parametrize("id", [None, "", True, 1.5, [], {}])
def test_invalid_requests(harness: JetStreamServers, id: Any) -> None:
    api = harness.api()
    for call in (api.server.getRequestStatus, api.server.getRequestResult):
        with pytest.raises(UsageError):
            call(id)
    assert harness.calls == []


def test_a_long_poll_answers_as_soon_as_it_is_done(harness: JetStreamServers, api: API) -> None:
    harness.near.configure(request_delay=0.1)
    watch = Stopwatch()
    before = len(harness.calls)
    assert api.server.lsRootsAsync().result() != []
    assert watch.seconds() < 5
    assert harness.calls[before:] == ["lsRootsAsync", "getRequestResult"]
