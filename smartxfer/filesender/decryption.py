"""Decryption of downloaded files: each chunk is downloaded completely and decrypted before it is written.

Source: FileSender protocol, section 9.
"""

import base64
import binascii
import contextlib
import hmac
import threading
from typing import Callable, ContextManager, Dict, Iterator, Optional, Tuple, Union

from smartxfer.errors import IntegrityError
from smartxfer.filesender.ciphers import gmac
from smartxfer.filesender.encryption import GCM_KEY_VERSIONS, KEY_VERSIONS, MAX_CHUNK_SIZE, ChunkCipher, Key
from smartxfer.filesender.errors import (
    FileSenderDecodeError,
    FileSenderIntegrityError,
    FileSenderRangeMismatch,
    FileSenderTruncated,
    FileSenderWrongPassword,
)
from smartxfer.filesender.models import DownloadFile
from smartxfer.filesender.upload_encryption import require_cryptography
from smartxfer.transfer.buffers import BufferPool, allocate_buffer
from smartxfer.transfer.ranges import RangeResponse

__all__ = ["DecryptedChunk", "Decryptor", "FetchRange", "PartFileMac"]

#: PBKDF2 iterations that sites assume for a transfer without a recorded number.
_DEFAULT_ITERATIONS = 150000

FetchRange = Callable[[int, int], ContextManager[RangeResponse]]
"""Make one attempt to request the bytes [start, stop) of the encrypted file."""


class DecryptedChunk:
    """The decrypted bytes of one chunk, with the interface of a range response.

    :param start: offset of its first byte in the file.
    """

    is_full_object = False

    def __init__(self, data: memoryview, start: int) -> None:
        self.start = start
        self.size = len(data)
        self.end = start + len(data)
        self._remaining = data

    def read(self) -> memoryview:
        """Return all bytes; an empty view on later calls."""
        piece, self._remaining = self._remaining, self._remaining[:0]
        return piece


class PartFileMac:
    """Authenticate the decrypted chunks in a part file.

    A resumed download thereby detects replaced or reordered chunks.  The checksum of several chunks is the
    XOR of their MACs.  Each chunk has its own MAC key, derived from its offset: GMAC is linear, so with one
    key two chunks could be swapped.

    :param get_secret: returns a key of 32 bytes for this file only; called when the key is needed.
    :param block_size: bytes of a chunk.
    """

    def __init__(self, get_secret: Callable[[], bytes], block_size: int) -> None:
        self.block_size = block_size
        self._get_secret = get_secret

    def update(self, checksum: int, data: Union[bytes, memoryview], offset: int) -> int:
        """Return the checksum extended by further complete chunks.

        :param offset: position of ``data`` in the file.
        """
        view = memoryview(data)
        for start in range(0, len(view), self.block_size):
            secret = hmac.new(self._get_secret(), (offset + start).to_bytes(8, "big"), "sha256").digest()
            checksum ^= int.from_bytes(gmac(secret, view[start : start + self.block_size]), "big")
        return checksum

    def combine(self, first: int, second: int, second_size: int) -> int:
        """Return the checksum of two sets of chunks."""
        return first ^ second


class Decryptor:
    """Decrypt the files of a transfer with one password.

    :param password: plain text; it is never shown or stored.
    """

    def __init__(self, password: str) -> None:
        require_cryptography()
        self._password = password
        self._keys: Dict[Tuple[object, ...], Key] = {}
        self._password_verified = False
        self._first_chunks: Dict[Tuple[int, int], DecryptedChunk] = {}
        self._lock = threading.Lock()
        self._buffers = BufferPool()

    def create_chunk_cipher(self, file: DownloadFile) -> ChunkCipher:
        """Return the cipher for the chunks of a file, without its key.

        :raises DecodeError: the server's encryption parameters are missing or invalid.
        """
        version, chunk_size = file.key_version, file.chunk_size
        if version not in KEY_VERSIONS or not chunk_size or not 0 < chunk_size <= MAX_CHUNK_SIZE:
            raise FileSenderDecodeError(
                f"missing or invalid encryption parameters of {file.name!r}: "
                f"key version {version}, chunk size {chunk_size}"
            )
        cipher = ChunkCipher(
            version,
            file.size,
            chunk_size,
            file.fileiv or "",
            _decode_aead(file.name, file.fileaead),
            file_name=file.name,
        )
        if file.encrypted_size is not None and file.encrypted_size != cipher.ciphertext_size:
            raise FileSenderIntegrityError(
                f"encrypted size mismatch: {file.name!r} has {file.encrypted_size} bytes on the server, "
                f"expected {cipher.ciphertext_size}"
            )
        if version in GCM_KEY_VERSIONS and cipher.chunk_count:
            cipher.validate_aead()
        return cipher

    def get_key(self, file: DownloadFile) -> Key:
        """Return the key; deriving it takes a second or two, once for files with the same parameters."""
        iterations = file.password_hash_iterations or _DEFAULT_ITERATIONS
        version, password_version = file.key_version or 0, file.password_version or 1
        parameters = (version, password_version, file.key_salt or "", iterations)
        with self._lock:
            if parameters not in self._keys:
                self._keys[parameters] = Key.derive(
                    self._password,
                    version=version,
                    password_version=password_version,
                    salt=file.key_salt or "",
                    iterations=iterations,
                )
            return self._keys[parameters]

    def create_part_file_mac(self, file: DownloadFile) -> PartFileMac:
        """Return the MAC that authenticates the part file of a download."""
        identity = (file.id, file.key_version, file.size, file.chunk_size, file.fileiv)
        context = f"smartxfer partial file {identity}".encode("utf-8", "replace")
        return PartFileMac(
            lambda: hmac.new(self.get_key(file).secret, context, "sha256").digest(),
            self.create_chunk_cipher(file).chunk_size,
        )

    @contextlib.contextmanager
    def fetch_chunk(
        self, file: DownloadFile, start: int, fetch_range: FetchRange
    ) -> Iterator[DecryptedChunk]:
        """Download and decrypt the chunk that contains the byte ``start``.

        :param fetch_range: requests a range, whose first byte is counted as in the unencrypted file.
        :raises WrongPassword: no chunk has been decrypted yet, and this one cannot be decrypted.
        :raises IntegrityError: the chunk is damaged.
        """
        cipher = self.create_chunk_cipher(file)
        index = start // cipher.chunk_size
        with self._lock:
            first = self._first_chunks.pop((file.id, index), None)
        if first is not None:
            yield first
            return
        with self._buffers.borrow(cipher.buffer_size(index)) as buffer:
            yield self._fetch_chunk_into(file, cipher, index, fetch_range, buffer)

    def verify_password(self, file: DownloadFile, fetch_range: FetchRange) -> None:
        """Decrypt the first chunk of a file before anything is written.

        The chunk is cached for the next :meth:`fetch_chunk`.

        :raises WrongPassword: it cannot be decrypted.
        """
        cipher = self.create_chunk_cipher(file)
        self._first_chunks[file.id, 0] = self._fetch_chunk_into(
            file, cipher, 0, fetch_range, allocate_buffer(cipher.buffer_size(0))
        )

    def _fetch_chunk_into(
        self, file: DownloadFile, cipher: ChunkCipher, index: int, fetch_range: FetchRange, buffer: memoryview
    ) -> DecryptedChunk:
        cipher = cipher.with_key(self.get_key(file))
        # A chunk that was damaged in transit is correct the second time.
        for _ in range(2 if self._password_verified else 1):
            data = _fetch_and_decrypt(file, cipher, index, fetch_range, buffer)
            if data is not None:
                self._password_verified = True
                return DecryptedChunk(data, index * cipher.chunk_size)
        raise self._build_decryption_error(file, index)

    def _build_decryption_error(self, file: DownloadFile, index: int) -> IntegrityError:
        if self._password_verified:
            return FileSenderIntegrityError(
                f"chunk {index} of {file.name!r} is damaged", hint="ask the sender to send the file again"
            )
        return FileSenderWrongPassword(
            f"cannot decrypt {file.name!r} with this password",
            hint="check password=; if it is correct, the file is damaged on the server",
        )


def _fetch_and_decrypt(
    file: DownloadFile, cipher: ChunkCipher, index: int, fetch_range: FetchRange, buffer: memoryview
) -> Optional[memoryview]:
    """Download and decrypt a chunk; return None if it cannot be decrypted with this key.

    :raises IntegrityError: the server returned another chunk, or a chunk of another file.
    """
    first, length = index * cipher.chunk_size, cipher.ciphertext_length(index)
    with fetch_range(first, first + length) as response:
        if response.start != first or (response.is_full_object and cipher.chunk_count > 1):
            raise FileSenderRangeMismatch(
                f"{file.name}: the site does not support ranges, which encrypted files require",
                hint="ask the site's administrator to support Range requests, or use the web page",
            )
        received = response.readinto_full(buffer[:length])
        if received == length and response.read():
            raise FileSenderRangeMismatch(f"{file.name}: the response is longer than the requested range")
    if received < length:
        raise FileSenderTruncated(
            f"{file.name}: received {received} of {length} bytes of chunk {index}",
            got=received,
            expected=length,
        )
    return cipher.decrypt_in_place(index, buffer)


def _decode_aead(name: str, aead: Optional[str]) -> str:
    """Decode the additional authenticated data of a file from base64."""
    if not aead:
        return ""
    try:
        return base64.b64decode(aead, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise FileSenderDecodeError(f"the authenticated data (aead) of {name!r} is not base64") from None
