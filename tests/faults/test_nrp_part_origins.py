"""Origins that the parts of a file may be sent to, and the headers sent along: F13, F31 to F33."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator

import pytest

from smartxfer.errors import DecodeError, NetworkError, RedirectRefused, SmartxferError, UsageError
from smartxfer.transport import RetryPolicy
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, STORAGE_PART, NRPHarness
from tests.support.nrp_multipart import DATA, STEP, part_of, send
from tests.support.raw_server import RawServer, answering, status
from tests.support.stopwatch import Stopwatch

SHARED = NRPHarness


@pytest.fixture(params=["harness", "signed"])
def either(request: pytest.FixtureRequest) -> NRPHarness:
    """A repository that keeps the parts itself, and one that has a storage at another origin."""
    made: NRPHarness = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def thief() -> Iterator[RawServer]:
    """Another origin, which answers everything and remembers it."""
    with RawServer(answering(status(200, b"{}", "Content-Type: application/json"))) as server:
        yield server


def test_f32_presigned_addresses_never_see_the_token(signed: NRPHarness, log: Any) -> None:
    """Detect a header, a cookie or a query argument that goes along; and the signatures are in no log."""
    record = signed.site.create()
    signed.fault(STORAGE_PART, "status 503", times=2)
    api = signed.client()
    api.session.cookies.set("session", "crumb")  # without a domain: for anyone
    send(signed, record, client=api)
    assert signed.site.read(record, "a.bin") == DATA
    asked = signed.heads(STORAGE_PART)
    assert len(asked) == 5
    for head in asked:
        assert "authorization" not in head
        assert "cookie" not in head
        assert signed.site.token not in repr(head)
    assert signed.site.token in repr(signed.heads(INIT)), "the look-out itself"
    logged = "\n".join(f"{record.getMessage()} {record.args!r}" for record in log.records)
    assert "X-Amz-Signature=***" in logged
    assert not re.search(r"X-Amz-(Signature|Credential)=[^*]", logged)
    assert "/storage/" in logged


def test_f32_signatures_are_in_no_error(signed: NRPHarness) -> None:
    record = signed.site.create()
    signed.fault(STORAGE_PART, "reset-before", times=None)
    with pytest.raises(NetworkError) as caught:
        send(signed, record)
    signed.server.clear_faults()
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert signed.site.storage_url in shown
    assert "X-Amz" not in shown
    for entry in signed.client().files.list(record):
        assert "X-Amz" not in repr(entry), "an address is a secret"


def test_f32_an_address_that_expired_is_asked_for_again(signed: NRPHarness) -> None:
    """Detect an error although the repository has fresh addresses."""
    record = signed.site.create()
    faults = [signed.fault(STORAGE_PART, "status 403"), signed.fault(STORAGE_PART, "status 403", after=2)]
    file = send(signed, record, client=signed.client(max_workers=1))
    assert ([fault.fired for fault in faults], file.result.retries) == ([1, 1], 2)
    assert signed.site.read(record, "a.bin") == DATA


def test_f32_but_not_for_ever(signed: NRPHarness) -> None:
    record = signed.site.create()
    refused = signed.fault(STORAGE_PART, "status 403", times=2)
    with pytest.raises(SmartxferError, match="403"):
        send(signed, record, DATA[:1000], client=signed.client(max_workers=1))
    assert (refused.fired, signed.count(COMMIT)) == (2, 0)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_f31_a_part_is_never_redirected(either: NRPHarness, thief: RawServer, code: int) -> None:
    """Fails if a PUT turns into a GET, or carries its bytes to another host."""
    record = either.site.create()
    fault = either.fault(part_of(either), f"redirect {thief.url}{{target}} {code}")
    with pytest.raises(RedirectRefused):
        send(either, record, client=either.client(max_workers=1))
    assert (fault.fired, thief.requests, either.count(COMMIT)) == (1, [], 0)


def _started(harness: NRPHarness, record: str, url: str, size: int) -> None:
    """The start is answered with this address for its only part."""
    base = f"{harness.url}/api/records/{record}/draft/files/a.bin"
    entry = {
        "key": "a.bin",
        "status": "pending",
        "size": size,
        "transfer": {"type": "M", "parts": 1, "part_size": STEP},
        "links": {"self": base, "commit": f"{base}/commit", "parts": [{"part": 1, "url": url}]},
    }
    harness.answer(INIT, json.dumps({"enabled": True, "entries": [entry]}).encode())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1", "", "//127.0.0.1:1/x", "/x"])
def test_f33_an_invalid_address(harness: NRPHarness, url: str) -> None:
    record = harness.site.create()
    _started(harness, record, url, 1000)
    with pytest.raises((UsageError, RedirectRefused, SmartxferError)):
        send(harness, record, DATA[:1000])
    assert harness.count(COMMIT) == 0


def test_f33_a_port_without_a_server(harness: NRPHarness) -> None:
    record = harness.site.create()
    _started(harness, record, "http://127.0.0.1:1/x?X-Amz-Signature=marked", 1000)
    with pytest.raises(NetworkError) as caught:
        send(harness, record, DATA[:1000], client=harness.client(retry=RetryPolicy(attempts=2, backoff=0)))
    assert "marked" not in str(caught.value)
    assert harness.count(COMMIT) == 0


def test_f33_a_storage_elsewhere_gets_the_bytes_and_nothing_else(harness: NRPHarness, thief: RawServer) -> None:
    """The repository names its storage server, which must not receive the token."""
    record = harness.site.create()
    _started(harness, record, f"{thief.url}/put?signature=1", 1000)
    watch = Stopwatch()
    with pytest.raises(SmartxferError):  # the repository itself knows of no such upload
        send(harness, record, DATA[:1000])
    assert watch.seconds() < 10
    [request] = thief.requests
    assert (request.method, request.body, request.target) == ("PUT", DATA[:1000], "/put?signature=1")
    assert harness.site.token not in repr(request.headers)
    assert "authorization" not in request.headers


@pytest.mark.parametrize("etag", ['"%s"' % ("0" * 32), "0" * 32])
def test_f13_an_etag_that_is_another_md5(harness: NRPHarness, etag: str, log: Any) -> None:
    """An ETag need not be an MD5, and Content-MD5 was sent: a warning, and the repository's own check decides."""
    record = harness.site.create()
    with RawServer(answering(status(200, b"", f"ETag: {etag}"))) as storage:
        _started(harness, record, f"{storage.url}/put?signature=1", 1000)
        with pytest.raises(SmartxferError):  # the repository itself knows of no such upload
            send(harness, record, DATA[:1000])
        assert len(storage.requests) == 1
        assert "content-md5" in storage.requests[0].headers
    assert harness.count(COMMIT) > 0
    assert any("ETag of part 1 is not its MD5" in line.getMessage() for line in log.records)


@pytest.mark.parametrize("link", ["content", "commit"])
@pytest.mark.parametrize("where", ["thief", "http://127.0.0.1:1/x", "file:///etc/passwd", "https://user@127.0.0.1/x"])
def test_f33_content_and_commit_stay_where_the_token_belongs(
    harness: NRPHarness, thief: RawServer, link: str, where: str
) -> None:
    """Fails if a link to any origin is followed, with or without the token."""
    record = harness.site.create()
    url = f"{thief.url}/x" if where == "thief" else where
    entry = {"key": "a.bin", "status": "pending", "transfer": {"type": "L"}, "links": {link: url}}
    harness.answer(INIT, json.dumps({"enabled": True, "entries": [entry]}).encode())
    if link == "commit":
        harness.answer(CONTENT, json.dumps(entry).encode())
    with pytest.raises((RedirectRefused, DecodeError)):
        harness.client().files.upload(record, "a.bin", None, b"data")
    assert thief.requests == []
    assert harness.site.files(record) == {}
