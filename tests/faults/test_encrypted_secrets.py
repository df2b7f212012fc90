"""Passwords and keys under every fault, with every logger at DEBUG: F44."""

from __future__ import annotations

import base64
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer import errors
from smartxfer.filesender.decryption import Decryptor
from smartxfer.filesender.encryption import ChunkCipher, Key
from smartxfer.filesender.errors import ERRORS
from smartxfer.filesender.upload_encryption import UploadEncryption
from smartxfer.transport import RetryPolicy
from tests.support import encrypted_harness as encrypted
from tests.support import filesender_harness as filesender
from tests.support import secret_scan as scan
from tests.support.amounts import spread
from tests.support.encrypted_harness import PASSWORD, SITE, Tap, derived, held, published
from tests.support.filesender_harness import CHUNK_SIZE, DOWNLOAD, FileSenderHarness

DATA = encrypted.DATA[: 3 * CHUNK_SIZE]
OTHER = "Another-Passw0rd!"
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)
FRESH = partial(FileSenderHarness, **SITE)

ALWAYS = [
    *("status 400 body=html", "status 403 body=json:rest_ownership_required", "status 500", "status 200 body=html"),
    *("redirect http://127.0.0.1:1{target}", "reset-before", "stall", "lose-answer"),
]
SENDING = ["reset-after 1", "stall-after 1", "flip-in 50"]
FETCHING = ["truncate 5", "drip 1/0.3", "flip 5", "flip 500", "extra-byte", "reset-after-sent 5"]
RANGED = ["ignore-range", "wrong-range start", "status 416"]
EFFECTS = {
    filesender.CREATE: ALWAYS + SENDING[:2],
    filesender.CHUNK: ALWAYS + SENDING,
    filesender.COMPLETE: ALWAYS,
    filesender.PAGE: ALWAYS + FETCHING,
    DOWNLOAD: ALWAYS + FETCHING + RANGED,
}
CASES = [(match, effect) for match, effects in EFFECTS.items() for effect in effects]


def _spellings(harness: Any, *passwords: str) -> List[str]:
    """A password and the key that it gives, in every way in which they may be written."""
    found = []
    for password in passwords:
        encoded = base64.b64encode(password.encode()).decode()
        found += [password, password.encode().hex(), encoded.rstrip("=")]
        key = derived(harness, password)
        found += [key.hex(), base64.b64encode(key).decode(), key.decode("latin-1"), repr(key)[2:-1]]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("match", "effect"), spread(CASES))
def test_f44_a_password(harness: Any, log: Any, home: Path, match: str, effect: str) -> None:
    path = harness.file(DATA)
    token = published(harness, DATA).token
    secrets = _spellings(harness, PASSWORD)
    fault = harness.fault(match, effect, times=2)
    client = harness.client(retry=POLICY, timeout=0.4)
    seen: List[Any] = []
    raised = scan.errors_of(
        lambda: client.upload_workflow([path], link=True, password=PASSWORD, progress=seen.append),
        lambda: client.download_files(token, harness.out, password=PASSWORD, progress=seen.append),
    )
    assert fault.fired
    fault.times = fault.fired
    path.unlink()
    if len(harness.site.transfers()) > 1:
        secrets += _spellings(harness, PASSWORD)
    assert [error for error in raised if not isinstance(error, errors.SmartxferError)] == []
    scan.check_all(secrets, raised, log.records, [home, harness.out], [client, client.session, vars(client), seen])


def test_f44_a_password_is_not_sent(harness: Any) -> None:
    """Neither it, nor the key, nor a byte of the file: all that goes out was looked through."""
    with Tap(harness.site.listener.port) as tap:
        with harness.client(tap.url) as client:
            transfer = client.upload_workflow([("a.bin", DATA)], link=True, password=PASSWORD)
            client.download_files(transfer.token, harness.out, password=PASSWORD)
            plain = [DATA[:40].decode("latin-1"), DATA[-40:].decode("latin-1")]
            secrets = [*_spellings(harness, PASSWORD), *plain]
    assert len(tap.heard()) > len(DATA)
    scan.check(secrets, "the line", tap.heard().decode("latin-1"))


@pytest.mark.parametrize("key_version", [1, 3])
def test_f44_the_journal_and_its_end(harness: Any, home: Path, log: Any, key_version: int) -> None:
    """Half-way it holds IVs and a mark of eight digits, and neither password nor key."""
    path = harness.file(DATA)
    options: Dict[str, Any] = {"link": True, "password": PASSWORD, "key_version": key_version}
    harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", "status 400")
    client = harness.client(retry=POLICY)
    with pytest.raises(errors.ClientError):
        client.upload_workflow([path], **options)
    [journal] = (home / "state/journals").glob("*.json")
    state = json.loads(journal.read_text("utf-8"))["state"]["sealing"]
    assert state["ivs"].keys() == {"a.bin"}
    assert len(state["check"]) == 8, "too short to try passwords against, were the rounds few"
    scan.check_all(_spellings(harness, PASSWORD), (), log.records, [home])
    with pytest.raises(errors.WrongPassword) as caught:
        client.upload_workflow([path], **{**options, "password": OTHER})
    scan.check_all(_spellings(harness, PASSWORD, OTHER), [caught.value], directories=[home])
    client.upload_workflow([path], **options)
    assert list((home / "state/journals").iterdir()) == []
    assert held(harness) == DATA


def test_f44_the_side_file_of_a_download(harness: Any, home: Path, log: Any) -> None:
    transfer = published(harness, DATA)
    harness.fault(DOWNLOAD, "flip 500", after=1, times=None)
    with pytest.raises(errors.IntegrityError) as caught:
        encrypted.down(harness, transfer, max_workers=1)
    assert (harness.out / "a.bin.part.json").exists()
    secrets = [*_spellings(harness, PASSWORD), transfer.token]
    scan.check_all(secrets, [caught.value], log.records, [home, harness.out])


def test_f44_words_about_passwords(harness: Any, log: Any) -> None:
    """A password that is too weak, wrong, or no text: the error does not repeat it."""
    transfer = published(harness, DATA)
    client = harness.client(retry=POLICY)
    weak, wrong = "marked-weak", "marked-wrong-one"
    raised = scan.errors_of(
        lambda: client.upload_workflow([("b.bin", DATA)], link=True, password=weak),
        lambda: client.download_files(transfer.token, harness.out, password=wrong),
        lambda: client.download_files(transfer.token, harness.out, password=lambda: wrong),
        lambda: client.download_files(transfer.token, harness.out, password=wrong.encode()),
    )
    rejected = ERRORS.class_for(errors.WrongPassword)
    assert [type(error) for error in raised] == [errors.UsageError, rejected, rejected, errors.UsageError]
    scan.check_all([weak, wrong], raised, log.records)


def test_f44_several_damaged_files(harness: Any, log: Any) -> None:
    with harness.client() as client:
        given = [(f"{number}.bin", DATA) for number in range(3)]
        transfer = client.upload_workflow(given, link=True, password=PASSWORD)
    for file in harness.site.transfers()[-1]["files"]:
        encrypted.damage(Path(harness.site.stored(file["id"])))
    with pytest.raises(errors.BatchError) as caught:
        encrypted.down(harness, transfer)
    assert len(caught.value.errors) == 3
    scan.check_all(_spellings(harness, PASSWORD), [caught.value], log.records)


def test_f44_what_holds_them_does_not_show_them() -> None:
    key = Key.derive(PASSWORD, version=3, password_version=1, salt="s" * 32, iterations=1)
    chunks = ChunkCipher.new(3, 1000, 100).with_key(key)
    encryption = UploadEncryption(PASSWORD, 3, 1, 100, False, {"a.bin": ChunkCipher.new(3, 1000, 100)})
    encryption.derive_key("s" * 32)
    things = (key, chunks, encryption, Decryptor(PASSWORD), [key], {"a": encryption})
    shown = "".join(f"{thing!r} {thing!s} {thing}" for thing in things)
    scan.check([PASSWORD, key.secret.hex(), repr(key.secret)[2:-1]], "what is shown", shown)


def test_f44_the_marks_would_be_seen(harness: Any, log: Any) -> None:
    """The look-out itself: what is not masked, it finds."""
    published(harness, DATA)
    secrets = _spellings(harness, PASSWORD)
    logging.getLogger("another.library").debug("key %s", derived(harness).hex())
    with pytest.raises(AssertionError, match="a secret in the log"):
        scan.check_all(secrets, records=log.records)
    with pytest.raises(AssertionError, match="a secret in an error"):
        scan.check_all(secrets, [ValueError(PASSWORD)])
