"""Encrypted transfers that are damaged, interrupted and continued, and the secrets that must not remain."""

from __future__ import annotations

import io
import logging
import os
import pickle
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import (
    BatchError,
    CommunicationError,
    IntegrityError,
    NetworkError,
    PasswordRequired,
    RangeMismatch,
    SmartxferError,
    UsageError,
    WrongPassword,
)
from smartxfer.filesender.encryption import generate_password
from smartxfer.transfer import MemorySink
from smartxfer.transport import redaction
from tests.support import reference_encryption as by_hand
from tests.support.encrypted_transfers import (
    CHUNK,
    CHUNKS,
    CREATE,
    FETCH,
    PASSWORD,
    RELEASES,
    anyone,
    by_another_reading,
    content,
    latest,
)

ONCE = RetryPolicy(attempts=1)


# -- wrong passwords and damage ----------------------------------------------------------------------------------


def test_a_wrong_password_writes_nothing(site: Any, make: Any, out: Path) -> None:
    # Full chunks: CBC detects a wrong key by its padding only, and 16 bytes of padding cannot be valid by chance.
    paths = [make("a.bin", 2 * CHUNK), make("b.bin", 3 * CHUNK), make("c.bin", 0)]
    transfer = site.client().upload_workflow(paths, password=PASSWORD)
    files = {file.name: file for file in anyone(site).list_files(transfer.token)}
    stream, asked = io.BytesIO(), site.site.count(FETCH)
    with pytest.raises(WrongPassword) as caught:
        anyone(site).download_files(transfer.token, out, password=PASSWORD + "?")
    assert isinstance(caught.value, IntegrityError)
    assert site.site.count(FETCH) == asked + 1
    with pytest.raises(WrongPassword):
        anyone(site).download_file(transfer.token, files["b.bin"].id, out, password=generate_password())
    with pytest.raises(WrongPassword):
        anyone(site).download_file(transfer.token, files["b.bin"].id, stream, password=PASSWORD.lower())
    with pytest.raises(PasswordRequired):
        anyone(site).download_files(transfer.token, out)
    assert not out.exists()
    assert stream.getvalue() == b""


class Untouched(MemorySink):
    """Sink that must not be used."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Any:
        pytest.fail("the sink was begun with")


def test_a_sink_is_not_begun_with_before_the_password_is_proven(modern: Any) -> None:
    transfer = modern.client().upload_workflow([("a.bin", bytes(2 * CHUNK))], password=PASSWORD)
    [file] = anyone(modern).list_files(transfer.token)
    with pytest.raises(WrongPassword):
        anyone(modern).download_file(transfer.token, file.id, Untouched(), password=PASSWORD + "?")


@pytest.mark.parametrize("wrong", ["", 7, b"bytes", lambda: ""])
def test_an_invalid_password_fetches_nothing(modern: Any, out: Path, wrong: Any) -> None:
    transfer = modern.client().upload_workflow([("a.bin", b"1")], password=PASSWORD)
    with pytest.raises(UsageError, match="text"):
        anyone(modern).download_files(transfer.token, out, password=wrong)
    assert modern.site.count(FETCH) == 0
    assert not out.exists()


def test_a_password_for_a_download_is_masked_from_then_on(modern: Any, out: Path) -> None:
    password = generate_password()  # one that no other test has had masked
    transfer = modern.client().upload_workflow([("a.bin", b"1")], password=PASSWORD)
    with pytest.raises(WrongPassword):
        anyone(modern).download_files(transfer.token, out, password=lambda: password)
    assert password not in redaction.redact(f"given was {password}.")


@pytest.mark.parametrize("at", [0, 15, 16, CHUNK + 31, CHUNK + 32, 2 * CHUNK + 64, 3 * CHUNK + 3 * 32])
def test_a_byte_that_changed_on_the_server_is_never_handed_out(modern: Any, out: Path, at: int) -> None:
    site = modern
    transfer = site.client().upload_workflow([("a.bin", os.urandom(3 * CHUNK + 1))], password=PASSWORD)
    [file] = anyone(site).list_files(transfer.token)
    path = Path(site.site.stored(file.id))
    stored = bytearray(path.read_bytes())
    stored[at] ^= 0x10
    path.write_bytes(bytes(stored))
    sink = MemorySink()
    for target in (out, sink):
        with pytest.raises(IntegrityError) as caught:
            anyone(site).download_file(transfer.token, file.id, target, password=PASSWORD)
        assert isinstance(caught.value, WrongPassword) is (at < CHUNK + 32 and at > 15)
    assert "a.bin" not in content(out)
    stored[at] ^= 0x10
    path.write_bytes(bytes(stored))
    anyone(site).download_file(transfer.token, file.id, sink, password=PASSWORD)
    assert len(sink.data) == 3 * CHUNK + 1


def test_damage_of_one_file_leaves_the_others(modern: Any, out: Path) -> None:
    site = modern
    things = [("a.bin", bytes(2 * CHUNK)), ("b.bin", b"small"), ("c.bin", bytes(CHUNK))]
    transfer = site.client().upload_workflow(things, password=PASSWORD)
    broken = next(file for file in anyone(site).list_files(transfer.token) if file.name == "a.bin")
    path = Path(site.site.stored(broken.id))
    stored = path.read_bytes()
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
    with pytest.raises(BatchError) as caught:
        anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert [result.ok for result in caught.value.results] == [False, True, True]
    [error] = caught.value.errors
    assert isinstance(error, IntegrityError)
    assert not isinstance(error, WrongPassword)
    assert {name for name in content(out) if name.endswith(".bin")} == {"b.bin", "c.bin"}


def test_a_site_that_ignores_ranges(secure: Any, out: Path) -> None:
    site = secure(plain_ranges=True)
    transfer = site.client().upload_workflow([("a.bin", bytes(2 * CHUNK))], password=PASSWORD)
    with pytest.raises(RangeMismatch):
        anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert not out.exists()
    short = site.client().upload_workflow([("b.bin", bytes(CHUNK))], password=PASSWORD)
    anyone(site).download_files(short.token, out, password=PASSWORD)
    assert content(out) == {"b.bin": bytes(CHUNK)}


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        ("status 404", CommunicationError),
        ("status 500 body=empty", CommunicationError),
        ("truncate 100", NetworkError),
        ("extra-byte", (IntegrityError, CommunicationError)),
        ("wrong-range start", RangeMismatch),
        ("no-length close truncate 50", (IntegrityError, CommunicationError)),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_responses_that_are_not_a_chunk(modern: Any, out: Path, effect: str, error: Any, after: int) -> None:
    site = modern
    data = os.urandom(4 * CHUNK)
    transfer = site.client().upload_workflow([("a.bin", data)], password=PASSWORD)
    site.fault(FETCH, effect, after=after)
    with pytest.raises(error):
        anyone(site, retry=ONCE, max_workers=1).download_files(transfer.token, out, password=PASSWORD)
    assert "a.bin" not in (content(out) if out.exists() else {})
    assert after or not out.exists()
    [result] = anyone(site, retry=ONCE).download_files(transfer.token, out, password=PASSWORD)
    assert content(out) == {"a.bin": data}
    assert result.resumed == (CHUNK * after if after else 0)


# -- interrupted and continued ------------------------------------------------------------------------------------


def ivs_and_salt(site: Any) -> Tuple[int, str, List[str]]:
    row = latest(site)
    return row["id"], row["salt"], [file["iv"] for file in row["files"]]


def break_off(site: Any, paths: List[Path], after: int, password: str = PASSWORD, **options: Any) -> None:
    site.fault(CHUNKS, "status 502", times=None, after=after)
    with pytest.raises(SmartxferError):
        site.client(retry=ONCE, concurrent_chunks=1, concurrent_files=1).upload_workflow(
            paths, password=password, **options
        )
    site.server.clear_faults()
    assert latest(site)["status"] != "available"


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_upload_continues_with_salt_and_ivs(site: Any, make: Any, out: Path, after: int) -> None:
    path = make("a.bin", 4 * CHUNK + 1)
    break_off(site, [path], after)
    before, begun = ivs_and_salt(site), Path(site.site.stored(latest(site)["files"][0]["id"]))
    kept = begun.read_bytes()[: after * (CHUNK + 32)] if after else b""
    site.site.listener.clear_log()
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert (site.site.count(CREATE), site.site.count(CHUNKS)) == (0, 5 - after)
    assert transfer.results[0].resumed == after * CHUNK
    assert ivs_and_salt(site) == before
    assert site.stored()["a.bin"].startswith(kept)
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


def test_an_upload_continues_with_its_chunk_size_after_the_site_changed_it(secure: Any, make: Any) -> None:
    site = secure()
    path = make("a.bin", 4 * CHUNK + 1)
    break_off(site, [path], 2)
    site.site.configure(upload_chunk_size=2 * CHUNK)
    site.site.listener.clear_log()
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert site.site.count(CHUNKS) == 3
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


def test_an_upload_does_not_continue_with_another_password(site: Any, make: Any) -> None:
    path = make("a.bin", 3 * CHUNK)
    break_off(site, [path], 1)
    site.site.listener.clear_log()
    with pytest.raises(WrongPassword, match="another password"):
        site.client().upload_workflow([path], password=PASSWORD + "?")
    assert (site.site.count(CREATE), site.site.count(CHUNKS), site.site.count("DELETE *")) == (0, 0, 0)
    # The upload still continues with the right password.
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert site.site.count(CHUNKS) == 2
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


def test_a_restarted_upload_has_its_own_salt_and_iv(site: Any, make: Any) -> None:
    path = make("a.bin", 3 * CHUNK)
    break_off(site, [path], 1)
    _, salt, ivs = ivs_and_salt(site)
    transfer = site.client().upload_workflow([path], password=PASSWORD + "?", resume=False)
    _, other_salt, other_ivs = ivs_and_salt(site)
    assert salt != other_salt
    assert not set(ivs) & set(other_ivs)
    assert by_another_reading(site, transfer, PASSWORD + "?") == {"a.bin": path.read_bytes()}


@pytest.mark.parametrize("first", [None, PASSWORD])
def test_plain_and_encrypted_runs_do_not_mix(modern: Any, make: Any, first: Optional[str]) -> None:
    site = modern
    path = make("a.bin", 3 * CHUNK)
    break_off(site, [path], 1, password=first)  # type: ignore[arg-type]
    second = None if first else PASSWORD
    transfer = site.client().upload_workflow([path], password=second)
    [file] = anyone(site).list_files(transfer.token)
    assert file.encrypted is bool(second)
    assert site.site.count(CREATE) == 2


def test_a_chunk_is_the_same_each_time_it_is_tried(secure: Any, make: Any) -> None:
    """Two different plaintexts must never be encrypted with the same GCM nonce."""
    site = secure()
    path = make("a.bin", CHUNK)
    site.fault(CHUNKS, "lose-answer", times=2)
    bodies: List[bytes] = []
    real = site.site.backend.repository.objects.receive

    def receive(number: int, offset: int, body: Any) -> int:
        written: int = real(number, offset, body)
        bodies.append(Path(site.site.stored(number)).read_bytes())
        return written

    site.site.backend.repository.objects.receive = receive
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


# -- secrets -----------------------------------------------------------------------------------------------------


def test_nothing_secret_is_left_anywhere(
    site: Any, make: Any, out: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = make("a.bin", 4 * CHUNK)
    break_off(site, [path], 1)
    row = latest(site)
    version = RELEASES[site.site.backend.site.version]
    key = by_hand.key_of(PASSWORD, version, 1, row["salt"], 7)
    journals = [file.read_bytes() for file in (home / "state").rglob("*") if file.is_file()]
    assert any(row["salt"].encode() in text for text in journals)
    client = site.client()
    with pytest.raises(WrongPassword) as refused:
        client.upload_workflow([path], password=PASSWORD + "?")
    transfer = client.upload_workflow([path], password=PASSWORD)
    with pytest.raises(WrongPassword) as wrong:
        anyone(site).download_files(transfer.token, out, password=PASSWORD + "?")
    results = anyone(site).download_files(transfer.token, out, password=PASSWORD)
    things = [refused.value, wrong.value, transfer, results, client]
    shown = [repr(thing).encode() for thing in things] + [str(vars(error)).encode() for error in things[:2]]
    shown += [pickle.dumps(thing) for thing in things[:4]]
    held = [str(latest(site)).encode()]
    for secret in (PASSWORD.encode(), key, key.hex().encode(), repr(key).encode()):
        assert not [text for text in (*journals, *shown, *held, caplog.text.encode()) if secret in text]
