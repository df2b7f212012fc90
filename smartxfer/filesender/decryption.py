"""Encrypted files on their way down: each chunk is fetched whole, and opened before any of it is written.

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

#: Rounds of PBKDF2 that a site's database has where a transfer says nothing.
_DEFAULT_ITERATIONS = 150000

FetchRange = Callable[[int, int], ContextManager[RangeResponse]]
"""One try at the bytes [start, stop) of what lies on the server."""


class DecryptedChunk:
    """The bytes of one chunk, handed on like those that arrive from a server.

    :param start: offset of its first byte in the file.
    """

    is_full_object = False

    def __init__(self, data: memoryview, start: int) -> None:
        self.start = start
        self.size = len(data)
        self.end = start + len(data)
        self._remaining = data

    def read(self) -> memoryview:
        """All bytes at once; then none."""
        piece, self._remaining = self._remaining, self._remaining[:0]
        return piece


class PartFileMac:
    """Vouches for the opened chunks in a partial file, so that nobody slips in others between two runs.

    The sum of several is the XOR of their MACs.  Each has a key of its own: under a common one two chunks
    could change places, because GMAC is linear.

    :param get_secret: gives 32 bytes that are for this file alone; asked when they are needed.
    :param block_size: bytes of a chunk.
    """

    def __init__(self, get_secret: Callable[[], bytes], block_size: int) -> None:
        self.block_size = block_size
        self._get_secret = get_secret

    def update(self, checksum: int, data: Union[bytes, memoryview], offset: int) -> int:
        """The sum with whole chunks more."""
        view = memoryview(data)
        for at in range(0, len(view), self.block_size):
            secret = hmac.new(self._get_secret(), (offset + at).to_bytes(8, "big"), "sha256").digest()
            checksum ^= int.from_bytes(gmac(secret, view[at : at + self.block_size]), "big")
        return checksum

    def combine(self, first: int, second: int, second_size: int) -> int:
        """Return the sum of the chunks of two runs."""
        return first ^ second


class Decryptor:
    """Opens the files of a transfer with one password.

    :param password: in clear; shown and written nowhere.
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
        """The chunks of a file, ready to be opened.

        :raises DecodeError: the site tells too little about the encryption.
        """
        version, chunk = file.key_version, file.chunk_size
        if version not in KEY_VERSIONS or not chunk or not 0 < chunk <= MAX_CHUNK_SIZE:
            raise FileSenderDecodeError(f"the site does not tell how {file.name!r} is encrypted")
        chunks = ChunkCipher(version, file.size, chunk, file.fileiv or "", _decode_aead(file.fileaead))
        if file.encrypted_size is not None and file.encrypted_size != chunks.ciphertext_size:
            raise FileSenderIntegrityError(
                f"{file.name!r} is {file.encrypted_size} bytes on the server, not {chunks.ciphertext_size}"
            )
        if version in GCM_KEY_VERSIONS and chunks.chunk_count:
            chunks.validate_aead()
        return chunks

    def get_key(self, file: DownloadFile) -> Key:
        """The key, derived once for files of the same parameters; that takes a second or two."""
        rounds = file.password_hash_iterations or _DEFAULT_ITERATIONS
        told = (file.key_version, file.password_version or 1, file.key_salt or "", rounds)
        with self._lock:
            if told not in self._keys:
                self._keys[told] = Key.derive(
                    self._password,
                    version=int(told[0] or 0),
                    password_version=told[1],
                    salt=told[2],
                    iterations=rounds,
                )
            return self._keys[told]

    def create_part_file_mac(self, file: DownloadFile) -> PartFileMac:
        """What vouches for the file while it is not whole."""
        facts = (file.id, file.key_version, file.size, file.chunk_size, file.fileiv)
        about = f"smartxfer partial file {facts}".encode("utf-8", "replace")
        return PartFileMac(
            lambda: hmac.new(self.get_key(file).secret, about, "sha256").digest(),
            self.create_chunk_cipher(file).chunk_size,
        )

    @contextlib.contextmanager
    def fetch_chunk(
        self, file: DownloadFile, start: int, fetch_range: FetchRange
    ) -> Iterator[DecryptedChunk]:
        """The chunk that holds the byte ``start``, opened.

        :param fetch_range: gets bytes from the server, where a range begins as if nothing were encrypted.
        :raises WrongPassword: no chunk has been opened yet, and this one cannot be.
        :raises IntegrityError: it is damaged.
        """
        chunks = self.create_chunk_cipher(file)
        index = start // chunks.chunk_size
        with self._lock:
            first = self._first_chunks.pop((file.id, index), None)
        if first is not None:
            yield first
            return
        with self._buffers.borrow(chunks.buffer_size(index)) as room:
            yield self._fetch_chunk_into(file, chunks, index, fetch_range, room)

    def verify_password(self, file: DownloadFile, fetch_range: FetchRange) -> None:
        """Open the first chunk of a file, before anything is written; it is kept until it is asked for.

        :raises WrongPassword: it does not open.
        """
        chunks = self.create_chunk_cipher(file)
        self._first_chunks[file.id, 0] = self._fetch_chunk_into(
            file, chunks, 0, fetch_range, allocate_buffer(chunks.buffer_size(0))
        )

    def _fetch_chunk_into(
        self, file: DownloadFile, cipher: ChunkCipher, index: int, fetch_range: FetchRange, buffer: memoryview
    ) -> DecryptedChunk:
        cipher = cipher.with_key(self.get_key(file))
        # A chunk that was damaged on its way comes well the second time.
        for _ in range(2 if self._password_verified else 1):
            data = _fetch_and_decrypt(file, cipher, index, fetch_range, buffer)
            if data is not None:
                self._password_verified = True
                return DecryptedChunk(data, index * cipher.chunk_size)
        raise self._build_decryption_error(file, index)

    def _build_decryption_error(self, file: DownloadFile, index: int) -> IntegrityError:
        if self._password_verified:
            return FileSenderIntegrityError(
                f"chunk {index} of {file.name!r} is damaged", hint="ask the sender to send it again"
            )
        return FileSenderWrongPassword(
            f"{file.name!r} does not open with this password",
            hint="check password=; if it is right, the file is damaged on the server: ask the sender",
        )


def _fetch_and_decrypt(
    file: DownloadFile, cipher: ChunkCipher, index: int, fetch_range: FetchRange, buffer: memoryview
) -> Optional[memoryview]:
    """A chunk as it comes from the server, opened; None where it does not come out with this key.

    :raises IntegrityError: it is another chunk, or one of another file.
    """
    first, length = index * cipher.chunk_size, cipher.ciphertext_length(index)
    with fetch_range(first, first + length) as incoming:
        if incoming.start != first or (incoming.is_full_object and cipher.chunk_count > 1):
            raise FileSenderRangeMismatch(
                f"{file.name}: the site gives no ranges, which encrypted files need"
            )
        at = incoming.readinto_full(buffer[:length])
        if at == length and incoming.read():
            raise FileSenderRangeMismatch(f"{file.name}: more bytes than were asked for")
    if at < length:
        raise FileSenderTruncated(f"{file.name}: {at} of {length} bytes of a chunk", got=at, expected=length)
    return cipher.decrypt_in_place(index, buffer)


def _decode_aead(aead: Optional[str]) -> str:
    """The text that is authenticated, which is told in base64."""
    if not aead:
        return ""
    try:
        return base64.b64decode(aead, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise FileSenderDecodeError("what is authenticated with the file is not told in base64") from None
