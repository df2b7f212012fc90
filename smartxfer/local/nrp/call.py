"""One call to the API, as the functions behind the routes get it, and the record that it is about.

Source: NRP protocol, sections 2 and 3.
"""

from functools import cached_property
from typing import Any, Dict

import attrs

from smartxfer.local import http_messages
from smartxfer.local.body import BodyTooLong
from smartxfer.local.http_messages import Headers, Response, json_response, text_response
from smartxfer.local.nrp.answers import (
    ApiError,
    Broken,
    Moved,
    denied,
    error_response,
    framework,
    framework_json,
    invalid,
)
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.people import GUEST, User

__all__ = [
    "ApiError", "Backend", "Broken", "Call", "Headers", "Moved", "Owner", "Response", "denied",
    "error_response", "framework", "framework_json", "invalid", "json_response", "text_response",
]  # fmt: skip

#: Largest JSON body, bytes.
JSON_LIMIT = 16 << 20


@attrs.frozen
class Owner:
    """A record or a draft, as its files see it.

    :param id: id of the record.
    :param bucket: bucket of the files.
    :param draft: whether it is a draft.
    :param enabled: whether it has files at all.
    :param locked: whether the files may not change; the bucket itself may say so too.
    :param base: URL of the file list.
    :param readable: whether the caller may read the files.
    :param writable: whether the caller may change them.
    :param preview: key of the file that pages show first; empty where none was chosen.
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

    :param words: decoded segments of the path behind ``/api``; empty ones are kept.
    :param who: who asks; a guest where nobody known does.
    :param model: name of the model whose records the call is about; empty where it is about none.
    """

    who: User = GUEST
    model: str = ""
    #: Media type that was asked for.
    kind: str = "application/json"

    @property
    def user(self) -> str:
        """Name of the user who asks, empty for a guest."""
        return self.who.name

    @property
    def superuser(self) -> bool:
        """Whether the caller may everything."""
        return self.who.superuser

    @cached_property
    def query(self) -> Dict[str, str]:
        """Arguments of the query string; the last one of each name."""
        return self.request.arguments

    def json_body(self) -> Any:
        """The body as JSON; None where it is empty.

        :raises ApiError: 400, it is not JSON.
        """
        try:
            return self.request.json(JSON_LIMIT)
        except BodyTooLong:
            raise ApiError(413, "The data value transmitted exceeds the capacity limit.") from None
        except ValueError:
            raise ApiError(400, "Unable to decode JSON data in request body.") from None

    def json(self, value: Any, status: int = 200) -> Response:
        """An answer whose body is ``value`` as JSON, with line breaks if ``prettyprint`` asks for them."""
        pretty = self.query.get("prettyprint", "0") not in ("", "0")
        return json_response(value, status, indent=2 if pretty else None)

    def empty(self, status: int = 204) -> Response:
        """An answer without a body."""
        return text_response(status, "", "text/html; charset=utf-8")

    def only(self, *methods: str) -> None:
        """Check the method of the request.

        :raises ApiError: 405, the path has only these methods.
        """
        if self.method not in methods:
            raise framework(405)
