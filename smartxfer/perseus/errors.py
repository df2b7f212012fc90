"""The errors of Perseus, each a subclass of a generic error and of :class:`PerseusException`.

Errors that perseus-client has, too, have the same name.

Source: Perseus protocol, sections A.6 and A.8.
"""

import html
import re
from typing import Any, Dict, Optional

from smartxfer import errors
from smartxfer._system import Clock
from smartxfer.error_families import ErrorFamily
from smartxfer.errors import (
    Conflict,
    DecodeError,
    Forbidden,
    HTTPError,
    StorageError,
    UploadFailed,
    UploadPendingElsewhere,
)
from smartxfer.transport import BufferedResponse, RetryPolicy
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from smartxfer.transport.redaction import redact, redacted_excerpt

__all__ = [
    "ERRORS",
    "APIException",
    "ConfigurationException",
    "PerseusAuthError",
    "PerseusBatchError",
    "PerseusClientError",
    "PerseusCommunicationError",
    "PerseusConflict",
    "PerseusDecodeError",
    "PerseusException",
    "PerseusForbidden",
    "PerseusIntegrityError",
    "PerseusNetworkError",
    "PerseusNotFound",
    "PerseusOutcomeUnknown",
    "PerseusRedirectRefused",
    "PerseusServerError",
    "PerseusStorageError",
    "PerseusUploadFailed",
    "PerseusUploadPendingElsewhere",
    "PerseusWaitTimeout",
    "StorageError",
    "UploadFailed",
    "UploadPendingElsewhere",
    "build_error",
]


class PerseusException(errors.SmartxferError):
    """Base class of the errors of Perseus; other services do not raise them."""


# fmt: off
class ConfigurationException(PerseusException, errors.CredentialError): ...
class PerseusCommunicationError(PerseusException, errors.CommunicationError): ...
class PerseusNetworkError(PerseusCommunicationError, errors.NetworkError): ...
class PerseusDecodeError(PerseusCommunicationError, errors.DecodeError): ...
class PerseusRedirectRefused(PerseusCommunicationError, errors.RedirectRefused): ...
class PerseusOutcomeUnknown(PerseusCommunicationError, errors.OutcomeUnknown): ...
class APIException(PerseusCommunicationError, errors.HTTPError):
    """An HTTP error response."""

    @property
    def status_code(self) -> int:
        """The HTTP status; alias of ``status``."""
        return self.status
class PerseusClientError(APIException, errors.ClientError): ...
class PerseusAuthError(PerseusClientError, errors.AuthError): ...
class PerseusForbidden(PerseusAuthError, errors.Forbidden): ...
class PerseusNotFound(PerseusClientError, errors.NotFound): ...
class PerseusConflict(PerseusClientError, errors.Conflict): ...
class PerseusStorageError(APIException, errors.StorageError): ...
class PerseusServerError(APIException, errors.ServerError): ...
class PerseusIntegrityError(PerseusException, errors.IntegrityError): ...
class PerseusWaitTimeout(PerseusException, errors.WaitTimeout): ...
class PerseusUploadFailed(PerseusException, errors.UploadFailed): ...
class PerseusUploadPendingElsewhere(PerseusException, errors.UploadPendingElsewhere): ...
class PerseusBatchError(PerseusException, errors.BatchError): ...
# fmt: on

#: The class for each generic error; those not defined above, such as PerseusReadTimeout, are generated.
ERRORS = ErrorFamily(__name__, PerseusException, "Perseus")

#: Keys of an error body that may contain the message, by preference.
_MESSAGE_KEYS = ("message", "error", "detail", "msg")
_MAX_XML_CHARS = 64 * 1024
_TOO_LARGE_HINT = "upload smaller files: a file is one request, whose size the plan or a proxy limits"


def build_error(
    response: BufferedResponse, method: str, url: str, *, policy: RetryPolicy, clock: Clock
) -> HTTPError:
    """Return the exception for an error response (400 or above) of the API or of the storage."""
    table = _STORAGE_ERRORS if method == "PUT" or _is_xml(response) else _API_ERRORS  # the API has no PUT
    return table.build_error(response, method, url, policy=policy, clock=clock)


def _error_message(response: BufferedResponse) -> str:
    """Return the message in the body; a list of validation errors is joined to one line."""
    try:
        body = response.json()
    except DecodeError:
        return "" if "html" in response.headers.get("Content-Type", "") else redacted_excerpt(response.text)
    if isinstance(body, dict):
        for key in _MESSAGE_KEYS:
            message = body.get(key)
            if isinstance(message, list):
                return redacted_excerpt("; ".join(map(str, message)))
            if message:
                return redacted_excerpt(message)
    return redacted_excerpt(body)


def _is_xml(response: BufferedResponse) -> bool:
    start = response.content.lstrip()[:200]
    return start.startswith((b"<?xml", b"<Error"))


def _parse_api_error(response: BufferedResponse) -> Dict[str, Any]:
    return {"message": redact(_error_message(response))}


def _parse_storage_error(response: BufferedResponse) -> Dict[str, Any]:
    """Extract three elements of an S3 error; without an XML parser, because that would expand entities."""
    text = response.text[:_MAX_XML_CHARS]
    message = (_xml_element_text(text, "Message") or "") if _is_xml(response) else _error_message(response)
    return {
        "code": redact(_xml_element_text(text, "Code") or ""),
        "message": redact(message),
        "request_id": redact(_xml_element_text(text, "RequestId") or ""),
    }


def _xml_element_text(text: str, name: str) -> Optional[str]:
    match = re.search(rf"<(?:\w+:)?{name}>([^<]{{0,2000}})</", text)
    if match is None:
        return None
    return html.unescape(match[1]).strip()


_API_ERRORS = ErrorTable(
    _parse_api_error,
    [
        ErrorRule(401, hint="check the API key: PERSEUS_API_KEY, or api_key="),
        ErrorRule(402, error_class=Forbidden, hint="check the limits of your Perseus plan"),
        ErrorRule(409, error_class=Conflict),
        ErrorRule(413, hint=_TOO_LARGE_HINT),
    ],
)
_EXPIRED_DETAILS = {"expired": True}
_STORAGE_ERRORS = ErrorTable(
    _parse_storage_error,
    [
        ErrorRule(error_class=StorageError),
        ErrorRule(413, hint=_TOO_LARGE_HINT),
        ErrorRule(code_pattern="EntityTooLarge", hint=_TOO_LARGE_HINT),
        ErrorRule(501, retryable=False),
        # Errors of the transmission.
        ErrorRule(code_pattern="RequestTimeout|BadDigest|IncompleteBody", retryable=True),
        # Expired URLs are recognized by these codes and messages, whatever the status.  Amazon and rclone
        # report a wrong request time.
        ErrorRule(code_pattern="ExpiredToken|RequestTimeTooSkewed", attributes=_EXPIRED_DETAILS),
        ErrorRule(
            code_pattern="AccessDenied", message_pattern="expired|request time", attributes=_EXPIRED_DETAILS
        ),
    ],
)
