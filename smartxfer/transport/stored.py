"""What an S3 storage answers to a PUT at a presigned address.

Source: Perseus protocol, sections A.5 and A.6; NRP / Invenio protocol, section 6, Multipart.
"""

import re

from smartxfer.transport.answer import Answer
from smartxfer.transport.success import Body, Success

__all__ = ["STORED", "md5_of_stored"]

#: An object or a part that is stored: 200, and no body.
STORED = Success({200}, Body.EMPTY)

_MD5 = re.compile(r"[0-9a-f]{32}\Z")
#: With one of these headers an ETag is not an MD5: the storage encrypts by keys of its own.
_ENCRYPTED = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


def md5_of_stored(answer: Answer) -> str:
    """Return the hex MD5 that the storage's ETag gives for what it stored; "" where it gives none."""
    etag = answer.headers.get("ETag", "").strip('"').lower()
    encrypted = any(name in answer.headers for name in _ENCRYPTED)
    encrypted = encrypted or answer.headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    return etag if _MD5.match(etag) and not encrypted else ""
