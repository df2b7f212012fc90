"""Answers in the manner of the API: JSON, its errors, and those of the framework beneath it.

Source: NRP protocol, section 3 (errors).
"""

import json
from typing import Any, Dict, List, Optional, Tuple

from smartxfer.local.exchange import Answer

__all__ = [
    "BROKEN", "NOT_ALLOWED", "NOT_FOUND", "Refusal", "error_answer", "framework", "invalid", "json_answer",
    "refusal_answer",
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
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Optional[Errors] = None,
        *,
        headers: Optional[List[Tuple[str, str]]] = None,
    ) -> None:
        super().__init__(status, message, errors)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers or []

    @property
    def unrouted(self) -> bool:
        """Whether the request got no farther than the framework's routes."""
        return self.status == 405 or (self.status == 404 and self.message == NOT_FOUND)


def framework(status: int) -> Refusal:
    """A refusal that the framework beneath the API makes: 404, 405 or 500."""
    return Refusal(status, {404: NOT_FOUND, 405: NOT_ALLOWED}.get(status, BROKEN))


def invalid(field: str, message: str) -> Refusal:
    """A refusal about one field."""
    return Refusal(400, "A validation error occurred.", [{"field": field, "messages": [message]}])


def json_answer(value: Any, status: int = 200, *, pretty: bool = False) -> Answer:
    """An answer whose body is ``value`` as JSON.

    :param pretty: with line breaks.
    """
    text = json.dumps(value, indent=2 if pretty else None)
    return Answer(status, [("Content-Type", "application/json")], (text.encode("ascii"),))


def error_answer(status: int, message: str, errors: Optional[Errors] = None) -> Answer:
    """An error; those of the framework have the message first, and no blanks."""
    if status in (405, 429) or status >= 500 or (status == 404 and message == NOT_FOUND):
        text = json.dumps({"message": message, "status": status}, separators=(",", ":")) + "\n"
        return Answer(status, [("Content-Type", "application/json")], (text.encode("ascii"),))
    body: Dict[str, Any] = {"status": status, "message": message}
    if errors:
        body["errors"] = errors
    return json_answer(body, status)


def refusal_answer(refusal: Refusal) -> Answer:
    """A refusal as it goes out."""
    answer = error_answer(refusal.status, refusal.message, refusal.errors)
    answer.headers += refusal.headers
    return answer
