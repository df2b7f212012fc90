"""Errors of S3: code, message and XML document.

Source: Perseus protocol, section A.6.
"""

import secrets
from typing import Mapping, Optional, Tuple
from xml.sax.saxutils import escape

from smartxfer.local.http_messages import ApiError, Response

_MESSAGES = {
    "AccessDenied": "Access Denied",
    "BadDigest": "The Content-MD5 you specified did not match what we received.",
    "EntityTooLarge": "Your proposed upload exceeds the maximum allowed size",
    "ExpiredToken": "The provided token has expired.",
    "IncompleteBody": "You did not provide the number of bytes specified by the Content-Length HTTP header",
    "InternalError": "We encountered an internal error. Please try again.",
    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
    "InvalidDigest": "The Content-MD5 you specified was invalid.",
    "InvalidRange": "The requested range is not satisfiable",
    "InvalidToken": "The provided token is malformed or otherwise invalid.",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
    "MissingContentLength": "You must provide the Content-Length HTTP header.",
    "NoSuchBucket": "The specified bucket does not exist",
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchUpload": (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed."
    ),
    "NotImplemented": "A header you provided implies functionality that is not implemented",
    "PreconditionFailed": "At least one of the pre-conditions you specified did not hold",
    "RequestTimeout": (
        "Your socket connection to the server was not read from or written to within the timeout period. "
        "Idle connections will be closed."
    ),
    "SignatureDoesNotMatch": (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    ),
    "SlowDown": "Please reduce your request rate.",
}
#: Code of a planned fault without a code, by status.
_PLANNED_CODES = {403: "AccessDenied", 404: "NoSuchKey", 429: "SlowDown", 503: "SlowDown"}


class S3Error(ApiError):
    """Error response of S3.

    :param code: error code, such as ``NoSuchKey``.
    :param status: HTTP status.
    :param message: error message; by default that of the code.
    :param fields: further elements of the document.
    :param headers: further headers of the response.
    """

    def __init__(
        self,
        code: str,
        status: int = 403,
        message: str = "",
        *,
        fields: Optional[Mapping[str, str]] = None,
        headers: Tuple[Tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(status, message or _MESSAGES.get(code, code), headers)
        self.code = code
        self.fields = dict(fields or {})


def planned_error(status: int, text: str) -> S3Error:
    """Return the error of a planned fault.

    :param status: HTTP status.
    :param text: a code, a code with ``: `` and a message, or a message alone.
    """
    code, _, message = text.partition(": ")
    if not code.isalpha():
        code, message = (
            _PLANNED_CODES.get(status, "InternalError" if status >= 500 else "InvalidRequest"),
            text,
        )
    return S3Error(code, status, message)


def error_document(error: S3Error) -> Response:
    """Return the response for an error."""
    id = request_id()
    fields = {"Code": error.code, "Message": error.message, **error.fields}
    fields.update(RequestId=id, HostId=secrets.token_urlsafe(42))
    elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{elements}</Error>'
    headers = [("x-amz-request-id", id), ("Content-Type", "application/xml"), *error.headers]
    return Response(error.status, headers, (text.encode("utf-8"),))


def request_id() -> str:
    """Return a random request id."""
    return secrets.token_hex(8).upper()
