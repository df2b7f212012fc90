"""The errors of Perseus, each the generic class and :class:`PerseusException` at once.

Where the vendor's client has a name for one, it is that.

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
    """Root of the errors of Perseus, and of no other service's."""


# fmt: off
class ConfigurationException(PerseusException, errors.CredentialError): ...
class PerseusCommunicationError(PerseusException, errors.CommunicationError): ...
class PerseusNetworkError(PerseusCommunicationError, errors.NetworkError): ...
class PerseusDecodeError(PerseusCommunicationError, errors.DecodeError): ...
class PerseusRedirectRefused(PerseusCommunicationError, errors.RedirectRefused): ...
class PerseusOutcomeUnknown(PerseusCommunicationError, errors.OutcomeUnknown): ...
class APIException(PerseusCommunicationError, errors.HTTPError):
    """An answer that is an error."""

    @property
    def status_code(self) -> int:
        """The HTTP status; another name of ``status``."""
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

#: The class for each generic one; those not written out above are made, such as PerseusReadTimeout.
ERRORS = ErrorFamily(__name__, PerseusException, "Perseus")

#: Keys of an error body that say it best, in order.
_MESSAGE_KEYS = ("message", "error", "detail", "msg")
_MAX_XML_CHARS = 64 * 1024
_TOO_LARGE_HINT = "send smaller files: a file goes up in one request, and the plan or a proxy limits its size"


def build_error(
    response: BufferedResponse, method: str, url: str, *, policy: RetryPolicy, clock: Clock
) -> HTTPError:
    """The exception for an answer of 400 and more, of the API or of the storage behind its addresses."""
    table = _STORAGE_ERRORS if method == "PUT" or _is_xml(response) else _API_ERRORS  # the API has no PUT
    return table.build_error(response, method, url, policy=policy, clock=clock)


def _error_message(response: BufferedResponse) -> str:
    """What the body says; the list of a validation answer in a line."""
    try:
        body = response.json()
    except DecodeError:
        return "" if "html" in response.headers.get("Content-Type", "") else redacted_excerpt(response.text)
    if isinstance(body, dict):
        for key in _MESSAGE_KEYS:
            found = body.get(key)
            if isinstance(found, list):
                return redacted_excerpt("; ".join(map(str, found)))
            if found:
                return redacted_excerpt(found)
    return redacted_excerpt(body)


def _is_xml(response: BufferedResponse) -> bool:
    start = response.content.lstrip()[:200]
    return start.startswith((b"<?xml", b"<Error"))


def _parse_api_error(response: BufferedResponse) -> Dict[str, Any]:
    return {"message": redact(_error_message(response))}


def _parse_storage_error(response: BufferedResponse) -> Dict[str, Any]:
    """S3's error.  It is read by its three elements, not as a document: no entity of it is expanded."""
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
        ErrorRule(402, error_class=Forbidden, hint="the plan does not allow it"),
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
        # What went wrong on the way.
        ErrorRule(code_pattern="RequestTimeout|BadDigest|IncompleteBody", retryable=True),
        # An address is dead by these words, whatever the status; those about the time: Amazon, rclone.
        ErrorRule(code_pattern="ExpiredToken|RequestTimeTooSkewed", attributes=_EXPIRED_DETAILS),
        ErrorRule(
            code_pattern="AccessDenied", message_pattern="expired|request time", attributes=_EXPIRED_DETAILS
        ),
    ],
)
