"""Responses of the API: JSON, errors, and errors of the underlying framework.

Source: NRP protocol, section 3 (errors).
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Response, json_response, text_response

#: Message of the framework for an unknown path.
NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
#: Message of the framework for an unsupported method.
NOT_ALLOWED = "The method is not allowed for the requested URL."
#: Message of the framework for an internal error.
INTERNAL_ERROR = (
    "The server encountered an internal error and was unable to complete your request. "
    "Either the server is overloaded or there is an error in the application."
)

Errors = List[Dict[str, Any]]


class ApiError(http_messages.ApiError):
    """Error response of the repository.

    :param status: HTTP status.
    :param message: error message.
    :param errors: errors by field: ``{"field": ..., "messages": [...]}``.
    :param headers: further headers.
    :param is_frontend: a proxy sends the response, without ``X-RateLimit-*`` and ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Optional[Errors] = None,
        *,
        headers: Sequence[Tuple[str, str]] = (),
        is_frontend: bool = False,
    ) -> None:
        super().__init__(status, message, headers)
        self.errors = errors
        self.is_frontend = is_frontend

    @property
    def is_unrouted(self) -> bool:
        """True if the request did not reach a handler."""
        return self.is_frontend or self.status == 405 or (self.status == 404 and self.message == NOT_FOUND)


class Redirected(ApiError):
    """Redirect by the framework.

    :param location: the URL.
    :param status: HTTP status.
    :param is_frontend: whether the request did not reach the API.
    """

    def __init__(self, location: str, status: int = 308, *, is_frontend: bool = True) -> None:
        super().__init__(status, "Redirecting...", headers=[("Location", location)], is_frontend=is_frontend)


def framework_error(status: int) -> ApiError:
    """Return an error of the framework: 404, 405 or 500."""
    return ApiError(status, {404: NOT_FOUND, 405: NOT_ALLOWED}.get(status, INTERNAL_ERROR))


class InternalError(ApiError):
    """Internal error that the web server reports with a page."""

    def __init__(self) -> None:
        super().__init__(500, "Internal Server Error", is_frontend=True)


def invalid_field(field: str, message: str) -> ApiError:
    """Return an error about one field."""
    return ApiError(400, "A validation error occurred.", [{"field": field, "messages": [message]}])


def permission_denied() -> ApiError:
    """Return the error for a missing permission."""
    return ApiError(403, "Permission denied.")


def framework_json(value: Any, status: int = 200) -> Response:
    """Return JSON in the framework's format: without spaces, with a line end."""
    response = json_response(value, status, separators=(",", ":"))
    response.parts = (*response.parts, b"\n")
    return response


def html_page(status: int, title: str, kind: str = "text/html; charset=utf-8") -> Response:
    """Return an HTML page.

    :param title: its text.
    :param kind: media type.
    """
    head, body = f"<head><title>{title}</title></head>", f"<body><h1>{title}</h1></body>"
    return text_response(status, f"<html>{head}{body}</html>\n", kind)


def json_error(status: int, message: str, errors: Optional[Errors] = None) -> Response:
    """Return an error; those of the framework have another format."""
    if message in (NOT_FOUND, NOT_ALLOWED, INTERNAL_ERROR) or status in (405, 429, 502, 503, 504):
        return framework_json({"message": message, "status": status}, status)
    body: Dict[str, Any] = {"status": status, "message": message}
    if errors:
        body["errors"] = errors
    return json_response(body, status)


def error_response(error: ApiError) -> Response:
    """Return the response for an error."""
    if isinstance(error, Redirected):
        response = html_page(error.status, error.message)
    elif isinstance(error, InternalError):
        response = html_page(error.status, error.message, "text/html")
    else:
        response = json_error(error.status, error.message, error.errors)
    response.headers += error.headers
    return response
