"""The errors of SmartFile, each a subclass of a generic error and of :class:`APIError`, and their creation.

Source: SmartFile protocol, section 4.
"""

import re
from typing import Any, Dict, Optional

from smartxfer import errors
from smartxfer._system import Clock
from smartxfer.error_families import ErrorFamily
from smartxfer.errors import DecodeError, HTTPError, Throttled
from smartxfer.smartfile.error_response import ErrorResponse
from smartxfer.transport import BufferedResponse, RetryPolicy
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from smartxfer.transport.redaction import redact, redact_json, redacted_excerpt
from smartxfer.transport.retry_after import parse_retry_after

__all__ = [
    "ERRORS",
    "APIError",
    "RequestError",
    "ResponseError",
    "SmartFileAuthError",
    "SmartFileBatchError",
    "SmartFileChecksumMismatch",
    "SmartFileClientError",
    "SmartFileCommunicationError",
    "SmartFileCredentialError",
    "SmartFileDecodeError",
    "SmartFileForbidden",
    "SmartFileIntegrityError",
    "SmartFileNotFound",
    "SmartFileOutcomeUnknown",
    "SmartFileRateLimited",
    "SmartFileServerError",
    "SmartFileSourceChanged",
    "SmartFileTaskFailed",
    "SmartFileThrottled",
    "SmartFileTruncated",
    "SmartFileUnexpectedResponse",
    "SmartFileWaitTimeout",
    "build_error",
]


class APIError(errors.SmartxferError):
    """Base class of the errors of SmartFile; other services do not raise them."""


# fmt: off
class SmartFileCredentialError(APIError, errors.CredentialError): ...
class SmartFileCommunicationError(APIError, errors.CommunicationError): ...
class RequestError(SmartFileCommunicationError, errors.NetworkError):
    """No response: the connection failed or broke, or all attempts were throttled."""

    @property
    def detail(self) -> Any:
        """The message; for a throttled request, the content of the response."""
        return self.__dict__.get("detail", self.summary)

    @property
    def exc(self) -> "RequestError":
        """This error; the HTTP library's error is not stored, because its text may contain secrets."""
        return self
class SmartFileTruncated(RequestError, errors.Truncated): ...
class SmartFileDecodeError(SmartFileCommunicationError, errors.DecodeError): ...
class SmartFileOutcomeUnknown(SmartFileCommunicationError, errors.OutcomeUnknown): ...
class ResponseError(SmartFileCommunicationError, errors.HTTPError):
    """An HTTP error response.

    :param status_code: the HTTP status.
    :param detail: the error message or messages in the body, decoded.
    :param response: the response, without secrets, with the attributes of ``requests.Response``.
    """

    status_code: int
    detail: Any
    response: ErrorResponse
class SmartFileUnexpectedResponse(ResponseError, SmartFileDecodeError, errors.UnexpectedResponse): ...
class SmartFileClientError(ResponseError, errors.ClientError): ...
class SmartFileAuthError(SmartFileClientError, errors.AuthError): ...
class SmartFileForbidden(SmartFileAuthError, errors.Forbidden): ...
class SmartFileNotFound(SmartFileClientError, errors.NotFound): ...
class SmartFileRateLimited(SmartFileClientError, errors.RateLimited): ...
class SmartFileThrottled(SmartFileRateLimited, RequestError, errors.Throttled): ...
class SmartFileServerError(ResponseError, errors.ServerError): ...
class SmartFileIntegrityError(APIError, errors.IntegrityError): ...
class SmartFileChecksumMismatch(SmartFileIntegrityError, errors.ChecksumMismatch): ...
class SmartFileSourceChanged(SmartFileIntegrityError, errors.SourceChanged): ...
class SmartFileWaitTimeout(APIError, errors.WaitTimeout): ...
class SmartFileTaskFailed(APIError, errors.TaskFailed): ...
class SmartFileBatchError(APIError, errors.BatchError): ...
# fmt: on

#: The class for each generic error; those not defined above, such as SmartFileReadTimeout, are generated.
ERRORS = ErrorFamily(__name__, APIError, "SmartFile")

_NEXT_REQUEST_SECONDS = re.compile(r"next=\s*([0-9]+(?:\.[0-9]+)?)\s*sec", re.ASCII)
#: Keys of an error body that may contain the message, by preference.
_MESSAGE_KEYS = ("field_errors", "detail", "src", "path", "message", "error")


def build_error(
    response: BufferedResponse,
    method: str,
    url: str,
    *,
    policy: RetryPolicy,
    clock: Clock,
    throttle_wait: bool = True,
) -> HTTPError:
    """Return the exception for an error response (400 or above).

    In addition to the attributes of HTTPError, it has ``status_code``, ``detail`` (the error in the body,
    decoded) and ``response`` (status, headers, text and JSON).  For a failed path operation, ``detail`` is
    the first message about ``src`` or ``path``.

    :param throttle_wait: if False, a throttled request is not repeated.
    """
    wait = _throttle_seconds(response, clock)
    attributes: Dict[str, Any] = {}
    if wait is not None:
        attributes = {
            "kind": Throttled,
            "retry_after": wait,
            "may_have_been_processed": False,
            "retryable": throttle_wait,
        }
    attributes["response"] = ErrorResponse.from_response(response, url)
    return _ERROR_TABLE.build_error(response, method, url, policy=policy, clock=clock, **attributes)


def _parse_error(response: BufferedResponse) -> Dict[str, Any]:
    detail = _error_detail(response)
    return {"message": redact(_flatten_message(detail)), "status_code": response.status, "detail": detail}


_ERROR_TABLE = ErrorTable(
    _parse_error,
    [
        ErrorRule(401, hint="check key= and password= (SMARTFILE_API_KEY, SMARTFILE_API_PASSWORD)"),
        ErrorRule(404, hint="check the path: list(directory) shows what exists, mkdir(path) adds one"),
        ErrorRule(413, hint="upload smaller files: a file is one request, whose size the site limits"),
    ],
)


def _throttle_seconds(response: BufferedResponse, clock: Clock) -> Optional[float]:
    """Return the seconds to wait before a throttled request is repeated; None if it was not throttled."""
    retry_after = parse_retry_after(response.headers.get("Retry-After"), clock.time())
    throttle_wait = parse_retry_after(response.headers.get("X-Throttle-Wait-Seconds"), clock.time())
    if response.status == 429:
        seconds = retry_after if retry_after is not None else throttle_wait
        return seconds if seconds is not None else 1.0
    throttle = response.headers.get("X-Throttle")
    if response.status != 503 or throttle is None:
        return None
    match = _NEXT_REQUEST_SECONDS.search(throttle)
    seconds = float(match[1]) if match else retry_after if retry_after is not None else throttle_wait
    return seconds if seconds is not None else 1.0


def _error_detail(response: BufferedResponse) -> Any:
    """Return the field errors or the message in the body, else the body; text if it is not JSON."""
    if "html" in response.headers.get("Content-Type", "").lower():
        return ""
    try:
        body = response.json()
    except DecodeError:
        return redacted_excerpt(response.text, 500)
    if isinstance(body, dict):
        for key in _MESSAGE_KEYS:
            if body.get(key):
                several = key in ("src", "path") and isinstance(body[key], list)
                return redact_json(body[key][0] if several else body[key])
    return redact_json(body)


def _flatten_message(detail: Any) -> str:
    """Return a detail of any type as one line of text."""
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_flatten_message(value)}" for name, value in detail.items())[:300]
    if isinstance(detail, (list, tuple)):
        return ", ".join(_flatten_message(value) for value in detail)[:300]
    return "" if detail is None else str(detail)[:300]
