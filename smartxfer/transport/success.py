"""Which answers count as success: the statuses and the body that the protocol page documents, nothing else.

Each :class:`RequestSpec` says it in ``success=``.  Without that the method decides, and the body must be
JSON.
"""

import enum
from typing import FrozenSet, Iterable

import attrs

from smartxfer.errors import DecodeError
from smartxfer.transport.response import BufferedResponse

__all__ = ["Body", "Success", "default_success"]

#: Media types of pages for people, such as a login page or a proxy's.
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
    """The body that a successful answer has.  An answer of 204 has none, whatever is asked for here."""

    #: JSON, whatever its media type.
    JSON = "JSON"
    #: JSON, or no body.
    JSON_OR_EMPTY = "JSON or no body"
    #: No body.
    EMPTY = "no body"
    #: Anything but a page for people.
    NOT_HTML = "no HTML page"
    #: Anything: a page, or a file of unknown type.
    ANY = "any body"


def _validate_statuses(statuses: Iterable[int]) -> FrozenSet[int]:
    found = frozenset(statuses)
    if not found or not all(200 <= status < 300 for status in found):
        raise ValueError(f"statuses of success are from 200 to 299, not {sorted(found)}")
    return found


@attrs.frozen
class Success:
    """The answers to a call that count as success.

    >>> Success({201}).accepts_status(200)
    False

    :param statuses: each status that the protocol page names for this call.
    :param body: the body that comes with it.
    """

    statuses: FrozenSet[int] = attrs.field(converter=_validate_statuses)
    body: Body = Body.JSON

    def accepts_status(self, status: int) -> bool:
        """Return True for a status that counts as success."""
        return status in self.statuses

    def rejects_media_type(self, media_type: str) -> bool:
        """Return True for a media type that shows by itself that the body is another one."""
        return self.body is Body.NOT_HTML and media_type in _HTML_MEDIA_TYPES

    def explain_failure(self, response: BufferedResponse) -> str:
        """Return in words why an answer does not count as success; "" when it does."""
        if not self.accepts_status(response.status):
            why = f"this status is not documented as success ({_format_statuses(self.statuses)} is)"
            return f"{why}: {response.excerpt!r}" if response.content else why
        empty = not response.content
        if empty and (response.status == 204 or self.body is not Body.JSON):
            return ""
        if self.body is Body.EMPTY:
            return f"no body was expected, the answer has one: {response.excerpt!r}"
        if self.rejects_media_type(response.media_type):
            return f"a page ({response.media_type}) where another answer was expected: {response.excerpt!r}"
        if self.body in (Body.JSON, Body.JSON_OR_EMPTY):
            try:
                response.decode_json()
            except DecodeError as error:
                return error.summary
        return ""


def default_success(method: str, body: Body = Body.JSON) -> Success:
    """Return what a call accepts that does not say it itself."""
    return Success(_STATUSES_BY_METHOD.get(method, _DEFAULT_STATUSES), body)


def _format_statuses(statuses: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(statuses)))
