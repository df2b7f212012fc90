"""The errors of Perseus, each the generic class and :class:`PerseusException` at once.

Where the vendor's client has a name for one, it is that.

Source: Perseus protocol, sections A.6 and A.8.
"""

import html
import re
from typing import Any, Dict, Optional

from smartxfer import errors
from smartxfer.error_families import ErrorFamily
from smartxfer.errors import (
    Conflict,
    DecodeError,
    Forbidden,
    HTTPError,
    StorageError,
    StuckPending,
    UploadFailed,
)
from smartxfer.seams import Clock
from smartxfer.transport import Answer, RetryPolicy
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from smartxfer.transport.redact import clean, excerpt

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
    "PerseusStuckPending",
    "PerseusUploadFailed",
    "PerseusWaitTimeout",
    "StorageError",
    "StuckPending",
    "UploadFailed",
    "error_of",
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
class PerseusStuckPending(PerseusException, errors.StuckPending): ...
class PerseusBatchError(PerseusException, errors.BatchError): ...
# fmt: on

#: The class for each generic one; those not written out above are made, such as PerseusReadTimeout.
ERRORS = ErrorFamily(__name__, PerseusException, "Perseus")

#: Keys of an error body that say it best, in order.
_TELLING = ("message", "error", "detail", "msg")
_LIMIT = 64 * 1024
_TOO_LARGE = "send smaller files: a file goes up in one request, and the plan or a proxy limits its size"


def error_of(answer: Answer, method: str, url: str, *, policy: RetryPolicy, clock: Clock) -> HTTPError:
    """The exception for an answer of 400 and more, of the API or of the storage behind its addresses."""
    table = _STORAGE if method == "PUT" or _is_xml(answer) else _API  # the API has no PUT
    return table.error(answer, method, url, policy=policy, clock=clock)


def _words(answer: Answer) -> str:
    """What the body says; the list of a validation answer in a line."""
    try:
        body = answer.json()
    except DecodeError:
        return "" if "html" in answer.headers.get("Content-Type", "") else excerpt(answer.text)
    if isinstance(body, dict):
        for key in _TELLING:
            found = body.get(key)
            if isinstance(found, list):
                return excerpt("; ".join(map(str, found)))
            if found:
                return excerpt(found)
    return excerpt(body)


def _is_xml(answer: Answer) -> bool:
    start = answer.content.lstrip()[:200]
    return start.startswith((b"<?xml", b"<Error"))


def _read_api(answer: Answer) -> Dict[str, Any]:
    return {"message": clean(_words(answer))}


def _read_storage(answer: Answer) -> Dict[str, Any]:
    """S3's error.  It is read by its three elements, not as a document: no entity of it is expanded."""
    text = answer.text[:_LIMIT]
    message = (_element(text, "Message") or "") if _is_xml(answer) else _words(answer)
    return {
        "code": clean(_element(text, "Code") or ""),
        "message": clean(message),
        "request_id": clean(_element(text, "RequestId") or ""),
    }


def _element(text: str, name: str) -> Optional[str]:
    match = re.search(rf"<(?:\w+:)?{name}>([^<]{{0,2000}})</", text)
    if match is None:
        return None
    return html.unescape(match[1]).strip()


_API = ErrorTable(
    _read_api,
    [
        ErrorRule(401, hint="check the API key: PERSEUS_API_KEY, or api_key="),
        ErrorRule(402, kind=Forbidden, hint="the plan does not allow it"),
        ErrorRule(409, kind=Conflict),
        ErrorRule(413, hint=_TOO_LARGE),
    ],
)
_DEAD = {"expired": True}
_STORAGE = ErrorTable(
    _read_storage,
    [
        ErrorRule(kind=StorageError),
        ErrorRule(413, hint=_TOO_LARGE),
        ErrorRule(code="EntityTooLarge", hint=_TOO_LARGE),
        ErrorRule(501, retryable=False),
        # What went wrong on the way.
        ErrorRule(code="RequestTimeout|BadDigest|IncompleteBody", retryable=True),
        # An address is dead by these words, whatever the status; those about the time: Amazon, rclone.
        ErrorRule(code="ExpiredToken|RequestTimeTooSkewed", more=_DEAD),
        ErrorRule(code="AccessDenied", words="expired|request time", more=_DEAD),
    ],
)
