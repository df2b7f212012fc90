"""Secrets under every fault, with every logger at DEBUG: F44."""

from __future__ import annotations

import logging
import stat
import time
from pathlib import Path
from typing import Any, List, Optional

import pytest

from smartxfer import FileSenderClient, GuestAuth
from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.filesender_harness import CHUNK, CHUNK_SIZE, COMPLETE, CREATE, DOWNLOAD, INFO, PAGE, noise
from tests.support.proxies import Proxy
from tests.support.raw_server import RawServer, answering
from tests.support.secret_scan import (
    ALWAYS,
    FETCHING,
    SENDING,
    check,
    check_all,
    error_text,
    errors_of,
    logged,
)

# Every fault with every kind of secret: several minutes' worth on six Pythons.
pytestmark = pytest.mark.slow

API_KEY = "markedapikey" + "0123456789abcdef" * 3
PASSWORD = "markedproxypassword"
OF_PROXY = [PASSWORD, "YW5uOm1hcmtlZHByb3h5cGFzc3dvcmQ="]
DATA = noise(3 * CHUNK_SIZE)
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)
GUEST_PAGE = "GET /?s=upload*"

#: What may go wrong with any request, and what a site says of one.
SITE = [
    *ALWAYS,
    "status 403 body=json:rest_ownership_required",
    "status 500 body=json:auth_remote_signature_check_failed",
    "status 500 body=json:auth_remote_too_late",
]
READING = [*FETCHING, "no-length chunked truncate 5"]

CASES = [(match, effect) for match in (CREATE, CHUNK, COMPLETE) for effect in SITE + SENDING]
CASES += [(match, effect) for match in (INFO, PAGE, DOWNLOAD) for effect in SITE + READING]
GUEST_CASES = [(match, effect) for match in (CREATE, CHUNK) for effect in SITE + SENDING]
GUEST_CASES += [(COMPLETE, effect) for effect in SITE] + [(GUEST_PAGE, effect) for effect in SITE + READING]


@pytest.fixture
def marked(make_harness: Any) -> Any:
    """A site whose user has a key that cannot be overlooked."""
    return make_harness(users={"ann@example.org": API_KEY}, chunk_security="auth")


def _run(harness: Any, client: Any, path: Path, token: Optional[str]) -> List[BaseException]:
    """Up and down; the errors."""
    seen: List[Any] = []
    steps: List[Any] = [lambda: client.upload_workflow([path], link=True, progress=seen.append)]
    if token is not None:
        steps.append(lambda: client.download_files(token, harness.out, progress=seen.append))
    return errors_of(*steps)


@pytest.mark.parametrize(("match", "effect"), spread(CASES))
def test_f44_a_users_key(marked: Any, log: Any, home: Path, match: str, effect: str) -> None:
    path = marked.file(DATA)
    token = marked.published(DATA).token
    fault = marked.fault(match, effect, times=1 if effect.startswith("redirect {") else 2)
    client = marked.client(retry=POLICY, timeout=0.4)
    started = time.time()
    errors = _run(marked, client, path, token)
    assert fault.fired
    marked.server.clear_faults()
    check(["signature=" + digit for digit in "0123456789abcdef"], "the log", logged(log.records))
    path.unlink()
    shown = [client, client.auth, client.explain_credentials(), client.session]
    check_all([API_KEY], errors, log.records, [home, marked.out], shown)
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
        assert journal.stat().st_mtime >= started - 60


@pytest.mark.parametrize(("match", "effect"), spread(GUEST_CASES))
def test_f44_a_guests_tokens(marked: Any, log: Any, home: Path, match: str, effect: str) -> None:
    guest = marked.client().create_guest({"recipient": "bob@example.net", "from": "ann@example.org"})
    path = marked.file(DATA)
    auth = GuestAuth(guest.token)
    client = marked.client(auth=auth, retry=POLICY, timeout=0.4)
    if match != GUEST_PAGE:
        client.prepare()
    marked.fault(match, effect)
    errors = _run(marked, client, path, None)
    secrets = [guest.token, *(token for token in (auth.security_token, auth.csrf_token) if token)]
    assert len(secrets) == 3 or match == GUEST_PAGE
    check_all(secrets, errors, log.records, [home], [client, auth, client.session])


@pytest.mark.parametrize("effect", ["reset-before", "status 407", "status 500"])
def test_f44_a_proxys_password(marked: Any, log: Any, home: Path, effect: str) -> None:
    marked.fault(CREATE, effect)
    with Proxy() as proxy:
        address = proxy.url.replace("://", f"://ann:{PASSWORD}@")
        client = marked.client(retry=POLICY, proxies={"http": address})
        errors = _run(marked, client, marked.file(DATA), None)
        client.close()
    assert errors
    check_all(OF_PROXY, errors, log.records, [home], [client])


def test_f44_a_proxy_that_repeats_the_request(marked: Any, log: Any) -> None:
    said = " ".join(["no", *OF_PROXY]).encode("ascii")
    with RawServer(answering(lambda request, peer: peer.answer(407, said, "Content-Type: text/plain"))) as proxy:
        address = proxy.url.replace("://", f"://ann:{PASSWORD}@")
        with marked.client(retry=POLICY, proxies={"http": address}) as client:
            [error] = _run(marked, client, marked.file(DATA), None)
    assert "no ***" in str(error)
    check_all(OF_PROXY, [error], log.records)


def test_f44_a_key_from_a_file(marked: Any, log: Any, home: Path) -> None:
    """Looked up rather than given: masked from the first look on."""
    ini = home / ".filesender/filesender.py.ini"
    ini.parent.mkdir()
    words = f"[system]\nbase_url = {marked.url}/rest.php\n[user]\nusername = ann@example.org\napikey = {API_KEY}\n"
    ini.write_text(words, encoding="utf-8")
    with FileSenderClient(None, retry=POLICY) as client:
        marked.fault(COMPLETE, "status 500 body=json:auth_remote_signature_check_failed", times=2)
        errors = _run(marked, client, marked.file(DATA), None)
        assert errors
        check_all([API_KEY], errors, log.records, shown=[client, client.explain_credentials()])


def test_f44_a_server_that_repeats_the_request(marked: Any, log: Any) -> None:
    guest = marked.client().create_guest({"recipient": "bob@example.net", "from": "ann@example.org"})
    client = marked.client(auth=GuestAuth(guest.token), retry=POLICY)
    client.prepare()
    secrets = [guest.token, client.auth.security_token, client.auth.csrf_token]
    body = '{"message": "no %s", "uid": "%s", "details": {"csrf": ["%s"], "%s": 1}}'
    answer = marked.file((body % (*secrets, guest.token)).encode("ascii"), "answer")
    for status in (400, 500, 502):
        marked.fault(CREATE, f"status {status} 'body=file:{answer}'")
        [error] = _run(marked, client, marked.file(DATA), None)
        check_all(secrets, [error], log.records)


def test_f44_the_journal_and_its_end(marked: Any, home: Path) -> None:
    """The journal has the state for a resume, is readable by its owner only, and is deleted at the end."""
    path = marked.file(DATA)
    marked.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", "status 400")
    marked.fault(DOWNLOAD, "truncate 1000")
    marked.fault(DOWNLOAD, "status 400", after=1)
    client = marked.client(retry=POLICY)
    token = marked.published(DATA[:5000]).token
    assert len(_run(marked, client, path, token)) == 2
    [journal] = (home / "state/journals").glob("*.json")
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700
    side = marked.out / "a.bin.part.json"
    assert stat.S_IMODE(side.stat().st_mode) == 0o600
    latest = marked.site.transfers()[-1]
    assert latest["roundtriptoken"] in journal.read_text("utf-8")
    for secret in (API_KEY, token):
        assert secret not in journal.read_text("utf-8") + side.read_text("utf-8")
    assert _run(marked, client, path, token) == []
    assert list((home / "state/journals").iterdir()) == []
    assert sorted(found.name for found in marked.out.iterdir()) == ["a.bin"]


def test_f44_the_marks_would_be_seen(marked: Any, log: Any) -> None:
    """The look-out itself: what is not masked, it finds."""
    logging.getLogger("another.library").debug("key %s", API_KEY)
    with pytest.raises(AssertionError, match="a secret in the log"):
        check([API_KEY], "the log", logged(log.records))
    with pytest.raises(AssertionError, match="a secret in an error"):
        check([API_KEY], "an error", error_text(ValueError(API_KEY)))
