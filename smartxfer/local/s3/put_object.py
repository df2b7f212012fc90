"""Bodies on their way into the storage: announced as S3 wants it, and compared with what was announced.

Source: Perseus protocol, sections A.5 and A.6; NRP protocol, section 6 (multipart).
"""

import base64
import binascii
import hashlib
from typing import Mapping, Optional

from smartxfer.local.body import Body
from smartxfer.local.http_messages import Request
from smartxfer.local.s3.problems import Problem

#: Most bytes of one PUT.
LARGEST = 5 << 30
#: Highest number of a part.
PARTS = 10_000


def checked_body(request: Request, query: Mapping[str, str]) -> Body:
    """The body of a PUT, which raises a Problem before its end where it is not what was announced.

    :param query: arguments of the address.
    :raises Problem: it is announced in a way that S3 does not take.
    """
    headers, body = request.headers, request.body
    if "transfer-encoding" in headers:
        raise Problem("NotImplemented", 501, fields={"Header": "Transfer-Encoding"})
    if "content-length" not in headers:
        raise Problem("MissingContentLength", 411)
    if (body.length or 0) > LARGEST:
        fields = {"ProposedSize": str(body.length), "MaxSizeAllowed": str(LARGEST)}
        raise Problem("EntityTooLarge", 400, fields=fields)
    if "partNumber" in query or "uploadId" in query:
        _part(query.get("partNumber", ""))
    digest = _digest(headers.get("content-md5"))
    return body if digest is None else _Compared(body, digest)


def _part(number: str) -> None:
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= PARTS):
        fields = {"ArgumentName": "partNumber", "ArgumentValue": number}
        message = f"Part number must be an integer between 1 and {PARTS}, inclusive"
        raise Problem("InvalidArgument", 400, message, fields=fields)


def _digest(header: Optional[str]) -> Optional[bytes]:
    """The MD5 that is announced."""
    if header is None:
        return None
    try:
        digest = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise Problem("InvalidDigest", 400, fields={"Content-MD5": header})
    return digest


class _Compared(Body):
    """A body whose MD5 is compared before its end is told.

    :param body: the body.
    :param digest: what its MD5 is to be.
    """

    __slots__ = ("_body", "_digest", "_running")

    def __init__(self, body: Body, digest: bytes) -> None:
        # Most of what the base holds stays unused: every byte comes by readinto.
        self._body = body
        self.received = body.received
        self._digest = digest
        self._running = hashlib.md5()
        self.length = body.length

    @property
    def finished(self) -> bool:
        """Whether nothing is left to read."""
        return self._body.finished

    def readinto(self, view: memoryview) -> int:
        """Read some bytes into ``view``; 0 at the end.

        :raises Problem: they have another MD5 than was announced.
        """
        count = self._body.readinto(view)
        self.received = self._body.received
        self._running.update(view[:count])
        if self.finished and self._running.digest() != self._digest:
            digests = {"ExpectedDigest": self._digest, "CalculatedDigest": self._running.digest()}
            fields = {name: base64.b64encode(value).decode("ascii") for name, value in digests.items()}
            raise Problem("BadDigest", 400, fields=fields)
        return count
