"""Answers in SmartFile's manner: JSON, and refusals in every shape that clients have met.

Source: SmartFile protocol, sections 3 and 4.
"""

from typing import Any, Tuple

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Response, text_response
from smartxfer.local.smartfile.site import Site

_HTML_404 = "<!DOCTYPE html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"
_HTML = "text/html; charset=utf-8"


class ApiError(http_messages.ApiError):
    """The site refuses a request; ``message`` is what goes out as JSON, None for an empty body."""

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        first = next(iter(self.message.values()), "Failed.") if isinstance(self.message, dict) else "Failed."
        return first[0] if isinstance(first, list) else str(first)


def detail(status: int, text: str, *headers: Tuple[str, str]) -> ApiError:
    """A refusal whose body is ``{"detail": text}``, with further headers."""
    return ApiError(status, {"detail": text}, headers)


def field_error(name: str, text: str, status: int = 400) -> ApiError:
    """A refusal about one field, such as ``{"src": ["..."]}``."""
    return ApiError(status, {name: [text]})


def required(*names: str) -> ApiError:
    """A refusal of a call that lacks arguments."""
    return ApiError(400, {"field_errors": {name: ["This field is required."] for name in names}})


def json_response(site: Site, value: Any, status: int = 200) -> Response:
    """An answer whose body is ``value`` as JSON.

    :param site: says whether the media type carries a charset.
    """
    kind = "application/json; charset=utf-8" if site.json_charset else "application/json"
    return http_messages.json_response(value, status, kind)


def error_response(site: Site, error: ApiError) -> Response:
    """A refusal as it goes out: an object, or, where the site is set so, an array or HTML."""
    if error.status == 404 and site.html_404:
        answer = text_response(404, _HTML_404, _HTML)
    elif error.message is None:
        answer = text_response(error.status, "", _HTML)
    else:
        answer = json_response(site, [error.message] if site.error_as_array else error.message, error.status)
    answer.headers += error.headers
    return answer
