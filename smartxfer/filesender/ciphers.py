"""Incremental encryption, in-place decryption and authentication (GMAC) of single chunks.

Source: FileSender protocol, section 9.
"""

from typing import Any, Optional

from smartxfer.filesender.errors import FileSenderIntegrityError

__all__ = ["BLOCK_SIZE", "IV_SIZE", "TAG_SIZE", "ChunkEncryptor", "decrypt_chunk", "gmac"]

IV_SIZE, TAG_SIZE, BLOCK_SIZE = 16, 16, 16


class ChunkEncryptor:
    """Encrypt a chunk to ``IV || ciphertext``.

    :param aead: additional authenticated data of AES-GCM; None for AES-CBC.
    :param output: buffer for the result; one block longer than the result.
    """

    def __init__(self, secret: bytes, iv: bytes, aead: Optional[bytes], output: memoryview) -> None:
        self._is_gcm = aead is not None
        self._cipher = _create_cipher(secret, iv, self._is_gcm).encryptor()
        if aead is not None:
            self._cipher.authenticate_additional_data(aead)
        self._output = output
        self._output[:IV_SIZE] = iv
        self._position = IV_SIZE
        self._plaintext_length = 0

    def update(self, data: Any) -> None:
        """Encrypt the next bytes."""
        self._plaintext_length += len(data)
        self._position += self._cipher.update_into(data, self._output[self._position :])

    def finalize(self) -> memoryview:
        """Return the encrypted chunk, a view of the buffer."""
        if not self._is_gcm:
            padding_length = BLOCK_SIZE - self._plaintext_length % BLOCK_SIZE
            self.update(bytes([padding_length]) * padding_length)
        self._cipher.finalize()
        if self._is_gcm:
            self._output[self._position : self._position + TAG_SIZE] = self._cipher.tag
            self._position += TAG_SIZE
        return self._output[: self._position]


def decrypt_chunk(
    secret: bytes, aead: Optional[bytes], iv: Optional[bytes], buffer: memoryview, length: int, label: str
) -> Optional[memoryview]:
    """Decrypt ``IV || ciphertext`` in place and return the plaintext; None if decryption fails.

    :param aead: additional authenticated data of AES-GCM; None for AES-CBC.
    :param iv: the IV that the chunk must have; None if it is not known.
    :param buffer: the encrypted chunk, followed by one spare block.
    :param length: bytes of the encrypted chunk.
    :param label: chunk and file, for messages.
    :raises IntegrityError: the chunk has another IV.
    """
    from cryptography.exceptions import InvalidTag

    chunk_iv = bytes(buffer[:IV_SIZE])
    if iv not in (None, chunk_iv):
        raise FileSenderIntegrityError(
            f"{label}: IV mismatch: the server returned another chunk, or a chunk of another file"
        )
    cipher = _create_cipher(secret, chunk_iv, aead is not None).decryptor()
    end = length - (0 if aead is None else TAG_SIZE)
    tag = bytes(buffer[end:length])
    if aead is not None:
        cipher.authenticate_additional_data(aead)
    try:
        count = cipher.update_into(buffer[IV_SIZE:end], buffer[IV_SIZE:])
        if aead is not None:
            cipher.finalize_with_tag(tag)
            return buffer[IV_SIZE : IV_SIZE + count]
        cipher.finalize()
        return buffer[
            IV_SIZE : IV_SIZE + count - BLOCK_SIZE + _unpadded_length(buffer[IV_SIZE : IV_SIZE + count])
        ]
    except (InvalidTag, ValueError):  # ValueError: the last block is incomplete, or its padding is invalid
        return None


def gmac(secret: bytes, data: Any) -> bytes:
    """Return the message authentication code of some bytes (GMAC).

    :param secret: key of 32 bytes, for this one message only: the IV is constant.
    """
    cipher = _create_cipher(secret, bytes(IV_SIZE), True).encryptor()
    cipher.authenticate_additional_data(data)
    cipher.finalize()
    return bytes(cipher.tag)


def _unpadded_length(padded: memoryview) -> int:
    """Return the number of bytes in the last block that are not padding.

    :raises ValueError: the padding is invalid.
    """
    from cryptography.hazmat.primitives import padding

    unpadder = padding.PKCS7(8 * BLOCK_SIZE).unpadder()
    return len(unpadder.update(bytes(padded[-BLOCK_SIZE:])) + unpadder.finalize())


def _create_cipher(secret: bytes, iv: bytes, use_gcm: bool) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(secret), modes.GCM(iv) if use_gcm else modes.CBC(iv))
