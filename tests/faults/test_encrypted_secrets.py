"""Passwords and keys under every fault, with every logger at DEBUG: F44."""

from __future__ import annotations

import base64
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.errors import (
    BatchError,
    ClientError,
    IntegrityError,
    SmartxferError,
    UsageError,
    WrongPassword,
)
from smartxfer.filesender.decryption import Decryptor
from smartxfer.filesender.encryption import ChunkCipher, Key
from smartxfer.filesender.errors import ERRORS
from smartxfer.filesender.upload_encryption import UploadEncryption
from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.encrypted_harness import PASSWORD, SITE, Tap, derived, held, published
from tests.support.filesender_harness import (
    CHUNK,
    CHUNK_SIZE,
    COMPLETE,
    CREATE,
    DOWNLOAD,
    PAGE,
    FileSenderHarness,
    noise,
)
from tests.support.secret_scan import error_text as _error_text
from tests.support.secret_scan import kept as _kept
from tests.support.secret_scan import logged as _logged

DATA = noise(3 * CHUNK_SIZE)
OTHER = "Another-Passw0rd!"
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)

ALWAYS = [
    "status 400 body=html",
    "status 403 body=json:rest_ownership_required",
    "status 500",
    "status 200 body=html",
    "redirect http://127.0.0.1:1{target}",
    "reset-before",
    "stall",
    "lose-answer",
]
SENDING = ["reset-after 1", "stall-after 1", "flip-in 50"]
FETCHING = ["truncate 5", "drip 1/0.3", "flip 5", "flip 500", "extra-byte", "reset-after-sent 5"]
RANGED = ["ignore-range", "wrong-range start", "status 416"]
CASES = [
    (match, effect)
    for match, effects in (
        (CREATE, ALWAYS + SENDING[:2]),
        (CHUNK, ALWAYS + SENDING),
        (COMPLETE, ALWAYS),
        (PAGE, ALWAYS + FETCHING),
        (DOWNLOAD, ALWAYS + FETCHING + RANGED),
    )
    for effect in effects
]


FRESH = partial(FileSenderHarness, **SITE)


def _spellings(harness: Any, *passwords: str) -> List[str]:
    """A password and the key that it gives, in every way in which they may be written."""
    found = []
    for password in passwords:
        encoded = base64.b64encode(password.encode()).decode()
        found += [password, password.encode().hex(), encoded.rstrip("=")]
        key = derived(harness, password)
        found += [key.hex(), base64.b64encode(key).decode(), key.decode("latin-1"), repr(key)[2:-1]]
    return found


def _check(secrets: List[str], **texts: str) -> None:
    for where, text in texts.items():
        for secret in secrets:
            at = text.find(secret)
            assert at < 0, f"a secret in {where}: ...{text[max(0, at - 200) : at + 40]}..."


def _errors(*steps: Any) -> List[BaseException]:
    found: List[BaseException] = []
    for step in steps:
        try:
            step()
        except SmartxferError as error:
            found.append(error)
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
    errors = _errors(
        lambda: client.upload_workflow([path], link=True, password=PASSWORD, progress=seen.append),
        lambda: client.download_files(token, harness.out, password=PASSWORD, progress=seen.append),
    )
    assert fault.fired
    fault.times = fault.fired
    path.unlink()
    if len(harness.site.transfers()) > 1:
        secrets += _spellings(harness, PASSWORD)
    _check(
        secrets,
        errors="\n".join(map(_error_text, errors)),
        log=_logged(log.records),
        files=_kept(home, *([harness.out] if harness.out.exists() else [])),
        repr=repr([client, client.session, vars(client), seen]),
    )


def test_f44_a_password_is_not_sent(harness: Any) -> None:
    """Neither it, nor the key, nor a byte of the file: all that goes out was looked through."""
    with Tap(harness.site.listener.port) as tap:
        with harness.client(tap.url) as client:
            transfer = client.upload_workflow([("a.bin", DATA)], link=True, password=PASSWORD)
            client.download_files(transfer.token, harness.out, password=PASSWORD)
            secrets = [
                *_spellings(harness, PASSWORD),
                DATA[:40].decode("latin-1"),
                DATA[-40:].decode("latin-1"),
            ]
    assert len(tap.heard()) > len(DATA)
    _check(secrets, line=tap.heard().decode("latin-1"))


@pytest.mark.parametrize("key_version", [1, 3])
def test_f44_the_journal_and_its_end(harness: Any, home: Path, log: Any, key_version: int) -> None:
    """Half-way it holds IVs and a mark of eight digits, and neither password nor key."""
    path = harness.file(DATA)
    options: Dict[str, Any] = {"link": True, "password": PASSWORD, "key_version": key_version}
    harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", "status 400")
    client = harness.client(retry=POLICY)
    with pytest.raises(ClientError):
        client.upload_workflow([path], **options)
    [journal] = (home / "state/journals").glob("*.json")
    state = json.loads(journal.read_text("utf-8"))["state"]["sealing"]
    assert state["ivs"].keys() == {"a.bin"}
    assert len(state["check"]) == 8, "too short to try passwords against, were the rounds few"
    _check(_spellings(harness, PASSWORD), journal=_kept(home), log=_logged(log.records))
    with pytest.raises(WrongPassword) as caught:
        client.upload_workflow([path], **{**options, "password": OTHER})
    _check(_spellings(harness, PASSWORD, OTHER), error=_error_text(caught.value), journal=_kept(home))
    client.upload_workflow([path], **options)
    assert list((home / "state/journals").iterdir()) == []
    assert held(harness) == DATA


def test_f44_the_side_file_of_a_download(harness: Any, home: Path, log: Any) -> None:
    transfer = published(harness, DATA)
    harness.fault(DOWNLOAD, "flip 500", after=1, times=None)
    with harness.client(max_workers=1) as client, pytest.raises(IntegrityError) as caught:
        client.download_files(transfer.token, harness.out, password=PASSWORD)
    assert (harness.out / "a.bin.part.json").exists()
    _check(
        [*_spellings(harness, PASSWORD), transfer.token],
        files=_kept(home, harness.out),
        error=_error_text(caught.value),
        log=_logged(log.records),
    )


def test_f44_words_about_passwords(harness: Any, log: Any) -> None:
    """A password that is too weak, wrong, or no text: the error does not repeat it."""
    transfer = published(harness, DATA)
    client = harness.client(retry=POLICY)
    weak, wrong = "marked-weak", "marked-wrong-one"
    errors = _errors(
        lambda: client.upload_workflow([("b.bin", DATA)], link=True, password=weak),
        lambda: client.download_files(transfer.token, harness.out, password=wrong),
        lambda: client.download_files(transfer.token, harness.out, password=lambda: wrong),
        lambda: client.download_files(transfer.token, harness.out, password=wrong.encode()),
    )
    assert [type(error) for error in errors] == [UsageError, ERRORS.class_for(WrongPassword), ERRORS.class_for(WrongPassword), UsageError]
    _check([weak, wrong], errors="\n".join(map(_error_text, errors)), log=_logged(log.records))


def test_f44_several_damaged_files(harness: Any, log: Any) -> None:
    with harness.client() as client:
        given = [(f"{number}.bin", DATA) for number in range(3)]
        transfer = client.upload_workflow(given, link=True, password=PASSWORD)
        for file in harness.site.transfers()[-1]["files"]:
            with open(harness.site.stored(file["id"]), "r+b") as stored:
                stored.seek(CHUNK_SIZE + 500)
                stored.write(b"damaged")
        with pytest.raises(BatchError) as caught:
            client.download_files(transfer.token, harness.out, password=PASSWORD)
    assert len(caught.value.errors) == 3
    _check(_spellings(harness, PASSWORD), errors=_error_text(caught.value), log=_logged(log.records))


def test_f44_what_holds_them_does_not_show_them() -> None:
    key = Key.derive(PASSWORD, version=3, password_version=1, salt="s" * 32, iterations=1)
    chunks = ChunkCipher.new(3, 1000, 100).with_key(key)
    encryption = UploadEncryption(PASSWORD, 3, 1, 100, False, {"a.bin": ChunkCipher.new(3, 1000, 100)})
    encryption.derive_key("s" * 32)
    decryptor = Decryptor(PASSWORD)
    for thing in (key, chunks, encryption, decryptor, [key], {"a": encryption}):
        shown = f"{thing!r} {thing!s} {thing}"
        for secret in (PASSWORD, key.secret.hex(), repr(key.secret)[2:-1]):
            assert secret not in shown


def test_f44_the_marks_would_be_seen(harness: Any, log: Any) -> None:
    """The look-out itself: what is not masked, it finds."""
    published(harness, DATA)
    secrets = _spellings(harness, PASSWORD)
    logging.getLogger("another.library").debug("key %s", derived(harness).hex())
    with pytest.raises(AssertionError, match="a secret in log"):
        _check(secrets, log=_logged(log.records))
    with pytest.raises(AssertionError, match="a secret in error"):
        _check(secrets, error=_error_text(ValueError(PASSWORD)))
