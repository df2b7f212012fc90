"""Responses of an S3 storage to a PUT at a presigned URL.

Source: Perseus protocol, sections A.5 and A.6; NRP / Invenio protocol, section 6, Multipart.
"""

import re

from smartxfer.transport.response import BufferedResponse
from smartxfer.transport.success import Body, Success

__all__ = ["STORED_EXPECTATION", "get_etag_md5"]

#: Response for a stored object or part: 200 without a body.
STORED_EXPECTATION = Success({200}, Body.EMPTY)

_MD5_PATTERN = re.compile(r"[0-9a-f]{32}\Z")
#: With one of these headers an ETag is not an MD5, because the storage encrypts the object.
_KMS_HEADERS = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


def get_etag_md5(response: BufferedResponse) -> str:
    """Return the hex MD5 of the stored bytes from the ETag; "" if the ETag is not an MD5."""
    etag = response.headers.get("ETag", "").strip('"').lower()
    encrypted = any(name in response.headers for name in _KMS_HEADERS)
    encrypted = encrypted or response.headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    return etag if _MD5_PATTERN.match(etag) and not encrypted else ""
