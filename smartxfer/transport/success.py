"""Definition of a successful response: exactly the statuses and the body that the protocol page documents.

Each :class:`~smartxfer.transport.request_spec.RequestSpec` defines it in ``success=``.  The default depends
on the method, and requires a JSON body.
"""

import enum
from typing import FrozenSet, Iterable

import attrs

from smartxfer.errors import DecodeError
from smartxfer.transport.response import BufferedResponse

__all__ = ["Body", "Success", "default_success"]

#: Media types of HTML pages, such as a login page or an error page of a proxy.
_HTML_MEDIA_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_STATUSES_BY_METHOD = {
    "GET": frozenset({200}),
    "HEAD": frozenset({200}),
    "POST": frozenset({200, 201, 202}),
    "PUT": frozenset({200, 201}),
    "PATCH": frozenset({200, 201}),
    "DELETE": frozenset({200, 204}),
}
_DEFAULT_STATUSES = frozenset({200})


class Body(enum.Enum):
    """Body of a successful response.  A response with status 204 never has a body."""

    #: JSON of any media type.
    JSON = "JSON"
    #: JSON, or no body.
    JSON_OR_EMPTY = "JSON or no body"
    #: No body.
    EMPTY = "no body"
    #: Any body except an HTML page.
    NOT_HTML = "no HTML page"
    #: Any body, such as a page or a file of unknown type.
    ANY = "any body"


def _validate_statuses(statuses: Iterable[int]) -> FrozenSet[int]:
    valid = frozenset(statuses)
    if not valid or not all(200 <= status < 300 for status in valid):
        raise ValueError(f"statuses must be from 200 to 299, not {sorted(valid)}")
    return valid


@attrs.frozen
class Success:
    """The responses to a request that count as success.

    >>> Success({201}).accepts_status(200)
    False

    :param statuses: the statuses that the protocol page documents for this request.
    :param body: the body that the response must have.
    """

    statuses: FrozenSet[int] = attrs.field(converter=_validate_statuses)
    body: Body = Body.JSON

    def accepts_status(self, status: int) -> bool:
        """Return True if a status counts as success."""
        return status in self.statuses

    def rejects_media_type(self, media_type: str) -> bool:
        """Return True if a media type shows that the body is not the expected one."""
        return self.body is Body.NOT_HTML and media_type in _HTML_MEDIA_TYPES

    def explain_failure(self, response: BufferedResponse) -> str:
        """Return the reason why a response does not count as success; "" if it does."""
        if not self.accepts_status(response.status):
            reason = f"this status is not documented as success ({_format_statuses(self.statuses)} is)"
            return f"{reason}: {response.excerpt!r}" if response.content else reason
        empty = not response.content
        if empty and (response.status == 204 or self.body is not Body.JSON):
            return ""
        if self.body is Body.EMPTY:
            return f"unexpected response body: {response.excerpt!r}"
        if self.rejects_media_type(response.media_type):
            return f"unexpected page ({response.media_type}): {response.excerpt!r}"
        if self.body in (Body.JSON, Body.JSON_OR_EMPTY):
            try:
                response.decode_json()
            except DecodeError as error:
                return error.summary
        return ""


def default_success(method: str, body: Body = Body.JSON) -> Success:
    """Return the default for a request without ``success=``."""
    return Success(_STATUSES_BY_METHOD.get(method, _DEFAULT_STATUSES), body)


def _format_statuses(statuses: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(statuses)))
