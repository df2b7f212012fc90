"""A second reading of FileSender's encryption, to hold the client's own against; it shares nothing with it.

Written from the protocol alone, with the one-shot calls of cryptography.  Source: FileSender protocol, section 9.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import warnings
from typing import Dict, List, Optional

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on Python 3.8 cryptography announces that it will leave it
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

GCM = (2, 3)


def key_of(password: str, version: int, password_version: int, salt: str, rounds: int) -> bytes:
    """The 32 bytes that a password gives."""
    raw = password.encode() if password_version == 1 else (base64.b64decode(password) + bytes(32))[:32]
    if version in (0, 2):
        return hashlib.sha256(raw).digest()
    return PBKDF2HMAC(SHA256(), 32, salt.encode("ascii"), rounds).derive(raw)


def aead_of(iv: str, size: int, chunk: int) -> str:
    """The text that is authenticated with every chunk."""
    count = (size + chunk - 1) // chunk
    return '{"aeadversion":1,"chunkcount":%d,"chunksize":%d,"iv":"%s","aeadterminator":1}' % (  # noqa: UP031
        count,
        chunk,
        iv,
    )


def encrypt(
    version: int, key: bytes, index: int, data: bytes, iv: str, aead: str, cbc_iv: Optional[bytes] = None
) -> bytes:
    """Encrypt one chunk as it is stored on the server."""
    if version in GCM:
        nonce = base64.b64decode(iv) + struct.pack("<I", index)
        return nonce + AESGCM(key).encrypt(nonce, data, aead.encode())
    first = os.urandom(16) if cbc_iv is None else cbc_iv
    missing = 16 - len(data) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(first)).encryptor()
    return first + encryptor.update(data + bytes([missing]) * missing) + encryptor.finalize()


def decrypt(version: int, key: bytes, blob: bytes, aead: str) -> Optional[bytes]:
    """Decrypt one chunk; None if the tag or the padding is wrong."""
    first, rest = blob[:16], blob[16:]
    if version in GCM:
        try:
            return AESGCM(key).decrypt(first, rest, aead.encode())
        except InvalidTag:
            return None
    decryptor = Cipher(algorithms.AES(key), modes.CBC(first)).decryptor()
    padded = decryptor.update(rest) + decryptor.finalize()
    last = padded[-1]
    good = 1 <= last <= 16 and padded[-last:] == bytes([last]) * last
    return padded[:-last] if good else None


def encrypt_file(version: int, key: bytes, data: bytes, chunk: int, iv: str) -> List[bytes]:
    """Encrypt every chunk of a file."""
    aead = aead_of(iv, len(data), chunk)
    starts = range(0, len(data), chunk)
    return [
        encrypt(version, key, index, data[start : start + chunk], iv, aead) for index, start in enumerate(starts)
    ]


def decrypt_stored(facts: Dict[str, object], stored: bytes, password: str) -> bytes:
    """Decrypt a file, from the data that a site shows of it and the stored bytes.

    :param facts: data of the download page, names with underscores.
    """
    version, chunk, size = (int(str(facts[name])) for name in ("key_version", "chunk_size", "size"))
    password_version, rounds = (
        int(str(facts["password_version"])),
        int(str(facts["password_hash_iterations"])),
    )
    key = key_of(password, version, password_version, str(facts["key_salt"]), rounds)
    aead = base64.b64decode(str(facts["fileaead"] or "")).decode()
    found = bytearray()
    while stored:
        blob, stored = stored[: chunk + 32], stored[chunk + 32 :]
        data = decrypt(version, key, blob, aead)
        assert data is not None, "the chunk cannot be decrypted"
        if version in GCM:
            assert blob[:12] == base64.b64decode(str(facts["fileiv"]))
            assert blob[12:16] == struct.pack("<I", len(found) // chunk)
        found += data
    if version in GCM:
        assert aead == aead_of(str(facts["fileiv"]), size, chunk)
    assert len(found) == size
    return bytes(found)
