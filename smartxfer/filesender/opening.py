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
from smartxfer.filesender.ciphers import mac
from smartxfer.filesender.encryption import GCM_VERSIONS, MOST_CHUNK, VERSIONS, Chunks, Key
from smartxfer.filesender.errors import (
    FileSenderDecodeError,
    FileSenderIntegrityError,
    FileSenderRangeMismatch,
    FileSenderTruncated,
    FileSenderWrongPassword,
)
from smartxfer.filesender.models import DownloadFile
from smartxfer.filesender.sealing import need_cryptography
from smartxfer.transfer.buffers import Rooms, memory
from smartxfer.transfer.ranges import Incoming

__all__ = ["Fetch", "Opened", "Opening", "Vouching"]

#: Rounds of PBKDF2 that a site's database has where a transfer says nothing.
_ROUNDS = 150000

Fetch = Callable[[int, int], ContextManager[Incoming]]
"""One try at the bytes [start, stop) of what lies on the server."""


class Opened:
    """The bytes of one chunk, handed on like those that arrive from a server.

    :param start: offset of its first byte in the file.
    """

    whole = False

    def __init__(self, data: memoryview, start: int) -> None:
        self.start = start
        self.size = len(data)
        self.end = start + len(data)
        self._left = data

    def read(self) -> memoryview:
        """All bytes at once; then none."""
        piece, self._left = self._left, self._left[:0]
        return piece


class Vouching:
    """Vouches for the opened chunks in a partial file, so that nobody slips in others between two runs.

    The sum of several is the XOR of their MACs.  Each has a key of its own: under a common one two chunks
    could change places, because GMAC is linear.

    :param secret: gives 32 bytes that are for this file alone; asked when they are needed.
    :param grain: bytes of a chunk.
    """

    def __init__(self, secret: Callable[[], bytes], grain: int) -> None:
        self.grain = grain
        self._secret = secret

    def add(self, running: int, data: Union[bytes, memoryview], offset: int) -> int:
        """The sum with whole chunks more."""
        view = memoryview(data)
        for at in range(0, len(view), self.grain):
            secret = hmac.new(self._secret(), (offset + at).to_bytes(8, "big"), "sha256").digest()
            running ^= int.from_bytes(mac(secret, view[at : at + self.grain]), "big")
        return running

    def join(self, first: int, second: int, size: int) -> int:
        """Return the sum of the chunks of two runs."""
        return first ^ second


class Opening:
    """Opens the files of a transfer with one password.

    :param password: in clear; shown and written nowhere.
    """

    def __init__(self, password: str) -> None:
        need_cryptography()
        self._password = password
        self._keys: Dict[Tuple[object, ...], Key] = {}
        self._proven = False
        self._first: Dict[Tuple[int, int], Opened] = {}
        self._lock = threading.Lock()
        self._rooms = Rooms()

    def chunks(self, file: DownloadFile) -> Chunks:
        """The chunks of a file, ready to be opened.

        :raises DecodeError: the site tells too little about the encryption.
        """
        version, chunk = file.key_version, file.chunk_size
        if version not in VERSIONS or not chunk or not 0 < chunk <= MOST_CHUNK:
            raise FileSenderDecodeError(f"the site does not tell how {file.name!r} is encrypted")
        chunks = Chunks(version, file.size, chunk, file.fileiv or "", _text(file.fileaead))
        if file.encrypted_size is not None and file.encrypted_size != chunks.sealed_size:
            raise FileSenderIntegrityError(
                f"{file.name!r} is {file.encrypted_size} bytes on the server, not {chunks.sealed_size}"
            )
        if version in GCM_VERSIONS and chunks.count:
            chunks.check_aead()
        return chunks

    def key(self, file: DownloadFile) -> Key:
        """The key, derived once for files of the same parameters; that takes a second or two."""
        rounds = file.password_hash_iterations or _ROUNDS
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

    def vouching(self, file: DownloadFile) -> Vouching:
        """What vouches for the file while it is not whole."""
        facts = (file.id, file.key_version, file.size, file.chunk_size, file.fileiv)
        about = f"smartxfer partial file {facts}".encode("utf-8", "replace")
        return Vouching(
            lambda: hmac.new(self.key(file).secret, about, "sha256").digest(), self.chunks(file).chunk_size
        )

    @contextlib.contextmanager
    def chunk(self, file: DownloadFile, start: int, fetch: Fetch) -> Iterator[Opened]:
        """The chunk that holds the byte ``start``, opened.

        :param fetch: gets bytes from the server, where a range begins as if nothing were encrypted.
        :raises WrongPassword: no chunk has been opened yet, and this one cannot be.
        :raises IntegrityError: it is damaged.
        """
        chunks = self.chunks(file)
        index = start // chunks.chunk_size
        with self._lock:
            first = self._first.pop((file.id, index), None)
        if first is not None:
            yield first
            return
        with self._rooms.lend(chunks.room(index)) as room:
            yield self._fetched(file, chunks, index, fetch, room)

    def prove(self, file: DownloadFile, fetch: Fetch) -> None:
        """Open the first chunk of a file, before anything is written; it is kept until it is asked for.

        :raises WrongPassword: it does not open.
        """
        chunks = self.chunks(file)
        self._first[file.id, 0] = self._fetched(file, chunks, 0, fetch, memory(chunks.room(0)))

    def _fetched(
        self, file: DownloadFile, chunks: Chunks, index: int, fetch: Fetch, into: memoryview
    ) -> Opened:
        chunks = chunks.with_key(self.key(file))
        # A chunk that was damaged on its way comes well the second time.
        for _ in range(2 if self._proven else 1):
            data = _pulled(file, chunks, index, fetch, into)
            if data is not None:
                self._proven = True
                return Opened(data, index * chunks.chunk_size)
        raise self._refusal(file, index)

    def _refusal(self, file: DownloadFile, index: int) -> IntegrityError:
        if self._proven:
            return FileSenderIntegrityError(
                f"chunk {index} of {file.name!r} is damaged", hint="ask the sender to send it again"
            )
        return FileSenderWrongPassword(
            f"{file.name!r} does not open with this password",
            hint="check the password; where it is right, the file is damaged on the server",
        )


def _pulled(
    file: DownloadFile, chunks: Chunks, index: int, fetch: Fetch, into: memoryview
) -> Optional[memoryview]:
    """A chunk as it comes from the server, opened; None where it does not come out with this key.

    :raises IntegrityError: it is another chunk, or one of another file.
    """
    first, length = index * chunks.chunk_size, chunks.sealed_length(index)
    with fetch(first, first + length) as incoming:
        if incoming.start != first or (incoming.whole and chunks.count > 1):
            raise FileSenderRangeMismatch(
                f"{file.name}: the site gives no ranges, which encrypted files need"
            )
        at = incoming.fill(into[:length])
        if at == length and incoming.read():
            raise FileSenderRangeMismatch(f"{file.name}: more bytes than were asked for")
    if at < length:
        raise FileSenderTruncated(f"{file.name}: {at} of {length} bytes of a chunk", got=at, expected=length)
    return chunks.opened(index, into)


def _text(aead: Optional[str]) -> str:
    """The text that is authenticated, which is told in base64."""
    if not aead:
        return ""
    try:
        return base64.b64decode(aead, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise FileSenderDecodeError("what is authenticated with the file is not told in base64") from None
