"""One API call with its caller and body.

Source: FileSender protocol, sections 3, 6.2 and 10 (order of authentication methods, guests).
"""

import re
from typing import Any, Dict, Optional

import attrs

from smartxfer.local import http_messages
from smartxfer.local.database import Row
from smartxfer.local.filesender.backend import Backend
from smartxfer.local.filesender.errors import (
    ApiError,
    PhpFatal,
    error_response,
    fatal_response,
    json_response,
)
from smartxfer.local.filesender.request_args import RequestArguments
from smartxfer.local.filesender.serializers import serialize_author
from smartxfer.local.http_messages import FileSlice, Part, Request, Response, text_response

__all__ = [
    "TOKEN", "ApiError", "Backend", "Call", "FileSlice", "Identity", "Part", "PhpFatal", "Request",
    "RequestArguments", "Response", "Row", "error_response", "fatal_response", "json_response",
    "text_response",
]  # fmt: skip

#: Shape of every token (section 1); need not be hex.
TOKEN = re.compile(r"[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}", re.IGNORECASE)


@attrs.define
class Identity:
    """Caller of the API.

    :param user: the user who signed, or who invited the guest.
    :param guest: the voucher, for a guest.
    """

    user: Optional[Row] = None
    guest: Optional[Row] = None

    @property
    def author(self) -> Dict[str, Any]:
        """Author in the audit log."""
        return serialize_author(self.user, self.guest)


@attrs.define
class Call(http_messages.Call[Backend]):
    """A call of ``rest.php``.

    :param segments: path segments after the endpoint.
    :param arguments: its query arguments.
    :param endpoint: first path segment after ``rest.php``.
    :param identity: the caller.
    :param body: decoded and cleaned JSON body, None if missing.
    """

    arguments: RequestArguments
    endpoint: str
    identity: Identity = attrs.field(factory=Identity)
    body: Any = None

    def number(self, place: int = 0) -> int:
        """Return the id at an index after the endpoint.

        :raises ApiError: ``rest_missing_parameter`` or ``rest_bad_parameter``.
        """
        word = self.segment(place)
        if not word:
            raise ApiError("rest_missing_parameter")
        if not re.fullmatch(r"-?\d{1,19}", word, re.ASCII):
            raise ApiError("rest_bad_parameter")
        return int(word)

    def user(self) -> Row:
        """The calling user; the inviter for a guest.

        :raises ApiError: ``rest_authentication_required``.
        """
        if self.identity.user is None:
            raise ApiError("rest_authentication_required")
        return self.identity.user

    def fields(self) -> Dict[str, Any]:
        """The body, or an empty object if it is not an object."""
        return self.body if isinstance(self.body, dict) else {}

    def is_admin(self) -> bool:
        """Return True if the caller is an administrator."""
        user = self.identity.user
        return (
            user is not None and self.identity.guest is None and user["username"] in self.backend.site.admins
        )

    def may_change(self, transfer: Row) -> None:
        """Check that a transfer belongs to the caller.

        :raises ApiError: ``rest_authentication_required``, ``rest_ownership_required``, or for
            another guest ``rest_unknown_principal``.
        """
        user = self.user()
        guest = self.identity.guest
        if guest is not None:
            if transfer["guest_id"] != guest["id"]:
                raise ApiError("rest_unknown_principal")
        elif transfer["userid"] != user["id"] and not self.is_admin():
            raise ApiError("rest_ownership_required")
