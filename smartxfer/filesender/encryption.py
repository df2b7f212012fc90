"""Keys, and the layout of encrypted files, as in the end-to-end encryption of the site's web page.

A file is split into chunks of exactly the site's chunk size; each becomes ``IV (16 bytes) || ciphertext``.
:mod:`smartxfer.filesender.ciphers` encrypts and decrypts a chunk with AES.

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
#: Key versions whose key is derived with PBKDF2; the others hash the password once.
_PBKDF2_KEY_VERSIONS = frozenset({1, 3})
_FILE_IV_SIZES = {0: 16, 1: 16, 2: 12, 3: 12}
#: Larger numbers of PBKDF2 iterations are rejected: they would take minutes, and sites do not use them.
_MAX_ITERATIONS = 100_000_000
#: Larger chunk sizes are rejected, because a chunk must fit into memory.
MAX_CHUNK_SIZE = 1 << 30
#: Bytes of a generated password.
_GENERATED_PASSWORD_SIZE = 32


def generate_password() -> str:
    """Return a password of 256 random bits, in the format of the web page (password version 2)."""
    return base64.b64encode(os.urandom(_GENERATED_PASSWORD_SIZE)).decode("ascii")


def is_generated_password(password: str) -> bool:
    """Return True if the password has the format of a generated one: 32 bytes in base64."""
    return re.fullmatch(r"[A-Za-z0-9+/]{43}=", password) is not None


def encode_password(password: str, version: int) -> bytes:
    """Return the bytes from which the key is derived: UTF-8 of a text, or a decoded generated password.

    :param version: 1 for text, 2 for generated passwords in base64.
    :raises UsageError: the version is unknown.
    :raises WrongPassword: version 2, but the password is not base64.
    """
    if version == 1:
        return password.encode("utf-8")
    if version != 2:
        raise UsageError(
            f"unknown password version: {version}", hint="update smartxfer: it supports the versions 1 and 2"
        )
    try:
        raw = base64.b64decode(password, validate=True)
    except (binascii.Error, ValueError):
        raise FileSenderWrongPassword(
            "the files are encrypted with a generated password, and this password is not base64",
            hint="check password=",
        ) from None
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
        """Derive the key from a password; with the default number of iterations it takes a second or two.

        :param salt: of the transfer; its 32 characters are used without decoding.
        :param iterations: PBKDF2 iterations; ignored for versions 0 and 2.
        :raises UsageError: the version is unknown.
        :raises DecodeError: the salt is missing, or the number of iterations is invalid.
        """
        if version not in _FILE_IV_SIZES:
            raise UsageError(
                f"unknown encryption key version: {version}",
                hint="update smartxfer: it supports the versions 0 to 3",
            )
        raw = as_secret(encode_password(password, password_version))
        if version not in _PBKDF2_KEY_VERSIONS:
            return cls(version, hashlib.sha256(raw).digest())
        if not salt or not 0 < iterations <= _MAX_ITERATIONS:
            raise FileSenderDecodeError(
                f"the site sent no salt or an invalid number of PBKDF2 iterations ({iterations})"
            )
        return cls(version, hashlib.pbkdf2_hmac("sha256", raw, salt.encode("ascii", "replace"), iterations))

    def fingerprint(self, salt: str) -> str:
        """Return a short hash by which a later run detects a different password."""
        digest = hashlib.sha256(b"smartxfer resume\0" + salt.encode("utf-8", "replace") + self.secret)
        return digest.hexdigest()[:8]


@attrs.frozen
class ChunkCipher:
    """Encryption and decryption of the chunks of one file.

    :param version: key version.
    :param size: bytes of the file.
    :param chunk_size: the site's chunk size in bytes.
    :param iv: IV of the file, in base64.
    :param aead: text that is authenticated with every chunk; empty for CBC.
    :param key: None until :meth:`with_key`; needed to encrypt and decrypt.
    :param file_name: of a downloaded file, for messages.
    """

    version: int
    size: int
    chunk_size: int
    iv: str
    aead: str = ""
    key: Optional[Key] = None
    file_name: str = ""

    @classmethod
    def new(cls, version: int, size: int, chunk_size: int, iv: Optional[str] = None) -> "ChunkCipher":
        """Return the cipher of a file to upload, without its key.

        :param iv: IV that an earlier run has used; None for a random one.
        """
        if iv is None:
            iv = base64.b64encode(os.urandom(_FILE_IV_SIZES[version])).decode("ascii")
        cipher = cls(version, size, chunk_size, iv)
        return attrs.evolve(cipher, aead=cipher._build_aead()) if version in GCM_KEY_VERSIONS else cipher

    def with_key(self, key: Key) -> "ChunkCipher":
        """Return a copy that can encrypt and decrypt."""
        return attrs.evolve(self, key=key)

    @property
    def _secret(self) -> bytes:
        assert self.key is not None, "the cipher has no key: call with_key() first"
        return self.key.secret

    def _build_aead(self) -> str:
        # The web page compares the text, not its JSON values: the order and the missing spaces matter.
        return (
            f'{{"aeadversion":1,"chunkcount":{self.chunk_count},"chunksize":{self.chunk_size},'
            f'"iv":"{self.iv}","aeadterminator":1}}'
        )

    @property
    def chunk_count(self) -> int:
        """Number of chunks; 0 for an empty file."""
        return -(-self.size // self.chunk_size)

    def plaintext_length(self, index: int) -> int:
        """Return the bytes of a chunk before encryption."""
        return min(self.chunk_size, self.size - index * self.chunk_size)

    def ciphertext_length(self, index: int) -> int:
        """Return the bytes of an encrypted chunk."""
        return ciphertext_length(self.version, self.plaintext_length(index))

    @property
    def ciphertext_size(self) -> int:
        """Bytes of the encrypted file."""
        if not self.chunk_count:
            return 0
        full = ciphertext_length(self.version, self.chunk_size)
        return full * (self.chunk_count - 1) + self.ciphertext_length(self.chunk_count - 1)

    def buffer_size(self, index: int) -> int:
        """Return the bytes of the buffer that a chunk is encrypted or decrypted in."""
        return self.ciphertext_length(index) + BLOCK_SIZE

    def create_encryptor(self, index: int, buffer: memoryview) -> ChunkEncryptor:
        """Return an encryptor for a chunk, which takes its bytes piece by piece.

        :param buffer: output buffer of :meth:`buffer_size` bytes.
        """
        iv = self._nonce(index) if self.version in GCM_KEY_VERSIONS else os.urandom(IV_SIZE)
        return ChunkEncryptor(self._secret, iv, self._additional_data, buffer)

    def decrypt_in_place(self, index: int, buffer: memoryview) -> Optional[memoryview]:
        """Decrypt a chunk in its buffer; verify its length and, depending on the key version, its tag and IV.

        :param buffer: buffer of :meth:`buffer_size` bytes that begins with the encrypted chunk.
        :return: the plaintext, a view of the buffer; None if it cannot be decrypted with this key.
        :raises IntegrityError: it is another chunk, or a chunk of another file.
        """
        iv = self._nonce(index) if self.version == 3 else None
        length = self.ciphertext_length(index)
        plaintext = decrypt_chunk(self._secret, self._additional_data, iv, buffer, length, self._label(index))
        has_right_length = plaintext is not None and len(plaintext) == self.plaintext_length(index)
        return plaintext if has_right_length else None

    @property
    def _additional_data(self) -> Optional[bytes]:
        """Additional authenticated data of AES-GCM; None for AES-CBC."""
        return self.aead.encode("utf-8") if self.version in GCM_KEY_VERSIONS else None

    def encrypt(self, index: int, plaintext: memoryview) -> bytes:
        """Return an encrypted chunk."""
        encryptor = self.create_encryptor(
            index, memoryview(bytearray(ciphertext_length(self.version, len(plaintext)) + BLOCK_SIZE))
        )
        encryptor.update(plaintext)
        return bytes(encryptor.finalize())

    def decrypt(self, index: int, ciphertext: memoryview) -> Optional[bytes]:
        """Return a decrypted chunk; None if it cannot be decrypted with this key.

        :raises IntegrityError: it is another chunk, a chunk of another file, or has another length.
        """
        if len(ciphertext) != self.ciphertext_length(index):
            raise FileSenderIntegrityError(
                f"{self._label(index)} has {len(ciphertext)} bytes, expected {self.ciphertext_length(index)}"
            )
        buffer = bytearray(self.buffer_size(index))
        buffer[: len(ciphertext)] = ciphertext
        plaintext = self.decrypt_in_place(index, memoryview(buffer))
        return None if plaintext is None else bytes(plaintext)

    def _label(self, index: int) -> str:
        return f"chunk {index} of {self.file_name!r}"

    def _nonce(self, index: int) -> bytes:
        return _decode_file_iv(self.iv, 12, self.file_name) + index.to_bytes(4, "little")

    def validate_aead(self) -> None:
        """Check that the authenticated data describe this file.

        :raises IntegrityError: they do not.
        """
        if self.version not in GCM_KEY_VERSIONS:
            return
        try:
            fields = parse_json(self.aead)
            matches = (fields["chunkcount"], fields["chunksize"], fields["iv"]) == (
                self.chunk_count,
                self.chunk_size,
                self.iv,
            )
        except (ValueError, TypeError, KeyError):
            matches = False
        if not matches:
            raise FileSenderIntegrityError(
                f"the authenticated data (aead) of {self.file_name!r} do not match its chunks and IV"
            )


def ciphertext_length(version: int, plaintext_length: int) -> int:
    """Return the bytes of an encrypted chunk whose plaintext has ``plaintext_length`` bytes.

    >>> ciphertext_length(3, 1000), ciphertext_length(1, 1000), ciphertext_length(1, 1024)
    (1032, 1024, 1056)
    """
    if version in GCM_KEY_VERSIONS:
        return IV_SIZE + plaintext_length + TAG_SIZE
    return IV_SIZE + plaintext_length + BLOCK_SIZE - plaintext_length % BLOCK_SIZE


def _decode_file_iv(iv: str, size: int, file_name: str) -> bytes:
    try:
        raw = base64.b64decode(iv, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != size:
        raise FileSenderDecodeError(f"invalid IV of {file_name!r}: not {size} bytes in base64")
    return raw
