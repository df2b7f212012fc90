"""Chunks and keys, compared with output of the web page and with a reference implementation of the format."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, List

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smartxfer.errors import DecodeError, IntegrityError, UsageError, WrongPassword
from smartxfer.filesender.encryption import (
    ChunkCipher,
    Key,
    ciphertext_length,
    encode_password,
    generate_password,
    is_generated_password,
)
from tests.support import reference_encryption as by_hand
from tests.support.encrypted_transfers import IVS, PASSWORD, SALT, decrypt_chunk, derive, encrypt_chunks

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "filesender-encryption.json").read_text("utf-8")
)
WRITTEN = (0, 1, 3)


# -- what the web page made --------------------------------------------------------------------------------------


def test_there_are_vectors_of_every_key_and_password_version() -> None:
    kinds = {(vector["key_version"], vector["password_version"]) for vector in VECTORS}
    assert len(VECTORS) == 32
    assert kinds == {(key, password) for key in range(4) for password in (1, 2)}
    assert {vector["chunk_index"] for vector in VECTORS} >= {0, 1, 259}


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_chunks_of_the_web_page_are_decrypted(number: int) -> None:
    vector: Dict[str, Any] = VECTORS[number]
    version, index, iv = vector["key_version"], vector["chunk_index"], vector["file_iv"]
    plain, blob = bytes.fromhex(vector["plaintext_hex"]), bytes.fromhex(vector["blob_hex"])
    aead = vector["aead"] or ""
    keys = ("password_version", "salt", "iterations")
    parameters = (version, *(vector[name] for name in keys))
    key = Key.derive(vector["password"], version=version, **{name: vector[name] for name in keys})
    assert key.secret == by_hand.key_of(vector["password"], *parameters)
    assert by_hand.decrypt(version, key.secret, blob, aead) == plain
    # The vectors are short chunks of long files. Here each chunk has the full chunk size.
    chunks = ChunkCipher(version, (index + 1) * len(plain), len(plain), iv, aead, key)
    assert decrypt_chunk(chunks, index, blob) == plain
    assert chunks.ciphertext_length(index) == len(blob)
    full = ChunkCipher.new(version, vector["file_size"], vector["chunk_size"], iv)
    assert full.aead == aead
    full.validate_aead()
    if version == 3:
        assert full.with_key(key).encrypt(index, memoryview(plain)) == blob
    assert (vector["password_encoding"] == "base64") is is_generated_password(vector["password"])


# -- round trips, and a second reading ---------------------------------------------------------------------------

def check_both_ways(version: int, chunk: int, data: bytes) -> None:
    key = derive(version=version)
    chunks = ChunkCipher.new(version, len(data), chunk).with_key(key)
    blobs = encrypt_chunks(chunks, data)
    assert [chunks.ciphertext_length(index) for index in range(chunks.chunk_count)] == [len(blob) for blob in blobs]
    assert chunks.ciphertext_size == sum(map(len, blobs))
    assert [chunks.plaintext_length(index) for index in range(chunks.chunk_count)] == [
        len(data[start : start + chunk]) for start in range(0, len(data), chunk)
    ]
    assert b"".join(bytes(chunks.decrypt(i, memoryview(blob)) or b"") for i, blob in enumerate(blobs)) == data
    theirs = [by_hand.decrypt(version, key.secret, blob, chunks.aead) for blob in blobs]
    assert b"".join(part or b"" for part in theirs) == data
    # And the other way round: byte for byte where nothing is random.
    back = by_hand.encrypt_file(version, key.secret, data, chunk, chunks.iv)
    assert [decrypt_chunk(chunks, index, blob) for index, blob in enumerate(back)] == theirs
    if version == 3:
        assert back == blobs


@given(version=st.sampled_from(WRITTEN), chunk=st.integers(1, 200), count=st.integers(0, 3), more=st.integers(-1, 1))
def test_round_trips(version: int, chunk: int, count: int, more: int) -> None:
    check_both_ways(version, chunk, os.urandom(max(0, count * chunk + more)))


@pytest.mark.parametrize("version", WRITTEN)
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 3 * 64 + 1])
def test_round_trips_of_every_shape(version: int, size: int) -> None:
    check_both_ways(version, 64, os.urandom(size))


@pytest.mark.parametrize("version", WRITTEN)
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_chunks_encrypted_in_several_pieces(version: int, more: int) -> None:
    check_both_ways(version, 1 << 20, os.urandom((1 << 20) + 512 * 1024 + more))


@given(version=st.sampled_from([0, 1, 2, 3]), length=st.integers(1, 5000))
@example(version=1, length=16)
@example(version=0, length=5 << 20)
@example(version=3, length=5 << 20)
def test_length_of_an_encrypted_chunk(version: int, length: int) -> None:
    blob = by_hand.encrypt(version, bytes(32), 0, bytes(length), IVS[version], "")
    assert ciphertext_length(version, length) == len(blob)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 65536, 2**24, 2**32 - 1])
def test_the_number_of_a_chunk_is_its_counter(index: int) -> None:
    key = derive()
    chunks = ChunkCipher(3, 16 * 2**32, 16, IVS[3], "text", key)
    blob = bytes(chunks.encrypt(index, memoryview(b"0123456789abcdef")))
    assert blob[:16] == bytes(range(12)) + index.to_bytes(4, "little")
    assert blob == by_hand.encrypt(3, key.secret, index, b"0123456789abcdef", IVS[3], "text")


def test_no_iv_is_used_twice() -> None:
    assert len({ChunkCipher.new(3, 1, 1).iv for _ in range(50)}) == 50
    for version, length in ((0, 16), (1, 16), (3, 12)):
        assert len(base64.b64decode(ChunkCipher.new(version, 1, 1).iv)) == length
    chunks = ChunkCipher.new(1, 64, 16).with_key(derive(version=1))
    assert len({bytes(chunks.encrypt(0, memoryview(bytes(16)))[:16]) for _ in range(50)}) == 50
    counters = {blob[:16] for blob in encrypt_chunks(ChunkCipher.new(3, 64, 16).with_key(derive()), bytes(64))}
    assert len(counters) == 4


# -- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", WRITTEN)
def test_wrong_key_decrypts_nothing(version: int) -> None:
    chunks = ChunkCipher.new(version, 48, 48, IVS[version])
    # A full block of padding cannot be valid by chance.
    [blob] = encrypt_chunks(chunks.with_key(derive(version=version)), bytes(48))
    for wrong in (PASSWORD[:-1], "", PASSWORD.upper()):
        assert decrypt_chunk(chunks.with_key(derive(wrong, version=version)), 0, blob) is None


@pytest.mark.parametrize("version", [1, 3])
def test_salt_and_rounds_are_part_of_the_key(version: int) -> None:
    others: List[Dict[str, Any]] = [{}, {"salt": SALT.lower()}, {"rounds": 6}, {"password": PASSWORD + " "}]
    assert len({derive(version=version, **other).secret for other in others}) == 4


@pytest.mark.parametrize("version", [0, 2])
def test_keys_of_one_hash_need_no_salt(version: int) -> None:
    assert derive(version=version, salt="", rounds=0).secret == derive(version=version).secret


def test_a_salt_is_read_as_text_though_it_looks_like_something_else() -> None:
    """32 digits are hex, and base64 too; neither is meant."""
    digits = "00112233445566778899aabbccddeeff"
    assert derive(salt=digits).secret == by_hand.key_of(PASSWORD, 3, 1, digits, 5)


@pytest.mark.parametrize(("salt", "rounds"), [("", 5), (SALT, 0), (SALT, -1)])
def test_a_key_is_not_made_of_nothing(salt: str, rounds: int) -> None:
    with pytest.raises(DecodeError):
        derive(salt=salt, rounds=rounds)


@pytest.mark.parametrize("version", [-1, 4, 99])
def test_an_unknown_key_version(version: int) -> None:
    with pytest.raises(UsageError, match="unknown encryption key version"):
        derive(version=version)


def test_generated_passwords() -> None:
    made = {generate_password() for _ in range(20)}
    assert len(made) == 20
    for password in made:
        assert is_generated_password(password)
        assert len(base64.b64decode(password)) == 32
        assert encode_password(password, 2) == base64.b64decode(password)


@pytest.mark.parametrize(
    "text", ["", "password", "A" * 44, "A" * 42 + "==", "A" * 43 + "=\n", "ä" * 43 + "=", "A" * 44 + "="]
)
def test_what_does_not_look_generated(text: str) -> None:
    assert not is_generated_password(text)


def test_the_bytes_of_a_password() -> None:
    assert encode_password("äß€", 1) == "äß€".encode()
    for length in (0, 1, 31, 32, 33, 50):
        raw = os.urandom(length)
        assert encode_password(base64.b64encode(raw).decode(), 2) == (raw + bytes(32))[:32]
    for text in ("no base64!", "AAA", "ä"):
        with pytest.raises(WrongPassword) as caught:
            encode_password(text, 2)
        assert text not in str(caught.value)
    with pytest.raises(UsageError):
        encode_password("x", 3)


def test_a_later_run_knows_the_password_again_without_knowing_it() -> None:
    key = derive()
    mark = key.fingerprint(SALT)
    assert mark == derive().fingerprint(SALT) != derive(PASSWORD + "x").fingerprint(SALT)
    assert re.fullmatch("[0-9a-f]{8,}", mark)
    assert mark not in key.secret.hex()
    for thing in (key, ChunkCipher.new(3, 1, 1).with_key(key)):
        assert [text for text in (key.secret.hex(), repr(key.secret)[2:-1]) if text in repr(thing)] == []


# -- what is authenticated ---------------------------------------------------------------------------------------


@given(size=st.integers(0, 2**40), chunk=st.integers(1, 2**24), iv=st.binary(min_size=12, max_size=12))
def test_the_authenticated_text_is_exactly_this(size: int, chunk: int, iv: bytes) -> None:
    text = base64.b64encode(iv).decode()
    chunks = ChunkCipher.new(3, size, chunk, text)
    assert chunks.aead == by_hand.aead_of(text, size, chunk)
    chunks.validate_aead()


@pytest.mark.parametrize("version", [0, 1])
def test_cbc_authenticates_nothing(version: int) -> None:
    chunks = ChunkCipher.new(version, 100, 10)
    assert chunks.aead == ""
    chunks.validate_aead()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        {"size": 101}, {"size": 90}, {"chunk_size": 11}, {"iv": IVS[0]}, {"aead": ""}, {"aead": "{}"},
        {"aead": "[]"}, {"aead": "null"}, {"aead": '{"aeadversion":1,'},
        {"aead": '{"aeadversion":1,"chunkcount":"10","chunksize":"10","iv":"","aeadterminator":1}'},
    ],
)
def test_a_text_that_speaks_of_another_file_is_refused(version: int, change: Dict[str, Any]) -> None:
    chunks = ChunkCipher.new(version, 100, 10)
    chunks.validate_aead()
    with pytest.raises(IntegrityError, match="do not match"):
        attrs.evolve(chunks, **change).validate_aead()


@pytest.mark.parametrize("iv", ["", "AAAA", "no base64", "A" * 24, "ä" * 16])
def test_invalid_iv_is_rejected(iv: str) -> None:
    chunks = ChunkCipher(3, 16, 16, iv, "text", derive())
    for call, size in ((chunks.encrypt, 16), (chunks.decrypt, 48)):
        with pytest.raises(DecodeError, match="12 bytes"):
            call(0, memoryview(bytes(size)))
