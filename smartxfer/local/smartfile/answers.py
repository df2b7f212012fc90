"""Answers in SmartFile's manner: JSON, and refusals in every shape that clients have met.

Source: SmartFile protocol, sections 3 and 4.
"""

import json
from typing import Any, Dict, List, Optional, Tuple

from smartxfer.local.exchange import Answer, text_answer
from smartxfer.local.smartfile.site import Site

__all__ = ["Refusal", "detail", "field_error", "json_answer", "refusal_answer"]

_HTML_404 = "<!DOCTYPE html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"


class Refusal(Exception):
    """The site turns a request down.

    :param status: HTTP status.
    :param body: what goes out as JSON; None for an empty body.
    :param headers: further headers.
    """

    def __init__(self, status: int, body: Any = None, headers: Optional[Dict[str, str]] = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def detail(status: int, text: str) -> Refusal:
    """A refusal whose body is ``{"detail": text}``."""
    return Refusal(status, {"detail": text})


def field_error(name: str, text: str, status: int = 400) -> Refusal:
    """A refusal about one field, such as ``{"src": ["..."]}``."""
    return Refusal(status, {name: [text]})


def json_answer(site: Site, value: Any, status: int = 200) -> Answer:
    """An answer whose body is ``value`` as JSON.

    :param site: says whether the media type carries a charset.
    :param value: anything that JSON can say.
    :param status: HTTP status.
    """
    kind = "application/json; charset=utf-8" if site.json_charset else "application/json"
    return Answer(status, [("Content-Type", kind)], (json.dumps(value).encode("ascii"),))


def refusal_answer(site: Site, refusal: Refusal) -> Answer:
    """A refusal as it goes out: an object, or, where the site is set so, an array or HTML."""
    headers: List[Tuple[str, str]] = list(refusal.headers.items())
    if refusal.status == 404 and site.html_404:
        answer = text_answer(404, _HTML_404, "text/html; charset=utf-8")
    elif refusal.body is None:
        answer = Answer(refusal.status, [("Content-Type", "text/html; charset=utf-8")], (b"",))
    else:
        body = [refusal.body] if site.error_as_array else refusal.body
        answer = json_answer(site, body, refusal.status)
    answer.headers += headers
    return answer
