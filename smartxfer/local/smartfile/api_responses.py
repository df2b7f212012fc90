"""Responses of SmartFile: JSON, and errors in every observed format.

Source: SmartFile protocol, sections 3 and 4.
"""

from typing import Any, Tuple

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Response, text_response
from smartxfer.local.smartfile.site import Site

_HTML_404 = "<!DOCTYPE html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"
_HTML = "text/html; charset=utf-8"


class ApiError(http_messages.ApiError):
    """Error response; ``message`` is the JSON body, None for an empty one."""

    @property
    def text(self) -> str:
        """Error message as text."""
        first = next(iter(self.message.values()), "Failed.") if isinstance(self.message, dict) else "Failed."
        return first[0] if isinstance(first, list) else str(first)


def error_detail(status: int, text: str, *headers: Tuple[str, str]) -> ApiError:
    """Return an error with the body ``{"detail": text}`` and further headers."""
    return ApiError(status, {"detail": text}, headers)


def field_error(name: str, text: str, status: int = 400) -> ApiError:
    """Return an error about one field, such as ``{"src": ["..."]}``."""
    return ApiError(status, {name: [text]})


def missing_fields(*names: str) -> ApiError:
    """Return the error for missing arguments."""
    return ApiError(400, {"field_errors": {name: ["This field is required."] for name in names}})


def json_response(site: Site, value: Any, status: int = 200) -> Response:
    """Return a response with ``value`` as JSON.

    :param site: configures the charset in the media type.
    """
    kind = "application/json; charset=utf-8" if site.json_charset else "application/json"
    return http_messages.json_response(value, status, kind)


def error_response(site: Site, error: ApiError) -> Response:
    """Return the response for an error: an object, or by configuration an array or HTML."""
    if error.status == 404 and site.html_404:
        response = text_response(404, _HTML_404, _HTML)
    elif error.message is None:
        response = text_response(error.status, "", _HTML)
    else:
        response = json_response(
            site, [error.message] if site.error_as_array else error.message, error.status
        )
    response.headers += error.headers
    return response
