"""Answers in the manner of the API: JSON, its errors, and those of the framework beneath it.

Source: NRP protocol, section 3 (errors).
"""

import json
from typing import Any, Dict, List, Optional, Tuple

from smartxfer.local.exchange import Answer, text_answer

__all__ = [
    "BROKEN", "NOT_ALLOWED", "NOT_FOUND", "Broken", "Moved", "Refusal", "error_answer", "framework",
    "invalid", "json_answer", "page", "refusal_answer",
]  # fmt: skip

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


class Refusal(Exception):
    """The repository turns a request down.

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
        headers: Optional[List[Tuple[str, str]]] = None,
        front: bool = False,
    ) -> None:
        super().__init__(status, message, errors)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers or []
        self.front = front

    @property
    def unrouted(self) -> bool:
        """Whether the request got no farther than the framework's routes."""
        return self.front or self.status == 405 or (self.status == 404 and self.message == NOT_FOUND)


class Moved(Refusal):
    """The framework sends the caller to another address.

    :param place: the address.
    :param status: HTTP status.
    :param front: whether no route of the API was reached.
    """

    def __init__(self, place: str, status: int = 308, *, front: bool = True) -> None:
        super().__init__(status, "Redirecting...", headers=[("Location", place)], front=front)


def framework(status: int) -> Refusal:
    """A refusal that the framework beneath the API makes: 404, 405 or 500."""
    return Refusal(status, {404: NOT_FOUND, 405: NOT_ALLOWED}.get(status, BROKEN))


class Broken(Refusal):
    """The application broke so late that its server answers, with a page."""

    def __init__(self) -> None:
        super().__init__(500, "Internal Server Error", front=True)


def invalid(field: str, message: str) -> Refusal:
    """A refusal about one field."""
    return Refusal(400, "A validation error occurred.", [{"field": field, "messages": [message]}])


def json_answer(value: Any, status: int = 200, *, pretty: bool = False) -> Answer:
    """An answer whose body is ``value`` as JSON.

    :param pretty: with line breaks.
    """
    text = json.dumps(value, indent=2 if pretty else None)
    return Answer(status, [("Content-Type", "application/json")], (text.encode("ascii"),))


def page(status: int, title: str, kind: str = "text/html; charset=utf-8") -> Answer:
    """Return a page for browsers.

    :param title: its text.
    :param kind: media type.
    """
    head, body = f"<head><title>{title}</title></head>", f"<body><h1>{title}</h1></body>"
    return text_answer(status, f"<html>{head}{body}</html>\n", kind)


def error_answer(status: int, message: str, errors: Optional[Errors] = None) -> Answer:
    """An error; those of the framework have the message first, and no blanks."""
    if message in (NOT_FOUND, NOT_ALLOWED, BROKEN) or status in (405, 429, 502, 503, 504):
        text = json.dumps({"message": message, "status": status}, separators=(",", ":")) + "\n"
        return Answer(status, [("Content-Type", "application/json")], (text.encode("ascii"),))
    body: Dict[str, Any] = {"status": status, "message": message}
    if errors:
        body["errors"] = errors
    return json_answer(body, status)


def refusal_answer(refusal: Refusal) -> Answer:
    """A refusal as it goes out."""
    if isinstance(refusal, Moved):
        answer = page(refusal.status, refusal.message)
    elif isinstance(refusal, Broken):
        answer = page(refusal.status, refusal.message, "text/html")
    else:
        answer = error_answer(refusal.status, refusal.message, refusal.errors)
    answer.headers += refusal.headers
    return answer
