"""Answers in the manner of the API: JSON, its errors, and those of the framework beneath it.

Source: NRP protocol, section 3 (errors).
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Response, json_response, text_response

#: What the framework says of a path that nothing answers.
NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
#: What it says of a method that a path does not have.
NOT_ALLOWED = "The method is not allowed for the requested URL."
#: What it says when the application broke.
BROKEN = (
    "The server encountered an internal error and was unable to complete your request. "
    "Either the server is overloaded or there is an error in the application."
)

Errors = List[Dict[str, Any]]


class ApiError(http_messages.ApiError):
    """The repository refuses a request.

    :param status: HTTP status.
    :param message: what is said.
    :param errors: what is wrong, field by field: ``{"field": ..., "messages": [...]}``.
    :param headers: further headers.
    :param front: the answer is not the application's: it has no ``X-RateLimit-*`` and no ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Optional[Errors] = None,
        *,
        headers: Sequence[Tuple[str, str]] = (),
        front: bool = False,
    ) -> None:
        super().__init__(status, message, headers)
        self.errors = errors
        self.front = front

    @property
    def unrouted(self) -> bool:
        """Whether the request got no farther than the framework's routes."""
        return self.front or self.status == 405 or (self.status == 404 and self.message == NOT_FOUND)


class Moved(ApiError):
    """The framework sends the caller to another address.

    :param place: the address.
    :param status: HTTP status.
    :param front: whether no route of the API was reached.
    """

    def __init__(self, place: str, status: int = 308, *, front: bool = True) -> None:
        super().__init__(status, "Redirecting...", headers=[("Location", place)], front=front)


def framework(status: int) -> ApiError:
    """A refusal that the framework beneath the API makes: 404, 405 or 500."""
    return ApiError(status, {404: NOT_FOUND, 405: NOT_ALLOWED}.get(status, BROKEN))


class Broken(ApiError):
    """The application broke so late that its server answers, with a page."""

    def __init__(self) -> None:
        super().__init__(500, "Internal Server Error", front=True)


def invalid(field: str, message: str) -> ApiError:
    """A refusal about one field."""
    return ApiError(400, "A validation error occurred.", [{"field": field, "messages": [message]}])


def denied() -> ApiError:
    """A refusal of what is not the caller's to do."""
    return ApiError(403, "Permission denied.")


def framework_json(value: Any, status: int = 200) -> Response:
    """Return JSON as the framework beneath the API writes it: without blanks, with a line end."""
    response = json_response(value, status, separators=(",", ":"))
    response.parts = (*response.parts, b"\n")
    return response


def page(status: int, title: str, kind: str = "text/html; charset=utf-8") -> Response:
    """Return a page for browsers.

    :param title: its text.
    :param kind: media type.
    """
    head, body = f"<head><title>{title}</title></head>", f"<body><h1>{title}</h1></body>"
    return text_response(status, f"<html>{head}{body}</html>\n", kind)


def error_answer(status: int, message: str, errors: Optional[Errors] = None) -> Response:
    """An error; those of the framework have the message first, and no blanks."""
    if message in (NOT_FOUND, NOT_ALLOWED, BROKEN) or status in (405, 429, 502, 503, 504):
        return framework_json({"message": message, "status": status}, status)
    body: Dict[str, Any] = {"status": status, "message": message}
    if errors:
        body["errors"] = errors
    return json_response(body, status)


def error_response(refusal: ApiError) -> Response:
    """A refusal as it goes out."""
    if isinstance(refusal, Moved):
        answer = page(refusal.status, refusal.message)
    elif isinstance(refusal, Broken):
        answer = page(refusal.status, refusal.message, "text/html")
    else:
        answer = error_answer(refusal.status, refusal.message, refusal.errors)
    answer.headers += refusal.headers
    return answer
