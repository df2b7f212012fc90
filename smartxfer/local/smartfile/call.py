"""One call to the API.

Source: SmartFile protocol, sections 1 and 2.
"""

import json
from functools import cached_property
from typing import Any, Callable, Dict, List, Mapping, Tuple
from urllib.parse import parse_qsl

import attrs

from smartxfer.local import http_messages
from smartxfer.local.http_messages import Response, text_response
from smartxfer.local.request_body import BodyTooLong
from smartxfer.local.smartfile.api_responses import (
    ApiError,
    error_detail,
    field_error,
    json_response,
    missing_fields,
)
from smartxfer.local.smartfile.backend import Backend

__all__ = [
    "ApiError", "Backend", "Call", "Fields", "Methods", "Response", "Routes", "error_detail",
    "field_error", "form_pairs", "json_pairs", "missing_fields", "text_response",
]  # fmt: skip

#: True values of switches; forms send ``on``.
_ON = ("true", "on", "1", "yes")

Pairs = List[Tuple[str, str]]


class Fields:
    """Names with one or several values each, in the order of the request.

    :param pairs: names and values.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._values: Dict[str, List[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        """Return the last value of a name, or ``default``."""
        values = self._values.get(name)
        return values[-1] if values else default

    def all(self, name: str) -> List[str]:
        """Return every value of a name; clients send lists as repeated names."""
        return list(self._values.get(name, ()))

    def is_on(self, name: str) -> bool:
        """Return True for ``true``, ``on``, ``1`` or ``yes``, in any case."""
        return self.get(name).lower() in _ON

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def last(self) -> Dict[str, str]:
        """Return every name with its last value."""
        return {name: values[-1] for name, values in self._values.items()}


def form_pairs(text: str) -> Pairs:
    """Parse a query string or an ``application/x-www-form-urlencoded`` body.

    :param text: encoded text.
    """
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def json_pairs(raw: bytes) -> Pairs:
    """Parse a JSON object: lists become repeated names, other values text.

    :raises ValueError: it is not a JSON object.
    """
    value = json.loads(raw.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    pairs: Pairs = []
    for name, item in value.items():
        pairs += [(name, _text(element)) for element in (item if isinstance(item, list) else [item])]
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


#: Largest form or JSON body, bytes; files are sent by multipart or as a raw body.
FORM_LIMIT = 4 << 20


@attrs.define(eq=False, slots=False)
class Call(http_messages.Call[Backend]):
    """One call.

    :param version: ``"2"``, ``"2.1"`` or ``"3"``; ``""`` for routes outside ``api/``.
    :param user: name of the caller; ``""`` on public routes.
    """

    version: str = ""
    user: str = ""

    @property
    def path(self) -> str:
        """The path in the URL: ``/`` and the segments, without a slash at its end."""
        return "/" + "/".join(self.segments)

    @cached_property
    def query(self) -> Fields:
        """The arguments of the query string."""
        return Fields(form_pairs(self.request.query))

    @cached_property
    def fields(self) -> Fields:
        """The arguments of query string and body together; reads the body unless it is multipart.

        :raises ApiError: the body is too long, or does not match its media type.
        """
        return Fields(form_pairs(self.request.query) + self.form)

    @cached_property
    def form(self) -> Pairs:
        """The pairs of a form or JSON body; reads it unless it is multipart.

        :raises ApiError: the body is too long, or does not match its media type.
        """
        media_type = self.request.media_type
        if media_type == "multipart/form-data":
            return []
        try:
            raw = self.request.body.read(FORM_LIMIT)
        except BodyTooLong:
            raise error_detail(413, "Request entity too large.") from None
        if not raw:
            return []
        try:
            if media_type == "application/json" or media_type.endswith("+json"):
                return json_pairs(raw)
            return form_pairs(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise error_detail(400, f"Malformed request: {error}") from None

    def required(self, name: str) -> str:
        """Return the last value of an argument.

        :raises ApiError: 400, it is missing or empty.
        """
        value = self.fields.get(name)
        if not value:
            raise missing_fields(name)
        return value

    def json(self, value: Any, status: int = 200) -> Response:
        """Return a response with ``value`` as JSON."""
        return json_response(self.backend.site, value, status)

    def empty(self, status: int = 204) -> Response:
        """Return a response without a body."""
        return Response(status, [])


#: The functions of one route by HTTP method; GET includes HEAD.
Methods = Mapping[str, Callable[[Call], Response]]
#: Routes by path, without slashes at its ends.
Routes = Dict[str, Methods]
