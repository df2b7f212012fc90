"""Encrypted transfers end to end: both releases, both ciphers, every size."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from smartxfer import GuestAuth, RetryPolicy
from smartxfer.errors import IntegrityError, PasswordRequired, SmartxferError, UsageError, WrongPassword
from smartxfer.filesender.encryption import generate_password
from smartxfer.transfer import MemorySink
from smartxfer.transport import redaction
from tests.support.encrypted_transfers import (
    CHUNK,
    CHUNKS,
    CREATE,
    FETCH,
    PASSWORD,
    RELEASES,
    anyone,
    by_another_reading,
    latest,
)
from tests.support.filesender_harness import content

SIZES = {
    "0": 0, "1": 1, "chunk-1": CHUNK - 1, "chunk": CHUNK, "chunk+1": CHUNK + 1, "3 chunks+1": 3 * CHUNK + 1,
}


# -- there and back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", sorted(SIZES))
def test_there_and_back(site: Any, make: Any, out: Path, shape: str) -> None:
    path = make("a.bin", SIZES[shape])
    data = path.read_bytes()
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert transfer.results[0].bytes == len(data)
    assert by_another_reading(site, transfer) == {"a.bin": data}
    [file] = anyone(site).list_files(transfer.token)
    assert file.key_version == RELEASES[site.site.backend.site.version]
    assert (file.size, file.password_hash_iterations) == (len(data), 7)
    [result] = anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert content(out) == {"a.bin": data}
    assert (result.bytes, result.retries, result.verified) == (len(data), 0, "size")
    # The chunk that proved the password is not fetched twice.
    assert site.site.count(FETCH) == site.site.count(CHUNKS) == -(-len(data) // CHUNK)


@pytest.mark.parametrize("version", [0, 1, 3])
@pytest.mark.parametrize("generated", [False, True])
def test_the_key_version_may_be_chosen(site: Any, make: Any, out: Path, version: int, generated: bool) -> None:
    password = generate_password() if generated else PASSWORD
    path = make("a.bin", 2 * CHUNK + 100)
    transfer = site.client().upload_workflow([path], password=password, key_version=version)
    [file] = anyone(site).list_files(transfer.token)
    assert (file.key_version, file.password_version) == (version, 2 if generated else 1)
    assert by_another_reading(site, transfer, password) == {"a.bin": path.read_bytes()}
    anyone(site).download_files(transfer.token, out, password=password)
    assert content(out) == {"a.bin": path.read_bytes()}


@pytest.mark.parametrize("security", ["key", "auth"])
def test_chunks_in_base64(secure: Any, make: Any, out: Path, security: str) -> None:
    # A 3.8 with this setting takes no chunk at all.
    site = secure(version="2.67", base64_chunks=True, chunk_security=security)
    path = make("a.bin", 2 * CHUNK + 7)
    transfer = site.client().upload_workflow([path, make("empty.bin", 0)], password=PASSWORD)
    anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert by_another_reading(site, transfer) == content(out) == {"a.bin": path.read_bytes(), "empty.bin": b""}


def test_a_guest_sends_and_another_reads(site: Any, make: Any, out: Path) -> None:
    voucher = site.client().create_guest({"from": "ann@example.org", "recipient": "gus@example.net"})
    path = make("a.bin", 2 * CHUNK + 1)
    transfer = site.client(auth=GuestAuth(voucher.token)).upload_workflow([path], password=PASSWORD)
    anyone(site).download_files(latest(site)["recipients"][0]["token"], out, password=PASSWORD)
    assert by_another_reading(site, transfer) == content(out) == {"a.bin": path.read_bytes()}


def test_chunks_are_the_sites_whatever_size_the_client_prefers(site: Any, make: Any) -> None:
    path = make("a.bin", 2 * CHUNK + 1)
    transfer = site.client(chunk_size=1000).upload_workflow([path], password=PASSWORD)
    assert site.site.count(CHUNKS) == 3
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


# -- passwords ---------------------------------------------------------------------------------------------------


def test_a_function_is_asked_once_and_only_where_it_matters(site: Any, make: Any, out: Path) -> None:
    asked: List[str] = []

    def ask() -> str:
        asked.append("asked")
        return PASSWORD

    paths = [make("a.bin", CHUNK + 1), make("b.bin", 3)]
    transfer = site.client().upload_workflow(paths, password=ask)
    assert len(asked) == 1
    anyone(site).download_files(transfer.token, out, password=ask)
    assert len(asked) == 2
    plain = site.publish({"c.bin": b"plain"})
    anyone(site).download_files(plain.token, out, password=ask)
    assert len(asked) == 2
    assert content(out) == {"a.bin": paths[0].read_bytes(), "b.bin": paths[1].read_bytes(), "c.bin": b"plain"}


class Untouched(MemorySink):
    """Sink that must not be used."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Any:
        pytest.fail("the sink was begun with")


def test_without_the_right_password_nothing_is_written(site: Any, out: Path) -> None:
    # Full chunks: CBC detects a wrong key by its padding only, and 16 bytes of padding cannot be valid by chance.
    files = [("a.bin", bytes(2 * CHUNK)), ("b.bin", bytes(3 * CHUNK)), ("c.bin", b"")]
    transfer = site.client().upload_workflow(files, password=PASSWORD)
    number, stream = transfer.files[1].id, io.BytesIO()
    secret = generate_password()  # one that no other test has had masked
    for wrong in (PASSWORD + "?", lambda: secret):
        asked = site.site.count(FETCH)
        with pytest.raises(WrongPassword):
            anyone(site).download_files(transfer.token, out, password=wrong)
        assert site.site.count(FETCH) == asked + 1
    assert secret not in redaction.redact(f"given was {secret}.")
    for target, wrong in ((out, secret), (stream, PASSWORD.lower()), (Untouched(), PASSWORD + "?")):
        with pytest.raises(WrongPassword):
            anyone(site).download_file(transfer.token, number, target, password=wrong)
    with pytest.raises(PasswordRequired):
        anyone(site).download_file(transfer.token, number, out)
    assert not out.exists()
    assert stream.getvalue() == b""


def test_without_the_package_nothing_is_sent_or_made(
    modern: Any, make: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = modern.client().upload_workflow([make("a.bin", 10)], password=PASSWORD)
    posted, fetched = modern.site.count(CREATE), modern.site.count(FETCH)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(UsageError, match="cryptography"):
        modern.client().upload_workflow([make("b.bin", 10)], password=PASSWORD)
    with pytest.raises(UsageError, match="cryptography"):
        anyone(modern).download_files(transfer.token, out, password=PASSWORD)
    assert (modern.site.count(CREATE), modern.site.count(FETCH)) == (posted, fetched)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"password": "short"}, "shorter"),
        ({"password": ""}, "text"),
        ({"password": PASSWORD, "key_version": 2}, "version 2"),
        ({"password": PASSWORD, "key_version": 9}, "not supported"),
        ({"key_version": 3}, "requires password="),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(modern: Any, options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        modern.client().upload_workflow([("a.bin", b"1")], **options)
    assert modern.site.count(CREATE) == 0


def test_a_site_that_insists(secure: Any, make: Any) -> None:
    site = secure(encryption_mandatory=True)
    path = make("a.bin", 10)
    with pytest.raises(UsageError, match="password="):
        site.client().upload_workflow([path])
    assert site.site.count(CREATE) == 0
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


def test_a_limit_for_encrypted_files(secure: Any, make: Any) -> None:
    site = secure(max_transfer_encrypted_file_size=100)
    with pytest.raises(SmartxferError, match="100"):
        site.client().upload_workflow([make("a.bin", 101)], password=PASSWORD)
    assert site.site.count(CREATE) == 0
    site.client().upload_workflow([make("a.bin", 101)])


def test_a_site_that_denies_or_weakens_the_encryption_is_rejected(site: Any, tmp_path: Path) -> None:
    """Fails if bytes of the site are taken for decrypted data, or if a weaker cipher is accepted."""
    plain = site.client().upload_workflow([("a.bin", b"plain")], link=True)
    encrypted = site.client().upload_workflow([("a.bin", b"secret")], password=PASSWORD, key_version=3)
    out = tmp_path / "out"
    for token, options, said in (
        (plain.token, {"password": PASSWORD}, "is not encrypted"),
        (plain.token, {"key_version": 3}, "is not encrypted"),
        (encrypted.token, {"password": PASSWORD, "key_version": 1}, "has key version 3, expected 1"),
    ):
        with pytest.raises(IntegrityError, match=said):
            anyone(site).download_files(token, out, **options)
        [file] = anyone(site).list_files(token)
        with pytest.raises(IntegrityError, match=said):
            anyone(site).download_file(token, file.id, out, **options)
    assert not out.exists()
    asked: List[str] = []
    anyone(site).download_files(plain.token, out, password=lambda: asked.append("") or PASSWORD)
    assert ((out / "a.bin").read_bytes(), asked) == (b"plain", [])
    anyone(site).download_files(encrypted.token, tmp_path / "more", password=PASSWORD, key_version=3)


# -- interrupted and continued ------------------------------------------------------------------------------------


def break_off(site: Any, path: Path, after: int, password: Any = PASSWORD) -> None:
    site.fault(CHUNKS, "status 502", times=None, after=after)
    with pytest.raises(SmartxferError):
        client = site.client(retry=RetryPolicy(attempts=1), concurrent_chunks=1)
        client.upload_workflow([path], password=password)
    site.server.clear_faults()
    assert latest(site)["status"] != "available"


def test_an_upload_continues_with_its_chunk_size_after_the_site_changed_it(secure: Any, make: Any) -> None:
    site = secure()
    path = make("a.bin", 4 * CHUNK + 1)
    break_off(site, path, 2)
    site.site.configure(upload_chunk_size=2 * CHUNK)
    site.site.listener.clear_log()
    transfer = site.client().upload_workflow([path], password=PASSWORD)
    assert site.site.count(CHUNKS) == 3
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


@pytest.mark.parametrize("first", [None, PASSWORD])
def test_plain_and_encrypted_runs_do_not_mix(modern: Any, make: Any, first: Optional[str]) -> None:
    path = make("a.bin", 3 * CHUNK)
    break_off(modern, path, 1, first)
    second = None if first else PASSWORD
    transfer = modern.client().upload_workflow([path], password=second)
    [file] = anyone(modern).list_files(transfer.token)
    assert file.encrypted is bool(second)
    assert modern.site.count(CREATE) == 2
