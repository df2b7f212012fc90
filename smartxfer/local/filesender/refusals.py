"""Errors as FileSender reports them.

Source: FileSender protocol, section 2.1.
"""

from typing import Any

from smartxfer.local.http_messages import Response
from smartxfer.local.php import json_response, uniqid

__all__ = ["ApiError", "Fatal", "error_response"]

#: Only these have a status of their own; every other message is a 500.
_STATUS = {
    "rest_authentication_required": 403,
    "rest_ownership_required": 403,
    "rest_admin_required": 403,
    "rest_roundtrip_token_invalid": 403,
    "cannot_alter_closed_transfer": 403,
    "rest_security_token_did_not_match": 400,
    "rest_xsrf_token_did_not_match": 400,
    "rest_sanity_check_failed": 400,
    "rest_bad_parameter": 400,
    "rest_missing_parameter": 400,
    "rest_endpoint_missing": 400,
    "cannot_add_data_to_complete_transfer": 400,
    "rest_unknown_principal": 404,
    "rest_data_stale": 404,
    "rest_method_not_allowed": 405,
    "rest_endpoint_not_implemented": 501,
    "rest_method_not_implemented": 501,
    "undergoing_maintenance": 503,
}


class ApiError(Exception):
    """The site turns a request down with a message.

    :param message: machine id of the error.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.status = _STATUS.get(message, 500)


class Fatal(Exception):
    """PHP dies: status 500, ``text/html``, empty body."""


def error_response(message: str, status: int, details: Any = None) -> Response:
    """An error body: message, log reference, details.

    :param message: machine id of the error.
    :param status: HTTP status.
    :param details: an object, a string or None.
    """
    return json_response({"message": message, "uid": uniqid(), "details": details}, status)
