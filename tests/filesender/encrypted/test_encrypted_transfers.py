"""Encrypted transfers end to end: both releases, both ciphers, every size."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer import GuestAuth, RetryPolicy
from smartxfer.errors import IntegrityError, PasswordRequired, SmartxferError, UsageError
from smartxfer.filesender.encryption import generate_password
from smartxfer.transfer import MemorySink
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
    assert site.site.count(FETCH) == -(-len(data) // CHUNK)
    assert site.site.count(CHUNKS) == -(-len(data) // CHUNK)


@pytest.mark.parametrize("version", [0, 1, 3])
@pytest.mark.parametrize("generated", [False, True])
def test_the_key_version_may_be_chosen(
    site: Any, make: Any, out: Path, version: int, generated: bool
) -> None:
    password = generate_password() if generated else PASSWORD
    path = make("a.bin", 2 * CHUNK + 100)
    transfer = site.client().upload_workflow([path], password=password, key_version=version)
    [file] = anyone(site).list_files(transfer.token)
    assert (file.key_version, file.password_version) == (version, 2 if generated else 1)
    assert by_another_reading(site, transfer, password) == {"a.bin": path.read_bytes()}
    anyone(site).download_files(transfer.token, out, password=password)
    assert content(out) == {"a.bin": path.read_bytes()}


def test_files_folders_bytes_and_streams(site: Any, make: Any, out: Path) -> None:
    folder = make("run/deep/b.bin", CHUNK + 1).parent.parent
    make("run/empty.bin", 0)
    stream = io.BytesIO(os.urandom(2 * CHUNK))
    things: List[Any] = [
        make("a.bin", 10),
        folder,
        ("memory.bin", b"m" * (3 * CHUNK)),
        ("stream.bin", stream),
    ]
    expected = {
        "a.bin": things[0].read_bytes(),
        "run/deep/b.bin": (folder / "deep" / "b.bin").read_bytes(),
        "run/empty.bin": b"",
        "memory.bin": b"m" * (3 * CHUNK),
        "stream.bin": stream.getvalue(),
    }
    transfer = site.client().upload_workflow(things, {"recipients": ["bob@example.net"]}, password=PASSWORD)
    assert by_another_reading(site, transfer) == expected
    anyone(site).download_files(transfer.recipients[0].token, out, password=PASSWORD)
    assert content(out) == expected


def test_into_sinks_and_open_files(site: Any, out: Path) -> None:
    data = os.urandom(3 * CHUNK + 5)
    transfer = site.client().upload_workflow([("a.bin", data)], password=PASSWORD)
    [file] = anyone(site).list_files(transfer.token)
    sink, stream = MemorySink(), io.BytesIO()
    anyone(site).download_file(transfer.token, file.id, sink, password=PASSWORD)
    anyone(site).download_file(transfer.token, file.id, stream, len(data), password=PASSWORD)
    anyone(site).download_file(transfer.token, file.id, out, file_name="other.bin", password=PASSWORD)
    assert (sink.data, stream.getvalue(), content(out)) == (data, data, {"other.bin": data})


def test_files_encrypted_by_the_reference_implementation_are_read(modern: Any, out: Path) -> None:
    """Another program has sent the files of the site."""
    site = modern
    data = os.urandom(2 * CHUNK + 9)
    transfer = site.client().upload_workflow([("a.bin", bytes(len(data)))], password=PASSWORD)
    [file] = anyone(site).list_files(transfer.token)
    key = by_hand.key_of(PASSWORD, 3, 1, file.key_salt or "", 7)
    Path(site.site.stored(file.id)).write_bytes(
        b"".join(by_hand.encrypt_file(3, key, data, CHUNK, file.fileiv or ""))
    )
    anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert content(out) == {"a.bin": data}


@pytest.mark.parametrize("strict", [True, False])
def test_ranges_with_the_faults_of_real_servers_and_without(secure: Any, out: Path, strict: bool) -> None:
    site = secure(strict_ranges=strict)
    data = os.urandom(5 * CHUNK + 1)
    transfer = site.client().upload_workflow([("a.bin", data)], password=PASSWORD)
    [result] = anyone(site, retry=ONCE).download_files(transfer.token, out, password=PASSWORD)
    assert (content(out), result.retries) == ({"a.bin": data}, 0)


@pytest.mark.parametrize("security", ["key", "auth"])
def test_chunks_in_base64(secure: Any, make: Any, out: Path, security: str) -> None:
    # A 3.8 with this setting takes no chunk at all.
    site = secure(version="2.67", base64_chunks=True, chunk_security=security)
    path = make("a.bin", 2 * CHUNK + 7)
    transfer = site.client().upload_workflow([path, make("empty.bin", 0)], password=PASSWORD)
    expected = {"a.bin": path.read_bytes(), "empty.bin": b""}
    assert by_another_reading(site, transfer) == expected
    anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert content(out) == expected


def test_a_guest_sends_and_another_reads(site: Any, make: Any, out: Path) -> None:
    voucher = site.client().create_guest({"from": "ann@example.org", "recipient": "gus@example.net"})
    path = make("a.bin", 2 * CHUNK + 1)
    guest = site.client(auth=GuestAuth(voucher.token))
    transfer = guest.upload_workflow([path], password=PASSWORD)
    token = latest(site)["recipients"][0]["token"]
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}
    anyone(site).download_files(token, out, password=PASSWORD)
    assert content(out) == {"a.bin": path.read_bytes()}


def test_chunks_are_the_sites_whatever_size_the_client_prefers(site: Any, make: Any) -> None:
    path = make("a.bin", 2 * CHUNK + 1)
    transfer = site.client(chunk_size=1000).upload_workflow([path], password=PASSWORD)
    assert site.site.count(CHUNKS) == 3
    assert by_another_reading(site, transfer) == {"a.bin": path.read_bytes()}


# -- what the caller sees ----------------------------------------------------------------------------------------


def test_progress_counts_the_bytes_of_the_file(site: Any, make: Any, out: Path) -> None:
    size = 3 * CHUNK + 1
    path = make("a.bin", size)
    site.fault(CHUNKS, "reset-after 100")
    seen: List[Any] = []
    transfer = site.client().upload_workflow([path], password=PASSWORD, progress=seen.append)
    down: List[Any] = []
    anyone(site).download_files(transfer.token, out, password=PASSWORD, progress=down.append)
    for events in (seen, down):
        assert {event.total for event in events} == {size}
        assert all(0 <= event.done <= size for event in events)
        assert (events[-1].state, events[-1].done) == ("done", size)


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


def test_without_the_package_nothing_is_sent_or_made(
    modern: Any, make: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = modern
    transfer = site.client().upload_workflow([make("a.bin", 10)], password=PASSWORD)
    posted, fetched = site.site.count(CREATE), site.site.count(FETCH)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(UsageError, match="cryptography"):
        site.client().upload_workflow([make("b.bin", 10)], password=PASSWORD)
    with pytest.raises(UsageError, match="cryptography"):
        anyone(site).download_files(transfer.token, out, password=PASSWORD)
    assert (site.site.count(CREATE), site.site.count(FETCH)) == (posted, fetched)
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
def test_what_cannot_be_is_refused_before_anything_is_sent(
    modern: Any, make: Any, options: Dict[str, Any], message: str
) -> None:
    site = modern
    with pytest.raises(UsageError, match=message):
        site.client().upload_workflow([make("a.bin", 10)], **options)
    assert site.site.count(CREATE) == 0


def test_a_site_that_insists(site: Any, make: Any) -> None:
    site.site.configure(encryption_mandatory=True)
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


def test_no_archive_of_what_is_encrypted(site: Any, make: Any, tmp_path: Path) -> None:
    transfer = site.client().upload_workflow([make("a.bin", 10)], password=PASSWORD)
    with pytest.raises(PasswordRequired, match="password="):
        anyone(site).download_archive(transfer.token, tmp_path / "all.zip")
    assert site.site.count(FETCH) == 0
    assert not (tmp_path / "all.zip").exists()


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
