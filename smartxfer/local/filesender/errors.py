"""Error responses of FileSender, JSON as PHP writes it, and fatal errors of PHP.

Source: FileSender protocol, sections 2 and 2.1.
"""

import json
import time
from typing import Any

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Response, text_response


def encode(value: Any) -> bytes:
    r"""JSON as PHP writes it: no spaces, ``/`` as ``\/``, everything beyond ASCII as ``\uXXXX``.

    :param value: any JSON value; the order of keys is kept.
    :return: ASCII bytes.
    """
    # Slashes occur only inside strings, so that they can be replaced in the text.
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def json_response(value: Any, status: int = 200, location: str = "") -> Response:
    """Return a response with ``value`` as JSON.

    :param value: the value.
    :param status: HTTP status.
    :param location: value of the ``Location`` header; empty: no header.
    """
    headers = [("Content-Type", "application/json")]
    if location:
        headers.append(("Location", location))
    return Response(status, headers, (encode(value),))


def fatal_response() -> Response:
    """Return the response of a PHP fatal error: ``500``, ``text/html``, empty body.

    Source: FileSender protocol, section 2.1.
    """
    return text_response(500, "")


def uniqid() -> str:
    """A log reference of 13 hex digits: seconds and microseconds, as PHP's ``uniqid`` makes it."""
    now = time.time_ns() // 1000
    return f"{now // 1_000_000:08x}{now % 1_000_000:05x}"


#: Only these have a status of their own; every other message is a 500.
_STATUS = {
    **dict.fromkeys(("rest_security_token_did_not_match", "rest_xsrf_token_did_not_match"), 400),
    **dict.fromkeys(("rest_sanity_check_failed", "rest_bad_parameter", "rest_missing_parameter"), 400),
    **dict.fromkeys(("rest_endpoint_missing", "cannot_add_data_to_complete_transfer"), 400),
    **dict.fromkeys(("rest_authentication_required", "rest_ownership_required"), 403),
    **dict.fromkeys(("rest_admin_required", "rest_roundtrip_token_invalid"), 403),
    "cannot_alter_closed_transfer": 403,
    **dict.fromkeys(("rest_unknown_principal", "rest_data_stale"), 404),
    "rest_method_not_allowed": 405,
    **dict.fromkeys(("rest_endpoint_not_implemented", "rest_method_not_implemented"), 501),
    "undergoing_maintenance": 503,
}


class ApiError(http_messages.ApiError):
    """Error response with a message.

    :param message: machine id of the error.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_STATUS.get(message, 500), message)


class PhpFatal(Exception):
    """Fatal error of PHP: status 500, ``text/html``, empty body."""


def error_response(message: str, status: int, details: Any = None) -> Response:
    """Return an error response: message, log reference, details.

    :param message: machine id of the error.
    :param status: HTTP status.
    :param details: an object, a string or None.
    """
    return json_response({"message": message, "uid": uniqid(), "details": details}, status)
