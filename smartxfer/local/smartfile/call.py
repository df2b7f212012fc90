"""One call to the API, as the functions behind the routes get it.

Source: SmartFile protocol, sections 1 and 2.
"""

from typing import Any, Callable, Dict, List, Mapping, Optional

import attrs

from smartxfer.local.body import BodyTooLong
from smartxfer.local.exchange import Answer, Exchange
from smartxfer.local.smartfile.answers import Refusal, detail, json_answer
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.fields import Fields, Pairs, form_pairs, json_pairs

__all__ = ["Call", "Handler", "Methods", "Routes"]

#: Largest form or JSON body, bytes; files come by multipart or as a raw body.
FORM_LIMIT = 4 << 20


@attrs.define(eq=False)
class Call:
    """One call.

    :param backend: what the site knows and keeps.
    :param exchange: the request.
    :param version: ``"2"``, ``"2.1"`` or ``"3"``; ``""`` for routes outside ``api/``.
    :param user: name of the user who asks; ``""`` on routes that are open.
    :param words: decoded segments of the path after the route.
    :param slash: whether the path ended in a slash.
    """

    backend: Backend
    exchange: Exchange
    version: str
    user: str
    words: List[str]
    slash: bool = False
    _query: Optional[Fields] = None
    _form: Optional[Pairs] = None
    _fields: Optional[Fields] = None

    @property
    def method(self) -> str:
        """HTTP method, upper case."""
        return self.exchange.method

    @property
    def path(self) -> str:
        """The path that stands as id: ``/`` and the segments, without a slash at its end."""
        return "/" + "/".join(self.words)

    @property
    def media_type(self) -> str:
        """Media type of the body, lower case, without parameters."""
        return self.exchange.headers.get("content-type", "").split(";")[0].strip().lower()

    def header(self, name: str, default: str = "") -> str:
        """Value of a request header; ``name`` in any case."""
        return self.exchange.headers.get(name.lower(), default)

    @property
    def query(self) -> Fields:
        """The arguments of the query string."""
        if self._query is None:
            self._query = Fields(form_pairs(self.exchange.query))
        return self._query

    @property
    def fields(self) -> Fields:
        """The arguments of query string and body together; reads the body unless it is multipart.

        :raises Refusal: the body is too long, or not what its media type says.
        """
        if self._fields is None:
            self._fields = Fields(form_pairs(self.exchange.query) + self.form)
        return self._fields

    @property
    def form(self) -> Pairs:
        """The pairs of a form or JSON body; reads it unless it is multipart.

        :raises Refusal: the body is too long, or not what its media type says.
        """
        if self._form is None:
            self._form = self._read_form()
        return self._form

    def _read_form(self) -> Pairs:
        if self.media_type == "multipart/form-data":
            return []
        try:
            raw = self.exchange.body.read(FORM_LIMIT)
        except BodyTooLong:
            raise detail(413, "Request entity too large.") from None
        if not raw:
            return []
        try:
            if self.media_type == "application/json" or self.media_type.endswith("+json"):
                return json_pairs(raw)
            return form_pairs(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise detail(400, f"Malformed request: {error}") from None

    def required(self, name: str) -> str:
        """The last value of an argument.

        :raises Refusal: 400, there is none or it is empty.
        """
        value = self.fields.get(name)
        if not value:
            raise Refusal(400, {"field_errors": {name: ["This field is required."]}})
        return value

    def json(self, value: Any, status: int = 200) -> Answer:
        """An answer whose body is ``value`` as JSON."""
        return json_answer(self.backend.site, value, status)

    def empty(self, status: int = 204) -> Answer:
        """An answer without a body."""
        return Answer(status, [], (b"",))


#: A function behind a route.
Handler = Callable[[Call], Answer]
#: The functions of one route by HTTP method; HEAD is answered by GET's.
Methods = Mapping[str, Handler]
#: Routes without slashes at their ends.
Routes = Dict[str, Methods]
