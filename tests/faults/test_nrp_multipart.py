"""Files that go up in parts, to which origins, and with which headers: F02, F03, F08, F09, F12, F13, F17, F24, F31 to F33."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
import requests

from smartxfer import errors
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, MIB, PART, STEP, STORAGE_PART, NRPHarness
from tests.support.raw_server import RawServer, answering, status
from tests.support.service_harness import Polling
from tests.support.stopwatch import Stopwatch

#: Two whole parts and a short one; and one whole part and a byte.
DATA = noise(2 * STEP + 1000)
SHORT = DATA[: STEP + 1]
SMALL = DATA[:1000]
SHARED = NRPHarness


# -- resets, refusals and lost answers ----------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 256K", f"reset-after {STEP}", "lose-answer"])
def test_f02_one_part_is_sent_again(either: NRPHarness, effect: str) -> None:
    """F02, F03, F12: broken by the whole file again, by half a part, or by a part that is there twice."""
    fault = either.fault(either.part, effect, after=0 if effect.endswith(str(STEP)) else 1)
    steps: List[int] = []
    result = either.send_parts(DATA, progress=lambda event: steps.append(event.done)).result
    assert either.held() == {"a.bin": DATA}
    assert (fault.fired, result.retries, either.count(COMMIT)) == (1, 1, 1)
    assert either.count(either.part) == 4, "three parts, and one of them again"
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"
    assert result.verified in ("md5", "multipart")


def test_f02_always_reset(either: NRPHarness) -> None:
    """Detect a commit although a part is missing: the repository would fill the gap with zeros."""
    fault = either.fault(either.part, "reset-before", times=6, after=2)
    path = either.file(DATA)
    with pytest.raises(errors.NetworkError, match="PUT http"):
        either.send_parts(path)
    assert (fault.fired, either.count(COMMIT), either.held()) == (6, 0, {})
    either.forget()
    assert either.send_parts(path).result.resumed == 2 * STEP
    assert either.held() == {"a.bin": DATA}


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 504", "status 503 retry-after=0"])
@pytest.mark.parametrize("times", [1, 5, 6])
def test_f08_passing_failures(either: NRPHarness, effect: str, times: int) -> None:
    """Six in a row are an error, and nothing is committed."""
    fault = either.fault(either.part, effect, times=times)
    with pytest.raises(errors.ServerError) if times == 6 else contextlib.nullcontext():
        either.send_parts(SHORT)
    assert (fault.fired, either.count(COMMIT)) == (times, 0 if times == 6 else 1)
    assert either.held() == ({} if times == 6 else {"a.bin": SHORT})


@pytest.mark.parametrize("code", [429, 503])
def test_f09_a_part_is_turned_away(harness: NRPHarness, code: int) -> None:
    clock = Polling()
    fault = harness.fault(PART, f"status {code} retry-after=2", after=1)
    file = harness.send_parts(SHORT, clock=clock, retry=RetryPolicy())
    assert (clock.waits, fault.fired, file.result.retries) == ([2.0], 1, 1)
    assert harness.held() == {"a.bin": SHORT}


@pytest.mark.parametrize("match", [INIT, COMMIT], ids=["init", "commit"])
@pytest.mark.parametrize("effect", ["lose-answer", "status 502"])
def test_f12_a_lost_answer(either: NRPHarness, match: str, effect: str) -> None:
    """Detect a second start of the same key, or parts that are sent to a file that is complete."""
    fault = either.fault(match, effect)
    either.send_parts(SHORT)
    assert (either.held(), fault.fired) == ({"a.bin": SHORT}, 1)
    assert either.count(match) == (1 if effect == "lose-answer" else 2)
    assert either.count(either.part) == 2, "each part went once"


# -- what a later run believes ------------------------------------------------------------------------------


def _broken_off(harness: NRPHarness) -> Path:
    """A run whose last part does not arrive; its file."""
    path = harness.file(DATA)
    fault = harness.fault(PART, "status 400", after=2)
    with pytest.raises(errors.SmartxferError):
        harness.send_parts(path)
    assert fault.fired >= 1
    assert harness.count(COMMIT) == 0
    harness.server.clear_faults()
    harness.forget()
    return path


def _rewrite(home: Path, change: Callable[[str], Optional[str]]) -> None:
    """Change the journal, which knows of two parts; remove it if nothing is left of it."""
    [journal] = (home / "state").rglob("*.json")
    text = journal.read_text("utf-8")
    assert set(json.loads(text)["state"]["parts"]) == {"0", "1"}
    changed = change(text)
    assert changed != text
    if changed is None:
        journal.unlink()
    else:
        journal.write_text(changed, "utf-8")


def _with_parts(text: str, change: Callable[[Any], Any]) -> str:
    whole = json.loads(text)
    change(whole["state"]["parts"])
    return json.dumps(whole)


#: What becomes of a journal, and how many parts are not sent again.
HARMS: Dict[str, Tuple[Callable[[str], Optional[str]], int]] = {
    "cut": (lambda text: text[: len(text) // 2], 0),
    "emptied": (lambda text: "", 0),
    "removed": (lambda text: None, 0),
    "of another version": (lambda text: text.replace('"version": 1', '"version": 99'), 0),
    "its last half second is lost": (lambda text: _with_parts(text, lambda parts: parts.pop("1")), 1),
}


@pytest.mark.parametrize("harm", HARMS)
def test_f24_a_journal_that_was_torn(harness: NRPHarness, home: Path, harm: str) -> None:
    """Detect a crash over it; what it cannot tell any more is sent again, and no more."""
    path = _broken_off(harness)
    change, kept = HARMS[harm]
    _rewrite(home, change)
    assert harness.send_parts(path).result.resumed == kept * STEP
    assert (harness.held(), harness.count(PART, 200)) == ({"a.bin": DATA}, 3 - kept)


def test_f24_a_journal_that_says_too_much(harness: NRPHarness, home: Path) -> None:
    """A part is noted that the repository has not: it fills the gap, and says so by another checksum."""
    path = _broken_off(harness)
    _rewrite(home, lambda text: _with_parts(text, lambda parts: parts.update({"2": [""]})))
    with pytest.raises(errors.ChecksumMismatch, match="differs from that of the local file"):
        harness.send_parts(path)
    assert harness.states() == {}, "what is complete in name only is deleted"
    assert harness.send_parts(path).result.resumed == 0
    assert harness.held() == {"a.bin": DATA}


@pytest.mark.parametrize("change", ["rewritten", "other parts", "other upload"])
def test_f17_parts_of_other_bytes_are_not_resumed(harness: NRPHarness, change: str) -> None:
    """Fails if one key gets parts of two files: of one that was rewritten, divided differently or started again."""
    path = _broken_off(harness)
    data, options = DATA, {}
    if change == "rewritten":
        data = noise(len(DATA), 2)
        path.write_bytes(data)
    elif change == "other parts":
        options = {"part_size": 6 * MIB, "replace": True}
    else:
        harness.client().files.delete(harness.draft, "a.bin")
        entry = {"key": "a.bin", "size": len(DATA), "transfer": {"type": "M", "parts": 3, "part_size": STEP}}
        url = f"{harness.url}/api/records/{harness.draft}/draft/files"  # as another client
        headers = {"Authorization": f"Bearer {harness.site.token}"}
        assert requests.post(url, json=[entry], headers=headers, timeout=10).status_code == 201
    assert harness.send_parts(path, **options).result.resumed == 0
    assert harness.held() == {"a.bin": data}


def test_f17_the_upload_is_aborted_between_two_parts(harness: NRPHarness) -> None:
    """Another client deletes the pending file: an error, and no other file is committed."""
    other = harness.client()
    fault = harness.fault(PART, "reset-before", after=1)

    def progress(event: Any) -> None:
        if event.state == "retrying":
            other.files.delete(harness.draft, "a.bin")

    with pytest.raises(errors.NotFound):
        harness.send_parts(harness.file(DATA), progress=progress)
    assert (fault.fired, harness.count("DELETE *", 204), harness.count(COMMIT)) == (1, 1, 0)


# -- origins ------------------------------------------------------------------------------------------------


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
    with pytest.raises(errors.NetworkError) as caught:
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
    with pytest.raises(errors.SmartxferError, match="403"):
        signed.send_parts(SMALL)
    assert (refused.fired, signed.count(COMMIT)) == (2, 0)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_f31_a_part_is_never_redirected(either: NRPHarness, thief: RawServer, code: int) -> None:
    """Fails if a PUT turns into a GET, or carries its bytes to another host."""
    fault = either.fault(either.part, f"redirect {thief.url}{{target}} {code}")
    with pytest.raises(errors.RedirectRefused):
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
    with pytest.raises(errors.SmartxferError):
        harness.send_parts(SMALL)
    assert harness.count(COMMIT) == 0


def test_f33_a_port_without_a_server(harness: NRPHarness) -> None:
    _one_part(harness, "http://127.0.0.1:1/x?X-Amz-Signature=marked")
    with pytest.raises(errors.NetworkError) as caught:
        harness.send_parts(SMALL, retry=RetryPolicy(attempts=2, backoff=0))
    assert "marked" not in str(caught.value)
    assert harness.count(COMMIT) == 0


def test_f33_a_storage_elsewhere_gets_the_bytes_and_nothing_else(harness: NRPHarness, thief: RawServer) -> None:
    """The repository names its storage server, which must not receive the token."""
    _one_part(harness, f"{thief.url}/put?signature=1")
    watch = Stopwatch()
    with pytest.raises(errors.SmartxferError):  # the repository itself knows of no such upload
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
        with pytest.raises(errors.SmartxferError):  # the repository itself knows of no such upload
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
    with pytest.raises((errors.RedirectRefused, errors.DecodeError)):
        harness.send(b"data")
    assert (thief.requests, harness.held()) == ([], {})
