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
from smartxfer.transport.redact import clean, excerpt
from smartxfer.transport.status import http_error

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
class APIException(PerseusCommunicationError, errors.HTTPError): ...
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
#: Words of S3 by which an address is dead, whatever the status.
_EXPIRED = ("ExpiredToken", "RequestTimeTooSkewed")
#: Words of S3 about what went wrong on the way.
_TRANSIENT = ("RequestTimeout", "BadDigest", "IncompleteBody")
_TOO_LARGE = "send smaller files: a file goes up in one request, and the plan or a proxy limits its size"
#: Words of an AccessDenied that is because of the time: Amazon's, and rclone's.
_LATE = ("expired", "request time")


def error_of(answer: Answer, method: str, url: str, *, policy: RetryPolicy, clock: Clock) -> HTTPError:
    """The exception for an answer of 400 and more, of the API or of the storage behind its addresses."""
    if method == "PUT" or _is_xml(answer):  # the API has no PUT
        return _storage_error(answer, method, url, policy, clock)
    data: Dict[str, Any] = {"message": clean(_words(answer))}
    if answer.status == 401:
        data["hint"] = "check the API key: PERSEUS_API_KEY, or api_key="
    if answer.status == 413:
        data["hint"] = _TOO_LARGE
    if answer.status == 402:
        data.update(kind=Forbidden, hint="the plan does not allow it")
    if answer.status == 409:
        data["kind"] = Conflict
    return http_error(answer, method, url, policy=policy, clock=clock, **data)


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


def _storage_error(answer: Answer, method: str, url: str, policy: RetryPolicy, clock: Clock) -> HTTPError:
    """S3's error.  It is read by its three elements, not as a document: no entity of it is expanded."""
    text = answer.text[:_LIMIT]
    code = _element(text, "Code") or ""
    message = (_element(text, "Message") or "") if _is_xml(answer) else _words(answer)
    data: Dict[str, Any] = {}
    if answer.status == 413 or code == "EntityTooLarge":
        data["hint"] = _TOO_LARGE
    if answer.status == 501 or code in _TRANSIENT:
        data["retryable"] = answer.status != 501
    late = code == "AccessDenied" and any(word in message.lower() for word in _LATE)
    return http_error(
        answer,
        method,
        url,
        policy=policy,
        clock=clock,
        kind=StorageError,
        code=clean(code),
        message=clean(message),
        request_id=clean(_element(text, "RequestId") or ""),
        expired=late or code in _EXPIRED,
        **data,
    )


def _element(text: str, name: str) -> Optional[str]:
    match = re.search(rf"<(?:\w+:)?{name}>([^<]{{0,2000}})</", text)
    if match is None:
        return None
    return html.unescape(match[1]).strip()
