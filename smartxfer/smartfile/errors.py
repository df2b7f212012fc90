"""The errors of SmartFile, each the generic class and :class:`APIError` at once; what an error answer says.

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
    """Root of the errors of SmartFile, and of no other service's."""


# fmt: off
class SmartFileCredentialError(APIError, errors.CredentialError): ...
class SmartFileCommunicationError(APIError, errors.CommunicationError): ...
class RequestError(SmartFileCommunicationError, errors.NetworkError):
    """No usable answer: no connection, or it broke, or all tries are used up."""

    @property
    def detail(self) -> Any:
        """The message; of a throttled request, what the body of the answer says."""
        return self.__dict__.get("detail", self.summary)

    @property
    def exc(self) -> "RequestError":
        """The error itself: the one of the HTTP library is not kept, for its text may have secrets."""
        return self
class SmartFileTruncated(RequestError, errors.Truncated): ...
class SmartFileDecodeError(SmartFileCommunicationError, errors.DecodeError): ...
class SmartFileOutcomeUnknown(SmartFileCommunicationError, errors.OutcomeUnknown): ...
class ResponseError(SmartFileCommunicationError, errors.HTTPError):
    """An answer that is an error.

    :param status_code: its HTTP status.
    :param detail: what its body says, decoded.
    :param response: the answer, without secrets, as requests shows one.
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

#: The class for each generic one; those not written out above are made, such as SmartFileReadTimeout.
ERRORS = ErrorFamily(__name__, APIError, "SmartFile")

_NEXT_REQUEST_SECONDS = re.compile(r"next=\s*([0-9]+(?:\.[0-9]+)?)\s*sec", re.ASCII)
#: Keys of an error body that say it best, in order.
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
    """The exception for an answer of 400 and more.

    Besides what every HTTPError has it carries ``status_code``, ``detail`` (the body's own words, decoded)
    and ``response`` (status, headers, text and JSON of the answer).  The first words about ``src`` or
    ``path`` are the detail of a faulty operation.

    :param throttle_wait: False: a throttled request is not made again.
    """
    wait = _throttle_seconds(response, clock)
    known: Dict[str, Any] = {}
    if wait is not None:
        known = {
            "kind": Throttled,
            "retry_after": wait,
            "may_have_been_processed": False,
            "retryable": throttle_wait,
        }
    known["response"] = ErrorResponse.from_response(response, url)
    return _ERROR_TABLE.build_error(response, method, url, policy=policy, clock=clock, **known)


def _parse_error(response: BufferedResponse) -> Dict[str, Any]:
    detail = _error_detail(response)
    return {"message": redact(_flatten_message(detail)), "status_code": response.status, "detail": detail}


_ERROR_TABLE = ErrorTable(
    _parse_error,
    [
        ErrorRule(401, hint="check key= and password= (SMARTFILE_API_KEY, SMARTFILE_API_PASSWORD)"),
        ErrorRule(404, hint="check the path: list(directory) shows what exists, mkdir(path) adds one"),
        ErrorRule(
            413, hint="send smaller files: a file goes up in one request, and the site limits its size"
        ),
    ],
)


def _throttle_seconds(response: BufferedResponse, clock: Clock) -> Optional[float]:
    """Seconds that a throttled request has to wait; None when it was not throttled."""
    after = parse_retry_after(response.headers.get("Retry-After"), clock.time())
    waits = parse_retry_after(response.headers.get("X-Throttle-Wait-Seconds"), clock.time())
    if response.status == 429:
        given = after if after is not None else waits
        return given if given is not None else 1.0
    throttle = response.headers.get("X-Throttle")
    if response.status != 503 or throttle is None:
        return None
    match = _NEXT_REQUEST_SECONDS.search(throttle)
    given = float(match[1]) if match else after if after is not None else waits
    return given if given is not None else 1.0


def _error_detail(response: BufferedResponse) -> Any:
    """What the body says: the field errors, the ``detail``, or whatever it is; text where it is no JSON."""
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
    """A detail of any shape in a line."""
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_flatten_message(value)}" for name, value in detail.items())[:300]
    if isinstance(detail, (list, tuple)):
        return ", ".join(_flatten_message(value) for value in detail)[:300]
    return "" if detail is None else str(detail)[:300]
