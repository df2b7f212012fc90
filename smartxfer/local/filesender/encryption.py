"""Server side of encrypted transfers: stored fields, and checks of sizes and offsets.

The server neither encrypts nor decrypts.

Source: FileSender protocol, section 9.
"""

import json
from typing import Any, Dict

from smartxfer.local.database import Row
from smartxfer.local.filesender.php_values import flag, to_int, to_text

#: Bytes that encryption adds to a full chunk.
OVERHEAD = 32
#: Bytes of the IV before each chunk, of a cipher block, and of the tag of AES-GCM.
_IV, _BLOCK, _TAG = 16, 16, 16
#: Key versions whose cipher is AES-GCM; the others pad.
_GCM = (2, 3)


def parameters(value: Dict[str, Any]) -> Dict[str, Any]:
    """Return the encryption parameters of a new transfer, as sent.

    The field next to the options takes precedence over the option of the same name.

    :param value: the body of the request.
    """
    return {
        "encryption": flag(value.get("encryption")),
        "key_version": to_int(value.get("encryption_key_version"), 0),
        "password_encoding": to_text(value.get("encryption_password_encoding")) or "none",
        "password_version": to_int(value.get("encryption_password_version"), 1),
        "password_hash_iterations": to_int(value.get("encryption_password_hash_iterations"), 150000),
        "client_entropy": to_text(value.get("encryption_client_entropy")) or "",
    }


def blob_size(plain: int, key_version: int) -> int:
    """Return the size of an encrypted chunk; empty chunks do not exist.

    :param plain: its bytes before encryption.
    :param key_version: key version of the transfer.
    """
    if not plain:
        return 0
    return _IV + plain + (_TAG if key_version in _GCM else _BLOCK - plain % _BLOCK)


def encrypted_size(size: int, chunk: int, encryption: Dict[str, Any]) -> int:
    """Return the bytes of a file once encrypted: every chunk but the last grows by :data:`OVERHEAD`.

    A real server computes it for plain files too, with key version 0, where it has no meaning.

    :param size: its bytes.
    :param chunk: bytes of a chunk.
    :param encryption: the transfer's :func:`parameters`.
    """
    before = max(0, size - 1) // chunk
    last = size - before * chunk
    return before * (chunk + OVERHEAD) + blob_size(last, encryption["key_version"])


def stored_size(transfer: Row, file: Row) -> int:
    """Return the bytes that a complete file has on disk.

    :param transfer: its transfer.
    :param file: the file.
    """
    encrypted: bool = json.loads(transfer["encryption"])["encryption"]
    size: int = file["encrypted_size"] if encrypted else file["size"]
    return size


def stored_offset(offset: int, chunk: int) -> int:
    """Return the offset of an encrypted chunk in the stored file.

    :param offset: its offset in the plain file.
    :param chunk: bytes of a chunk.
    """
    return offset * (chunk + OVERHEAD) // chunk
