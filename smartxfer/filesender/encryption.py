"""End-to-end encryption as the site's own web page does it: keys, and chunks sealed and opened.

A file is cut into chunks of exactly the site's chunk size; each becomes ``IV (16 bytes) || ciphertext``.

Source: FileSender protocol, section 9.
"""

import base64
import binascii
import hashlib
import os
import re
from typing import Optional

import attrs

from smartxfer.errors import UsageError
from smartxfer.filesender.ciphers import BLOCK_SIZE, IV_SIZE, TAG_SIZE, ChunkEncryptor, decrypt_chunk
from smartxfer.filesender.errors import (
    FileSenderDecodeError,
    FileSenderIntegrityError,
    FileSenderWrongPassword,
)
from smartxfer.secret_text import as_secret
from smartxfer.transport.json_codec import parse_json

__all__ = [
    "GCM_KEY_VERSIONS",
    "KEY_VERSIONS",
    "ChunkCipher",
    "Key",
    "generate_password",
    "is_generated_password",
]

KEY_VERSIONS = frozenset({0, 1, 2, 3})
GCM_KEY_VERSIONS = frozenset({2, 3})
#: Key versions whose key is stretched by PBKDF2; the others hash the password once.
_PBKDF2_KEY_VERSIONS = frozenset({1, 3})
_FILE_IV_SIZES = {0: 16, 1: 16, 2: 12, 3: 12}
#: Rounds of PBKDF2 above this are no site's, and would take minutes; chunks above this fit no memory.
_MAX_ITERATIONS = 100_000_000
MAX_CHUNK_SIZE = 1 << 30
#: Bytes of a generated password.
_GENERATED_PASSWORD_SIZE = 32


def generate_password() -> str:
    """A password of 256 random bits, as the web page makes them (password version 2)."""
    return base64.b64encode(os.urandom(_GENERATED_PASSWORD_SIZE)).decode("ascii")


def is_generated_password(password: str) -> bool:
    """Whether it looks like a generated password: 32 bytes in base64."""
    return re.fullmatch(r"[A-Za-z0-9+/]{43}=", password) is not None


def encode_password(password: str, version: int) -> bytes:
    """What the key is made of: the text of a password, or the bytes that a generated one stands for.

    :param version: 1 for text, 2 for generated passwords in base64.
    :raises UsageError: no such version.
    :raises WrongPassword: a generated password that is no base64.
    """
    if version == 1:
        return password.encode("utf-8")
    if version != 2:
        raise UsageError(
            f"password version {version} is not known", hint="have smartxfer updated: the site is newer"
        )
    try:
        raw = base64.b64decode(password, validate=True)
    except (binascii.Error, ValueError):
        raise FileSenderWrongPassword("this is no generated password: those are base64") from None
    return raw[:_GENERATED_PASSWORD_SIZE].ljust(_GENERATED_PASSWORD_SIZE, b"\0")


def _as_secret_bytes(value: bytes) -> bytes:
    return as_secret(value)


@attrs.frozen
class Key:
    """The key of a transfer.

    :param version: key version, 0 to 3.
    :param secret: 32 bytes.
    """

    version: int
    secret: bytes = attrs.field(repr=False, converter=_as_secret_bytes)

    @classmethod
    def derive(
        cls, password: str, *, version: int, password_version: int, salt: str, iterations: int
    ) -> "Key":
        """The key that a password gives; takes a second or two where the site asks for that.

        :param salt: the transfer's; its 32 characters as they are.
        :param iterations: rounds of PBKDF2; of no matter for versions 0 and 2.
        :raises UsageError: a version that is not known.
        """
        if version not in _FILE_IV_SIZES:
            raise UsageError(
                f"encryption key version {version} is not known",
                hint="pass key_version=3, or have smartxfer updated",
            )
        raw = as_secret(encode_password(password, password_version))
        if version not in _PBKDF2_KEY_VERSIONS:
            return cls(version, hashlib.sha256(raw).digest())
        if not salt or not 0 < iterations <= _MAX_ITERATIONS:
            raise FileSenderDecodeError(
                "the site tells no salt, or no possible number of rounds, for the password"
            )
        return cls(version, hashlib.pbkdf2_hmac("sha256", raw, salt.encode("ascii", "replace"), iterations))

    def fingerprint(self, salt: str) -> str:
        """What tells, with certainty enough, that a later run was given the same password."""
        mark = hashlib.sha256(b"smartxfer resume\0" + salt.encode("utf-8", "replace") + self.secret)
        return mark.hexdigest()[:8]


@attrs.frozen
class ChunkCipher:
    """One file's chunks, sealed and opened.

    :param version: key version.
    :param size: bytes of the file.
    :param chunk_size: bytes of a chunk, as the site has it.
    :param iv: the file's, in base64.
    :param aead: text that is authenticated with every chunk; empty for CBC.
    """

    version: int
    size: int
    chunk_size: int
    iv: str
    aead: str = ""
    key: Optional[Key] = None

    @classmethod
    def new(cls, version: int, size: int, chunk_size: int, iv: Optional[str] = None) -> "ChunkCipher":
        """Those of a file that is to be sent, with an IV of its own.

        :param iv: the one it has been given before.
        """
        if iv is None:
            iv = base64.b64encode(os.urandom(_FILE_IV_SIZES[version])).decode("ascii")
        chunks = cls(version, size, chunk_size, iv)
        return attrs.evolve(chunks, aead=chunks._build_aead()) if version in GCM_KEY_VERSIONS else chunks

    def with_key(self, key: Key) -> "ChunkCipher":
        """The same, ready to be sealed or opened."""
        return attrs.evolve(self, key=key)

    @property
    def _secret(self) -> bytes:
        assert self.key is not None, "chunks are sealed and opened with a key"
        return self.key.secret

    def _build_aead(self) -> str:
        # The page compares texts: no spaces, and this order.
        return (
            f'{{"aeadversion":1,"chunkcount":{self.chunk_count},"chunksize":{self.chunk_size},'
            f'"iv":"{self.iv}","aeadterminator":1}}'
        )

    @property
    def chunk_count(self) -> int:
        """How many there are; none of an empty file."""
        return -(-self.size // self.chunk_size)

    def plaintext_length(self, index: int) -> int:
        """Bytes of a chunk before it is sealed."""
        return min(self.chunk_size, self.size - index * self.chunk_size)

    def ciphertext_length(self, index: int) -> int:
        """Bytes of a sealed chunk."""
        return ciphertext_length(self.version, self.plaintext_length(index))

    @property
    def ciphertext_size(self) -> int:
        """Bytes of the file once every chunk is sealed."""
        if not self.chunk_count:
            return 0
        full = ciphertext_length(self.version, self.chunk_size)
        return full * (self.chunk_count - 1) + self.ciphertext_length(self.chunk_count - 1)

    def buffer_size(self, index: int) -> int:
        """Bytes of the buffer that a chunk is sealed or opened into."""
        return self.ciphertext_length(index) + BLOCK_SIZE

    def create_encryptor(self, index: int, buffer: memoryview) -> ChunkEncryptor:
        """What seals a chunk, given its bytes piece by piece.

        :param buffer: a buffer of :meth:`room` bytes.
        """
        iv = self._nonce(index) if self.version in GCM_KEY_VERSIONS else os.urandom(IV_SIZE)
        return ChunkEncryptor(self._secret, iv, self._additional_data, buffer)

    def decrypt_in_place(self, index: int, buffer: memoryview) -> Optional[memoryview]:
        """A chunk, opened where its sealed bytes lie, and checked in every way that its format has.

        :param buffer: a buffer of :meth:`room` bytes that begins with them.
        :return: its bytes within the buffer; None where they do not come out with this key.
        :raises IntegrityError: it is another chunk, or of another file.
        """
        iv = self._nonce(index) if self.version == 3 else None
        found = decrypt_chunk(self._secret, self._additional_data, iv, buffer, self.ciphertext_length(index))
        return found if found is not None and len(found) == self.plaintext_length(index) else None

    @property
    def _additional_data(self) -> Optional[bytes]:
        """What is authenticated beside the bytes; None where nothing is."""
        return self.aead.encode("utf-8") if self.version in GCM_KEY_VERSIONS else None

    def encrypt(self, index: int, plaintext: memoryview) -> bytes:
        """A chunk as it is sent.

        :param plaintext: its bytes.
        """
        sealer = self.create_encryptor(
            index, memoryview(bytearray(ciphertext_length(self.version, len(plaintext)) + BLOCK_SIZE))
        )
        sealer.update(plaintext)
        return bytes(sealer.finalize())

    def decrypt(self, index: int, ciphertext: memoryview) -> Optional[bytes]:
        """The bytes of a chunk; None where they do not come out.

        :raises IntegrityError: it is another chunk, of another file, or of another length.
        """
        if len(ciphertext) != self.ciphertext_length(index):
            raise FileSenderIntegrityError(
                f"chunk {index} is {len(ciphertext)} bytes, not {self.ciphertext_length(index)}"
            )
        room = bytearray(self.buffer_size(index))
        room[: len(ciphertext)] = ciphertext
        found = self.decrypt_in_place(index, memoryview(room))
        return None if found is None else bytes(found)

    def _nonce(self, index: int) -> bytes:
        return _decode_file_iv(self.iv, 12) + index.to_bytes(4, "little")

    def validate_aead(self) -> None:
        """See that what is authenticated speaks of this very file.

        :raises IntegrityError: it does not.
        """
        if self.version not in GCM_KEY_VERSIONS:
            return
        try:
            told = parse_json(self.aead)
            agrees = (told["chunkcount"], told["chunksize"], told["iv"]) == (
                self.chunk_count,
                self.chunk_size,
                self.iv,
            )
        except (ValueError, TypeError, KeyError):
            agrees = False
        if not agrees:
            raise FileSenderIntegrityError("the file's encryption parameters contradict each other")


def ciphertext_length(version: int, plaintext_length: int) -> int:
    """Bytes of a sealed chunk of ``plaintext_length`` bytes.

    >>> ciphertext_length(3, 1000), ciphertext_length(1, 1000), ciphertext_length(1, 1024)
    (1032, 1024, 1056)
    """
    if version in GCM_KEY_VERSIONS:
        return IV_SIZE + plaintext_length + TAG_SIZE
    return IV_SIZE + plaintext_length + BLOCK_SIZE - plaintext_length % BLOCK_SIZE


def _decode_file_iv(iv: str, size: int) -> bytes:
    try:
        raw = base64.b64decode(iv, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != size:
        raise FileSenderDecodeError(f"the file's IV is not {size} bytes in base64")
    return raw
