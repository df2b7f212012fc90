"""One chunk through a cipher: sealed piece by piece, opened in its place; and what vouches for its bytes.

Source: FileSender protocol, section 9.
"""

from typing import Any, Optional

from smartxfer.filesender.errors import FileSenderIntegrityError

__all__ = ["BLOCK", "IV", "TAG", "Sealer", "mac", "opened"]

IV, TAG, BLOCK = 16, 16, 16


class Sealer:
    """Makes ``IV || ciphertext`` of a chunk.

    :param aead: what AES-GCM authenticates beside the bytes; None for AES-CBC.
    :param into: where it goes; a block longer than what comes out.
    """

    def __init__(self, secret: bytes, iv: bytes, aead: Optional[bytes], into: memoryview) -> None:
        self._authentic = aead is not None
        self._cipher = _cipher(secret, iv, self._authentic).encryptor()
        if aead is not None:
            self._cipher.authenticate_additional_data(aead)
        self._into = into
        self._into[:IV] = iv
        self._at = IV
        self._length = 0

    def feed(self, piece: Any) -> None:
        """Take the next bytes."""
        self._length += len(piece)
        self._at += self._cipher.update_into(piece, self._into[self._at :])

    def finish(self) -> memoryview:
        """The sealed chunk, in the buffer."""
        if not self._authentic:
            missing = BLOCK - self._length % BLOCK
            self.feed(bytes([missing]) * missing)
        self._cipher.finalize()
        if self._authentic:
            self._into[self._at : self._at + TAG] = self._cipher.tag
            self._at += TAG
        return self._into[: self._at]


def opened(
    secret: bytes, aead: Optional[bytes], iv: Optional[bytes], room: memoryview, length: int
) -> Optional[memoryview]:
    """A chunk out of its ``IV || ciphertext``, in the place of the latter; None where it does not come out.

    :param aead: what AES-GCM authenticated beside the bytes; None for AES-CBC.
    :param iv: the IV that the chunk has to have, where that is known.
    :param room: holds the sealed chunk, and a block more.
    :param length: bytes of the sealed chunk.
    :raises IntegrityError: the chunk has another IV.
    """
    from cryptography.exceptions import InvalidTag

    found = bytes(room[:IV])
    if iv not in (None, found):
        raise FileSenderIntegrityError("this is another chunk, or one of another file")
    cipher = _cipher(secret, found, aead is not None).decryptor()
    end = length - (0 if aead is None else TAG)
    tag = bytes(room[end:length])
    if aead is not None:
        cipher.authenticate_additional_data(aead)
    try:
        count = cipher.update_into(room[IV:end], room[IV:])
        if aead is not None:
            cipher.finalize_with_tag(tag)
            return room[IV : IV + count]
        cipher.finalize()
        return room[IV : IV + count - BLOCK + _of_last_block(room[IV : IV + count])]
    except (InvalidTag, ValueError):  # ValueError: no whole blocks, or none of their padding
        return None


def mac(secret: bytes, data: Any) -> bytes:
    """What only the holder of a key can say of some bytes (GMAC).

    :param secret: 32 bytes, used for nothing else.
    """
    cipher = _cipher(secret, bytes(IV), True).encryptor()
    cipher.authenticate_additional_data(data)
    cipher.finalize()
    return bytes(cipher.tag)


def _of_last_block(padded: memoryview) -> int:
    """How many bytes of the last block are not its padding.

    :raises ValueError: it has none.
    """
    from cryptography.hazmat.primitives import padding

    unpadder = padding.PKCS7(8 * BLOCK).unpadder()
    return len(unpadder.update(bytes(padded[-BLOCK:])) + unpadder.finalize())


def _cipher(secret: bytes, iv: bytes, authentic: bool) -> Any:
    """AES-GCM, or AES-CBC where nothing is authenticated."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(secret), modes.GCM(iv) if authentic else modes.CBC(iv))
