"""Helpers of the tests of encrypted transfers: a key, chunks, sites of both releases, and their clients."""

from __future__ import annotations

import base64
from typing import Any, Dict, List, Optional

from smartxfer import FileSenderClient
from smartxfer.errors import IntegrityError
from smartxfer.filesender.encryption import ChunkCipher, Key
from tests.support import reference_encryption as by_hand

PASSWORD = "Correct-Horse-7-Battery"
SALT = "a4cbbAB7a2E26A4B8D3a9c28C15cCEB4"
CHUNK = 4096
#: Key version that each release asks for.
RELEASES = {"3.8": 3, "2.67": 1}
SMALL = {"upload_chunk_size": CHUNK, "encryption_iterations": 7}
FETCH = "GET /download.php"
CREATE = "POST /rest.php/transfer"
CHUNKS = "PUT /rest.php/file/*/chunk/*"
#: An IV for the files of each key version.
IVS = {version: base64.b64encode(bytes(range(12 if version > 1 else 16))).decode() for version in range(4)}


def derive(password: str = PASSWORD, version: int = 3, salt: str = SALT, rounds: int = 5) -> Key:
    return Key.derive(password, version=version, password_version=1, salt=salt, iterations=rounds)


def decrypt_chunk(chunks: ChunkCipher, index: int, blob: bytes) -> Optional[bytes]:
    """Return the bytes of a chunk; None if the decryption refuses it in any way."""
    try:
        data = chunks.decrypt(index, memoryview(blob))
    except IntegrityError:
        return None
    return None if data is None else bytes(data)


def encrypt_chunks(chunks: ChunkCipher, data: bytes) -> List[bytes]:
    size = chunks.chunk_size
    return [
        bytes(chunks.encrypt(index, memoryview(data)[index * size : (index + 1) * size]))
        for index in range(chunks.chunk_count)
    ]


def latest(site: Any) -> Dict[str, Any]:
    """The transfer that was made last, as the site has it."""
    found: Dict[str, Any] = site.site.transfers()[-1]
    return found


def anyone(site: Any, **options: Any) -> FileSenderClient:
    """Return a client without credentials."""
    client: FileSenderClient = site.client(auth=FileSenderClient(site.url).auth, **options)
    return client


def by_another_reading(site: Any, transfer: Any, password: str = PASSWORD) -> Dict[str, bytes]:
    """Return the files on the site, decrypted by other code than the client's."""
    found, stored = {}, site.stored()
    for file in anyone(site).list_files(transfer.token):
        assert file.encrypted
        assert file.encrypted_size == len(stored[file.name])
        facts = {field.name: getattr(file, field.name) for field in type(file).__attrs_attrs__}
        found[file.name] = by_hand.decrypt_stored(facts, stored[file.name], password)
    return found
