"""What an S3 storage answers to a PUT at a presigned address.

Source: Perseus protocol, sections A.5 and A.6; NRP / Invenio protocol, section 6, Multipart.
"""

import re

from smartxfer.transport.response import BufferedResponse
from smartxfer.transport.success import Body, Success

__all__ = ["STORED_EXPECTATION", "get_etag_md5"]

#: An object or a part that is stored: 200, and no body.
STORED_EXPECTATION = Success({200}, Body.EMPTY)

_MD5_PATTERN = re.compile(r"[0-9a-f]{32}\Z")
#: With one of these headers an ETag is not an MD5: the storage encrypts by keys of its own.
_KMS_HEADERS = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


def get_etag_md5(response: BufferedResponse) -> str:
    """Return the hex MD5 that the storage's ETag gives for what it stored; "" where it gives none."""
    etag = response.headers.get("ETag", "").strip('"').lower()
    encrypted = any(name in response.headers for name in _KMS_HEADERS)
    encrypted = encrypted or response.headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    return etag if _MD5_PATTERN.match(etag) and not encrypted else ""
