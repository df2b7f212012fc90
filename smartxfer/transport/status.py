"""The exception class of an HTTP status, and the plain way to make one of an answer."""

from typing import Any, Dict, Type

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
from smartxfer.seams import Clock
from smartxfer.transport.answer import Answer
from smartxfer.transport.json import parse_json
from smartxfer.transport.redact import clean, excerpt
from smartxfer.transport.retry import RetryPolicy
from smartxfer.transport.retry_after import parse_retry_after

__all__ = ["error_class", "http_error"]

_CLASSES: Dict[int, Type[HTTPError]] = {
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


def error_class(status: int) -> Type[HTTPError]:
    """The class for a status of 400 and more, where a service has no word of its own."""
    return _CLASSES.get(status, ServerError if status >= 500 else ClientError)


def http_error(
    answer: Answer, method: str, url: str, *, policy: RetryPolicy, clock: Clock, **data: Any
) -> HTTPError:
    """The exception for an answer; ``data`` overrides what status and body alone tell.

    :param data: ``kind`` (the class), ``code``, ``message``, ``request_id``, ``details``, ``hint``,
        ``retry_after``, ``retryable``, ``acted_on``, and whatever attributes the service's own errors have.
    """
    kind: Type[HTTPError] = data.pop("kind", None) or error_class(answer.status)
    code = data.pop("code", "")
    message = clean(data.pop("message", "") or _excerpt(answer))
    words = " ".join(word for word in (str(answer.status), code, message if message != code else "") if word)
    request_id = data.get("request_id", "")
    if answer.status == 407:
        data.setdefault("hint", ProxyError.hint)
    data.setdefault("retry_after", parse_retry_after(answer.headers.get("Retry-After"), clock.wall()))
    refused = answer.status == 429 or (answer.status == 503 and data["retry_after"] is not None)
    data.setdefault("retryable", answer.status in policy.statuses)
    data.setdefault("acted_on", not refused)
    log_reference = f" [request id {request_id}]" if request_id else ""
    return kind(
        f"{method} {url}: {words}{log_reference}",
        status=answer.status,
        code=code,
        message=message,
        method=method,
        url=url,
        **data,
    )


def _excerpt(answer: Answer) -> str:
    """The first words of an error body of any shape."""
    kind = answer.headers.get("Content-Type", "")
    if "html" in kind:
        return ""
    text = answer.text
    try:
        decoded = parse_json(text)
    except ValueError:
        return excerpt(text, 200)
    if isinstance(decoded, dict):
        for key in ("message", "detail", "error", "errors"):
            if decoded.get(key):
                return excerpt(decoded[key], 200)
    return excerpt(decoded, 200)
