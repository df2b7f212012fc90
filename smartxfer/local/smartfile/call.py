"""One call to the API, as the functions behind the routes get it.

Source: SmartFile protocol, sections 1 and 2.
"""

from functools import cached_property
from typing import Any, Callable, Dict, Mapping

import attrs

from smartxfer.local import http_messages
from smartxfer.local.body import BodyTooLong
from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.answers import detail, json_response, required
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.fields import Fields, Pairs, form_pairs, json_pairs

__all__ = ["Call", "Handler", "Methods", "Routes"]

#: Largest form or JSON body, bytes; files come by multipart or as a raw body.
FORM_LIMIT = 4 << 20


@attrs.define(eq=False, slots=False)
class Call(http_messages.Call[Backend]):
    """One call.

    :param version: ``"2"``, ``"2.1"`` or ``"3"``; ``""`` for routes outside ``api/``.
    :param user: name of the user who asks; ``""`` on routes that are open.
    """

    version: str = ""
    user: str = ""

    @property
    def path(self) -> str:
        """The path that stands as id: ``/`` and the segments, without a slash at its end."""
        return "/" + "/".join(self.words)

    @cached_property
    def query(self) -> Fields:
        """The arguments of the query string."""
        return Fields(form_pairs(self.request.query))

    @cached_property
    def fields(self) -> Fields:
        """The arguments of query string and body together; reads the body unless it is multipart.

        :raises ApiError: the body is too long, or not what its media type says.
        """
        return Fields(form_pairs(self.request.query) + self.form)

    @cached_property
    def form(self) -> Pairs:
        """The pairs of a form or JSON body; reads it unless it is multipart.

        :raises ApiError: the body is too long, or not what its media type says.
        """
        media_type = self.request.media_type
        if media_type == "multipart/form-data":
            return []
        try:
            raw = self.request.body.read(FORM_LIMIT)
        except BodyTooLong:
            raise detail(413, "Request entity too large.") from None
        if not raw:
            return []
        try:
            if media_type == "application/json" or media_type.endswith("+json"):
                return json_pairs(raw)
            return form_pairs(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise detail(400, f"Malformed request: {error}") from None

    def required(self, name: str) -> str:
        """The last value of an argument.

        :raises ApiError: 400, there is none or it is empty.
        """
        value = self.fields.get(name)
        if not value:
            raise required(name)
        return value

    def json(self, value: Any, status: int = 200) -> Response:
        """An answer whose body is ``value`` as JSON."""
        return json_response(self.backend.site, value, status)

    def empty(self, status: int = 204) -> Response:
        """An answer without a body."""
        return Response(status, [])


#: A function behind a route.
Handler = Callable[[Call], Response]
#: The functions of one route by HTTP method; HEAD is answered by GET's.
Methods = Mapping[str, Handler]
#: Routes without slashes at their ends.
Routes = Dict[str, Methods]
