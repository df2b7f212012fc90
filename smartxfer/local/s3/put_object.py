"""PutObject and UploadPart: validation of headers and verification of the body's MD5.

Source: Perseus protocol, sections A.5 and A.6; NRP protocol, section 6 (multipart).
"""

import base64
import binascii
import hashlib
from typing import Mapping, Optional

from smartxfer.local.http_messages import Request
from smartxfer.local.request_body import RequestBody
from smartxfer.local.s3.errors import S3Error

#: Largest body of one PUT in bytes.
MAX_SIZE = 5 << 30
#: Highest part number.
MAX_PARTS = 10_000


def checked_body(request: Request, query: Mapping[str, str]) -> RequestBody:
    """Return the body of a PUT, which raises an S3Error before its end if its MD5 is not the announced one.

    :param query: arguments of the address.
    :raises S3Error: invalid or unsupported headers.
    """
    headers, body = request.headers, request.body
    if "transfer-encoding" in headers:
        raise S3Error("NotImplemented", 501, fields={"Header": "Transfer-Encoding"})
    if "content-length" not in headers:
        raise S3Error("MissingContentLength", 411)
    if (body.length or 0) > MAX_SIZE:
        fields = {"ProposedSize": str(body.length), "MaxSizeAllowed": str(MAX_SIZE)}
        raise S3Error("EntityTooLarge", 400, fields=fields)
    if "partNumber" in query or "uploadId" in query:
        _part(query.get("partNumber", ""))
    digest = _digest(headers.get("content-md5"))
    return body if digest is None else _VerifiedBody(body, digest)


def _part(number: str) -> None:
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= MAX_PARTS):
        fields = {"ArgumentName": "partNumber", "ArgumentValue": number}
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise S3Error("InvalidArgument", 400, message, fields=fields)


def _digest(header: Optional[str]) -> Optional[bytes]:
    """Return the announced MD5."""
    if header is None:
        return None
    try:
        digest = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest", 400, fields={"Content-MD5": header})
    return digest


class _VerifiedBody(RequestBody):
    """A body whose MD5 is verified before its end is reported.

    :param body: the body.
    :param digest: expected MD5.
    """

    __slots__ = ("_body", "_digest", "_hash")

    def __init__(self, body: RequestBody, digest: bytes) -> None:
        # Most attributes of the base class stay unused, because every byte passes through readinto().
        self._body = body
        self.received = body.received
        self._digest = digest
        self._hash = hashlib.md5()
        self.length = body.length

    @property
    def finished(self) -> bool:
        """True once the body is read to its end."""
        return self._body.finished

    def readinto(self, view: memoryview) -> int:
        """Read some bytes into ``view``; 0 at the end.

        :raises S3Error: the MD5 differs from the announced one.
        """
        count = self._body.readinto(view)
        self.received = self._body.received
        self._hash.update(view[:count])
        if self.finished and self._hash.digest() != self._digest:
            digests = {"ExpectedDigest": self._digest, "CalculatedDigest": self._hash.digest()}
            fields = {name: base64.b64encode(value).decode("ascii") for name, value in digests.items()}
            raise S3Error("BadDigest", 400, fields=fields)
        return count
