"""One call to the API, and the owner of the files that it is about.

Source: NRP protocol, sections 2 and 3.
"""

from functools import cached_property
from typing import Any, Dict

import attrs

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Headers, Response, json_response, text_response
from smartxfer.local.nrp.api_responses import (
    ApiError,
    InternalError,
    Redirected,
    error_response,
    framework_error,
    framework_json,
    invalid_field,
    permission_denied,
)
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.users import GUEST, User
from smartxfer.local.request_body import BodyTooLong

__all__ = [
    "ApiError", "Backend", "Call", "Headers", "InternalError", "Owner", "Redirected", "Response",
    "error_response", "framework_error", "framework_json", "invalid_field", "json_response",
    "permission_denied", "text_response",
]  # fmt: skip

#: Largest JSON body, bytes.
JSON_LIMIT = 16 << 20


@attrs.frozen
class Owner:
    """The record or draft that owns files.

    :param id: id of the record.
    :param bucket: bucket of the files.
    :param draft: whether it is a draft.
    :param enabled: whether it has files at all.
    :param locked: whether the files must not change; the bucket can be locked too.
    :param base: URL of the file list.
    :param readable: whether the caller may read the files.
    :param writable: whether the caller may change them.
    :param preview: key of the file that pages show first, or an empty string.
    """

    id: str
    bucket: str
    draft: bool
    enabled: bool
    locked: bool
    base: str
    readable: bool = True
    writable: bool = True
    preview: str = ""


@attrs.define(eq=False, slots=False)
class Call(http_messages.Call[Backend]):
    """One call.

    :param segments: decoded segments of the path after ``/api``, including empty ones.
    :param caller: the user; a guest without a valid token.
    :param model: name of the model of the records, or an empty string.
    """

    caller: User = GUEST
    model: str = ""
    #: Requested media type.
    kind: str = "application/json"

    @property
    def user(self) -> str:
        """Name of the calling user, empty for a guest."""
        return self.caller.name

    @property
    def superuser(self) -> bool:
        """True if the caller is a superuser."""
        return self.caller.superuser

    @cached_property
    def query(self) -> Dict[str, str]:
        """Arguments of the query string; the last one of each name."""
        return self.request.arguments

    def json_body(self) -> Any:
        """Return the body as JSON, or None if it is empty.

        :raises ApiError: 400, it is not JSON.
        """
        try:
            return self.request.json(JSON_LIMIT)
        except BodyTooLong:
            raise ApiError(413, "The data value transmitted exceeds the capacity limit.") from None
        except ValueError:
            raise ApiError(400, "Unable to decode JSON data in request body.") from None

    def json(self, value: Any, status: int = 200) -> Response:
        """Return a response with ``value`` as JSON, indented if ``prettyprint`` is set."""
        pretty = self.query.get("prettyprint", "0") not in ("", "0")
        return json_response(value, status, indent=2 if pretty else None)

    def empty(self, status: int = 204) -> Response:
        """Return a response without a body."""
        return text_response(status, "", "text/html; charset=utf-8")

    def require_method(self, *methods: str) -> None:
        """Check the method of the request.

        :raises ApiError: 405, the path has only these methods.
        """
        if self.method not in methods:
            raise framework_error(405)
