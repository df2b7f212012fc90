"""Presigned addresses, and the key: where they go, and where they are never seen: F32, F44."""

from __future__ import annotations

import json
import re
import ssl
import stat
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest
import trustme

from smartxfer.errors import NetworkError, RedirectRefused, SmartxferError, StorageError
from smartxfer.perseus import PerseusClient
from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.perseus_harness import CREATE, DATA, DELETE, FIND, MIB, PUT, PerseusHarness, Polling
from tests.support.raw_server import RawServer, answering, refused_port, status
from tests.support.secret_scan import ALWAYS, FETCHING, SENDING, check_all, errors_of, logged

KEY = "sk-marked-0123456789abcdefghijklmnopqrs"
#: The key, and what makes a presigned address one.
SECRETS = [KEY, re.compile(r"X-Amz-Signature=[^*]")]
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)
EXPIRED = "status 403 'body=json:AccessDenied: Request has expired'"
#: Headers that have no place at the storage.
FOREIGN = ("authorization", "cookie", "transfer-encoding")


SHARED = partial(PerseusHarness, api_key=KEY)


# -- F32: presigned addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, len(DATA)])
def test_f32_nothing_but_the_bytes(harness: PerseusHarness, home: Path, monkeypatch: Any, size: int) -> None:
    """Detect a key, a netrc entry or a cookie that goes to the storage, or a body without its length."""
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ann password of-another-service\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    client = harness.client()
    client.session.cookies.set("sid", "of-the-service")
    client.file.upload_file(harness.file(DATA[:size], "naïve name.txt"))
    [head] = harness.heads(PUT)
    assert [name for name in head if name in FOREIGN or name.startswith("x-amz")] == []
    assert (head["content-type"], head["content-length"]) == ("application/octet-stream", str(size))
    assert harness.held() == {"naïve name.txt": DATA[:size]}
    assert {head["authorization"] for head in harness.heads("POST *")} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("signed_type", ["", "application/octet-stream"])
def test_f32_whether_or_not_the_type_is_signed(tmp_path: Path, signed_type: str) -> None:
    with PerseusHarness(tmp_path, signed_type=signed_type) as harness:
        file = harness.client().file.upload_file(harness.file(DATA, "page.html"))
        assert harness.site.content(file.id) == DATA


@pytest.mark.parametrize(
    "effect", [EXPIRED, "status 400 body=json:ExpiredToken", "status 403 body=json:RequestTimeTooSkewed"]
)
def test_f32_an_address_that_has_expired_is_replaced(harness: PerseusHarness, effect: str) -> None:
    """Detect a retry at a dead address, or the record of it that stays."""
    fault = harness.fault(PUT, effect, times=2)
    file = harness.client().file.upload_file(harness.file(DATA))
    assert (fault.fired, harness.count(CREATE, 200), harness.count(DELETE, 204)) == (2, 3, 2)
    assert [record["id"] for record in harness.site.records()] == [file.id]
    assert len(set(harness.targets(PUT))) == 3
    assert harness.site.content(file.id) == DATA


def test_f32_an_address_that_expires_before_it_is_used(harness: PerseusHarness) -> None:
    """The storage's own refusal, after a file that took longer than its address lives."""
    hours: List[Any] = []

    def progress(event: Any) -> None:
        if event.state == "retrying" and not hours:
            hours.append(harness.site.configure(clock_offset=7200.0))

    harness.fault(PUT, "reset-after 64K")
    try:
        file = harness.client().file.upload_file(harness.file(DATA), progress=progress)
    finally:
        harness.site.configure(clock_offset=0.0)
    assert (len(hours), harness.count(PUT, 403), harness.count(PUT, 200)) == (1, 1, 1)
    assert [record["id"] for record in harness.site.records()] == [file.id]
    assert harness.site.content(file.id) == DATA


@pytest.mark.parametrize("match", [FIND, CREATE, DELETE], ids=["find", "create", "delete"])
@pytest.mark.parametrize("effect", ["reset-before", "lose-answer", "status 503 retry-after=0"])
def test_f32_replacing_it_meets_a_failure(harness: PerseusHarness, match: str, effect: str) -> None:
    """Detect a retry at the dead address, once its record is deleted."""
    expired = harness.fault(PUT, EXPIRED)
    lost = harness.fault(CREATE, "lose-answer", after=1) if match == FIND else None
    fault = harness.fault(match, effect, after=0 if match == DELETE else 1)
    file = harness.client(clock=Polling()).file.upload_file(harness.file(DATA))
    assert (expired.fired, fault.fired, lost is None or lost.fired == 1) == (1, 1, True)
    assert [record["id"] for record in harness.site.records()] == [file.id]
    assert harness.site.content(file.id) == DATA


def test_f32_expired_for_good(harness: PerseusHarness) -> None:
    harness.fault(PUT, EXPIRED, times=None)
    with pytest.raises(StorageError, match="expired") as caught:
        harness.client().file.upload_file(harness.file(DATA))
    error = caught.value
    assert (error.status, error.code, error.expired) == (403, "AccessDenied", True)
    assert error.request_id
    assert "X-Amz" not in f"{error} {error.url}"
    assert 2 <= harness.count(PUT) <= 6
    assert harness.site.records() == []


@pytest.mark.parametrize("code", [307, 308])
def test_f32_a_regional_host(harness: PerseusHarness, code: int) -> None:
    """Fails if a valid response of storage is rejected, content is not sent again, or the key is sent along."""
    with RawServer(answering(status(200))) as elsewhere:
        harness.fault(PUT, f"redirect {elsewhere.url}{{target}} {code}")
        harness.client().file.upload_file(harness.file(DATA))
        [sent] = elsewhere.requests
        assert (sent.method, sent.body, "authorization" in sent.headers) == ("PUT", DATA, False)
        assert sent.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("code", [301, 302, 303])
def test_f32_a_redirect_of_the_storage(harness: PerseusHarness, code: int) -> None:
    """Detect a PUT that turns into a GET, content or a key that goes there, or a record that stays."""
    with RawServer(answering(status(200))) as elsewhere:
        harness.fault(PUT, f"redirect {elsewhere.url}{{target}} {code}")
        with pytest.raises(RedirectRefused) as caught:
            harness.client().file.upload_file(harness.file(DATA))
        assert elsewhere.requests == []
    check_all(SECRETS, [caught.value])
    assert harness.site.records() == []


def _made(url: str) -> bytes:
    return json.dumps({"file": {"id": "f1", "name": "a.bin", "status": "pending"}, "uploadUrl": url}).encode()


def test_f01_f32_a_storage_that_is_not_there(harness: PerseusHarness) -> None:
    """Detect a record that stays, or an error that shows the signature."""
    with refused_port() as port:
        harness.answer(CREATE, _made(f"http://127.0.0.1:{port}/x?X-Amz-Signature=s"))
        with pytest.raises(NetworkError, match=f"PUT http://127.0.0.1:{port}/x") as caught:
            harness.client().file.upload_file(("a.bin", DATA))
    check_all(SECRETS, [caught.value])
    assert harness.count(DELETE) == 1


BAD = ["file:///etc/passwd", "ftp://127.0.0.1/x", "//127.0.0.1/x", "x", "http://", "http://[bad", "http://127.0.0.1:x/"]


@pytest.mark.parametrize("url", BAD)
def test_f32_an_invalid_address(harness: PerseusHarness, url: str) -> None:
    """Detect an error that is not ours, or a record that stays."""
    harness.answer(CREATE, _made(url + "?X-Amz-Signature=s"))
    with pytest.raises(SmartxferError) as caught:
        harness.client().file.upload_file(("a.bin", DATA))
    assert (harness.count(PUT), harness.count(DELETE)) == (0, 1)
    check_all(SECRETS, [caught.value])


def test_f32_from_https_to_http_it_does_not_go(tmp_path: Path, harness: PerseusHarness) -> None:
    """Detect content that travels in the clear because an answer says so."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def reply(request: Any, peer: Any) -> None:
        found = b'{"files": []}' if request.path.endswith("/find") else _made(f"{harness.site.storage_url}/x")
        peer.answer(200, found, "Content-Type: application/json")

    with RawServer(answering(reply), tls) as front:
        with PerseusClient(front.url, api_key=KEY, verify=str(tmp_path / "ca.pem")) as client:
            with pytest.raises(RedirectRefused, match="from https to http"):
                client.file.upload_file(("a.bin", b"1"))
        assert [request.method for request in front.requests] == ["POST", "POST", "DELETE"]
    assert harness.count(PUT) == 0


# -- F44: every fault, every logger at DEBUG ----------------------------------------------------------------

REFUSED = "status 403 body=json:AccessDenied"
CASES = [(match, effect) for match in (FIND, CREATE) for effect in ALWAYS + FETCHING]
CASES += [(PUT, effect) for effect in (*ALWAYS, REFUSED, EXPIRED, *SENDING, "flip-in 5")]
CASES += [(DELETE, effect) for effect in ALWAYS if "200" not in effect]


def _run(harness: PerseusHarness, client: PerseusClient) -> List[BaseException]:
    """One file, several, a wait, a deletion; the errors."""
    path = harness.file(DATA[:MIB])
    steps: List[Any] = [
        lambda: client.file.upload_file(path, wait=True, timeout=0.2),
        lambda: client.file.upload_many([("c.bin", b"1"), ("d.bin", b"2")]),
        lambda: client.file.delete_file(harness.site.write("e.bin", b"3")),
    ]
    return errors_of(*steps)


@pytest.mark.slow
@pytest.mark.parametrize(("match", "effect"), spread(CASES))
def test_f44_a_key(harness: PerseusHarness, log: Any, home: Path, match: str, effect: str) -> None:
    """Detect a URL, a header, a body or an answer that is shown as it is."""
    fault = harness.fault(match, effect, times=1)
    client = harness.client(retry=POLICY, timeout=0.4)
    errors = _run(harness, client)
    assert fault.fired
    assert [error for error in errors if not isinstance(error, SmartxferError)] == []
    shown = [client, client.explain_credentials(), client.session, client.file, client.file.find_files()]
    check_all(SECRETS, errors, log.records, [home], shown)
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


@pytest.mark.parametrize("code", [400, 403, 500, 502])
@pytest.mark.parametrize("match", [FIND, CREATE, PUT], ids=["find", "create", "put"])
def test_f44_a_server_that_repeats_the_request(harness: PerseusHarness, log: Any, match: str, code: int) -> None:
    """Fails if an answer is quoted as it came."""
    body = {"message": [f"no Bearer {KEY}", KEY], "error": KEY, KEY: 1}
    path = harness.file(json.dumps(body).encode(), "answer")
    harness.fault(match, f"status {code} 'body=file:{path}'", times=1 if code < 500 else 2)
    check_all(SECRETS, _run(harness, harness.client(retry=POLICY, max_workers=1)), log.records)


def test_f44_signed_addresses_in_errors_of_the_storage(harness: PerseusHarness, log: Any) -> None:
    """XML in which the address is repeated, where it belongs and where it does not."""
    signed = "PUT /x?X-Amz-Expires=1&amp;X-Amz-Signature=0123456789abcdef"
    xml = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{signed}</Message><StringToSign>{signed}</StringToSign>"
    harness.fault(PUT, f"status 403 'body=file:{harness.file(xml.encode(), 'answer')}'")
    errors = _run(harness, harness.client(retry=POLICY, max_workers=1))
    assert isinstance(errors[0], StorageError)
    check_all(SECRETS, errors, log.records)


@pytest.mark.parametrize("joint", ["&", "\\u0026", "&amp;"])
def test_f44_a_response_that_is_not_json(harness: PerseusHarness, log: Any, joint: str) -> None:
    """Fails if an excerpt of it begins with the address."""
    begin = f'{{"uploadUrl": "http://127.0.0.1:1/x?x-id=PutObject{joint}X-Amz-Signature=0123456789abcdef", '
    harness.answer(CREATE, begin.encode())
    with pytest.raises(SmartxferError) as caught:
        harness.client().file.upload_file(("a.bin", b"1"))
    assert "0123456789abcdef" not in f"{caught.value} {caught.value!r} {logged(log.records)}"


def test_f44_what_create_file_returns_is_not_logged(harness: PerseusHarness, log: Any) -> None:
    """Only the caller of create_file gets the complete address."""
    made = harness.client().file.create_file("a.bin", "0" * 64)
    assert "X-Amz-Signature=" in made["upload_url"]
    check_all(SECRETS, records=log.records, shown=[made["file"]])


def test_f44_a_key_that_no_header_can_carry(harness: PerseusHarness) -> None:
    """Detect an error of the HTTP library, which shows the header."""
    for letter in ("\n", "\u20ac", "\0"):
        with pytest.raises(SmartxferError) as caught:
            harness.client(api_key=f"{KEY}{letter}x").file.upload_file(("a.bin", b"1"))
        check_all(SECRETS, [caught.value])
    assert harness.count("* *") == 0
