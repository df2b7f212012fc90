"""The errors of SmartFile, each the generic class and :class:`APIError` at once; what an error answer says.

Source: SmartFile protocol, section 4.
"""

import re
from typing import Any, Dict, Optional

from smartxfer import errors
from smartxfer.error_families import ErrorFamily
from smartxfer.errors import DecodeError, HTTPError, Throttled
from smartxfer.seams import Clock
from smartxfer.smartfile.error_response import ErrorResponse
from smartxfer.transport import Answer, RetryPolicy
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from smartxfer.transport.redact import clean, clean_all, excerpt
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
    "SmartFileUnexpectedAnswer",
    "SmartFileWaitTimeout",
    "error_of",
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
class SmartFileUnexpectedAnswer(ResponseError, SmartFileDecodeError, errors.UnexpectedAnswer): ...
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

_NEXT = re.compile(r"next=\s*([0-9]+(?:\.[0-9]+)?)\s*sec", re.ASCII)
#: Keys of an error body that say it best, in order.
_TELLING = ("field_errors", "detail", "src", "path", "message", "error")


def error_of(
    answer: Answer, method: str, url: str, *, policy: RetryPolicy, clock: Clock, throttle_wait: bool = True
) -> HTTPError:
    """The exception for an answer of 400 and more.

    Besides what every HTTPError has it carries ``status_code``, ``detail`` (the body's own words, decoded)
    and ``response`` (status, headers, text and JSON of the answer).  The first words about ``src`` or
    ``path`` are the detail of a faulty operation.

    :param throttle_wait: False: a throttled request is not made again.
    """
    wait = _throttled_for(answer, clock)
    known: Dict[str, Any] = {}
    if wait is not None:
        known = {"kind": Throttled, "retry_after": wait, "acted_on": False, "retryable": throttle_wait}
    known["response"] = ErrorResponse.of(answer, url)
    return _TABLE.error(answer, method, url, policy=policy, clock=clock, **known)


def _read(answer: Answer) -> Dict[str, Any]:
    detail = _detail(answer)
    return {"message": clean(_words(detail)), "status_code": answer.status, "detail": detail}


_TABLE = ErrorTable(
    _read,
    [
        ErrorRule(401, hint="check the API key and password, or the tokens"),
        ErrorRule(
            413, hint="send smaller files: a file goes up in one request, and the site limits its size"
        ),
    ],
)


def _throttled_for(answer: Answer, clock: Clock) -> Optional[float]:
    """Seconds that a throttled request has to wait; None when it was not throttled."""
    after = parse_retry_after(answer.headers.get("Retry-After"), clock.wall())
    waits = parse_retry_after(answer.headers.get("X-Throttle-Wait-Seconds"), clock.wall())
    if answer.status == 429:
        given = after if after is not None else waits
        return given if given is not None else 1.0
    throttle = answer.headers.get("X-Throttle")
    if answer.status != 503 or throttle is None:
        return None
    match = _NEXT.search(throttle)
    given = float(match[1]) if match else after if after is not None else waits
    return given if given is not None else 1.0


def _detail(answer: Answer) -> Any:
    """What the body says: the field errors, the ``detail``, or whatever it is; text where it is no JSON."""
    if "html" in answer.headers.get("Content-Type", "").lower():
        return ""
    try:
        body = answer.json()
    except DecodeError:
        return excerpt(answer.text, 500)
    if isinstance(body, dict):
        for key in _TELLING:
            if body.get(key):
                several = key in ("src", "path") and isinstance(body[key], list)
                return clean_all(body[key][0] if several else body[key])
    return clean_all(body)


def _words(detail: Any) -> str:
    """A detail of any shape in a line."""
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_words(value)}" for name, value in detail.items())[:300]
    if isinstance(detail, (list, tuple)):
        return ", ".join(_words(value) for value in detail)[:300]
    return "" if detail is None else str(detail)[:300]
