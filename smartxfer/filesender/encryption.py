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
from smartxfer.filesender.ciphers import BLOCK, IV, TAG, Sealer, opened
from smartxfer.filesender.errors import (
    FileSenderDecodeError,
    FileSenderIntegrityError,
    FileSenderWrongPassword,
)
from smartxfer.secret_text import as_secret
from smartxfer.transport.json import parse_json

__all__ = ["GCM_VERSIONS", "VERSIONS", "Chunks", "Key", "generate_password", "is_generated"]

VERSIONS = frozenset({0, 1, 2, 3})
GCM_VERSIONS = frozenset({2, 3})
#: Key versions whose key is stretched by PBKDF2; the others hash the password once.
_STRETCHED = frozenset({1, 3})
_FILE_IV = {0: 16, 1: 16, 2: 12, 3: 12}
#: Rounds of PBKDF2 above this are no site's, and would take minutes; chunks above this fit no memory.
_MOST_ROUNDS = 100_000_000
MOST_CHUNK = 1 << 30
#: Bytes of a generated password.
_GENERATED = 32


def generate_password() -> str:
    """A password of 256 random bits, as the web page makes them (password version 2)."""
    return base64.b64encode(os.urandom(_GENERATED)).decode("ascii")


def is_generated(password: str) -> bool:
    """Whether it looks like a generated password: 32 bytes in base64."""
    return re.fullmatch(r"[A-Za-z0-9+/]{43}=", password) is not None


def password_bytes(password: str, version: int) -> bytes:
    """What the key is made of: the text of a password, or the bytes that a generated one stands for.

    :param version: 1 for text, 2 for generated passwords in base64.
    :raises UsageError: no such version.
    :raises WrongPassword: a generated password that is no base64.
    """
    if version == 1:
        return password.encode("utf-8")
    if version != 2:
        raise UsageError(f"password version {version} is not known")
    try:
        raw = base64.b64decode(password, validate=True)
    except (binascii.Error, ValueError):
        raise FileSenderWrongPassword("this is no generated password: those are base64") from None
    return raw[:_GENERATED].ljust(_GENERATED, b"\0")


def _hidden_bytes(value: bytes) -> bytes:
    return as_secret(value)


@attrs.frozen
class Key:
    """The key of a transfer.

    :param version: key version, 0 to 3.
    :param secret: 32 bytes.
    """

    version: int
    secret: bytes = attrs.field(repr=False, converter=_hidden_bytes)

    @classmethod
    def derive(
        cls, password: str, *, version: int, password_version: int, salt: str, iterations: int
    ) -> "Key":
        """The key that a password gives; takes a second or two where the site asks for that.

        :param salt: the transfer's; its 32 characters as they are.
        :param iterations: rounds of PBKDF2; of no matter for versions 0 and 2.
        :raises UsageError: a version that is not known.
        """
        if version not in _FILE_IV:
            raise UsageError(f"encryption key version {version} is not known")
        raw = as_secret(password_bytes(password, password_version))
        if version not in _STRETCHED:
            return cls(version, hashlib.sha256(raw).digest())
        if not salt or not 0 < iterations <= _MOST_ROUNDS:
            raise FileSenderDecodeError(
                "the site tells no salt, or no possible number of rounds, for the password"
            )
        return cls(version, hashlib.pbkdf2_hmac("sha256", raw, salt.encode("ascii", "replace"), iterations))

    def check(self, salt: str) -> str:
        """What tells, with certainty enough, that a later run was given the same password."""
        mark = hashlib.sha256(b"smartxfer resume\0" + salt.encode("utf-8", "replace") + self.secret)
        return mark.hexdigest()[:8]


@attrs.frozen
class Chunks:
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
    def new(cls, version: int, size: int, chunk_size: int, iv: Optional[str] = None) -> "Chunks":
        """Those of a file that is to be sent, with an IV of its own.

        :param iv: the one it has been given before.
        """
        if iv is None:
            iv = base64.b64encode(os.urandom(_FILE_IV[version])).decode("ascii")
        chunks = cls(version, size, chunk_size, iv)
        return attrs.evolve(chunks, aead=chunks._aead_text()) if version in GCM_VERSIONS else chunks

    def with_key(self, key: Key) -> "Chunks":
        """The same, ready to be sealed or opened."""
        return attrs.evolve(self, key=key)

    @property
    def _secret(self) -> bytes:
        assert self.key is not None, "chunks are sealed and opened with a key"
        return self.key.secret

    def _aead_text(self) -> str:
        # The page compares texts: no spaces, and this order.
        return (
            f'{{"aeadversion":1,"chunkcount":{self.count},"chunksize":{self.chunk_size},'
            f'"iv":"{self.iv}","aeadterminator":1}}'
        )

    @property
    def count(self) -> int:
        """How many there are; none of an empty file."""
        return -(-self.size // self.chunk_size)

    def plain_length(self, index: int) -> int:
        """Bytes of a chunk before it is sealed."""
        return min(self.chunk_size, self.size - index * self.chunk_size)

    def sealed_length(self, index: int) -> int:
        """Bytes of a sealed chunk."""
        return sealed_length(self.version, self.plain_length(index))

    @property
    def sealed_size(self) -> int:
        """Bytes of the file once every chunk is sealed."""
        if not self.count:
            return 0
        full = sealed_length(self.version, self.chunk_size)
        return full * (self.count - 1) + self.sealed_length(self.count - 1)

    def room(self, index: int) -> int:
        """Bytes of the buffer that a chunk is sealed or opened into."""
        return self.sealed_length(index) + BLOCK

    def sealer(self, index: int, into: memoryview) -> Sealer:
        """What seals a chunk, given its bytes piece by piece.

        :param into: a buffer of :meth:`room` bytes.
        """
        iv = self._nonce(index) if self.version in GCM_VERSIONS else os.urandom(IV)
        return Sealer(self._secret, iv, self._authentic, into)

    def opened(self, index: int, room: memoryview) -> Optional[memoryview]:
        """A chunk, opened where its sealed bytes lie, and checked in every way that its format has.

        :param room: a buffer of :meth:`room` bytes that begins with them.
        :return: its bytes within the buffer; None where they do not come out with this key.
        :raises IntegrityError: it is another chunk, or of another file.
        """
        iv = self._nonce(index) if self.version == 3 else None
        found = opened(self._secret, self._authentic, iv, room, self.sealed_length(index))
        return found if found is not None and len(found) == self.plain_length(index) else None

    @property
    def _authentic(self) -> Optional[bytes]:
        """What is authenticated beside the bytes; None where nothing is."""
        return self.aead.encode("utf-8") if self.version in GCM_VERSIONS else None

    def seal(self, index: int, data: memoryview) -> bytes:
        """A chunk as it is sent.

        :param data: its bytes.
        """
        sealer = self.sealer(index, memoryview(bytearray(sealed_length(self.version, len(data)) + BLOCK)))
        sealer.feed(data)
        return bytes(sealer.finish())

    def open(self, index: int, sealed: memoryview) -> Optional[bytes]:
        """The bytes of a chunk; None where they do not come out.

        :raises IntegrityError: it is another chunk, of another file, or of another length.
        """
        if len(sealed) != self.sealed_length(index):
            raise FileSenderIntegrityError(
                f"chunk {index} is {len(sealed)} bytes, not {self.sealed_length(index)}"
            )
        room = bytearray(self.room(index))
        room[: len(sealed)] = sealed
        found = self.opened(index, memoryview(room))
        return None if found is None else bytes(found)

    def _nonce(self, index: int) -> bytes:
        return _file_iv(self.iv, 12) + index.to_bytes(4, "little")

    def check_aead(self) -> None:
        """See that what is authenticated speaks of this very file.

        :raises IntegrityError: it does not.
        """
        if self.version not in GCM_VERSIONS:
            return
        try:
            told = parse_json(self.aead)
            agrees = (told["chunkcount"], told["chunksize"], told["iv"]) == (
                self.count,
                self.chunk_size,
                self.iv,
            )
        except (ValueError, TypeError, KeyError):
            agrees = False
        if not agrees:
            raise FileSenderIntegrityError("the file's encryption parameters contradict each other")


def sealed_length(version: int, length: int) -> int:
    """Bytes of a sealed chunk of ``length`` bytes.

    >>> sealed_length(3, 1000), sealed_length(1, 1000), sealed_length(1, 1024)
    (1032, 1024, 1056)
    """
    if version in GCM_VERSIONS:
        return IV + length + TAG
    return IV + length + BLOCK - length % BLOCK


def _file_iv(iv: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(iv, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != length:
        raise FileSenderDecodeError(f"the file's IV is not {length} bytes in base64")
    return raw
