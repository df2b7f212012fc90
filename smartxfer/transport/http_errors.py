"""Exceptions for error responses, by HTTP status."""

from typing import Any, Dict, Type

from smartxfer._system import Clock
from smartxfer.errors import (
    AuthError,
    BadRequest,
    ClientError,
    Conflict,
    Forbidden,
    HTTPError,
    NotFound,
    ProxyError,
    RateLimited,
    ServerError,
    TooLarge,
)
from smartxfer.transport.json_codec import parse_json
from smartxfer.transport.redaction import redact, redacted_excerpt
from smartxfer.transport.response import BufferedResponse
from smartxfer.transport.retry_after import parse_retry_after
from smartxfer.transport.retry_policy import RetryPolicy

__all__ = ["build_http_error", "get_error_class"]

_CLASS_BY_STATUS: Dict[int, Type[HTTPError]] = {
    400: BadRequest,
    401: AuthError,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    413: TooLarge,
    422: BadRequest,
    429: RateLimited,
}


def get_error_class(status: int) -> Type[HTTPError]:
    """Return the exception class for a status of 400 or more."""
    return _CLASS_BY_STATUS.get(status, ServerError if status >= 500 else ClientError)


def build_http_error(
    response: BufferedResponse, method: str, url: str, /, *, policy: RetryPolicy, clock: Clock, **data: Any
) -> HTTPError:
    """Return the exception for an error response; ``data`` overrides the defaults from status and body.

    :param data: ``kind`` (the class), ``code``, ``message``, ``request_id``, ``details``, ``hint``,
        ``retry_after``, ``retryable``, ``may_have_been_processed``, and further attributes of the service's
        errors.
    """
    kind: Type[HTTPError] = data.pop("kind", None) or get_error_class(response.status)
    code = data.pop("code", "")
    message = redact(data.pop("message", "") or _get_error_text(response))
    words = " ".join(
        word for word in (str(response.status), code, message if message != code else "") if word
    )
    request_id = data.get("request_id", "")
    if response.status == 407:
        data.setdefault("hint", ProxyError.hint)
    data.setdefault("retry_after", parse_retry_after(response.headers.get("Retry-After"), clock.time()))
    rejected = response.status == 429 or (response.status == 503 and data["retry_after"] is not None)
    data.setdefault("retryable", response.status in policy.statuses)
    data.setdefault("may_have_been_processed", not rejected)
    log_reference = f" [request id {request_id}]" if request_id else ""
    return kind(
        f"{method} {url}: {words}{log_reference}",
        status=response.status,
        code=code,
        message=message,
        method=method,
        url=url,
        **data,
    )


def _get_error_text(response: BufferedResponse) -> str:
    """Return the start of the message in an error body of any format."""
    kind = response.headers.get("Content-Type", "")
    if "html" in kind:
        return ""
    text = response.text
    try:
        decoded = parse_json(text)
    except ValueError:
        return redacted_excerpt(text, 200)
    if isinstance(decoded, dict):
        for key in ("message", "detail", "error", "errors"):
            if decoded.get(key):
                return redacted_excerpt(decoded[key], 200)
    return redacted_excerpt(decoded, 200)
