"""One chunk through a cipher: sealed piece by piece, opened in its place; and what vouches for its bytes.

Source: FileSender protocol, section 9.
"""

from typing import Any, Optional

from smartxfer.filesender.errors import FileSenderIntegrityError

__all__ = ["BLOCK_SIZE", "IV_SIZE", "TAG_SIZE", "ChunkEncryptor", "decrypt_chunk", "gmac"]

IV_SIZE, TAG_SIZE, BLOCK_SIZE = 16, 16, 16


class ChunkEncryptor:
    """Makes ``IV || ciphertext`` of a chunk.

    :param aead: what AES-GCM authenticates beside the bytes; None for AES-CBC.
    :param output: where it goes; a block longer than what comes out.
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
        """Take the next bytes."""
        self._plaintext_length += len(data)
        self._position += self._cipher.update_into(data, self._output[self._position :])

    def finalize(self) -> memoryview:
        """The sealed chunk, in the buffer."""
        if not self._is_gcm:
            missing = BLOCK_SIZE - self._plaintext_length % BLOCK_SIZE
            self.update(bytes([missing]) * missing)
        self._cipher.finalize()
        if self._is_gcm:
            self._output[self._position : self._position + TAG_SIZE] = self._cipher.tag
            self._position += TAG_SIZE
        return self._output[: self._position]


def decrypt_chunk(
    secret: bytes, aead: Optional[bytes], iv: Optional[bytes], buffer: memoryview, length: int
) -> Optional[memoryview]:
    """A chunk out of its ``IV || ciphertext``, in the place of the latter; None where it does not come out.

    :param aead: what AES-GCM authenticated beside the bytes; None for AES-CBC.
    :param iv: the IV that the chunk has to have, where that is known.
    :param buffer: holds the sealed chunk, and a block more.
    :param length: bytes of the sealed chunk.
    :raises IntegrityError: the chunk has another IV.
    """
    from cryptography.exceptions import InvalidTag

    found = bytes(buffer[:IV_SIZE])
    if iv not in (None, found):
        raise FileSenderIntegrityError("this is another chunk, or one of another file")
    cipher = _create_cipher(secret, found, aead is not None).decryptor()
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
    except (InvalidTag, ValueError):  # ValueError: no whole blocks, or none of their padding
        return None


def gmac(secret: bytes, data: Any) -> bytes:
    """What only the holder of a key can say of some bytes (GMAC).

    :param secret: 32 bytes, used for nothing else.
    """
    cipher = _create_cipher(secret, bytes(IV_SIZE), True).encryptor()
    cipher.authenticate_additional_data(data)
    cipher.finalize()
    return bytes(cipher.tag)


def _unpadded_length(padded: memoryview) -> int:
    """How many bytes of the last block are not its padding.

    :raises ValueError: it has none.
    """
    from cryptography.hazmat.primitives import padding

    unpadder = padding.PKCS7(8 * BLOCK_SIZE).unpadder()
    return len(unpadder.update(bytes(padded[-BLOCK_SIZE:])) + unpadder.finalize())


def _create_cipher(secret: bytes, iv: bytes, use_gcm: bool) -> Any:
    """AES-GCM, or AES-CBC where nothing is authenticated."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(secret), modes.GCM(iv) if use_gcm else modes.CBC(iv))
