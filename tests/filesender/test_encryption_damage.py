"""Chunks that are damaged, of another file, or too long: every single flipped byte."""

from __future__ import annotations

import base64
from typing import Set

import attrs
import pytest

from smartxfer.errors import IntegrityError
from smartxfer.filesender.encryption import ChunkCipher
from tests.support import reference_encryption as by_hand
from tests.support.encrypted_transfers import IVS, decrypt_chunk, derive, encrypt_chunks

WRITTEN = (0, 1, 3)


# -- flipped bytes -----------------------------------------------------------------------------------------------


def uncaught(chunks: ChunkCipher, index: int, blob: bytes) -> Set[int]:
    """Return the offsets of a chunk at which a change is not detected."""
    assert decrypt_chunk(chunks, index, blob) is not None
    found = set()
    for at in range(len(blob)):
        for change in (0xFF, 1 << at % 8):
            flipped = bytearray(blob)
            flipped[at] ^= change
            if decrypt_chunk(chunks, index, bytes(flipped)) is not None:
                found.add(at)
    return found


def test_gcm_every_flipped_byte_is_caught() -> None:
    chunks = ChunkCipher.new(3, 2 * 48 + 7, 48, IVS[3]).with_key(derive())
    for index, blob in enumerate(encrypt_chunks(chunks, bytes(range(2 * 48 + 7)))):
        assert uncaught(chunks, index, blob) == set()


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("size", [48, 45, 33])
def test_cbc_flipped_bytes_are_caught_where_they_reach_the_padding(version: int, size: int) -> None:
    """CBC has only its padding as a check: the last block and the bytes that it is computed from."""
    key = derive(version=version)
    chunks = ChunkCipher.new(version, size, 48, IVS[version]).with_key(key)
    blob = by_hand.encrypt(version, key.secret, 0, bytes(range(size)), "", "", bytes(range(100, 116)))
    padding = 16 - size % 16
    assert uncaught(chunks, 0, blob) == set(range(len(blob) - 16 - padding))


def test_cbc_a_padding_of_another_length_is_caught() -> None:
    """03 03 03 with its last byte made 01 is a padding again, of a longer chunk."""
    key = derive(version=1)
    chunks = ChunkCipher.new(1, 29, 48, IVS[1]).with_key(key)
    blob = bytearray(by_hand.encrypt(1, key.secret, 0, bytes(29), "", "", bytes(16)))
    blob[-17] ^= 0x02
    assert by_hand.decrypt(1, key.secret, bytes(blob), "") is not None
    assert decrypt_chunk(chunks, 0, bytes(blob)) is None


def test_gcm_every_change_of_the_file_parameters_is_detected() -> None:
    chunks = ChunkCipher.new(3, 100, 48, IVS[3]).with_key(derive())
    blob = encrypt_chunks(chunks, bytes(100))[0]
    for at in range(len(chunks.aead)):
        text = chunks.aead[:at] + chr(ord(chunks.aead[at]) ^ 1) + chunks.aead[at + 1 :]
        assert decrypt_chunk(attrs.evolve(chunks, aead=text), 0, blob) is None
    for at in range(12):
        raw = bytearray(base64.b64decode(chunks.iv))
        raw[at] ^= 1
        other = attrs.evolve(chunks, iv=base64.b64encode(bytes(raw)).decode())
        assert decrypt_chunk(other, 0, blob) is None


# -- chunks that are not the right ones --------------------------------------------------------------------------


def test_gcm_swapped_chunks_and_chunks_of_another_file_are_caught() -> None:
    one, other = (ChunkCipher.new(3, 96, 48).with_key(derive()) for _ in range(2))
    first, second = encrypt_chunks(one, bytes(96))
    with pytest.raises(IntegrityError, match="another chunk"):
        one.decrypt(0, memoryview(second))
    # The same IV, but for a file of another size.
    longer = ChunkCipher.new(3, 97, 48, one.iv).with_key(derive())
    foreign = [encrypt_chunks(cipher, bytes(cipher.size))[0] for cipher in (other, longer)]
    # The last one even with the counter put right.
    for index, blob in ((0, second), (1, first), (0, foreign[0]), (0, foreign[1]), (1, one_with_counter(first, 1))):
        assert decrypt_chunk(one, index, blob) is None


def one_with_counter(blob: bytes, index: int) -> bytes:
    return blob[:12] + index.to_bytes(4, "little") + blob[16:]


@pytest.mark.parametrize("version", WRITTEN)
@pytest.mark.parametrize("size", [48, 20])
def test_chunks_of_another_length_are_refused(version: int, size: int) -> None:
    key = derive(version=version)
    chunks = ChunkCipher.new(version, size, 48, IVS[version]).with_key(key)
    [blob] = encrypt_chunks(chunks, bytes(size))
    for wrong in (b"", blob[:16], blob[:-1], blob[:-16], blob + b"\0", blob + bytes(16), blob[16:]):
        with pytest.raises(IntegrityError, match=f"expected {len(blob)}"):
            chunks.decrypt(0, memoryview(wrong))
    # Correctly encrypted, but shorter or longer by whole blocks than the requested length.
    for other in (size - 16, size + 16):
        [wrong] = by_hand.encrypt_file(version, key.secret, bytes(other), 100, chunks.iv)
        assert decrypt_chunk(chunks, 0, wrong) is None


def test_cbc_a_chunk_of_the_right_length_and_the_wrong_bytes_is_refused() -> None:
    key = derive(version=1)
    chunks = ChunkCipher.new(1, 20, 48, IVS[1]).with_key(key)
    # 25 bytes fill as many blocks as 20 do.
    assert decrypt_chunk(chunks, 0, by_hand.encrypt(1, key.secret, 0, bytes(25), "", "")) is None
