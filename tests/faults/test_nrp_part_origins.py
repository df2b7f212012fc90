"""Origins that the parts of a file may be sent to, and the headers sent along: F13, F31 to F33."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from smartxfer.errors import DecodeError, NetworkError, RedirectRefused, SmartxferError
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, STEP, STORAGE_PART, NRPHarness
from tests.support.raw_server import RawServer, answering, status
from tests.support.stopwatch import Stopwatch

DATA = noise(2 * STEP + 1000)
SMALL = DATA[:1000]
SHARED = NRPHarness


def test_f32_presigned_addresses_never_see_the_token(signed: NRPHarness, log: Any) -> None:
    """Detect a header, a cookie or a query argument that goes along; and the signatures are in no log."""
    signed.fault(STORAGE_PART, "status 503", times=2)
    api = signed.client()
    api.session.cookies.set("session", "crumb")  # without a domain: for anyone
    api.files.upload(signed.draft, "a.bin", None, DATA, transfer_type="multipart", part_size=STEP)
    assert signed.held() == {"a.bin": DATA}
    asked = signed.heads(STORAGE_PART)
    assert len(asked) == 5
    assert not [head for head in asked if {"authorization", "cookie"} & set(head) or signed.site.token in repr(head)]
    assert signed.site.token in repr(signed.heads(INIT)), "the look-out itself"
    logged = "\n".join(f"{record.getMessage()} {record.args!r}" for record in log.records)
    assert "X-Amz-Signature=***" in logged
    assert not re.search(r"X-Amz-(Signature|Credential)=[^*]", logged)
    assert "/storage/" in logged


def test_f32_signatures_are_in_no_error(signed: NRPHarness) -> None:
    signed.fault(STORAGE_PART, "reset-before", times=None)
    with pytest.raises(NetworkError) as caught:
        signed.send_parts(DATA)
    signed.server.clear_faults()
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert signed.site.storage_url in shown
    assert "X-Amz" not in shown + repr(signed.client().files.list(signed.draft)), "an address is a secret"


def test_f32_an_address_that_expired_is_asked_for_again(signed: NRPHarness) -> None:
    """Detect an error although the repository has fresh addresses."""
    faults = [signed.fault(STORAGE_PART, "status 403"), signed.fault(STORAGE_PART, "status 403", after=2)]
    file = signed.send_parts(DATA)
    assert ([fault.fired for fault in faults], file.result.retries) == ([1, 1], 2)
    assert signed.held() == {"a.bin": DATA}


def test_f32_but_not_for_ever(signed: NRPHarness) -> None:
    refused = signed.fault(STORAGE_PART, "status 403", times=2)
    with pytest.raises(SmartxferError, match="403"):
        signed.send_parts(SMALL)
    assert (refused.fired, signed.count(COMMIT)) == (2, 0)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_f31_a_part_is_never_redirected(either: NRPHarness, thief: RawServer, code: int) -> None:
    """Fails if a PUT turns into a GET, or carries its bytes to another host."""
    fault = either.fault(either.part, f"redirect {thief.url}{{target}} {code}")
    with pytest.raises(RedirectRefused):
        either.send_parts(DATA)
    assert (fault.fired, thief.requests, either.count(COMMIT)) == (1, [], 0)


def _started(harness: NRPHarness, **entry: Any) -> bytes:
    """The start is answered with this entry, which is returned."""
    entry = {"key": "a.bin", "status": "pending", **entry}
    harness.answer(INIT, json.dumps({"enabled": True, "entries": [entry]}).encode())
    return json.dumps(entry).encode()


def _one_part(harness: NRPHarness, url: str) -> None:
    """The start is answered with this address for its only part."""
    base = f"{harness.url}/api/records/{harness.draft}/draft/files/a.bin"
    links = {"self": base, "commit": f"{base}/commit", "parts": [{"part": 1, "url": url}]}
    _started(harness, size=len(SMALL), transfer={"type": "M", "parts": 1, "part_size": STEP}, links=links)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1", "", "//127.0.0.1:1/x", "/x"])
def test_f33_an_invalid_address(harness: NRPHarness, url: str) -> None:
    _one_part(harness, url)
    with pytest.raises(SmartxferError):
        harness.send_parts(SMALL)
    assert harness.count(COMMIT) == 0


def test_f33_a_port_without_a_server(harness: NRPHarness) -> None:
    _one_part(harness, "http://127.0.0.1:1/x?X-Amz-Signature=marked")
    with pytest.raises(NetworkError) as caught:
        harness.send_parts(SMALL, retry=RetryPolicy(attempts=2, backoff=0))
    assert "marked" not in str(caught.value)
    assert harness.count(COMMIT) == 0


def test_f33_a_storage_elsewhere_gets_the_bytes_and_nothing_else(harness: NRPHarness, thief: RawServer) -> None:
    """The repository names its storage server, which must not receive the token."""
    _one_part(harness, f"{thief.url}/put?signature=1")
    watch = Stopwatch()
    with pytest.raises(SmartxferError):  # the repository itself knows of no such upload
        harness.send_parts(SMALL)
    assert watch.seconds() < 10
    [request] = thief.requests
    assert (request.method, request.body, request.target) == ("PUT", SMALL, "/put?signature=1")
    assert harness.site.token not in repr(request.headers)
    assert "authorization" not in request.headers


@pytest.mark.parametrize("etag", ['"%s"' % ("0" * 32), "0" * 32])
def test_f13_an_etag_that_is_another_md5(harness: NRPHarness, etag: str, log: Any) -> None:
    """An ETag need not be an MD5, and Content-MD5 was sent: a warning, and the repository's own check decides."""
    with RawServer(answering(status(200, b"", f"ETag: {etag}"))) as storage:
        _one_part(harness, f"{storage.url}/put?signature=1")
        with pytest.raises(SmartxferError):  # the repository itself knows of no such upload
            harness.send_parts(SMALL)
        [request] = storage.requests
        assert "content-md5" in request.headers
    assert harness.count(COMMIT) > 0
    assert any("ETag of part 1 is not its MD5" in line.getMessage() for line in log.records)


@pytest.mark.parametrize("link", ["content", "commit"])
@pytest.mark.parametrize("where", ["thief", "http://127.0.0.1:1/x", "file:///etc/passwd", "https://user@127.0.0.1/x"])
def test_f33_content_and_commit_stay_where_the_token_belongs(
    harness: NRPHarness, thief: RawServer, link: str, where: str
) -> None:
    """Fails if a link to any origin is followed, with or without the token."""
    url = f"{thief.url}/x" if where == "thief" else where
    entry = _started(harness, transfer={"type": "L"}, links={link: url})
    if link == "commit":
        harness.answer(CONTENT, entry)
    with pytest.raises((RedirectRefused, DecodeError)):
        harness.send(b"data")
    assert (thief.requests, harness.held()) == ([], {})
