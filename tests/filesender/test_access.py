"""Facts that a client learns from a site's responses: its name, its clock, the encoding of chunks."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, List
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from smartxfer import GuestAuth, UserAuth
from smartxfer._system import Clock
from smartxfer.errors import AuthError, BadRequest, HTTPError, NotFound
from smartxfer.filesender.request_signer import CHUNK_TIMESTAMP_LEAD, RequestSigner
from smartxfer.transport import Origin, RetryPolicy
from tests.support.filesender_harness import CHUNK as CHUNKS

ANN = UserAuth("ann@example.org", "k3y")
ME = "GET /rest.php/user/@me"
BOB = {"recipients": ["bob@example.net"]}


class Off(Clock):
    """A clock that is wrong by some seconds, and waits for nothing."""

    def __init__(self, by: float) -> None:
        self.by = by
        self.waits: List[float] = []

    def time(self) -> float:
        return time.time() + self.by

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


# -- the site's own name ----------------------------------------------------------------------------------


def test_a_stock_site_is_guessed_at_once(harness: Any) -> None:
    assert harness.client().get("user/@me")["saml_id"] == harness.site.username
    assert harness.site.count(ME) == 1


def test_a_site_with_its_port_is_the_second_guess(site_with: Callable[..., Any]) -> None:
    harness = site_with(server_name="host:port")
    client = harness.client()
    for statuses in ([500, 200], [500, 200, 200]):
        client.get("user/@me")
        assert [seen.status for seen in harness.site.requests if "@me" in seen.path] == statuses


def test_the_second_guess_is_made_once(harness: Any) -> None:
    client = harness.client(auth=UserAuth(harness.site.username, "wrong"))
    for tries in (2, 3):
        with pytest.raises(AuthError, match="signing_host") as caught:
            client.get("user/@me")
        assert caught.value.code == "auth_remote_signature_check_failed"
        assert harness.site.count(ME) == tries


@pytest.mark.parametrize("given", ["fs.example.org", "another.example.org"])
def test_a_given_name_is_the_only_guess(site_with: Callable[..., Any], given: str) -> None:
    harness = site_with(server_name="fs.example.org")
    with contextlib.nullcontext() if given == "fs.example.org" else pytest.raises(AuthError):
        harness.client(signing_host=given).get("user/@me")
    assert harness.site.count(ME) == 1


def test_a_post_too_gets_the_second_guess(site_with: Callable[..., Any], make: Any) -> None:
    """The refusal says that nothing was done: even a creation is made again."""
    harness = site_with(server_name="host:port")
    harness.client().upload_workflow([make("a.bin")], BOB)
    assert [seen.status for seen in harness.site.requests if seen.method == "POST"] == [500, 201]
    assert len(harness.site.transfers()) == 1


# -- the site's clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "prepared", "statuses"), [(-600.0, True, [200]), (600.0, True, [200]), (-600.0, False, [500, 200])]
)
def test_our_clock_may_be_wrong(harness: Any, by: float, prepared: bool, statuses: Any) -> None:
    """Without prepare(), the refusal itself tells the time."""
    clock = Off(by)
    client = harness.client(clock=clock)
    if prepared:
        client.prepare()
    client.get("user/@me")
    assert [seen.status for seen in harness.site.requests if "@me" in seen.path] == statuses
    assert sum(clock.waits) == 0


def test_a_refusal_that_stays_is_an_error_with_a_remedy(harness: Any) -> None:
    harness.fault(ME, "status 500 body=json:auth_remote_too_late", times=3)
    client = harness.client(retry=RetryPolicy(attempts=3, backoff=0))
    with pytest.raises(AuthError, match="delay"):
        client.get("user/@me")


def access(auth: Any = ANN, clock: Any = None) -> RequestSigner:
    origin = Origin.parse("https://fs.example.org")
    return RequestSigner(auth, origin, clock or Off(0), RetryPolicy(), None)


def stamp(request: requests.PreparedRequest) -> int:
    return int(parse_qs(urlsplit(str(request.url)).query)["timestamp"][0])


def chunk_request() -> requests.PreparedRequest:
    return requests.Request("PUT", "https://fs.example.org/rest.php/file/7/chunk/0", data=b"x").prepare()


def test_each_signature_has_the_time_of_its_attempt() -> None:
    clock = Off(0)
    signer = access(clock=clock)
    first = stamp(signer.sign(chunk_request()))
    clock.by = 100
    assert 99 <= stamp(signer.sign(chunk_request())) - first <= 102


def test_the_delay_and_the_lead_of_a_chunk_add_up() -> None:
    signer = access(UserAuth("ann", "k", delay=50))
    signer.unsigned_chunks = False
    ahead = stamp(signer.sign_chunk(chunk_request())) - time.time()
    assert 50 + CHUNK_TIMESTAMP_LEAD - 2 <= ahead <= 50 + CHUNK_TIMESTAMP_LEAD + 1


@pytest.mark.parametrize("date", [None, "", "garbage", "Tue, 99 Foo 2026 00:00:00 GMT"])
def test_an_invalid_date_changes_nothing(date: Any) -> None:
    signer = access()
    signer.sync_clock(date)
    assert abs(stamp(signer.sign(chunk_request())) - time.time()) < 3


# -- how chunks are authorised --------------------------------------------------------------------------------


def test_chunks_go_by_key_where_the_site_takes_it() -> None:
    assert access().sign_chunk(chunk_request()).url == "https://fs.example.org/rest.php/file/7/chunk/0"


def test_chunks_are_signed_where_the_site_wants_it(site_with: Callable[..., Any], make: Any) -> None:
    harness = site_with(chunk_security="auth")
    path = make("a.bin", 5 * harness.chunk)
    client = harness.client(concurrent_chunks=1)
    client.upload_workflow([path], BOB)
    assert harness.stored() == {"a.bin": path.read_bytes()}
    # One refusal teaches it; what follows is signed.
    assert [seen.status for seen in harness.site.requests if "/chunk/" in seen.path] == [400, *[200] * 5]
    client.upload_workflow([make("b.bin", 2 * harness.chunk)], BOB)
    assert harness.site.count(CHUNKS, status=400) == 1


def test_the_round_trip_token_is_sent_where_it_is_checked(site_with: Callable[..., Any], make: Any) -> None:
    harness = site_with(roundtrip_check=True)
    path = make("a.bin", 2 * harness.chunk)
    client = harness.client()
    made = client.create_transfer(
        {"from": "a@example.org", "files": [{"name": "a.bin", "size": 2 * harness.chunk}], "options": {}}
    )
    client.upload_complete(made.files[0], path)
    client.update_transfer(made.id, {"complete": True})
    assert harness.stored() == {"a.bin": path.read_bytes()}


# -- what an error says -----------------------------------------------------------------------------------------


def test_an_error_carries_the_sites_words(harness: Any) -> None:
    with pytest.raises(NotFound) as caught:
        harness.client().transfers.get(4711)
    error = caught.value
    assert (error.status, error.code, error.method) == (500, "transfer_not_found", "GET")
    assert error.url == f"{harness.url}/rest.php/transfer/4711"
    assert error.request_id
    assert harness.site.count("GET /rest.php/transfer/4711") == 1


@pytest.mark.parametrize(("body", "tries"), [("empty", 3), ("json:some_new_word", 1)])
def test_a_blank_500_is_tried_again_and_an_unknown_word_is_not(harness: Any, body: str, tries: int) -> None:
    harness.fault(ME, f"status 500 body={body}", times=tries - (tries > 1))
    with contextlib.nullcontext() if tries > 1 else pytest.raises(HTTPError, match="some_new_word"):
        harness.client().get("user/@me")
    assert harness.site.count(ME) == tries


def test_a_guest_is_not_retried_with_signed_chunks() -> None:
    assert access(GuestAuth("v", "s")).sign_chunk(chunk_request()).headers["X-Filesender-Security-Token"]


def test_a_malformed_number_is_the_callers(harness: Any) -> None:
    with pytest.raises(BadRequest):
        harness.client().get("transfer", "nonsense")
